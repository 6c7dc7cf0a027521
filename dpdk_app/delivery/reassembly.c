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

static struct joining *joining_at(struct message_pool *pool, uint32_t index)
{
	return pool_block(pool, index);
}

/// Begin a message. There is a block for it.
static struct joining *begin(struct delivery_context *ctx, struct inbound *in, const struct piece *piece)
{
	const uint32_t index = pool_take(ctx->pool);
	struct joining *joining = joining_at(ctx->pool, index);

	*joining = (struct joining){
		.last = index,
		.count = fragment_of(piece).count,
		.type = piece->type,
		.flags = piece->flags,
	};
	in->joining[piece->channel] = index;
	return joining;
}

/// Room behind what was joined: in the last block, or in another.
/// @param size  out: of the room; 0: the last block is full
static uint8_t *room_behind(struct delivery_context *ctx, struct joining *joining, uint32_t *size)
{
	const uint32_t first = sizeof(joining->bytes), each = sizeof(((struct pool_piece *)0)->bytes);
	uint32_t used;

	if (joining->length < first) {
		*size = first - joining->length;
		return joining->bytes + joining->length;
	}
	used = (joining->length - first) % each;
	*size = used != 0 ? each - used : 0;
	return ((struct pool_piece *)pool_block(ctx->pool, joining->last))->bytes + used;
}

/// Append bytes.
/// @return blocks that they took; those were free
static uint32_t join_bytes(struct delivery_context *ctx, struct joining *joining, const uint8_t *from, uint32_t length)
{
	uint32_t blocks = 0;

	while (length != 0) {
		uint32_t size;
		uint8_t *room = room_behind(ctx, joining, &size);

		if (size == 0) {
			const uint32_t index = pool_take(ctx->pool);
			struct pool_piece *piece = pool_block(ctx->pool, index);

			piece->more = POOL_NONE;
			((struct pool_piece *)pool_block(ctx->pool, joining->last))->more = index;
			joining->last = index;
			room = piece->bytes;
			size = sizeof(piece->bytes);
			blocks++;
		}
		if (size > length)
			size = length;
		memcpy(room, from, size);
		joining->length += size;
		from += size;
		length -= size;
	}
	return blocks;
}

/// Copy the whole out and give its blocks back.
static uint32_t join(struct delivery_context *ctx, struct inbound *in, unsigned channel)
{
	const struct joining *joining = joining_at(ctx->pool, in->joining[channel]);
	const uint32_t length = joining->length;
	const uint32_t here = length < sizeof(joining->bytes) ? length : (uint32_t)sizeof(joining->bytes);

	memcpy(ctx->compressor->joined, joining->bytes, here);
	pool_copy_pieces(ctx->pool, joining->more, ctx->compressor->joined + here, length - here);
	holding_shrank(ctx, in, reassembly_end(ctx, in, channel));
	return length;
}

uint32_t reassembly_end(struct delivery_context *ctx, struct inbound *in, unsigned channel)
{
	const uint32_t blocks = pool_give_pieces(ctx->pool, in->joining[channel]);

	in->joining[channel] = POOL_NONE;
	in->joined[channel] = 0;
	return blocks;
}

/// @param joining  NULL: the message begins
static bool fragment_follows(const struct joining *joining, const struct piece *piece, uint16_t joined)
{
	const struct session_fragment fragment = fragment_of(piece);

	if (fragment.index != joined)
		return false;
	return !joining ||
	       (fragment.count == joining->count && piece->type == joining->type && piece->flags == joining->flags);
}

enum verdict reassembly_take(struct delivery_context *ctx, struct inbound *in, const struct intake *intake,
			     const struct piece *piece, struct delivered *out)
{
	const uint32_t head = (uint32_t)sizeof(struct session_fragment), index = in->joining[piece->channel];
	struct joining *joining = index != POOL_NONE ? joining_at(ctx->pool, index) : NULL;
	uint32_t blocks = 0;

	if (!fragment_follows(joining, piece, in->joined[piece->channel]))
		return VERDICT_VIOLATION;
	if (!joining) {
		joining = begin(ctx, in, piece);
		blocks = 1;
	}
	blocks += join_bytes(ctx, joining, piece->body + head, piece->length - head);
	holding_grew(ctx, in, blocks, intake);
	if (++in->joined[piece->channel] != joining->count)
		return VERDICT_MORE;
	return reassembly_deliver(ctx, piece, ctx->compressor->joined, join(ctx, in, piece->channel), out);
}
