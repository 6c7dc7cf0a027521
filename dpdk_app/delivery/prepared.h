// SPDX-License-Identifier: BSD-3-Clause
// delivery/prepared.h: a message made ready to be queued: its sender in front, compressed if that pays, cut into
// pieces.

#ifndef POLLGATE_DELIVERY_PREPARED_H
#define POLLGATE_DELIVERY_PREPARED_H

#include "delivery/outbound.h"

/// A body as it goes on the wire, perhaps in pieces.
struct prepared {
	const uint8_t *body;
	uint32_t length;
	uint8_t flags;
	uint16_t pieces; // 1: not a fragment
	uint32_t blocks;
};

/// Bytes of messages in the longest packet.
uint32_t prepared_room_of(const struct outbound *out);

/// What is the same for every receiver.
/// @param prepared  out: its body lies in the message or in the context's scratch space
/// @return PG_LOSS_NONE, or why the message is not sent
enum pg_loss prepared_pack(struct delivery_context *ctx, struct prepared *prepared, const struct outgoing *message);

/// Does it fit the path and the queue of this receiver?
/// @param blocks  that it takes of the pool
/// @return PG_LOSS_NONE, or why the message is not sent
enum pg_loss prepared_fits(const struct delivery_context *ctx, const struct outbound *out,
			   const struct prepared *prepared, const struct outgoing *message, uint32_t blocks);

#endif
