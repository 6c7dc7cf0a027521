// SPDX-License-Identifier: BSD-3-Clause
// world/glimpses.h: now and then, where those are who are in range and have no slot.
//
// A glimpse is a number and a coarse place, against no baseline, the same for all who look from one cell: the strips of a cell are
// written once in a tick, when the first observer asks, and copied by all. In tick t of a sweep of P ticks a cell shows those of
// its surroundings whose key is in part t modulo P of the keys. P is the same in all cells with as many around them, and goes by
// the tick, so that who walks from one cell to the next, and who looks, loses nothing where P is the same, and a second sweep at
// most where it is not.
//
// One worker's: it reads the parts of all.

#ifndef POLLGATE_WORLD_GLIMPSES_H
#define POLLGATE_WORLD_GLIMPSES_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "world/part.h"
#include "world/sweep.h"

#define WORLD_GLIMPSES_MAX 128 // in the strips of a cell
#define WORLD_STRIPS_BYTES \
	(WORLD_GLIMPSES_MAX * 10 + 8) // of a cell: each in a strip of its own, and what is written beyond the end
#define WORLD_RINGS_MAX 3             // of cells around a cell
#define WORLD_STALENESS_BUCKETS 128

/// What a cell's observers are told in a tick.
struct world_strips {
	uint32_t tick;
	uint32_t period, longest; // of its sweep: struct world_swept
	uint16_t bytes;
	uint8_t strips, glimpses;
	uint8_t at[WORLD_STRIPS_BYTES]; // as in wire/world.h
};

/// Of a cell.
struct world_swept {
	uint32_t period; // ticks of a sweep; 0: nobody looked yet
	uint32_t sweep;  // which one it is: tick / period
	uint32_t shown;  // in this sweep, or would be without WORLD_GLIMPSES_MAX
	uint32_t ticks;  // of this sweep that were written
	uint32_t
		longest; // that anybody who is shown in this sweep was not seen before: this period, and the one before if it was another
};

struct world_glimpses {
	const struct world_parts *parts;
	const struct world_sweep *sweep[WORLD_PARTS_MAX]; // of each part
	const struct world_lists *lists[WORLD_PARTS_MAX]; // of each part, in tick `read`
	uint32_t read;
	uint32_t columns, rows;
	uint8_t shift;
	uint32_t rings;
	uint32_t radius;   // in quanta
	uint32_t glimpses; // in a tick, on average at most

	struct world_swept *swept;   // by cell
	struct world_strips *strips; // by cell

	/// For how long somebody in range went without a glimpse: by the logarithm of ticks (world_staleness()), pairs of observer
	/// and seen times ticks. As sent: what the network loses doubles it; who has a slot counts like the others.
	uint64_t stale[WORLD_STALENESS_BUCKETS];
	uint64_t written; // strips of a cell, in ticks
	uint64_t cut;     // glimpses that had no room
};

struct world_glimpses_plan {
	const struct world_parts *parts;
	const struct world_sweep *const *sweep; // of each part: all of the same cells
	uint32_t radius;
	uint32_t glimpses; // 1 to WORLD_GLIMPSES_MAX / 2
};

size_t world_glimpses_bytes(const struct world_glimpses_plan *plan);

/// @param memory  world_glimpses_bytes() of it, at a cache line, zeroed
struct world_glimpses *world_glimpses_init(void *memory, const struct world_glimpses_plan *plan);

/// What somebody at this place is told in this tick, which the part has published.
const struct world_strips *world_glimpses_at(struct world_glimpses *glimpses, int32_t x, int32_t y, uint32_t tick);

/// The ticks that so many per mille of those in range did not go without a glimpse for longer than, since `stale` was cleared;
/// rounded up by an eighth at most.
uint32_t world_staleness(const struct world_glimpses *glimpses, uint32_t per_mille);

#endif
