// SPDX-License-Identifier: BSD-3-Clause
// world/own.h: what only the owner of a part sees of it: where everybody was told to be, the frame that is being written, the re-rank
// that is being prepared.

#ifndef POLLGATE_WORLD_OWN_H
#define POLLGATE_WORLD_OWN_H

#include <stdbool.h>
#include <stdint.h>

#include "world/part.h"
#include "world/sort.h"

/// Where somebody was when it was last told. Half a cache line: a move writes nothing else.
struct world_present {
	int32_t x, y, z;
	int16_t vx, vy, vz;
	int8_t beyond[3]; // as of struct world_place
	uint32_t told;    // in parts of a tick
} __attribute__((aligned(32)));

ALWAYS_INLINE struct world_present world_present_of(const struct world_place *place, uint32_t told)
{
	return (struct world_present){
		.x = place->x,
		.y = place->y,
		.z = place->z,
		.vx = place->vx,
		.vy = place->vy,
		.vz = place->vz,
		.beyond = {place->beyond[0], place->beyond[1], place->beyond[2]},
		.told = told,
	};
}

/// All that is known of entities, by rank.
struct world_tables {
	struct world_present *present;
	uint32_t *number, *identity, *came;
	uint8_t *sort;
};

enum world_writing {
	WRITING_NOTHING,
	WRITING_CARRY, // into the tables in new ranks
	WRITING_FRAME,
};

enum world_reranking {
	RERANK_NONE,
	RERANK_CLEAR,
	RERANK_KEYS, // elements from a frame
	RERANK_LOW,  // by the lower half of the key
	RERANK_HIGH,
	RERANK_READY,
};

struct world_own {
	int32_t size[3];
	int32_t late_max;
	uint32_t way_shift; // of velocities, for parts of a tick, to quanta
	uint32_t count;     // ranks in use: part->count, and who came since the frame was begun
	struct world_tables now, next;

	// the frame that is being written
	enum world_writing writing;
	uint32_t tick, at, ranks;
	bool rerank;

	// the re-rank
	enum world_reranking reranking;
	uint32_t sorted_tick;      // whose frame it is sorted by
	uint32_t sorted, elements; // ranks that frame had; those of them that were no holes
	uint32_t carried, moved;   // elements carried into the new ranks; ranks given there
	uint32_t keyed;
	uint8_t key_shift; // of positions: what is left has WORLD_CURVE_BITS
	uint32_t *was, *becomes;
	uint64_t *element[2];
	uint32_t *buckets;
	struct world_pass pass;

	// what is written down
	struct world_journal *journal; // NULL: nothing is
	uint8_t world;                 // its index in the journal
	uint64_t first_us;             // when its first tick was
	double tick_us;
	uint32_t slice_at, slices; // ranks that are written down, and that are to be
	bool slices_whole;         // no re-rank has come between
};

#define WORLD_CURVE_BITS 11 // of x and of y
#define WORLD_CURVE_BUCKETS (1U << WORLD_CURVE_BITS)

/// Carry up to so many into the new ranks, and take them off `*budget`.
/// @return all are
bool world_carry(struct world_part *part, uint32_t *budget);

/// Who comes, leaves or moves once they are carried does so in the new ranks, too.
void world_carry_again(struct world_part *part, uint32_t rank);

/// The new ranks hold.
void world_rerank_apply(struct world_part *part);

#endif
