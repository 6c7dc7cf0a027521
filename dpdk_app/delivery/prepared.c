// SPDX-License-Identifier: BSD-3-Clause
// delivery/prepared.c: see prepared.h.

#include "delivery/prepared.h"

#include <string.h>

#include "delivery/stored.h"
#include "message/session_check.h"

#define SMALLEST_ROOM (SESSION_DATAGRAM_MIN - SESSION_DATA_MIN)
#define RELIABLE_HEAD (sizeof(struct session_message) + sizeof(uint16_t))
#define IDS_MAX 0x4000 // of a channel, waiting or in flight: far below the 2^15 at which ids are ambiguous

static_assert(RELIABLE_HEAD + sizeof(struct session_fragment) + SESSION_PIECE <= SMALLEST_ROOM,
	      "the smallest datagram carries a piece");

uint32_t prepared_room_of(const struct outbound *out)
{
	return out->room != 0 ? out->room : (uint32_t)SMALLEST_ROOM;
}

/// The sender before the body, where the type has one.
static bool prepared_address(struct delivery_context *ctx, struct prepared *prepared, const struct outgoing *message)
{
	uint8_t *whole = ctx->compressor->whole;

	prepared->body = message->length > 0 ? message->body : (const uint8_t *)""; // of a heartbeat there is none
	prepared->length = message->length;
	if (!session_has_sender(message->type))
		return message->length <= SESSION_MESSAGE_MAX;
	if (message->length > SESSION_MESSAGE_MAX - sizeof(message->sender))
		return false;
	memcpy(whole, &message->sender, sizeof(message->sender));
	if (message->length != 0)
		memcpy(whole + sizeof(message->sender), message->body, message->length);
	prepared->body = whole;
	prepared->length += (uint32_t)sizeof(message->sender);
	return true;
}

static void prepared_compress(struct delivery_context *ctx, struct prepared *prepared, uint8_t type)
{
	const enum pg_compressible kind = session_compressible(type);
	uint32_t packed;

	if (kind == PG_COMPRESSIBLE || prepared->length < ctx->rules->compress_min[kind])
		return;
	packed = compress_body(ctx->compressor, prepared->body, prepared->length);
	counter_add(&ctx->stats->compress_in[kind], prepared->length);
	counter_add(&ctx->stats->compress_out[kind], packed != 0 ? packed : prepared->length);
	if (packed == 0)
		return;
	prepared->body = ctx->compressor->packed;
	prepared->length = packed;
	prepared->flags |= SESSION_MESSAGE_COMPRESSED;
}

/// Into how many pieces? They fit any datagram, so nothing must be cut again when the path carries less.
/// @return false when it fits no datagram and must not be cut
static bool prepared_cut(struct prepared *prepared, const struct outgoing *message)
{
	const uint32_t fragment = (uint32_t)sizeof(struct session_fragment);
	uint32_t last;

	prepared->pieces = 1;
	prepared->blocks = stored_blocks(prepared->length);
	if (!message->reliable)
		return true;
	if (message->channel == SESSION_CHANNEL_UNORDERED) // always fits, whatever becomes of the path
		return prepared->length <= SESSION_PIECE + (session_has_sender(message->type) ? sizeof(uint32_t) : 0);
	if (prepared->length <= SESSION_PIECE)
		return true;
	prepared->flags |= SESSION_MESSAGE_FRAGMENT;
	prepared->pieces = (uint16_t)((prepared->length + SESSION_PIECE - 1) / SESSION_PIECE);
	last = prepared->length - (prepared->pieces - 1U) * SESSION_PIECE;
	prepared->blocks =
		(prepared->pieces - 1U) * stored_blocks(fragment + SESSION_PIECE) + stored_blocks(fragment + last);
	return true;
}

enum pg_loss prepared_fits(const struct delivery_context *ctx, const struct outbound *out,
			   const struct prepared *prepared, const struct outgoing *message, uint32_t blocks)
{
	const unsigned channel = message->reliable ? message->channel : 0;
	const uint16_t under_way = (uint16_t)(out->next[channel] - out->oldest[channel]);

	if (!message->reliable && sizeof(struct session_message) + prepared->length > prepared_room_of(out))
		return PG_LOSS_TOO_LONG;
	if (out->blocks != 0 && (uint64_t)(out->blocks + prepared->blocks) * POOL_BLOCK > ctx->rules->queue_bytes)
		return PG_LOSS_QUEUE_FULL;
	if (message->reliable && under_way + prepared->pieces > IDS_MAX)
		return PG_LOSS_QUEUE_FULL;
	if (!pool_has(ctx->pool, blocks + (out->lists == POOL_NONE ? 1U : 0U)))
		return PG_LOSS_NO_MEMORY;
	return PG_LOSS_NONE;
}

enum pg_loss prepared_pack(struct delivery_context *ctx, struct prepared *prepared, const struct outgoing *message)
{
	prepared->flags = (uint8_t)(message->priority << SESSION_MESSAGE_PRIORITY_SHIFT);
	if (message->reliable)
		prepared->flags |=
			(uint8_t)(SESSION_MESSAGE_RELIABLE | message->channel << SESSION_MESSAGE_CHANNEL_SHIFT);
	if (!prepared_address(ctx, prepared, message))
		return PG_LOSS_TOO_LONG;
	prepared_compress(ctx, prepared, message->type);
	return prepared_cut(prepared, message) ? PG_LOSS_NONE : PG_LOSS_TOO_LONG;
}
