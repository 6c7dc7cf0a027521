// SPDX-License-Identifier: BSD-3-Clause
// delivery/context.h: what deliveries of one worker, or one client, share: rules, memory, scratch space, counters.

#ifndef POLLGATE_DELIVERY_CONTEXT_H
#define POLLGATE_DELIVERY_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery/acknowledged.h"
#include "delivery/compress.h"
#include "delivery/fillers.h"
#include "delivery/pool.h"
#include "limit/rate.h"
#include "pollgate.h"
#include "rules.h"

/// The reloadable part, in the units of the fast path. Immutable once published.
struct delivery_rules {
	uint64_t millisecond;       // TSC
	uint64_t flush_after;       // TSC: how long messages that are not urgent wait for others
	uint64_t acknowledge_after; // TSC
	uint64_t resend_after_min;  // TSC
	uint64_t ack_delay_unit;    // TSC cycles of one of ack_delay
	/// As configured. queue_bytes, per session: of messages waiting or unacknowledged, where one is always possible, and again
	/// of those that came before others or are being joined.
#define DELIVERY RULE_FIELD
#include "settings.def"
	uint32_t compress_min[PG_COMPRESSIBLE]; // bytes of body from which a type is compressed; UINT32_MAX: never
	/// Per session and type of what comes in: SESSION_COST_BYTES.
	struct rate message_rate[PG_REQUESTS];
};

/// What a client may say: the gateway's limits, a tenth slower, so that nothing is ever refused for them.
struct pace {
	struct rate rate[PG_REQUESTS];
	uint64_t conforms_at[PG_REQUESTS];
};

/// One writer.
struct delivery_context {
	const struct delivery_rules *rules;
	struct message_pool *pool;
	struct compressor *compressor;
	struct pg_message_stats *stats;
	struct pace *pace; // what goes out; NULL: at the gateway
	bool gateway;      // which types may come in
	uint16_t
		datagram_max; // bytes of the longest datagram that leaves where the path carries it; 0: of the longest there is

	/// Told once of every message that was queued with a receipt: its last part was acknowledged (PG_LOSS_NONE), or why it is
	/// lost. NULL where nobody asks, as in the gateway. It must not call back into the delivery.
	void (*settled)(void *context, uint32_t receipt, enum pg_loss loss);
	void *settled_context;

	/// Memory of a delivery was taken back for others: it has something to say, and its ids went back. It must not call back into
	/// the delivery.
	/// @param who  as in delivery_begin()
	void (*robbed)(void *context, uint32_t who);
	void *robbed_context;

	/// Who is told which of our datagrams a peer has, after the repetition of messages; fixed before the first is sent.
	const struct acknowledged_listener *listener;
	uint32_t listeners;

	/// Of who reads a socket once in a while, as a game does once a frame; 0 otherwise. TSC cycles for which the datagram that is
	/// being taken lay there: its path did not take them. And TSC from which on what came may still lie there: as long as an
	/// acknowledgement may be among it, nothing counts as lost because none came.
	uint64_t waited;
	uint64_t unread_from;

	/// Who writes into a datagram after the delivery's own; fixed as well. FILLERS_MAX at most.
	uint32_t fillers;
	const struct filler *filler;
};

/// Show how much of the pool is in use.
ALWAYS_INLINE void delivery_gauge(const struct delivery_context *ctx)
{
	counter_set(&ctx->stats->memory_used, (uint64_t)ctx->pool->used * POOL_BLOCK);
}

#endif
