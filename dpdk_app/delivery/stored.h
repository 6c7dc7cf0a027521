// SPDX-License-Identifier: BSD-3-Clause
// delivery/stored.h: a message in the pool, which waits to be sent, to be acknowledged, or for the messages before it.

#ifndef POLLGATE_DELIVERY_STORED_H
#define POLLGATE_DELIVERY_STORED_H

#include <stdint.h>

#include "delivery/context.h"
#include "delivery/pool.h"
#include "wire/session.h"

/// The last datagrams that carried it which are remembered: an acknowledgement of an earlier one says nothing.
#define STORED_CARRIERS 8

/// The first block of a message, with the beginning of its body; the rest is in pieces. A short event needs no piece.
struct stored {
	uint32_t next, previous; // in its list
	uint32_t more;           // pieces with the rest of the body, or, with STORED_SHARED, a struct shared_body
	uint32_t order;          // of being queued
	uint64_t time;           // of a waiting message: when it should leave; of one in flight: when it was last sent
	uint16_t id;             // if reliable
	uint16_t length;         // of the body
	uint8_t type;
	uint8_t flags;    // of the wire
	uint8_t carriers; // packets that carried it, as far as they are remembered
	uint8_t cost;     // of its limit
	uint32_t receipt;
	struct session_fragment fragment;  // of a fragment: what its body begins with
	uint32_t carrier[STORED_CARRIERS]; // counters of those packets, the last first
	uint8_t body[56];
};
static_assert(sizeof(struct stored) == POOL_BLOCK, "a message begins with a block");

#define STORED_SHARED 0x80000000U // no pool has so many blocks

/// The rest of a body that several messages have, in a block of its own.
struct shared_body {
	uint32_t more;
	uint32_t pieces;
	uint32_t holders; // messages
};

ALWAYS_INLINE uint32_t pieces_of(uint32_t length)
{
	return (length + (uint32_t)sizeof(((struct pool_piece *)0)->bytes) - 1) /
	       (uint32_t)sizeof(((struct pool_piece *)0)->bytes);
}

/// Blocks that a body of so many bytes takes.
ALWAYS_INLINE uint32_t stored_blocks(uint32_t length)
{
	const uint32_t first = sizeof(((struct stored *)0)->body);

	return length <= first ? 1 : 1 + pieces_of(length - first);
}

ALWAYS_INLINE struct stored *stored_at(struct message_pool *pool, uint32_t index)
{
	return pool_block(pool, index);
}

ALWAYS_INLINE bool stored_is_reliable(const struct stored *message)
{
	return message->flags & SESSION_MESSAGE_RELIABLE;
}

ALWAYS_INLINE uint8_t stored_channel(const struct stored *message)
{
	return (message->flags & SESSION_MESSAGE_CHANNEL_MASK) >> SESSION_MESSAGE_CHANNEL_SHIFT;
}

/// Bytes on the wire.
ALWAYS_INLINE uint32_t stored_wire_length(const struct stored *message)
{
	return (uint32_t)sizeof(struct session_message) +
	       (stored_is_reliable(message) ? (uint32_t)sizeof(message->id) : 0) + message->length;
}

/// Store a body of `head` and then `body`; all other fields are zero. The head fits the first block.
/// @return POOL_NONE when the pool has too few blocks
uint32_t stored_make(struct message_pool *pool, const void *head, uint32_t head_length, const uint8_t *body,
		     uint32_t length);

/// From now on others can have the same body, see stored_another(). A body that fits the first block is copied each time.
/// @return false when the pool has no block for that
bool stored_share(struct message_pool *pool, uint32_t index);

/// A message like this one, which is shared, with the same body in memory.
/// @return POOL_NONE when the pool has no block
uint32_t stored_another(struct message_pool *pool, uint32_t index);

/// @return blocks that it took, whether others have its body or not
uint32_t stored_free(struct message_pool *pool, uint32_t index);

/// Copy the body.
/// @return behind its last byte
uint8_t *stored_copy(struct message_pool *pool, const struct stored *message, uint8_t *out);

#endif
