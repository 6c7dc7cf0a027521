// SPDX-License-Identifier: BSD-3-Clause
// world/grid.h: who of a part is in which cell of the ground.
//
// Cells lie row by row, so that neighbouring cells of a row are one range of slots. Everybody is sorted by cell every few ticks, in
// slices, from one frame; between, positions are written in place, in every tick, and a search looks as much farther as anybody has
// drifted since. Who came since, or drifted too far, is in no cell but in a few loose slots at the end, which every search looks at.
// The part's worker writes; every worker reads the view of the newest tick, or the one before (the table in world/part.h).

#ifndef POLLGATE_WORLD_GRID_H
#define POLLGATE_WORLD_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "world/part.h"
#include "world/sort.h"

#define WORLD_GRID_TICKS 8  // from one sort to the next
#define WORLD_LOOSE_MAX 512 // slots
#define WORLD_VIEWS 3       // the newest; the one before, which a reader may have; the one that is written
#define WORLD_SLOTS_PAST 64 // behind the last slot that can be read

/// Everybody of a part in one tick.
struct world_view {
	uint32_t tick;
	uint32_t reranked;      // tick of the re-rank that its ranks are of
	uint32_t sorted, loose; // slots in cells; slots behind them
	int32_t drift;          // nobody in a cell is farther than this from it, along x or y
	const uint32_t *start;  // by cell: its first slot; one more cell than there is
	const uint32_t *rank;   // by slot
	int32_t *x, *y, *z;     // by slot; of nobody: x is WORLD_FAR
};

enum world_sorting {
	SORTING_NOTHING,
	SORTING_ELEMENTS,
	SORTING_PASS,
	SORTING_SLOTS,
	SORTING_READY,
};

struct world_grid {
	// set when it is made
	const struct world_part *part;
	uint32_t columns, rows;
	uint8_t shift;
	int32_t drift_max;

	struct world_view view[WORLD_VIEWS];
	uint32_t current; // which of them; read with world_view()

	// the owner's
	uint32_t slots, starts; // which of the two below is in use
	uint32_t *rank[2];
	uint32_t *start[2];
	int32_t *sorted_x[2],
		*sorted_y[2]; // by slot: where they were sorted, beside rank[]; x of who is loose: WORLD_LOOSE
	uint32_t known;       // ranks from here on have no slot
	uint32_t sorted_tick;
	uint32_t switched; // tick of the first view with these slots and cells
	uint32_t reranked; // as of which the ranks are
	bool writing, translate;
	uint32_t at;

	enum world_sorting sorting;
	uint32_t from_tick, from_count, elements, done;
	uint64_t *element[2];
	struct world_pass pass;
};

#define WORLD_LOOSE (-(WORLD_FAR / 2)) // far from everybody, and from WORLD_FAR, whose difference from it fits, too

struct world_grid_plan {
	const struct world_part *part;
	int32_t size[2];   // of the world, in quanta
	uint8_t shift;     // a cell is 2^shift quanta
	int32_t drift_max; // who goes farther than this before the next sort is loose
};

size_t world_grid_bytes(const struct world_grid_plan *plan);

/// @param memory  world_grid_bytes() of it, at a cache line, zeroed
struct world_grid *world_grid_init(void *memory, const struct world_grid_plan *plan);

/// Begin the view of the frame that the part has published; unless a reader is so late that there is none to be written.
void world_grid_begin(struct world_grid *grid);

/// Write up to so many slots more.
/// @return the view is the newest
bool world_grid_step(struct world_grid *grid, uint32_t slots);

/// Between views: sort for the next ones, if it is time to, up to so many elements or cells.
/// @return nothing is left to do before the next view
bool world_grid_sort(struct world_grid *grid, uint32_t units);

/// So much of world_grid_sort() in every tick is enough.
uint32_t world_grid_sort_units(const struct world_grid *grid);

ALWAYS_INLINE const struct world_view *world_view(const struct world_grid *grid)
{
	return &grid->view[__atomic_load_n(&grid->current, __ATOMIC_ACQUIRE)];
}

/// How many are in a range of cells of one row.
ALWAYS_INLINE uint32_t world_view_count(const struct world_grid *grid, const struct world_view *view, uint32_t row,
					uint32_t from, uint32_t to)
{
	const uint32_t *start = view->start + (size_t)row * grid->columns;

	return start[to + 1] - start[from];
}

#endif
