// SPDX-License-Identifier: BSD-3-Clause
// delivery/pool.h: memory for messages on their way: small fixed blocks, made once, shared by the deliveries of one
// context.
//
// One writer, so neither locks nor atomics. A message is a chain of blocks, named by index: half a pointer, and 0 is none.

#ifndef POLLGATE_DELIVERY_POOL_H
#define POLLGATE_DELIVERY_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define POOL_BLOCK 128
#define POOL_NONE 0U

struct message_pool {
	uint32_t blocks;
	uint32_t used;
	uint32_t touched; // blocks that were ever used: the kernel gives them no page before
	uint32_t given;   // first of those given back, chained by their first word
	// Of messages that are not complete, see holding.h: how many of those used, and whose, in the order of their last progress.
	uint32_t held, held_first, held_last;
} CACHE_ALIGNED;

/// Bytes on their own: what is longer than the first block of a message, and bodies that are being joined.
struct pool_piece {
	uint32_t more; // next piece
	uint8_t bytes[POOL_BLOCK - sizeof(uint32_t)];
};
static_assert(sizeof(struct pool_piece) == POOL_BLOCK, "a piece is a block");

/// @param memory  message_pool_size(bytes), zeroed, cache-aligned, the caller's
size_t message_pool_size(size_t bytes);
struct message_pool *message_pool_init(void *memory, size_t bytes);

ALWAYS_INLINE size_t message_pool_free_bytes(const struct message_pool *pool)
{
	return (size_t)(pool->blocks - pool->used) * POOL_BLOCK;
}

/// Are so many blocks free?
ALWAYS_INLINE bool pool_has(const struct message_pool *pool, uint32_t blocks)
{
	return pool->blocks - pool->used >= blocks;
}

ALWAYS_INLINE void *pool_block(struct message_pool *pool, uint32_t index)
{
	return (uint8_t *)pool + (size_t)index * POOL_BLOCK; // the pool itself is block 0
}
static_assert(sizeof(struct message_pool) <= POOL_BLOCK, "the pool itself is block 0");

/// @return a block of any content, or POOL_NONE
uint32_t pool_take(struct message_pool *pool);
void pool_give(struct message_pool *pool, uint32_t index);

/// Give a chain of pieces back.
/// @return how many there were
uint32_t pool_give_pieces(struct message_pool *pool, uint32_t first);

/// Copy a chain of pieces.
/// @return behind the last byte
uint8_t *pool_copy_pieces(struct message_pool *pool, uint32_t first, uint8_t *out, uint32_t length);

#endif
