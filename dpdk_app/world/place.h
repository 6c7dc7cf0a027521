// SPDX-License-Identifier: BSD-3-Clause
// world/place.h: where an entity of a world is, how fast it is, and who it is, in whole numbers.
//
// All of it is integer, so that every gateway and every client computes the same from it, to the bit.

#ifndef POLLGATE_WORLD_PLACE_H
#define POLLGATE_WORLD_PLACE_H

#include <stdint.h>

#include "wire/world.h"

/// A position between quanta: parts of a quantum, above half a quantum below the lowest corner. Without its lowest bits, it is
/// the nearest quantum.
#define WORLD_UNIT_BITS 8

/// Position in quanta above the world's lowest corner, each below 2^WORLD_POSITION_BITS; velocity in parts of a quantum per
/// tick.
struct world_place {
	int32_t x, y, z;
	int16_t vx, vy, vz;
	int8_t beyond
		[3]; // so many units more, of what a part is told: it rounds once, when it publishes; of what it published 0
};

/// What of a position in units its quantum leaves out, as in `beyond`.
static inline int8_t world_beyond(int32_t units)
{
	return (int8_t)((units & ((1 << WORLD_UNIT_BITS) - 1)) - (1 << (WORLD_UNIT_BITS - 1)));
}

/// Somebody in a part of a world: the part in the bits from WORLD_PART_SHIFT up, the rank there below.
typedef uint32_t world_reference;

#define WORLD_PART_SHIFT 26
#define WORLD_PARTS_MAX (1U << (32 - WORLD_PART_SHIFT))
#define WORLD_RANKS_MAX (1U << WORLD_NUMBER_BITS)
#define WORLD_NOBODY UINT32_MAX

#endif
