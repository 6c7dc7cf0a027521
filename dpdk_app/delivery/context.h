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

/// The most repetitions of a message, whatever the rules say: a stored message names every packet that carried it.
#define DELIVERY_RESENDS_MAX 7

/// The reloadable part, in the units of the fast path. Immutable once published.
struct delivery_rules {
	uint64_t flush_after;       // TSC: how long messages that are not urgent wait for others
	uint64_t acknowledge_after; // TSC
	uint64_t resend_after_min;  // TSC
	uint64_t ack_delay_unit;    // TSC cycles of one of ack_delay
	/// As configured. queue_bytes, per session: of messages waiting or unacknowledged, where one is always possible, and again
	/// of those that came before others. What is being joined is bounded by its channels: a longest message each.
#define DELIVERY RULE_FIELD
#include "settings.def"
	uint32_t compress_min[PG_COMPRESSIBLE]; // bytes of body from which a type is compressed; UINT32_MAX: never
	/// Per session and type of what comes in. A piece counts as one; so does each datagram that something expands to.
	struct rate message_rate[PG_REQUESTS];
};

/// One writer.
struct delivery_context {
	const struct delivery_rules *rules;
	struct message_pool *pool;
	struct compressor *compressor;
	struct pg_message_stats *stats;
	bool gateway; // which types may come in

	/// Told once of every message that was queued with a receipt: its last part was acknowledged (PG_LOSS_NONE), or why it is
	/// lost. NULL where nobody asks, as in the gateway. It must not call back into the delivery.
	void (*settled)(void *context, uint32_t receipt, enum pg_loss loss);
	void *settled_context;

	/// Who is told which of our datagrams a peer has, after the repetition of messages; fixed before the first is sent.
	const struct acknowledged_listener *listener;
	uint32_t listeners;

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
