// SPDX-License-Identifier: BSD-3-Clause
// world/sweep.h: who of a part is in which of the great cells of the ground, each in the order of a key that never changes.
//
// The key is a hash of the number. Whoever sweeps over it by ranges of keys meets everybody once in a sweep, however they walk and
// however often they are sorted again; a cursor into an order that changes would miss some of them for ever.
// The part's worker writes, every few ticks, in slices; every worker reads the newest lists.

#ifndef POLLGATE_WORLD_SWEEP_H
#define POLLGATE_WORLD_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "world/part.h"
#include "world/sort.h"

#define WORLD_SWEEP_TICKS 8 // from one sort to the next
#define WORLD_KEY_BITS 20
#define WORLD_KEYS (1U << WORLD_KEY_BITS)

/// Lists of all cells.
struct world_lists {
	uint32_t reranked; // tick of the re-rank that its ranks are of: the part's last or the one before
	uint32_t *start;   // by cell: its first member; one more cell than there is
	uint32_t *key;     // of members, ascending in each cell
	uint32_t *rank;
};

enum world_listing {
	LISTING_NOTHING,
	LISTING_ELEMENTS,
	LISTING_LOW,
	LISTING_HIGH,
	LISTING_CELLS,
	LISTING_MEMBERS,
};

struct world_sweep {
	// set when it is made
	const struct world_part *part;
	uint32_t columns, rows;
	uint8_t shift;

	struct world_lists lists[2];
	uint32_t current; // which of them; read with world_lists()

	// the owner's
	enum world_listing listing;
	uint32_t switched; // newest tick when these lists became the current ones
	uint32_t from_tick, from_count, elements, done;
	uint64_t *element[2];
	uint32_t *buckets;
	struct world_pass pass;
};

struct world_sweep_plan {
	const struct world_part *part;
	int32_t size[2]; // of the world, in quanta
	uint8_t shift;   // a cell is 2^shift quanta; 9 or more
};

size_t world_sweep_bytes(const struct world_sweep_plan *plan);

/// @param memory  world_sweep_bytes() of it, at a cache line, zeroed
struct world_sweep *world_sweep_init(void *memory, const struct world_sweep_plan *plan);

/// After a frame: sort, if it is time to, up to so many elements or cells.
/// @return nothing is left to do
bool world_sweep_sort(struct world_sweep *sweep, uint32_t units);

/// So much of world_sweep_sort() in every tick is enough.
uint32_t world_sweep_sort_units(const struct world_sweep *sweep);

ALWAYS_INLINE const struct world_lists *world_lists(const struct world_sweep *sweep)
{
	return &sweep->lists[__atomic_load_n(&sweep->current, __ATOMIC_ACQUIRE)];
}

/// D. E. Knuth, The Art of Computer Programming, volume 3, 6.4: numbers that follow each other lie far apart.
ALWAYS_INLINE uint32_t world_key(uint32_t number)
{
	return number * 0x9e3779b1U >> (32 - WORLD_KEY_BITS);
}

#endif
