// SPDX-License-Identifier: BSD-3-Clause
// delivery/reassembly.h: fragments become the message that they were cut from, and whole messages are handed over.

#ifndef POLLGATE_DELIVERY_REASSEMBLY_H
#define POLLGATE_DELIVERY_REASSEMBLY_H

#include "delivery/inbound.h"
#include "delivery/piece.h"

enum verdict { VERDICT_DELIVERED, VERDICT_MORE, VERDICT_VIOLATION };

/// Hand a whole body over.
/// @return VERDICT_MORE when it is not what its type says: it is skipped
enum verdict reassembly_deliver(struct delivery_context *ctx, const struct piece *piece, const uint8_t *body,
				uint32_t length, struct delivered *out);

/// The first block of a message that is being joined, with the beginning of its body; the rest is in pieces.
struct joining {
	uint32_t more; // as in struct pool_piece
	uint32_t last; // piece, or this block
	uint32_t length;
	uint16_t count; // fragments of the whole
	uint8_t type;
	uint8_t flags;
	uint8_t bytes[POOL_BLOCK - 16];
};
static_assert(sizeof(struct joining) == POOL_BLOCK &&
		      offsetof(struct joining, more) == offsetof(struct pool_piece, more),
	      "a chain of blocks");

/// The next fragment of a channel in order. There is room for it.
enum verdict reassembly_take(struct delivery_context *ctx, struct inbound *in, const struct intake *intake,
			     const struct piece *piece, struct delivered *out);

/// Drop the fragments that came so far.
/// @return blocks given back
uint32_t reassembly_end(struct delivery_context *ctx, struct inbound *in, unsigned channel);

#endif
