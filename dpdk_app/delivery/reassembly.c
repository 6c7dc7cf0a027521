// SPDX-License-Identifier: BSD-3-Clause
// delivery/reassembly.c: see reassembly.h.

#include "delivery/reassembly.h"

#include <string.h>

#include "delivery/stored.h"
#include "message/session_check.h"

/// @return false when the body is not valid for its type
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

enum verdict reassembly_deliver(struct delivery_context *ctx, const struct piece *piece, const uint8_t *body,
				uint32_t length, struct delivered *out)
{
	return deliver(ctx, piece, body, length, out) ? VERDICT_DELIVERED : VERDICT_VIOLATION;
}

uint32_t reassembly_block(struct message_pool *pool)
{
	const uint32_t index = pool_take(pool);

	if (index != POOL_NONE && pool->reserved != 0)
		pool->reserved--;
	return index;
}

/// Append bytes to a message that is being joined.
/// @return false when there is no memory, although blocks were reserved
static bool join_bytes(struct delivery_context *ctx, struct reassembly *reassembly, const uint8_t *from,
		       uint32_t length)
{
	const uint32_t size = sizeof(((struct pool_piece *)0)->bytes);

	while (length != 0) {
		const uint32_t used = reassembly->length % size;
		const uint32_t n = length < size - used ? length : size - used;
		struct pool_piece *last;

		if (used == 0) {
			const uint32_t index = reassembly_block(ctx->pool);

			if (index == POOL_NONE)
				return false;
			((struct pool_piece *)pool_block(ctx->pool, index))->more = POOL_NONE;
			if (reassembly->first == POOL_NONE)
				reassembly->first = index;
			else
				((struct pool_piece *)pool_block(ctx->pool, reassembly->last))->more = index;
			reassembly->last = index;
		}
		last = pool_block(ctx->pool, reassembly->last);
		memcpy(last->bytes + used, from, n);
		reassembly->length += n;
		from += n;
		length -= n;
	}
	return true;
}

void reassembly_end(struct delivery_context *ctx, struct reassembly *reassembly)
{
	pool_give_pieces(ctx->pool, reassembly->first);
	*reassembly = (struct reassembly){0};
}

static bool fragment_follows(const struct reassembly *reassembly, const struct piece *piece,
			     struct session_fragment fragment)
{
	if (fragment.index != reassembly->next)
		return false;
	if (fragment.index == 0)
		return reassembly->count == 0;
	return fragment.count == reassembly->count && piece->type == reassembly->type &&
	       piece->flags == reassembly->flags;
}

enum verdict reassembly_take(struct delivery_context *ctx, struct inbound *in, const struct piece *piece,
			     struct delivered *out)
{
	const struct session_fragment fragment = fragment_of(piece);
	struct reassembly *reassembly = &in->reassembly[piece->channel];
	const uint32_t length = piece->length - (uint32_t)sizeof(fragment);
	uint32_t whole;

	if (!fragment_follows(reassembly, piece, fragment) || reassembly->length + length > SESSION_MESSAGE_MAX ||
	    !join_bytes(ctx, reassembly, piece->body + sizeof(fragment), length))
		return VERDICT_VIOLATION;
	reassembly->count = fragment.count;
	reassembly->type = piece->type;
	reassembly->flags = piece->flags;
	reassembly->next++;
	if (reassembly->next != reassembly->count)
		return VERDICT_MORE;
	whole = reassembly->length;
	pool_copy_pieces(ctx->pool, reassembly->first, ctx->compressor->joined, whole);
	expand_forget(ctx->compressor);
	reassembly_end(ctx, reassembly);
	return reassembly_deliver(ctx, piece, ctx->compressor->joined, whole, out);
}
