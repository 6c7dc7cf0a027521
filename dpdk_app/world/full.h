// SPDX-License-Identifier: BSD-3-Clause
// world/full.h: a FULL: who somebody is and where, whatever its reader knows.

#ifndef POLLGATE_WORLD_FULL_H
#define POLLGATE_WORLD_FULL_H

#include "wire/world.h"
#include "world/bits.h"
#include "world/part.h"

#define FULL_HEAD_BITS 7 // of an exception: slot, kind
#define FULL_BODY_BITS (WORLD_NUMBER_BITS + 32 + 2 + 3 * WORLD_POSITION_BITS + 3 * WORLD_VELOCITY_BITS)
#define FULL_BITS (FULL_HEAD_BITS + FULL_BODY_BITS)
#define FULL_WORDS 3
#define FULL_LAST_BITS (FULL_BODY_BITS - 64 * (FULL_WORDS - 1))
static_assert(FULL_LAST_BITS > 0 && FULL_LAST_BITS <= BITS_AT_ONCE, "of the last word");

/// All of a FULL but for its slot, as it lies in a datagram: the same for whoever is told.
struct full_body {
	uint64_t word[FULL_WORDS];
	uint64_t is_there; // 0: nobody is
};
static_assert(sizeof(struct full_body) == WORLD_FULL_BYTES, "in one line");

/// @param rank  in the frame
ALWAYS_INLINE struct full_body full_of(const struct world_part *part, const struct world_frame *frame,
				       uint32_t rank_now, uint32_t rank)
{
	const struct world_place place = world_place_at(frame, rank);
	uint8_t bytes[sizeof(uint64_t[FULL_WORDS]) + BITS_SLACK] = {0};
	struct bit_writer writer = bits_write(bytes);
	struct full_body body = {.is_there = place.x != WORLD_FAR};

	bits_put(&writer, world_number(part, rank_now) | (uint64_t)part->identity[rank_now] << WORLD_NUMBER_BITS,
		 WORLD_NUMBER_BITS + 32);
	bits_put(&writer, part->sort[rank_now] & 3U, 2);
	bits_put(&writer, (uint32_t)place.x | (uint64_t)(uint32_t)place.y << WORLD_POSITION_BITS,
		 2 * WORLD_POSITION_BITS);
	bits_put(&writer, (uint32_t)place.z, WORLD_POSITION_BITS);
	bits_put(&writer, (uint16_t)place.vx | (uint64_t)(uint16_t)place.vy << 16 | (uint64_t)(uint16_t)place.vz << 32,
		 48);
	memcpy(body.word, bytes, sizeof(body.word));
	return body;
}

ALWAYS_INLINE void full_put(struct bit_writer *writer, unsigned slot, const struct full_body *body)
{
	bits_put(writer, slot | WORLD_FULL << 5, FULL_HEAD_BITS);
	for (unsigned i = 0; i < FULL_WORDS - 1; i++)
		bits_put_word(writer, body->word[i]);
	bits_put(writer, body->word[FULL_WORDS - 1], FULL_LAST_BITS);
}

/// Two are whole bytes, so that where each bit of them goes is known when this is compiled.
#define FULL_PAIR_BYTES (2 * FULL_BITS / 8)
static_assert(2 * FULL_BITS % 8 == 0, "whole bytes");

/// Write them in slots of their own, from slot 0 on.
/// @return the first byte that is free
ALWAYS_INLINE uint8_t *full_put_all(uint8_t *at, const struct full_body *const body[], unsigned n)
{
	struct bit_writer writer;
	unsigned i = 0;

	for (; i + 1 < n; i += 2, at += FULL_PAIR_BYTES) {
		writer = bits_write(at);
		full_put(&writer, i, body[i]);
		full_put(&writer, i + 1, body[i + 1]);
	}
	writer = bits_write(at);
	if (i < n)
		full_put(&writer, i, body[i]);
	return bits_end(&writer);
}

/// Write up to so many ranks of a frame's table of FULLs.
/// @param tick  of the newest frame, which has tables
void full_write(const struct world_part *part, uint32_t tick, uint32_t from, uint32_t to);

/// Of a frame.
/// @return by rank; NULL: not written, or that is not the newest frame
ALWAYS_INLINE const struct full_body *full_table(const struct world_part *part, uint32_t tick)
{
	return (const struct full_body *)world_records_of(part, tick, 0);
}

#endif
