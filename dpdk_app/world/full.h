// SPDX-License-Identifier: BSD-3-Clause
// world/full.h: a FULL: who somebody is and where, whatever its reader knows.

#ifndef POLLGATE_WORLD_FULL_H
#define POLLGATE_WORLD_FULL_H

#include "wire/world.h"
#include "world/bits.h"
#include "world/part.h"

#define FULL_HEAD_BITS 7 // of an exception: slot, kind
#define FULL_BITS (FULL_HEAD_BITS + WORLD_NUMBER_BITS + 32 + 2 + 3 * WORLD_POSITION_BITS + 3 * WORLD_VELOCITY_BITS)

/// @param rank  in the frame
ALWAYS_INLINE void full_put(struct bit_writer *writer, const struct world_part *part, const struct world_frame *frame,
			    uint32_t rank_now, uint32_t rank, unsigned slot)
{
	const struct world_place place = world_place_at(frame, rank);

	bits_put(writer, slot | WORLD_FULL << 5, FULL_HEAD_BITS);
	bits_put(writer, world_number(part, rank_now) | (uint64_t)part->identity[rank_now] << WORLD_NUMBER_BITS,
		 WORLD_NUMBER_BITS + 32);
	bits_put(writer, part->sort[rank_now] & 3U, 2);
	bits_put(writer, (uint32_t)place.x | (uint64_t)(uint32_t)place.y << WORLD_POSITION_BITS,
		 2 * WORLD_POSITION_BITS);
	bits_put(writer, (uint32_t)place.z, WORLD_POSITION_BITS);
	bits_put(writer, (uint16_t)place.vx | (uint64_t)(uint16_t)place.vy << 16 | (uint64_t)(uint16_t)place.vz << 32,
		 48);
}

#endif
