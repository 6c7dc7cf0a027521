// SPDX-License-Identifier: BSD-3-Clause
// delivery/holding.c: see holding.h.
//
// At a gateway half of the pool is for what is kept, a half of that for what is next in its channel alone. Each may keep twice
// what is free of that (of messages that came too early, half of it): N who take what they can leave enough for another to have
// nearly as much as each of them (Choudhury and Hahne, "Dynamic Queue Length Thresholds").

#include "delivery/holding.h"

#include "delivery/delivery.h"
#include "delivery/reassembly.h"
#include "delivery/stored.h"

static void unlink_holding(struct delivery_context *ctx, uint32_t index)
{
	struct holding *holding = holding_at(ctx->pool, index);

	if (holding->older != POOL_NONE)
		holding_at(ctx->pool, holding->older)->newer = holding->newer;
	else
		ctx->pool->held_first = holding->newer;
	if (holding->newer != POOL_NONE)
		holding_at(ctx->pool, holding->newer)->older = holding->older;
	else
		ctx->pool->held_last = holding->older;
}

static void link_newest(struct delivery_context *ctx, uint32_t index)
{
	struct holding *holding = holding_at(ctx->pool, index);

	holding->newer = POOL_NONE;
	holding->older = ctx->pool->held_last;
	if (ctx->pool->held_last != POOL_NONE)
		holding_at(ctx->pool, ctx->pool->held_last)->newer = index;
	else
		ctx->pool->held_first = index;
	ctx->pool->held_last = index;
}

static void page_end(struct delivery_context *ctx, uint32_t index)
{
	const struct holding_page *page = pool_block(ctx->pool, index);

	if (index == POOL_NONE)
		return;
	for (unsigned i = 0; i < HOLDING_PAGE; i++)
		if (page->message[i] != POOL_NONE)
			stored_free(ctx->pool, page->message[i]);
	pool_give(ctx->pool, index);
}

void holding_end(struct delivery_context *ctx, struct inbound *in)
{
	struct holding *holding;

	if (in->holding == POOL_NONE)
		return;
	holding = holding_at(ctx->pool, in->holding);
	for (unsigned channel = 0; channel < INBOUND_ORDERED; channel++) {
		for (unsigned i = 0; i < SESSION_CHANNEL_WINDOW / HOLDING_PAGE; i++)
			page_end(ctx, holding->page[channel][i]);
		in->oldest[channel] = inbound_next_id(in, channel);
		reassembly_end(ctx, in, channel);
	}
	ctx->pool->held -= holding->blocks;
	unlink_holding(ctx, in->holding);
	pool_give(ctx->pool, in->holding);
	in->holding = POOL_NONE;
}

// ---------------------------------------------------------------- given up

enum dropped holding_dropped(const struct delivery_context *ctx, const struct inbound *in, const struct piece *piece)
{
	const struct dropped_ids *dropped;
	uint32_t any = 0;

	if (likely(in->dropped == POOL_NONE) || piece->channel == SESSION_CHANNEL_UNORDERED)
		return DROPPED_NONE;
	dropped = pool_block(ctx->pool, in->dropped);
	if (id_ahead(in->oldest[piece->channel], piece->id) < SESSION_CHANNEL_WINDOW &&
	    dropped->id[piece->channel][(piece->id & WINDOW_MASK) / 32] >> piece->id % 32 & 1)
		return DROPPED_THIS;
	for (unsigned i = 0; i < SESSION_CHANNEL_WINDOW / 32; i++)
		any |= dropped->id[piece->channel][i];
	return any != 0 ? DROPPED_OTHERS : DROPPED_NONE;
}

void holding_came_again(struct delivery_context *ctx, struct inbound *in, const struct piece *piece)
{
	struct dropped_ids *dropped;

	if (holding_dropped(ctx, in, piece) != DROPPED_THIS)
		return;
	dropped = pool_block(ctx->pool, in->dropped);
	dropped->id[piece->channel][(piece->id & WINDOW_MASK) / 32] &= ~(1U << piece->id % 32);
	if (--dropped->count != 0)
		return;
	pool_give(ctx->pool, in->dropped);
	in->dropped = POOL_NONE;
}

static void note_dropped(struct dropped_ids *dropped, unsigned channel, uint16_t id)
{
	uint32_t *word = &dropped->id[channel][(id & WINDOW_MASK) / 32];

	dropped->count += !(*word >> id % 32 & 1);
	*word |= 1U << id % 32;
}

/// The ids that a delivery keeps: pieces that are being joined, and what waits.
static void note_all_dropped(const struct delivery_context *ctx, const struct inbound *in, struct dropped_ids *dropped)
{
	for (unsigned channel = 0; channel < INBOUND_ORDERED; channel++) {
		for (uint16_t i = 0; i < in->joined[channel]; i++)
			note_dropped(dropped, channel, (uint16_t)(inbound_next_id(in, channel) + i));
		for (uint16_t i = 1; i < SESSION_CHANNEL_WINDOW; i++)
			if (holding_waits(ctx, in, channel, (uint16_t)(in->oldest[channel] + i)) != POOL_NONE)
				note_dropped(dropped, channel, (uint16_t)(in->oldest[channel] + i));
	}
}

/// Take back what a delivery keeps. The peer sends it again when it knows.
static void rob(struct delivery_context *ctx, uint32_t index, uint64_t now)
{
	const struct holding *holding = holding_at(ctx->pool, index);
	const uint32_t counter = holding->counter;
	struct delivery *c = holding->of;
	struct inbound *in = &c->in;
	struct dropped_ids ids = {0};

	if (in->dropped != POOL_NONE) {
		memcpy(&ids, pool_block(ctx->pool, in->dropped), sizeof(ids));
		pool_give(ctx->pool, in->dropped);
		in->dropped = POOL_NONE;
	}
	note_all_dropped(ctx, in, &ids);
	holding_end(ctx, in);
	if (ids.count != 0) { // the block is there: at least the holding's was given back
		in->dropped = pool_take(ctx->pool);
		memcpy(pool_block(ctx->pool, in->dropped), &ids, sizeof(ids));
		delivery_say_busy(ctx, c, counter, PG_REFUSED_FORGOTTEN, 0, now, now);
	}
	delivery_gauge(ctx);
	if (ctx->robbed)
		ctx->robbed(ctx->robbed_context, c->who);
}

void holding_expire(struct delivery_context *ctx, uint64_t now)
{
	const uint64_t most = HOLDING_MOST_MS * ctx->rules->millisecond;

	while (ctx->pool->held_first != POOL_NONE &&
	       now - holding_at(ctx->pool, ctx->pool->held_first)->progress > most)
		rob(ctx, ctx->pool->held_first, now);
}

/// Blocks that one may keep though his queue has no room for them: his channel's next, of the longest message.
#define LONGEST_BLOCKS (1 + pieces_of(SESSION_MESSAGE_MAX))

/// So many blocks more, and a holding if there is none: are they free of the part that it may use?
static enum pg_refusal room_for(const struct delivery_context *ctx, const struct inbound *in, uint32_t blocks,
				bool in_order)
{
	const struct message_pool *pool = ctx->pool;
	const uint32_t part = in_order || !ctx->gateway ? pool->blocks / 2 : pool->blocks / 4;
	const uint32_t free = part > pool->held ? part - pool->held : 0;
	const uint32_t has = in->holding != POOL_NONE ? holding_at(ctx->pool, in->holding)->blocks : 0;
	const uint32_t needs = blocks + (in->holding == POOL_NONE ? 1U : 0U);
	const uint32_t queue = ctx->rules->queue_bytes / POOL_BLOCK + (in_order ? LONGEST_BLOCKS : 0);

	if (has + needs > queue)
		return PG_REFUSED_SESSION_MEMORY;
	if (needs > free || !pool_has(pool, needs))
		return PG_REFUSED_MEMORY;
	if (ctx->gateway && has + needs > (in_order ? 2 * free : free / 2))
		return PG_REFUSED_MEMORY;
	return PG_REFUSED_NONE;
}

static enum pg_refusal begin(struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	struct inbound *in = &c->in;
	const uint32_t index = pool_take(ctx->pool);
	struct holding *holding;

	if (index == POOL_NONE)
		return PG_REFUSED_MEMORY;
	holding = holding_at(ctx->pool, index);
	*holding = (struct holding){.of = c, .progress = now, .blocks = 1};
	ctx->pool->held++;
	in->holding = index;
	link_newest(ctx, index);
	return PG_REFUSED_NONE;
}

/// Who waited long without progress, the longest first, and keeps no less than `blocks`.
/// @return POOL_NONE: nobody among those that waited longest
static uint32_t idle_holder(const struct delivery_context *ctx, uint32_t but, uint32_t blocks, uint64_t now)
{
	const uint64_t least = HOLDING_UNDER_PRESSURE_MS * ctx->rules->millisecond;
	uint32_t index = ctx->pool->held_first;

	for (unsigned looks = 0; index != POOL_NONE && looks < HOLDING_LOOKS; looks++) {
		const struct holding *holding = holding_at(ctx->pool, index);

		if (now - holding->progress <= least)
			return POOL_NONE;
		if (index != but && holding->blocks >= blocks)
			return index;
		index = holding->newer;
	}
	return POOL_NONE;
}

enum pg_refusal holding_make_room(struct delivery_context *ctx, struct delivery *c, uint32_t blocks, bool in_order,
				  uint64_t now)
{
	enum pg_refusal refusal = room_for(ctx, &c->in, blocks, in_order);

	while (refusal == PG_REFUSED_MEMORY) {
		const uint32_t mine = c->in.holding != POOL_NONE ? holding_at(ctx->pool, c->in.holding)->blocks : 0;
		const uint32_t index = idle_holder(ctx, c->in.holding, mine + blocks, now);

		if (index == POOL_NONE)
			return refusal;
		rob(ctx, index, now);
		refusal = room_for(ctx, &c->in, blocks, in_order);
	}
	if (refusal != PG_REFUSED_NONE || c->in.holding != POOL_NONE)
		return refusal;
	return begin(ctx, c, now);
}

void holding_grew(struct delivery_context *ctx, struct inbound *in, uint32_t blocks, const struct intake *intake)
{
	struct holding *holding = holding_at(ctx->pool, in->holding);

	holding->blocks += blocks;
	ctx->pool->held += blocks;
	holding->progress = intake->now;
	holding->counter = intake->counter;
	if (ctx->pool->held_last == in->holding)
		return;
	unlink_holding(ctx, in->holding);
	link_newest(ctx, in->holding);
}

void holding_shrank(struct delivery_context *ctx, struct inbound *in, uint32_t blocks)
{
	struct holding *holding = holding_at(ctx->pool, in->holding);

	holding->blocks -= blocks;
	ctx->pool->held -= blocks;
}

void holding_settle(struct delivery_context *ctx, struct inbound *in)
{
	if (in->holding != POOL_NONE && holding_at(ctx->pool, in->holding)->blocks == 1)
		holding_end(ctx, in);
}
