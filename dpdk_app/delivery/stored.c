// SPDX-License-Identifier: BSD-3-Clause
// delivery/stored.c: bodies into chains of blocks and out of them.

#include "delivery/stored.h"

#include <string.h>

static uint32_t take_pieces(struct message_pool *pool, const uint8_t *from, uint32_t length)
{
	uint32_t first = POOL_NONE;
	uint32_t *link = &first;

	while (length != 0) {
		const uint32_t index = pool_take(pool);
		struct pool_piece *piece = pool_block(pool, index);
		const uint32_t n = length < sizeof(piece->bytes) ? length : (uint32_t)sizeof(piece->bytes);

		memcpy(piece->bytes, from, n);
		piece->more = POOL_NONE;
		*link = index;
		link = &piece->more;
		from += n;
		length -= n;
	}
	return first;
}

uint32_t stored_make(struct message_pool *pool, const void *head, uint32_t head_length, const uint8_t *body,
		     uint32_t length)
{
	const uint32_t whole = head_length + length;

	if (pool->blocks - pool->used < stored_blocks(whole))
		return POOL_NONE;

	const uint32_t index = pool_take(pool);
	struct stored *message = stored_at(pool, index);
	const uint32_t space = (uint32_t)sizeof(message->body) - head_length;
	const uint32_t here = length < space ? length : space;

	memset(message, 0, offsetof(struct stored, carrier));
	message->length = (uint16_t)whole;
	if (head_length != 0)
		memcpy(message->body, head, head_length);
	if (here != 0)
		memcpy(message->body + head_length, body, here);
	message->more = take_pieces(pool, body + here, length - here);
	return index;
}

// ---------------------------------------------------------------- bodies that several have

static struct shared_body *shared_by(struct message_pool *pool, const struct stored *message)
{
	return message->more & STORED_SHARED ? pool_block(pool, message->more & ~STORED_SHARED) : NULL;
}

bool stored_share(struct message_pool *pool, uint32_t index)
{
	struct stored *message = stored_at(pool, index);
	uint32_t head;

	if (message->more == POOL_NONE)
		return true;
	head = pool_take(pool);
	if (head == POOL_NONE)
		return false;
	*(struct shared_body *)pool_block(pool, head) =
		(struct shared_body){.more = message->more, .pieces = stored_blocks(message->length) - 1, .holders = 1};
	message->more = head | STORED_SHARED;
	return true;
}

uint32_t stored_another(struct message_pool *pool, uint32_t index)
{
	const struct stored *message = stored_at(pool, index);
	struct shared_body *shared = shared_by(pool, message);
	const uint32_t another = pool_take(pool);

	if (another == POOL_NONE)
		return POOL_NONE;
	memcpy(stored_at(pool, another), message, sizeof(*message));
	if (shared)
		shared->holders++;
	return another;
}

/// @return pieces
static uint32_t let_go(struct message_pool *pool, uint32_t more)
{
	struct shared_body *shared = pool_block(pool, more & ~STORED_SHARED);
	const uint32_t pieces = shared->pieces;

	if (--shared->holders == 0) {
		pool_give_pieces(pool, shared->more);
		pool_give(pool, more & ~STORED_SHARED);
	}
	return pieces;
}

// ----------------------------------------------------------------

uint32_t stored_free(struct message_pool *pool, uint32_t index)
{
	const uint32_t more = stored_at(pool, index)->more;
	const uint32_t pieces = more & STORED_SHARED ? let_go(pool, more) : pool_give_pieces(pool, more);

	pool_give(pool, index);
	return 1 + pieces;
}

uint8_t *stored_copy(struct message_pool *pool, const struct stored *message, uint8_t *out)
{
	const uint32_t here =
		message->length < sizeof(message->body) ? message->length : (uint32_t)sizeof(message->body);

	const struct shared_body *shared = shared_by(pool, message);

	memcpy(out, message->body, here);
	return pool_copy_pieces(pool, shared ? shared->more : message->more, out + here, message->length - here);
}
