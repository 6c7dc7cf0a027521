// SPDX-License-Identifier: BSD-3-Clause
// delivery/inbound.c: an admitted message is delivered once, in the order of its channel; one that comes too early
// waits.

#include "delivery/inbound.h"

#include <string.h>

#include "delivery/piece.h"
#include "delivery/reassembly.h"
#include "delivery/stored.h"

/// The next message of a channel in order.
static enum verdict take_in_order(struct delivery_context *ctx, struct inbound *in, const struct piece *piece,
				  struct delivered *out)
{
	if (is_fragment(piece))
		return reassembly_take(ctx, in, piece, out);
	if (in->reassembly[piece->channel].count != 0)
		return VERDICT_VIOLATION;
	return reassembly_deliver(ctx, piece, piece->body, piece->length, out);
}

// ---------------------------------------------------------------- messages that wait

struct page {
	uint32_t message[INBOUND_PAGE];
};
static_assert(sizeof(struct page) == POOL_BLOCK, "a page is a block");

static uint32_t *page_of(struct inbound *in, unsigned channel, uint16_t id)
{
	return &in->page[channel][(id & WINDOW_MASK) / INBOUND_PAGE];
}

/// Keep a message until those before it came.
static bool keep(struct delivery_context *ctx, struct inbound *in, const struct piece *piece)
{
	uint32_t *page = page_of(in, piece->channel, piece->id);
	const uint32_t blocks = stored_blocks(piece->length);
	uint32_t index;
	struct stored *stored;

	if (*page == POOL_NONE) {
		*page = reassembly_block(ctx->pool);
		if (*page == POOL_NONE)
			return false;
		in->waiting_blocks++;
	}
	index = stored_make(ctx->pool, NULL, 0, piece->body, piece->length);
	if (index == POOL_NONE)
		return false;
	ctx->pool->reserved -= blocks < ctx->pool->reserved ? blocks : ctx->pool->reserved;
	in->waiting_blocks += blocks;
	stored = stored_at(ctx->pool, index);
	stored->type = piece->type;
	stored->flags = piece->flags;
	((struct page *)pool_block(ctx->pool, *page))->message[piece->id % INBOUND_PAGE] = index;
	window_mark(&in->window[piece->channel], piece->id);
	return true;
}

/// Take the waiting message that is next on its channel out of the pool.
static struct piece unkeep(struct delivery_context *ctx, struct inbound *in, unsigned channel)
{
	struct id_window *window = &in->window[channel];
	const uint16_t id = window->oldest++;
	uint32_t *page = page_of(in, channel, id);
	const uint32_t index = ((struct page *)pool_block(ctx->pool, *page))->message[id % INBOUND_PAGE];
	const struct stored *stored = stored_at(ctx->pool, index);
	const struct piece piece = {
		.type = stored->type,
		.flags = stored->flags,
		.channel = (uint8_t)channel,
		.id = id,
		.length = stored->length,
		.body = ctx->compressor->piece,
	};

	stored_copy(ctx->pool, stored, ctx->compressor->piece);
	expand_forget(ctx->compressor);
	in->waiting_blocks -= stored_free(ctx->pool, index);
	window_clear(window, id);
	if (window->done[(id & WINDOW_MASK) / INBOUND_PAGE] == 0) {
		pool_give(ctx->pool, *page);
		*page = POOL_NONE;
		in->waiting_blocks--;
	}
	return piece;
}
static_assert(INBOUND_PAGE == 32, "a word of the window says whether a page is in use");

// ---------------------------------------------------------------- take

static enum verdict take_unordered(struct delivery_context *ctx, struct inbound *in, const struct piece *piece,
				   struct delivered *out)
{
	struct id_window *window = &in->window[SESSION_CHANNEL_UNORDERED];

	window_mark(window, piece->id);
	in->ahead++;
	while (window_done(window, window->oldest)) {
		window_clear(window, window->oldest++);
		in->ahead--;
	}
	return reassembly_deliver(ctx, piece, piece->body, piece->length, out);
}

static enum verdict take(struct delivery_context *ctx, struct inbound *in, struct intake *intake,
			 const struct piece *piece, struct delivered *out)
{
	struct id_window *window = &in->window[piece->channel];

	if (!is_reliable(piece))
		return reassembly_deliver(ctx, piece, piece->body, piece->length, out);
	if (window_behind(window, piece->id) || window_done(window, piece->id)) {
		counter_add(&ctx->stats->duplicates, 1);
		return VERDICT_MORE;
	}
	if (piece->channel == SESSION_CHANNEL_UNORDERED)
		return take_unordered(ctx, in, piece, out);
	if (piece->id != window->oldest)
		return keep(ctx, in, piece) ? VERDICT_MORE : VERDICT_VIOLATION;
	window->oldest++;
	intake->state = INTAKE_CHANNEL + piece->channel;
	return take_in_order(ctx, in, piece, out);
}

/// The next message: one that waited on the channel of the last message, else the datagram's next.
static enum verdict take_next(struct delivery_context *ctx, struct inbound *in, struct intake *intake,
			      struct delivered *out)
{
	struct piece piece;

	if (intake->state >= INTAKE_CHANNEL) {
		const unsigned channel = intake->state - INTAKE_CHANNEL;

		if (window_done(&in->window[channel], in->window[channel].oldest)) {
			piece = unkeep(ctx, in, channel);
			return take_in_order(ctx, in, &piece, out);
		}
		intake->state = INTAKE_DATAGRAM;
	}
	if (intake->at == intake->end || piece_read(&intake->at, intake->end, &piece) != PG_DROP_NONE) {
		intake->state = INTAKE_OVER;
		return VERDICT_MORE;
	}
	return take(ctx, in, intake, &piece, out);
}

bool inbound_next(struct delivery_context *ctx, struct inbound *in, struct intake *intake, struct delivered *out)
{
	while (intake->state != INTAKE_OVER) {
		const enum verdict verdict = take_next(ctx, in, intake, out);

		if (verdict == VERDICT_DELIVERED)
			return true;
		if (verdict == VERDICT_VIOLATION) {
			intake->violation = true;
			intake->state = INTAKE_OVER;
		}
	}
	ctx->pool->reserved = 0;
	return false;
}

bool inbound_holds(const struct inbound *in)
{
	return in->waiting_blocks != 0 || in->ahead != 0 || in->reassembly[0].count != 0 ||
	       in->reassembly[1].count != 0 || in->reassembly[2].count != 0;
}

// ---------------------------------------------------------------- end

static void pages_end(struct delivery_context *ctx, struct inbound *in, unsigned channel)
{
	struct id_window *window = &in->window[channel];

	for (unsigned bit = 0; bit < SESSION_CHANNEL_WINDOW; bit++) {
		const uint32_t page = in->page[channel][bit / INBOUND_PAGE];

		if (window->done[bit / INBOUND_PAGE] >> bit % INBOUND_PAGE & 1)
			stored_free(ctx->pool,
				    ((struct page *)pool_block(ctx->pool, page))->message[bit % INBOUND_PAGE]);
		if (bit % INBOUND_PAGE == INBOUND_PAGE - 1 && page != POOL_NONE)
			pool_give(ctx->pool, page);
	}
}

void inbound_end(struct delivery_context *ctx, struct inbound *in)
{
	for (unsigned channel = 0; channel < INBOUND_ORDERED; channel++) {
		pages_end(ctx, in, channel);
		reassembly_end(ctx, &in->reassembly[channel]);
	}
}
