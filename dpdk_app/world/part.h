// SPDX-License-Identifier: BSD-3-Clause
// world/part.h: one worker's part of a world: who of its entities was where, tick by tick.
//
// Only its worker writes; every worker reads what is published. A frame is immutable from then on, until the ring comes round.
// Entities lie by rank: in the order of a Z-curve over the ground as of the last re-rank, so that neighbours lie near each other.
// Who comes is appended, who leaves is a hole until the next re-rank, and the frames before that are in the ranks of before.
//
// Source of the order by rank: G. M. Morton, A computer oriented geodetic data base, IBM, 1966.

#ifndef POLLGATE_WORLD_PART_H
#define POLLGATE_WORLD_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "world/place.h"

/// By rank. What lies at the rank of a hole, or of somebody before the first tick of theirs, means nothing.
struct world_frame {
	int32_t *x, *y, *z;
	int16_t *vx, *vy, *vz;
};

/// What can be told of an entity in one frame to whoever has it in another, by rank: a record (wire/PROTOCOL.md) of at most
/// WORLD_RECORD_BITS, and its length in the bits from WORLD_RECORD_BITS up; 0: it does not fit.
struct world_records {
	uint64_t *of[WORLD_AGES]; // by age of the other frame; [0] is NULL
	uint32_t tick;            // of the frame
	uint32_t ages;            // bit a: of[a] is written; read with world_records_of()
};

struct world_part {
	// set when it is made
	uint32_t capacity; // ranks; a multiple of 64
	uint32_t frames;   // of the ring: a power of two, WORLD_AGES or more
	struct world_frame *ring;
	struct world_records records[2]; // of the newest frame and of the one before: by the lowest bit of the tick

	// the owner's, constant from when a frame is published to the end of that tick
	uint32_t count;     // ranks in use, holes among them
	uint32_t *number;   // by rank: on the wire; WORLD_NOBODY: a hole
	uint32_t *identity; // by rank: the player's id; of others what their game process says
	uint8_t *sort;      // by rank: enum world_sort
	uint32_t first;     // tick of the first frame
	uint32_t reranked;  // tick of the last re-rank: frames before it are in other ranks
	uint32_t *was;      // by rank: the rank before that; WORLD_NOBODY: came since
	uint32_t *becomes;  // by rank before that: the rank now; WORLD_NOBODY: left

	uint32_t published CACHE_ALIGNED; // tick of the newest whole frame; read with world_published()
};

/// All parts of a world, as a worker reads them.
struct world_parts {
	uint32_t count;
	const struct world_part *part[WORLD_PARTS_MAX];
};

ALWAYS_INLINE const struct world_frame *world_frame_at(const struct world_part *part, uint32_t tick)
{
	return &part->ring[tick & (part->frames - 1)];
}

ALWAYS_INLINE uint32_t world_published(const struct world_part *part)
{
	return __atomic_load_n(&part->published, __ATOMIC_ACQUIRE);
}

/// Is a frame still in the ring, and was there one of that tick?
ALWAYS_INLINE bool world_has_frame(const struct world_part *part, uint32_t tick)
{
	const uint32_t published = world_published(part);

	return published - tick < part->frames && published - part->first >= published - tick;
}

/// Rank of somebody in a frame that may be older than the last re-rank.
/// @return WORLD_NOBODY: came since
ALWAYS_INLINE uint32_t world_rank_at(const struct world_part *part, uint32_t rank, uint32_t tick)
{
	return (int32_t)(tick - part->reranked) >= 0 ? rank : part->was[rank];
}

/// The tables of a frame are void until they are written. Before the frame is published.
ALWAYS_INLINE void world_records_begin(struct world_part *part, uint32_t tick)
{
	struct world_records *records = &part->records[tick & 1];

	__atomic_store_n(&records->ages, 0, __ATOMIC_RELEASE);
	records->tick = tick;
}

/// The table of this age is written.
ALWAYS_INLINE void world_records_done(struct world_part *part, uint32_t tick, uint32_t age)
{
	struct world_records *records = &part->records[tick & 1];

	__atomic_store_n(&records->ages, records->ages | 1U << age, __ATOMIC_RELEASE);
}

/// @return by rank; NULL: not written
ALWAYS_INLINE const uint64_t *world_records_of(const struct world_part *part, uint32_t tick, uint32_t age)
{
	const struct world_records *records = &part->records[tick & 1];
	const uint32_t ages = __atomic_load_n(&records->ages, __ATOMIC_ACQUIRE);

	return records->tick == tick && ages >> age & 1 ? records->of[age] : NULL;
}

ALWAYS_INLINE struct world_place world_place_at(const struct world_frame *frame, uint32_t rank)
{
	return (struct world_place){frame->x[rank],  frame->y[rank],  frame->z[rank],
				    frame->vx[rank], frame->vy[rank], frame->vz[rank]};
}

ALWAYS_INLINE world_reference world_refer(uint32_t part, uint32_t rank)
{
	return part << WORLD_PART_SHIFT | rank;
}

ALWAYS_INLINE uint32_t world_part_of(world_reference who)
{
	return who >> WORLD_PART_SHIFT;
}

ALWAYS_INLINE uint32_t world_rank_of(world_reference who)
{
	return who & ((1U << WORLD_PART_SHIFT) - 1);
}

#endif
