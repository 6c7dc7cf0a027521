// SPDX-License-Identifier: BSD-3-Clause
// delivery/parcel.c: see parcel.h.

#include "delivery/parcel.h"

#include <string.h>

#include "delivery/stored.h"
#include "message/session_check.h"

#define SMALLEST_ROOM (SESSION_DATAGRAM_MIN - SESSION_SEALED_MIN)
#define RELIABLE_HEAD (sizeof(struct session_message) + sizeof(uint16_t))
#define FRAGMENT_HEAD (RELIABLE_HEAD + sizeof(struct session_fragment))
#define IDS_MAX 0x4000 // of a channel, waiting or on their way: far from where ids would be ambiguous

static_assert((SMALLEST_ROOM - FRAGMENT_HEAD) * SESSION_FRAGMENTS_MAX >= SESSION_MESSAGE_MAX,
	      "the smallest datagrams carry the largest message");

uint32_t parcel_room_of(const struct outbound *out)
{
	return out->room != 0 ? out->room : (uint32_t)SMALLEST_ROOM;
}

/// The sender before the body, where the type has one.
static bool parcel_address(struct delivery_context *ctx, struct parcel *parcel, const struct outgoing *message)
{
	uint8_t *whole = ctx->compressor->whole;

	parcel->body = message->length > 0 ? message->body : (const uint8_t *)""; // of a heartbeat there is none
	parcel->length = message->length;
	if (!session_has_sender(message->type))
		return message->length <= SESSION_MESSAGE_MAX;
	if (message->length > SESSION_MESSAGE_MAX - sizeof(message->sender))
		return false;
	memcpy(whole, &message->sender, sizeof(message->sender));
	if (message->length != 0)
		memcpy(whole + sizeof(message->sender), message->body, message->length);
	parcel->body = whole;
	parcel->length += (uint32_t)sizeof(message->sender);
	return true;
}

static void parcel_compress(struct delivery_context *ctx, struct parcel *parcel, uint8_t type)
{
	const enum pg_compressible kind = session_compressible(type);
	uint32_t packed;

	if (kind == PG_COMPRESSIBLE || parcel->length < ctx->rules->compress_min[kind])
		return;
	packed = compress_body(ctx->compressor, parcel->body, parcel->length);
	counter_add(&ctx->stats->compress_in[kind], parcel->length);
	counter_add(&ctx->stats->compress_out[kind], packed != 0 ? packed : parcel->length);
	if (packed == 0)
		return;
	parcel->body = ctx->compressor->packed;
	parcel->length = packed;
	parcel->flags |= SESSION_MESSAGE_COMPRESSED;
}

/// Into how many pieces?
/// @return false when it cannot be sent at all
static bool parcel_cut(struct parcel *parcel, const struct outgoing *message, uint32_t room)
{
	const uint32_t head = message->reliable ? (uint32_t)RELIABLE_HEAD : (uint32_t)sizeof(struct session_message);
	const uint32_t slice = room - (uint32_t)FRAGMENT_HEAD;
	const uint32_t fragment = (uint32_t)sizeof(struct session_fragment);
	uint32_t last;

	parcel->pieces = 1;
	if (head + parcel->length <= room) {
		parcel->slice = (uint16_t)parcel->length;
		parcel->blocks = stored_blocks(parcel->length);
		return true;
	}
	if (!message->reliable || message->channel == SESSION_CHANNEL_UNORDERED)
		return false;
	parcel->flags |= SESSION_MESSAGE_FRAGMENT;
	parcel->slice = (uint16_t)slice;
	parcel->pieces = (uint16_t)((parcel->length + slice - 1) / slice);
	last = parcel->length - (parcel->pieces - 1U) * slice;
	parcel->blocks = (parcel->pieces - 1U) * stored_blocks(fragment + slice) + stored_blocks(fragment + last);
	return true;
}

static enum pg_loss parcel_room(const struct delivery_context *ctx, const struct outbound *out,
				const struct parcel *parcel, const struct outgoing *message)
{
	const struct id_window *window = &out->window[message->reliable ? message->channel : 0];

	if (out->blocks != 0 && (uint64_t)(out->blocks + parcel->blocks) * POOL_BLOCK > ctx->rules->queue_bytes)
		return PG_LOSS_QUEUE_FULL;
	if (message->reliable && (uint16_t)(window->next - window->oldest) + parcel->pieces > IDS_MAX)
		return PG_LOSS_QUEUE_FULL;
	if (!pool_has(ctx->pool, parcel->blocks))
		return PG_LOSS_NO_MEMORY;
	return PG_LOSS_NONE;
}

enum pg_loss parcel_pack(struct delivery_context *ctx, const struct outbound *out, struct parcel *parcel,
			 const struct outgoing *message)
{
	parcel->flags = 0;
	if (message->reliable)
		parcel->flags |=
			(uint8_t)(SESSION_MESSAGE_RELIABLE | message->channel << SESSION_MESSAGE_CHANNEL_SHIFT);
	if (!parcel_address(ctx, parcel, message))
		return PG_LOSS_TOO_LONG;
	parcel_compress(ctx, parcel, message->type);
	if (!parcel_cut(parcel, message, parcel_room_of(out)))
		return PG_LOSS_TOO_LONG;
	return parcel_room(ctx, out, parcel, message);
}
