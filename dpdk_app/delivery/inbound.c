// SPDX-License-Identifier: BSD-3-Clause
// delivery/inbound.c: a message is delivered once, in the order of its channel; one that comes too early waits; what is not
// understood is skipped, and what cannot be taken now is refused, alone.

#include "delivery/inbound.h"

#include <string.h>

#include "delivery/admission.h"
#include "delivery/delivery.h"
#include "delivery/holding.h"
#include "delivery/piece.h"
#include "delivery/reassembly.h"
#include "delivery/stored.h"

/// It comes again: the datagram is not taken, and what follows on its channel is refused, too.
static enum verdict refuse(struct delivery_context *ctx, struct intake *intake, const struct piece *piece,
			   enum pg_refusal why, uint64_t retry)
{
	counter_add(&ctx->stats->refused[why], 1);
	intake->blocked |= (uint8_t)(1U << piece->channel);
	if (retry > intake->retry)
		intake->retry = retry;
	if (intake->refused == PG_REFUSED_NONE) {
		intake->refused = (uint8_t)why;
		intake->refused_type = piece->type;
	}
	return VERDICT_MORE;
}

// ---------------------------------------------------------------- messages that wait

static uint32_t *page_of(struct delivery_context *ctx, struct inbound *in, unsigned channel, uint16_t id)
{
	return &holding_at(ctx->pool, in->holding)->page[channel][(id & WINDOW_MASK) / HOLDING_PAGE];
}

/// Keep a message until those before it came. There is room for it, and for a page.
static void keep(struct delivery_context *ctx, struct inbound *in, const struct intake *intake,
		 const struct piece *piece)
{
	uint32_t *page = page_of(ctx, in, piece->channel, piece->id);
	uint32_t blocks = stored_blocks(piece->length);
	uint32_t index;
	struct stored *stored;

	if (*page == POOL_NONE) {
		*page = pool_take(ctx->pool);
		memset(pool_block(ctx->pool, *page), 0, sizeof(struct holding_page));
		blocks++;
	}
	index = stored_make(ctx->pool, NULL, 0, piece->body, piece->length);
	stored = stored_at(ctx->pool, index);
	stored->type = piece->type;
	stored->flags = piece->flags;
	((struct holding_page *)pool_block(ctx->pool, *page))->message[piece->id % HOLDING_PAGE] = index;
	holding_grew(ctx, in, blocks, intake);
}

/// A message of a page does not wait any more.
/// @return is it the last of its page?
static bool page_emptied(struct holding_page *page, uint16_t id)
{
	uint32_t any = 0;

	page->message[id % HOLDING_PAGE] = POOL_NONE;
	for (unsigned i = 0; i < HOLDING_PAGE; i++)
		any |= page->message[i];
	return any == POOL_NONE;
}

/// Take the waiting message that is next on its channel out of the pool.
static struct piece unkeep(struct delivery_context *ctx, struct inbound *in, unsigned channel, uint32_t index)
{
	const uint16_t id = in->oldest[channel]++;
	uint32_t *page = page_of(ctx, in, channel, id);
	const struct stored *stored = stored_at(ctx->pool, index);
	const struct piece piece = {
		.type = stored->type,
		.flags = stored->flags,
		.channel = (uint8_t)channel,
		.id = id,
		.length = stored->length,
		.body = ctx->compressor->piece,
	};
	uint32_t blocks;

	stored_copy(ctx->pool, stored, ctx->compressor->piece);
	blocks = stored_free(ctx->pool, index);
	if (page_emptied(pool_block(ctx->pool, *page), id)) {
		pool_give(ctx->pool, *page);
		*page = POOL_NONE;
		blocks++;
	}
	holding_shrank(ctx, in, blocks);
	return piece;
}

// ---------------------------------------------------------------- take

/// The next message of a channel in order, whose id is used up.
static enum verdict take_in_order(struct delivery_context *ctx, struct inbound *in, const struct intake *intake,
				  const struct piece *piece, struct delivered *out)
{
	if (piece->type == PIECE_SKIPPED)
		return VERDICT_MORE;
	if (is_fragment(piece))
		return reassembly_take(ctx, in, intake, piece, out);
	if (in->joined[piece->channel] != 0)
		return VERDICT_VIOLATION;
	return reassembly_deliver(ctx, piece, piece->body, piece->length, out);
}

static void unordered_taken(struct inbound *in, uint16_t id)
{
	uint16_t *oldest = &in->oldest[SESSION_CHANNEL_UNORDERED];

	id_mark(&in->unordered, id);
	in->ahead++;
	while (id_is_done(&in->unordered, *oldest)) {
		id_clear(&in->unordered, (*oldest)++);
		in->ahead--;
	}
}

/// Blocks that a message on a channel in order needs until it can be delivered: to wait, or to be joined.
static uint32_t blocks_for(const struct inbound *in, const struct piece *piece)
{
	if (piece->id != in->oldest[piece->channel])
		return stored_blocks(piece->length) + 1; // a page
	return is_fragment(piece) ? pieces_of(piece->length) + 1 : 0;
}

static enum verdict take_ordered(struct delivery_context *ctx, struct delivery *c, struct intake *intake,
				 const struct piece *piece, struct delivered *out)
{
	struct inbound *in = &c->in;

	if (piece->id != in->oldest[piece->channel]) {
		keep(ctx, in, intake, piece);
		return VERDICT_MORE;
	}
	in->oldest[piece->channel]++;
	intake->state = INTAKE_CHANNEL + piece->channel;
	return take_in_order(ctx, in, intake, piece, out);
}

/// A new reliable message: it is taken, or refused. Its limit is charged once, when it is taken.
static enum verdict take_new(struct delivery_context *ctx, struct delivery *c, struct intake *intake,
			     const struct piece *piece, struct delivered *out)
{
	const uint32_t blocks = piece->channel != SESSION_CHANNEL_UNORDERED ? blocks_for(&c->in, piece) : 0;
	enum pg_refusal refusal = PG_REFUSED_NONE;
	uint64_t conforms;

	if (blocks != 0)
		refusal = holding_make_room(ctx, c, blocks, piece->id == c->in.oldest[piece->channel], intake->now);
	if (refusal != PG_REFUSED_NONE)
		return refuse(ctx, intake, piece, refusal, intake->now + ADMISSION_MEMORY_MS * ctx->rules->millisecond);
	conforms = holding_dropped(ctx, &c->in, piece) == DROPPED_THIS ?
			   intake->now : // it was taken and charged before
			   admission_charge(ctx, c->conforms_at, piece, intake->now);
	if (conforms > intake->now)
		return refuse(ctx, intake, piece, PG_REFUSED_RATE, conforms);
	holding_came_again(ctx, &c->in, piece);
	if (piece->channel != SESSION_CHANNEL_UNORDERED)
		return take_ordered(ctx, c, intake, piece, out);
	unordered_taken(&c->in, piece->id);
	return piece->type == PIECE_SKIPPED ? VERDICT_MORE :
					      reassembly_deliver(ctx, piece, piece->body, piece->length, out);
}

/// Was it taken after the oldest of its channel that was not?
static bool taken_ahead(const struct delivery_context *ctx, const struct inbound *in, const struct piece *piece)
{
	if (id_ahead(in->oldest[piece->channel], piece->id) >= SESSION_CHANNEL_WINDOW)
		return false;
	if (piece->channel == SESSION_CHANNEL_UNORDERED)
		return id_is_done(&in->unordered, piece->id);
	return holding_waits(ctx, in, piece->channel, piece->id) != POOL_NONE;
}

static enum verdict take_reliable(struct delivery_context *ctx, struct delivery *c, struct intake *intake,
				  struct piece *piece, struct delivered *out)
{
	const uint16_t oldest = c->in.oldest[piece->channel];
	enum dropped dropped;

	if (id_behind(oldest, piece->id) || taken_ahead(ctx, &c->in, piece)) {
		counter_add(&ctx->stats->duplicates, 1);
		return VERDICT_MORE;
	}
	dropped = holding_dropped(ctx, &c->in, piece);
	if (dropped == DROPPED_OTHERS) // its acknowledgement would let the peer forget those
		return refuse(ctx, intake, piece, PG_REFUSED_FORGOTTEN, intake->now);
	if (intake->blocked >> piece->channel & 1 && dropped == DROPPED_NONE)
		return refuse(ctx, intake, piece, (enum pg_refusal)intake->refused, 0);
	if (id_ahead(oldest, piece->id) >= SESSION_CHANNEL_WINDOW)
		return refuse(ctx, intake, piece, PG_REFUSED_ORDER,
			      intake->now + ADMISSION_ORDER_MS * ctx->rules->millisecond);
	if (!admission_understood(ctx, piece)) {
		counter_add(&ctx->stats->skipped, 1);
		piece->type = PIECE_SKIPPED;
		piece->flags &= (uint8_t) ~(SESSION_MESSAGE_FRAGMENT | SESSION_MESSAGE_COMPRESSED);
		piece->length = 0;
	}
	return take_new(ctx, c, intake, piece, out);
}

static enum verdict take_unreliable(struct delivery_context *ctx, struct delivery *c, const struct intake *intake,
				    const struct piece *piece, struct delivered *out)
{
	if (!admission_understood(ctx, piece)) {
		counter_add(&ctx->stats->skipped, 1);
		return VERDICT_MORE;
	}
	if (admission_charge(ctx, c->conforms_at, piece, intake->now) > intake->now) {
		counter_add(&ctx->stats->over_limit, 1);
		return VERDICT_MORE;
	}
	return reassembly_deliver(ctx, piece, piece->body, piece->length, out);
}

/// The next message: one that waited on the channel of the last message, else the datagram's next.
static enum verdict take_next(struct delivery_context *ctx, struct delivery *c, struct intake *intake,
			      struct delivered *out)
{
	struct piece piece;

	if (intake->state >= INTAKE_CHANNEL) {
		const unsigned channel = intake->state - INTAKE_CHANNEL;
		const uint32_t index = holding_waits(ctx, &c->in, channel, c->in.oldest[channel]);

		if (index != POOL_NONE) {
			piece = unkeep(ctx, &c->in, channel, index);
			return take_in_order(ctx, &c->in, intake, &piece, out);
		}
		intake->state = INTAKE_DATAGRAM;
	}
	if (intake->at == intake->end) {
		intake->state = INTAKE_OVER;
		return VERDICT_MORE;
	}
	if (!piece_read(&intake->at, intake->end, &piece) || !piece_can_be(&piece) ||
	    ++intake->messages > SESSION_MESSAGES_MAX)
		return VERDICT_VIOLATION;
	return is_reliable(&piece) ? take_reliable(ctx, c, intake, &piece, out) :
				     take_unreliable(ctx, c, intake, &piece, out);
}

bool inbound_next(struct delivery_context *ctx, struct delivery *c, struct intake *intake, struct delivered *out)
{
	while (intake->state != INTAKE_OVER) {
		const enum verdict verdict = take_next(ctx, c, intake, out);

		if (verdict == VERDICT_DELIVERED)
			return true;
		if (verdict == VERDICT_VIOLATION) {
			intake->violation = true;
			intake->state = INTAKE_OVER;
		}
	}
	holding_settle(ctx, &c->in);
	return false;
}

bool inbound_holds(const struct inbound *in)
{
	return in->holding != POOL_NONE || in->ahead != 0;
}

/// Before an id of a channel: how many were not delivered.
static uint32_t missing_before(const struct inbound *in, unsigned channel, uint16_t next)
{
	const uint16_t ids = (uint16_t)(next - inbound_next_id(in, channel));
	uint32_t missing = ids;

	if (ids >= 0x8000)
		return 0;
	for (uint16_t i = 0; channel == SESSION_CHANNEL_UNORDERED && i < ids && i < SESSION_CHANNEL_WINDOW; i++)
		missing -= id_is_done(&in->unordered, (uint16_t)(next - ids + i));
	return missing;
}

void inbound_restarted(struct delivery_context *ctx, struct inbound *in, const struct session_restarted *restarted,
		       uint32_t lost[SESSION_CHANNELS])
{
	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++)
		lost[channel] = missing_before(in, channel, restarted->next_out[channel]);
	inbound_end(ctx, in);
	*in = (struct inbound){0};
	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++)
		in->oldest[channel] = restarted->next_out[channel];
}

void inbound_end(struct delivery_context *ctx, struct inbound *in)
{
	holding_end(ctx, in);
	if (in->dropped != POOL_NONE)
		pool_give(ctx->pool, in->dropped);
}
