// SPDX-License-Identifier: BSD-3-Clause
// world/part.h: one worker's part of a world: who of its entities was where, tick by tick.
//
// Only its worker writes; every worker reads what is published, once in a tick (world/reading.h). A frame is immutable from then
// on, until the ring comes round.
// Entities lie by rank: in the order of a Z-curve over the ground as of the last re-rank, so that neighbours lie near each other.
// Who comes is appended, who leaves is a hole until the next re-rank, and the frames before that are in the ranks of before.
//
// What others read is written anew when none of them can still be reading it, which is known from the tick that each of them read
// last (struct world_reader). Nobody waits for that: what cannot be written anew yet is done without.
//
// | what                          | read from its publication until                    | and if a reader is later than that   |
// |-------------------------------|----------------------------------------------------|--------------------------------------|
// | frame                         | `behind` ticks before the ring comes round         | no frame is begun in this tick       |
// | table of records              | the reader reads the next frame                    | the frame has no tables              |
// | order: number, identity, ...  | the reader reads a frame in the ranks that follow  | no re-rank is begun                  |
// | view of the grid              | two frames on                                      | the grid stays as it is for a tick   |
// | slots and cells of the grid   | two frames past the first view with other ones     | they are not sorted anew             |
// | lists of the sweep            | a frame past the switch to others                  | they are not sorted anew             |
//
// Beside that, of what is published only the number of somebody who leaves changes, and the count of ranks: both are atomic; and
// the game's own states, which say themselves whether they were read whole (world/game_state.h).
//
// Source: quiescent-state-based reclamation, T. E. Hart, P. E. McKenney, A. D. Brown, J. Walpole, Making lockless synchronization
// fast, IPDPS 2006; DPDK has it as rte_rcu_qsbr.
//
// Source of the order by rank: G. M. Morton, A computer oriented geodetic data base, IBM, 1966.

#ifndef POLLGATE_WORLD_PART_H
#define POLLGATE_WORLD_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "world/game_state.h"
#include "world/place.h"

/// By rank. What lies at the rank of a hole, or of somebody before the first tick of theirs, means nothing.
struct world_frame {
	int32_t *x, *y, *z; // of a hole: x is WORLD_FAR
	int16_t *vx, *vy, *vz;
	uint32_t tick;                 // of which frame this is; set when it is begun
	struct world_records *records; // of it; NULL: it has none
};

/// Beyond all worlds, and yet no difference from it overflows.
#define WORLD_FAR (1 << 30)

/// What can be told of an entity in one frame to whoever has it in another, by rank: a record (wire/PROTOCOL.md) of at most
/// WORLD_RECORD_BITS, and its length in the bits from WORLD_RECORD_BITS up; 0: it does not fit. And what is told of it to whoever has
/// none, in WORLD_FULL_BYTES of each rank (world/full.h).
struct world_records {
	uint64_t *of[WORLD_AGES]; // by age of the other frame; [0]: of none, NULL: there are no such tables
	uint32_t tick;            // of the frame
	uint32_t ages;            // bit a: of[a] is written; read with world_records_of()
};

#define WORLD_FULL_BYTES 32

/// Who has which rank, from one re-rank to the next.
struct world_order {
	uint32_t count;                     // ranks in use, holes among them
	uint32_t reranked, reranked_before; // ticks of the re-rank that it is of, and of the last one before
	uint32_t *number, *identity, *came, *was, *becomes; // as in struct world_part
	uint8_t *sort;
};

/// Another worker that reads a part.
struct world_reader {
	uint32_t seen; // tick of the newest frame when it read last: it has no tables of before any more
	uint32_t tick; // in which it did: the frames that it can read are reckoned from that
	bool reads;    // it has begun to
} CACHE_ALIGNED;

struct world_part {
	// set when it is made
	uint32_t capacity; // ranks; a multiple of 64
	uint32_t frames;   // of the ring: a power of two, WORLD_AGES or more
	struct world_frame *ring;
	uint32_t velocity_shift;       // as in its plan
	uint32_t window;               // so many frames can be read
	uint32_t behind;               // ticks that a reader may be late
	struct world_records *records; // two: of the newest frame and of the one before
	struct world_reader *reader;
	uint32_t readers;
	const struct world_game_states *states; // of those in it; NULL: there are none

	// the owner's, constant from when a frame is published to the end of that tick
	uint32_t count;           // ranks in use, holes among them
	uint32_t *number;         // by rank: on the wire; WORLD_NOBODY: a hole
	uint32_t *identity;       // by rank: the player's id; of others what their game process says
	uint8_t *sort;            // by rank: enum world_sort
	uint32_t *came;           // by rank: tick of the first frame that they are in
	uint32_t first;           // tick of the first frame
	uint32_t reranked;        // tick of the last re-rank: frames before it are in other ranks
	uint32_t reranked_before; // and of the one before that
	uint32_t *was;            // by rank: the rank before that; WORLD_NOBODY: came since
	uint32_t *becomes;        // by rank before that: the rank now; WORLD_NOBODY: left

	uint32_t stated; // how often one of `states` has changed

	// for other workers
	struct world_order order[2];
	uint32_t ordered; // which of the two is the newest

	uint32_t published CACHE_ALIGNED; // tick of the newest whole frame; read with world_published()

	struct world_own *own CACHE_ALIGNED; // what nobody but the owner reads (world/own.h)
};

/// What world_part_move() writes: to prefetch it.
const void *world_part_line(const struct world_part *part, uint32_t rank);

/// All parts of a world, as a worker reads them: its own, and what it has read of others.
struct world_parts {
	uint32_t count;
	const struct world_part *part[WORLD_PARTS_MAX];
};

/// Ranks mean the same as long as this is the same.
ALWAYS_INLINE uint64_t world_parts_order(const struct world_parts *parts)
{
	uint64_t order = 0;

	for (uint32_t i = 0; i < parts->count; i++)
		order += parts->part[i]->reranked;
	return order;
}

ALWAYS_INLINE const struct world_frame *world_frame_at(const struct world_part *part, uint32_t tick)
{
	return &part->ring[tick & (part->frames - 1)];
}

ALWAYS_INLINE uint32_t world_published(const struct world_part *part)
{
	return __atomic_load_n(&part->published, __ATOMIC_SEQ_CST);
}

/// Is a frame still in the ring, and was there one of that tick? The oldest may be under the pen already.
ALWAYS_INLINE bool world_has_frame(const struct world_part *part, uint32_t tick)
{
	const uint32_t published = world_published(part);

	return published - tick < part->window && published - part->first >= published - tick &&
	       world_frame_at(part, tick)->tick == tick;
}

/// Rank of somebody in a frame that may be older than the last re-rank.
/// @return WORLD_NOBODY: came since
ALWAYS_INLINE uint32_t world_rank_at(const struct world_part *part, uint32_t rank, uint32_t tick)
{
	return (int32_t)(tick - part->reranked) >= 0 ? rank : part->was[rank];
}

/// Number of somebody, who may be leaving just now.
ALWAYS_INLINE uint32_t world_number(const struct world_part *part, uint32_t rank)
{
	return __atomic_load_n(&part->number[rank], __ATOMIC_RELAXED);
}

/// Have all readers read this part since this tick was published?
bool world_readers_passed(const struct world_part *part, uint32_t tick);

/// The tables of a frame are void until they are written. Before the frame is published.
ALWAYS_INLINE void world_records_begin(struct world_part *part, uint32_t tick)
{
	const uint32_t published = world_published(part);
	struct world_records *records = &part->records[part->records[0].tick == published];
	struct world_frame *frame = &part->ring[tick & (part->frames - 1)];

	frame->records = NULL;
	if (unlikely(!world_readers_passed(part, published)))
		return;
	__atomic_store_n(&records->ages, 0, __ATOMIC_RELAXED);
	records->tick = tick;
	frame->records = records;
}

/// The table of this age is written.
ALWAYS_INLINE void world_records_done(struct world_part *part, uint32_t tick, uint32_t age)
{
	struct world_records *records = world_frame_at(part, tick)->records;

	__atomic_store_n(&records->ages, records->ages | 1U << age, __ATOMIC_RELEASE);
}

/// @param tick  in the ring
/// @return by rank; NULL: not written, or that is not the newest frame
ALWAYS_INLINE const uint64_t *world_records_of(const struct world_part *part, uint32_t tick, uint32_t age)
{
	const struct world_records *records = world_frame_at(part, tick)->records;

	if (unlikely(tick != world_published(part) || !records))
		return NULL;
	return __atomic_load_n(&records->ages, __ATOMIC_ACQUIRE) >> age & 1 ? records->of[age] : NULL;
}

ALWAYS_INLINE struct world_place world_place_at(const struct world_frame *frame, uint32_t rank)
{
	return (struct world_place){
		.x = frame->x[rank],
		.y = frame->y[rank],
		.z = frame->z[rank],
		.vx = frame->vx[rank],
		.vy = frame->vy[rank],
		.vz = frame->vz[rank],
	};
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

/// What a part is made for.
struct world_part_plan {
	uint32_t capacity;       // ranks; a multiple of 64, at most WORLD_RANKS_MAX
	uint32_t frames;         // a power of two, WORLD_AGES or more
	uint32_t ages;           // the greatest age with tables of records, below WORLD_AGES; 0: no tables
	bool fulls;              // there are tables of FULLs
	uint32_t first;          // tick at which it is made
	int32_t size[3];         // of the world, in quanta: positions are below it
	uint32_t late_max;       // nobody is moved on for longer, in parts of a tick; at most WORLD_LATE_MAX
	uint32_t velocity_shift; // velocities are in WORLD_VELOCITY_PARTS >> velocity_shift of a quantum per tick
	uint32_t readers;        // other workers that may read it, and a number for its own
	uint32_t behind;         // ticks that they may be late; they can read so many frames fewer
};

/// Times at which somebody was somewhere are told in so many parts of a tick.
#define WORLD_TOLD_PER_TICK 256
#define WORLD_LATE_MAX (32 * WORLD_TOLD_PER_TICK)

size_t world_part_bytes(const struct world_part_plan *plan);

/// Make a part, with nobody in it, which has an empty frame of the first tick.
/// @param memory  world_part_bytes() of it, at a cache line, zeroed
struct world_part *world_part_init(void *memory, const struct world_part_plan *plan);

/// Somebody comes; the next frame that is begun has them.
/// @param told   when they were there: tick * WORLD_TOLD_PER_TICK and parts of a tick, modulo 2^32
/// @return their rank; WORLD_NOBODY: no rank is left before a re-rank
uint32_t world_part_add(struct world_part *part, uint32_t number, uint32_t identity, enum world_sort sort,
			const struct world_place *place, uint32_t told);

/// Somebody leaves; the next frame that is begun has a hole there.
void world_part_remove(struct world_part *part, uint32_t rank);

/// Somebody has moved. Whether they may have is asked before.
void world_part_move(struct world_part *part, uint32_t rank, const struct world_place *place, uint32_t told);

/// Where somebody was told to be last, and when.
struct world_place world_part_present(const struct world_part *part, uint32_t rank, uint32_t *told);

/// Is no reader so late that it may still read the frame that this one would take the place of?
bool world_part_can_begin(const struct world_part *part, uint32_t tick);

/// Begin the frame of a tick after the last one. Ticks without a frame are no frames.
/// @param rerank  in new ranks, if they are ready; they then hold from the publication of this frame
void world_part_begin(struct world_part *part, uint32_t tick, bool rerank);

/// Write up to so many ranks more.
/// @return the frame is published
bool world_part_step(struct world_part *part, uint32_t ranks);

/// Begin to sort for a re-rank, from the newest frame: it has to be ready before that leaves the ring. `frames` ticks must have
/// passed since the last re-rank, and all readers know of it.
/// @return false: too early, or it is under way
bool world_rerank_begin(struct world_part *part);

/// Sort up to so many elements.
/// @return the next frame can be in new ranks
bool world_rerank_step(struct world_part *part, uint32_t elements);

/// Rank of somebody who had `rank` as of the re-rank at tick `*as_of`. Whoever keeps ranks asks at least once between two.
/// @return WORLD_NOBODY: left, or nobody asked
ALWAYS_INLINE uint32_t world_rank_now(const struct world_part *part, uint32_t rank, uint32_t *as_of)
{
	if (likely(*as_of == part->reranked))
		return rank;

	const bool next = *as_of == part->reranked_before;

	*as_of = part->reranked;
	return next ? part->becomes[rank] : WORLD_NOBODY;
}

#endif
