// SPDX-License-Identifier: BSD-3-Clause
// delivery/holding.h: what deliveries keep of messages that are not complete: those that came before others, and pieces. It is
// shared fairly, and what makes no progress is given up: its sender has it all.

#ifndef POLLGATE_DELIVERY_HOLDING_H
#define POLLGATE_DELIVERY_HOLDING_H

#include "delivery/inbound.h"
#include "delivery/piece.h"

#define HOLDING_PAGE 32               // messages that one block has room to name
#define HOLDING_MOST_MS 5000          // without progress
#define HOLDING_UNDER_PRESSURE_MS 500 // likewise, when others that keep less find no room
#define HOLDING_LOOKS 16              // at those who waited longest

/// In the pool while a delivery keeps anything.
struct holding {
	uint32_t older, newer; // in the list of them all, by progress
	struct delivery *of;
	uint64_t progress; // TSC at which something was added that the peer sent for the first time
	uint32_t blocks;   // of the pool, this one included
	uint32_t counter;  // low half, of the last datagram of which something is kept
	/// Where the waiting messages are: a block for each 32 ids, while one of them waits.
	uint32_t page[INBOUND_ORDERED][SESSION_CHANNEL_WINDOW / HOLDING_PAGE];
};
static_assert(sizeof(struct holding) == POOL_BLOCK, "a holding is a block");

struct holding_page {
	uint32_t message[HOLDING_PAGE]; // POOL_NONE: this id does not wait
};
static_assert(sizeof(struct holding_page) == POOL_BLOCK, "a page is a block");

ALWAYS_INLINE struct holding *holding_at(struct message_pool *pool, uint32_t index)
{
	return pool_block(pool, index);
}

/// The message that waits with this id, 0 to 255 ahead of the oldest; POOL_NONE: none does.
ALWAYS_INLINE uint32_t holding_waits(const struct delivery_context *ctx, const struct inbound *in, unsigned channel,
				     uint16_t id)
{
	uint32_t page;

	if (in->holding == POOL_NONE)
		return POOL_NONE;
	page = holding_at(ctx->pool, in->holding)->page[channel][(id & WINDOW_MASK) / HOLDING_PAGE];
	if (page == POOL_NONE)
		return POOL_NONE;
	return ((const struct holding_page *)pool_block(ctx->pool, page))->message[id % HOLDING_PAGE];
}

/// In the pool while ids that were acknowledged and given up have not come again: their bits, by channel.
struct dropped_ids {
	uint32_t count;
	uint32_t id[INBOUND_ORDERED][SESSION_CHANNEL_WINDOW / 32];
};
static_assert(sizeof(struct dropped_ids) <= POOL_BLOCK, "it is a block");

enum dropped { DROPPED_NONE, DROPPED_THIS, DROPPED_OTHERS };

/// Is this one of the ids of its channel that were given up, or are there others?
enum dropped holding_dropped(const struct delivery_context *ctx, const struct inbound *in, const struct piece *piece);

/// It is taken. If it was given up before, then no more.
void holding_came_again(struct delivery_context *ctx, struct inbound *in, const struct piece *piece);

/// May a delivery keep so many blocks more? If so they are free, and it has a holding.
/// @param in_order  it is what its channel waits for: a share is left for those
/// @return PG_REFUSED_NONE, or why not
enum pg_refusal holding_make_room(struct delivery_context *ctx, struct delivery *c, uint32_t blocks, bool in_order,
				  uint64_t now);

/// Blocks were added to what it keeps, of this datagram.
void holding_grew(struct delivery_context *ctx, struct inbound *in, uint32_t blocks, const struct intake *intake);

/// Blocks were given back.
void holding_shrank(struct delivery_context *ctx, struct inbound *in, uint32_t blocks);

/// A datagram was taken: a delivery that keeps nothing has no holding.
void holding_settle(struct delivery_context *ctx, struct inbound *in);

/// Give all of that back, without a word to the peer.
void holding_end(struct delivery_context *ctx, struct inbound *in);

/// Deliveries whose messages made no progress for long give them up.
void holding_expire(struct delivery_context *ctx, uint64_t now);

#endif
