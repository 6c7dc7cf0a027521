// SPDX-License-Identifier: BSD-3-Clause
// delivery/joining.c: see joining.h.

#include "delivery/joining.h"

#include <string.h>

#include "delivery/stored.h"
#include "message/session_check.h"

/// @return false when it is not what its type says
static bool deliver(struct delivery_context *ctx, const struct piece *piece, const uint8_t *body, uint32_t length,
		    struct delivered *out)
{
	const enum pg_request request = session_request(piece->type);

	if (piece->flags & SESSION_MESSAGE_COMPRESSED) {
		if (!expand_body(ctx->compressor, body, length))
			return false;
		counter_add(&ctx->stats->expand_in, length);
		counter_add(&ctx->stats->expand_out, ctx->compressor->expanded_length);
		body = ctx->compressor->expanded;
		length = ctx->compressor->expanded_length;
	}
	if (is_fragment(piece) && session_body_check(piece->type, body, length) != PG_DROP_NONE)
		return false;
	if (request != PG_REQUESTS)
		counter_add(&ctx->stats->received[request], 1);
	*out = (struct delivered){
		.type = piece->type,
		.channel = piece->channel,
		.reliable = is_reliable(piece),
		.body = body,
		.length = length,
	};
	return true;
}

enum verdict joining_deliver(struct delivery_context *ctx, const struct piece *piece, const uint8_t *body,
			     uint32_t length, struct delivered *out)
{
	return deliver(ctx, piece, body, length, out) ? VERDICT_DELIVERED : VERDICT_OFFENCE;
}

uint32_t joining_block(struct message_pool *pool)
{
	const uint32_t index = pool_take(pool);

	if (index != POOL_NONE && pool->reserved != 0)
		pool->reserved--;
	return index;
}

/// Put bytes behind those of a message that is being joined.
/// @return false when there is no memory, though it was promised
static bool join_bytes(struct delivery_context *ctx, struct joining *joining, const uint8_t *from, uint32_t length)
{
	const uint32_t size = sizeof(((struct pool_piece *)0)->bytes);

	while (length != 0) {
		const uint32_t used = joining->length % size;
		const uint32_t n = length < size - used ? length : size - used;
		struct pool_piece *last;

		if (used == 0) {
			const uint32_t index = joining_block(ctx->pool);

			if (index == POOL_NONE)
				return false;
			((struct pool_piece *)pool_block(ctx->pool, index))->more = POOL_NONE;
			if (joining->first == POOL_NONE)
				joining->first = index;
			else
				((struct pool_piece *)pool_block(ctx->pool, joining->last))->more = index;
			joining->last = index;
		}
		last = pool_block(ctx->pool, joining->last);
		memcpy(last->bytes + used, from, n);
		joining->length += n;
		from += n;
		length -= n;
	}
	return true;
}

void joining_end(struct delivery_context *ctx, struct joining *joining)
{
	pool_give_pieces(ctx->pool, joining->first);
	*joining = (struct joining){0};
}

static bool fragment_follows(const struct joining *joining, const struct piece *piece, struct session_fragment fragment)
{
	if (fragment.index != joining->next)
		return false;
	if (fragment.index == 0)
		return joining->count == 0;
	return fragment.count == joining->count && piece->type == joining->type && piece->flags == joining->flags;
}

enum verdict joining_take(struct delivery_context *ctx, struct inbound *in, const struct piece *piece,
			  struct delivered *out)
{
	const struct session_fragment fragment = fragment_of(piece);
	struct joining *joining = &in->joining[piece->channel];
	const uint32_t length = piece->length - (uint32_t)sizeof(fragment);
	uint32_t whole;

	if (!fragment_follows(joining, piece, fragment) || joining->length + length > SESSION_MESSAGE_MAX ||
	    !join_bytes(ctx, joining, piece->body + sizeof(fragment), length))
		return VERDICT_OFFENCE;
	joining->count = fragment.count;
	joining->type = piece->type;
	joining->flags = piece->flags;
	joining->next++;
	if (joining->next != joining->count)
		return VERDICT_MORE;
	whole = joining->length;
	pool_copy_pieces(ctx->pool, joining->first, ctx->compressor->joined, whole);
	expand_forget(ctx->compressor);
	joining_end(ctx, joining);
	return joining_deliver(ctx, piece, ctx->compressor->joined, whole, out);
}
