// SPDX-License-Identifier: BSD-3-Clause
// delivery/pool.c: a free list of blocks, and a mark up to where blocks were ever used.

#include "delivery/pool.h"

#include <string.h>

size_t message_pool_size(size_t bytes)
{
	return (1 + bytes / POOL_BLOCK) * POOL_BLOCK;
}

struct message_pool *message_pool_init(void *memory, size_t bytes)
{
	struct message_pool *pool = memory;

	*pool = (struct message_pool){.blocks = (uint32_t)(bytes / POOL_BLOCK)};
	return pool;
}

uint32_t pool_take(struct message_pool *pool)
{
	uint32_t index = pool->given;

	if (index != POOL_NONE)
		memcpy(&pool->given, pool_block(pool, index), sizeof(pool->given));
	else if (pool->touched < pool->blocks)
		index = ++pool->touched;
	else
		return POOL_NONE;
	pool->used++;
	return index;
}

void pool_give(struct message_pool *pool, uint32_t index)
{
	memcpy(pool_block(pool, index), &pool->given, sizeof(pool->given));
	pool->given = index;
	pool->used--;
}

uint32_t pool_give_pieces(struct message_pool *pool, uint32_t first)
{
	uint32_t n = 0;

	while (first != POOL_NONE) {
		const uint32_t more = ((const struct pool_piece *)pool_block(pool, first))->more;

		pool_give(pool, first);
		first = more;
		n++;
	}
	return n;
}

uint8_t *pool_copy_pieces(struct message_pool *pool, uint32_t first, uint8_t *out, uint32_t length)
{
	while (length != 0) {
		const struct pool_piece *piece = pool_block(pool, first);
		const uint32_t n = length < sizeof(piece->bytes) ? length : (uint32_t)sizeof(piece->bytes);

		memcpy(out, piece->bytes, n);
		out += n;
		length -= n;
		first = piece->more;
	}
	return out;
}
