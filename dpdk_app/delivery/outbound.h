// SPDX-License-Identifier: BSD-3-Clause
// delivery/outbound.h: messages to the peer: queues by priority, and repetition until they are acknowledged.

#ifndef POLLGATE_DELIVERY_OUTBOUND_H
#define POLLGATE_DELIVERY_OUTBOUND_H

#include "delivery/bulk_pace.h"
#include "delivery/congestion.h"
#include "delivery/context.h"
#include "delivery/round_trip.h"
#include "delivery/window.h"

enum priority { PRIORITY_URGENT, PRIORITY_NORMAL, PRIORITY_BULK, PRIORITIES };

/// A message to send. The body is copied.
struct outgoing {
	uint8_t type;    // enum session_message_type
	uint8_t channel; // of a reliable one
	bool reliable;
	enum priority priority;
	uint32_t receipt;    // of a reliable one: what delivery_context.settled is told; 0: nothing
	uint32_t sender;     // of an event: player_id that precedes the body; not of INVENTORY
	const uint8_t *body; // valid by its type: session_body_check()
	uint32_t length;
};

#define OUTBOUND_QUEUES (SESSION_CHANNELS + 1) // a queue per channel, and one of what is not reliable

/// The first of a list; POOL_NONE: it is empty. Before the first is the last: see lists.h.
typedef uint32_t message_list;

/// In the pool while a message waits or is on its way.
struct out_lists {
	uint64_t later_at;
	message_list waiting_in[PRIORITIES * OUTBOUND_QUEUES];
	message_list flying;                          // in the order of the packets that carried them last
	message_list again;                           // lost: in the order of being queued
	message_list later;                           // refused: they go again at `later_at`
	message_list held[SESSION_CHANNEL_UNORDERED]; // acknowledged, in the order of being queued; but one before
						      // them, or a piece of them, is not: the peer has not read them
	struct id_bits acknowledged;                  // of the unordered channel, ids after the oldest that is not
};
static_assert(sizeof(struct out_lists) == POOL_BLOCK, "they are a block");

struct outbound {
	uint16_t room;          // of the longest packet that the path carries, see path_mtu.h; 0: of the shortest
	uint16_t waiting_mask;  // queues that are not empty
	uint8_t timeouts;       // in a row
	uint8_t flights;        // datagrams with reliable messages that are on their way
	uint8_t paused;         // channels of which something was refused: nothing new leaves on them
	bool filling;           // the datagram that is being filled is within the window
	uint32_t lists;         // struct out_lists in the pool; POOL_NONE: no message waits or is on its way
	uint32_t messages;      // whole ones, waiting or on their way
	uint32_t blocks;        // of the pool, of those messages
	uint32_t waiting;       // messages and pieces that were never sent
	uint32_t waiting_bytes; // on the wire, of those messages and pieces
	uint32_t order;         // of the next one
	uint32_t sent;          // low half of the counter of the last packet that was filled
	uint32_t timed_out;     // likewise, when the last of `timeouts` was counted
	uint32_t timed;         // counter of the last of those that timed out together, which may arrive yet; 0: none
	uint64_t timed_at;      // when it left
	uint64_t overdue;       // TSC since which more waits than one packet carries; 0: no more waits
	uint64_t heard;         // TSC at which something authentic came last, while messages are on their way
	struct round_trip round_trip;
	struct congestion congestion;
	struct bulk_pace bulk;
	uint32_t left;                     // reliable messages and pieces, those that left again among them
	uint32_t left_again;               // since they were lost
	uint16_t oldest[SESSION_CHANNELS]; // id that is not acknowledged, or is kept
	uint16_t next[SESSION_CHANNELS];   // id to give
};

ALWAYS_INLINE struct out_lists *outbound_lists(const struct delivery_context *ctx, const struct outbound *out)
{
	return pool_block(ctx->pool, out->lists);
}

/// No message waits or is on its way any more: their lists are given back.
ALWAYS_INLINE void outbound_settle(const struct delivery_context *ctx, struct outbound *out)
{
	if (out->messages != 0 || out->lists == POOL_NONE)
		return;
	pool_give(ctx->pool, out->lists);
	out->lists = POOL_NONE;
	out->paused = 0;
}

/// @return PG_LOSS_NONE, or why it is not sent
enum pg_loss outbound_queue(struct delivery_context *ctx, struct outbound *out, const struct outgoing *message,
			    uint64_t now);

/// The peer has these packets, named for the first time.
void outbound_acknowledged(struct delivery_context *ctx, struct outbound *out, struct arrived arrived, uint64_t now);

/// The peer refused a packet: what it carried goes again at `retry`.
void outbound_refused(struct delivery_context *ctx, struct outbound *out, uint32_t counter, uint64_t retry);

/// The peer gave up what it kept of messages that it has not read: they go again, though they were acknowledged.
/// @param channels  bits: those in order, and those of which what is on its way does not count either
void outbound_unacknowledged(struct delivery_context *ctx, struct outbound *out, unsigned channels);
#define OUTBOUND_IN_ORDER ((1U << SESSION_CHANNEL_UNORDERED) - 1)

/// A process of the peer died: what the next one has is delivered, and all else that was sent goes again, whatever was
/// acknowledged.
void outbound_restarted(struct delivery_context *ctx, struct outbound *out, const struct session_restarted *restarted);

/// The peer has left the address that messages in flight were sent to: they are lost.
void outbound_moved(struct delivery_context *ctx, struct outbound *out);

/// When a packet should next be filled; 0: nothing waits.
uint64_t outbound_wake(const struct delivery_context *ctx, const struct outbound *out, uint64_t now);

/// When this message may leave, which is the first of its queue; UINT64_MAX: when something else happens.
uint64_t outbound_leaves_from(const struct delivery_context *ctx, const struct outbound *out, unsigned queue,
			      uint64_t now);

/// When another datagram may leave within the window; UINT64_MAX: when something is acknowledged or lost.
uint64_t outbound_window_open_from(const struct outbound *out);

/// When what is on its way longest counts as lost; UINT64_MAX: when what came was read.
uint64_t outbound_timeout_at(const struct delivery_context *ctx, const struct outbound *out);

/// Give all memory back.
void outbound_end(struct delivery_context *ctx, struct outbound *out, enum pg_loss why);

#endif
