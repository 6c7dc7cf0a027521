// SPDX-License-Identifier: BSD-3-Clause
// delivery/reassembly.c: see reassembly.h.

#include "delivery/reassembly.h"

#include <string.h>

#include "delivery/holding.h"
#include "delivery/stored.h"
#include "message/session_check.h"

#define SKIPPED_PRIORITY 2 // PROTOCOL.md: 3 is as 2

static uint8_t priority_of(const struct piece *piece)
{
	const uint8_t said = piece->flags >> SESSION_MESSAGE_PRIORITY_SHIFT;

	return said <= SKIPPED_PRIORITY ? said : SKIPPED_PRIORITY;
}

/// Expand a body that came compressed, and look at what could not be looked at before.
static bool is_whole(struct delivery_context *ctx, const struct piece *piece, const uint8_t **body, uint32_t *length)
{
	if (piece->flags & SESSION_MESSAGE_COMPRESSED) {
		if (!expand_body(ctx->compressor, *body, *length))
			return false;
		counter_add(&ctx->stats->expand_in, *length);
		counter_add(&ctx->stats->expand_out, ctx->compressor->expanded_length);
		*body = ctx->compressor->expanded;
		*length = ctx->compressor->expanded_length;
	} else if (!is_fragment(piece)) {
		return true; // it was looked at when it came
	}
	return session_body_check(piece->type, *body, *length) == PG_DROP_NONE;
}

enum verdict reassembly_deliver(struct delivery_context *ctx, const struct piece *piece, const uint8_t *body,
				uint32_t length, struct delivered *out)
{
	const enum pg_request request = session_request(piece->type);

	if (!is_whole(ctx, piece, &body, &length)) {
		counter_add(&ctx->stats->skipped, 1);
		return VERDICT_MORE;
	}
	if (request != PG_REQUESTS)
		counter_add(&ctx->stats->received[request], 1);
	*out = (struct delivered){
		.type = piece->type,
		.channel = piece->channel,
		.priority = priority_of(piece),
		.reliable = is_reliable(piece),
		.body = body,
		.length = length,
	};
	return VERDICT_DELIVERED;
}

/// Append bytes to a message that is being joined.
/// @return blocks that they took; those were free
static uint32_t join_bytes(struct delivery_context *ctx, struct reassembly *reassembly, const uint8_t *from,
			   uint32_t length)
{
	const uint32_t size = sizeof(((struct pool_piece *)0)->bytes);
	uint32_t blocks = 0;

	while (length != 0) {
		const uint32_t used = reassembly->length % size;
		const uint32_t n = length < size - used ? length : size - used;
		struct pool_piece *last;

		if (used == 0) {
			const uint32_t index = pool_take(ctx->pool);

			((struct pool_piece *)pool_block(ctx->pool, index))->more = POOL_NONE;
			if (reassembly->first == POOL_NONE)
				reassembly->first = index;
			else
				((struct pool_piece *)pool_block(ctx->pool, reassembly->last))->more = index;
			reassembly->last = index;
			blocks++;
		}
		last = pool_block(ctx->pool, reassembly->last);
		memcpy(last->bytes + used, from, n);
		reassembly->length += n;
		from += n;
		length -= n;
	}
	return blocks;
}

uint32_t reassembly_end(struct delivery_context *ctx, struct reassembly *reassembly)
{
	const uint32_t blocks = pool_give_pieces(ctx->pool, reassembly->first);

	*reassembly = (struct reassembly){0};
	return blocks;
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

enum verdict reassembly_take(struct delivery_context *ctx, struct inbound *in, const struct intake *intake,
			     const struct piece *piece, struct delivered *out)
{
	const struct session_fragment fragment = fragment_of(piece);
	struct reassembly *reassembly = &in->reassembly[piece->channel];
	const uint32_t length = piece->length - (uint32_t)sizeof(fragment);
	uint32_t whole;

	if (!fragment_follows(reassembly, piece, fragment))
		return VERDICT_VIOLATION;
	holding_grew(ctx, in, join_bytes(ctx, reassembly, piece->body + sizeof(fragment), length), intake);
	reassembly->count = fragment.count;
	reassembly->type = piece->type;
	reassembly->flags = piece->flags;
	reassembly->next++;
	if (reassembly->next != reassembly->count)
		return VERDICT_MORE;
	whole = reassembly->length;
	pool_copy_pieces(ctx->pool, reassembly->first, ctx->compressor->joined, whole);
	holding_shrank(ctx, in, reassembly_end(ctx, reassembly));
	return reassembly_deliver(ctx, piece, ctx->compressor->joined, whole, out);
}
