// SPDX-License-Identifier: BSD-3-Clause
// world/grid.c: slots of a grid are sorted, written in place, and found again after a re-rank.

#include "world/grid.h"

#include "world/lay_out.h"

static uint32_t cells_along(int32_t size, uint8_t shift)
{
	return ((uint32_t)(size - 1) >> shift) + 1;
}

static struct world_view take_view(struct lay_out *room, uint32_t slots)
{
	return (struct world_view){
		.x = take(room, slots * sizeof(int32_t)),
		.y = take(room, slots * sizeof(int32_t)),
		.z = take(room, slots * sizeof(int32_t)),
	};
}

static void take_tables(struct lay_out *room, struct world_grid *grid, const struct world_grid_plan *plan)
{
	const uint32_t capacity = plan->part->capacity, slots = capacity + WORLD_LOOSE_MAX + WORLD_SLOTS_PAST;
	const uint32_t columns = cells_along(plan->size[0], plan->shift);
	const uint32_t rows = cells_along(plan->size[1], plan->shift);

	for (unsigned i = 0; i < WORLD_VIEWS; i++)
		grid->view[i] = take_view(room, slots);
	for (unsigned i = 0; i < 2; i++) {
		grid->rank[i] = take(room, slots * sizeof(uint32_t));
		grid->start[i] = take(room, ((size_t)columns * rows + 1) * sizeof(uint32_t));
		grid->sorted_x[i] = take(room, slots * sizeof(int32_t));
		grid->sorted_y[i] = take(room, slots * sizeof(int32_t));
		grid->element[i] = take(room, capacity * sizeof(uint64_t));
	}
}

size_t world_grid_bytes(const struct world_grid_plan *plan)
{
	struct lay_out room = {0};
	struct world_grid grid;

	take(&room, sizeof(grid));
	take_tables(&room, &grid, plan);
	return room.at;
}

/// The view that is written, or will be.
static struct world_view *next_view(struct world_grid *grid)
{
	return &grid->view[(grid->current + 1) % WORLD_VIEWS];
}

static void show_tables(struct world_grid *grid, struct world_view *view)
{
	view->start = grid->start[grid->starts];
	view->rank = grid->rank[grid->slots];
	view->reranked = grid->reranked;
}

struct world_grid *world_grid_init(void *memory, const struct world_grid_plan *plan)
{
	struct lay_out room = {(uintptr_t)memory};
	struct world_grid *grid = take(&room, sizeof(*grid));

	take_tables(&room, grid, plan);
	grid->part = plan->part;
	grid->columns = cells_along(plan->size[0], plan->shift);
	grid->rows = cells_along(plan->size[1], plan->shift);
	grid->shift = plan->shift;
	grid->drift_max = plan->drift_max;
	grid->reranked = plan->part->reranked;
	grid->sorted_tick = world_published(plan->part);
	grid->switched = grid->sorted_tick - 1;
	for (unsigned i = 0; i < WORLD_VIEWS; i++) {
		grid->view[i].tick = grid->sorted_tick;
		show_tables(grid, &grid->view[i]);
	}
	return grid;
}

// ---------------------------------------------------------------- positions in place

static void use_what_was_sorted(struct world_grid *grid, struct world_view *view)
{
	grid->slots = 1 - grid->slots;
	grid->starts = 1 - grid->starts;
	grid->switched = view->tick;
	grid->sorted_tick = grid->from_tick;
	grid->known = grid->from_count;
	grid->sorting = SORTING_NOTHING;
	view->sorted = grid->elements;
	view->loose = 0;
}

/// Ranks are others: slots are the same. Who came with the new ranks, or had no slot yet, has the last of them.
static void follow_rerank(struct world_grid *grid, const struct world_view *view)
{
	const struct world_part *part = grid->part;
	uint32_t known = part->count;

	while (known > 0 && (part->was[known - 1] == WORLD_NOBODY || part->was[known - 1] >= grid->known))
		known--;
	grid->known = known;
	grid->reranked = part->reranked;
	grid->sorting = SORTING_NOTHING; // it is in old ranks
	grid->translate = true;
	grid->slots = 1 - grid->slots;
	grid->switched = view->tick;
}

static bool is_reranked(const struct world_grid *grid)
{
	return grid->reranked != grid->part->reranked;
}

/// Views with the slots and cells of before the switch have no reader any more.
static bool others_are_free(const struct world_grid *grid)
{
	return world_readers_passed(grid->part, grid->switched + 1);
}

/// Has the next view no reader any more, nor what will be written of slots?
static bool can_begin(const struct world_grid *grid)
{
	return world_readers_passed(grid->part, world_view(grid)->tick) &&
	       (!is_reranked(grid) || others_are_free(grid));
}

void world_grid_begin(struct world_grid *grid)
{
	const struct world_view *last = world_view(grid);
	struct world_view *view = next_view(grid);

	if (unlikely(!can_begin(grid)))
		return;
	view->tick = world_published(grid->part);
	view->sorted = last->sorted;
	view->loose = last->loose;
	view->drift = 0;
	grid->translate = false;
	if (is_reranked(grid))
		follow_rerank(grid, view);
	else if (grid->sorting == SORTING_READY)
		use_what_was_sorted(grid, view);
	show_tables(grid, view);
	grid->at = 0;
	grid->writing = true;
}

ALWAYS_INLINE int32_t distance(int32_t a, int32_t b)
{
	return a < b ? b - a : a - b;
}

/// What is in no cell of `view`: nobody, or somebody who is loose from now on if there is a slot left.
/// @return how far they are from their cell
COLD static int32_t leave_cell(struct world_grid *grid, struct world_view *view, uint32_t slot, int32_t drifted)
{
	int32_t *sorted_x = grid->sorted_x[grid->slots];
	uint32_t *rank = grid->rank[grid->slots];

	if (view->x[slot] == WORLD_FAR)
		return 0;
	if (sorted_x[slot] != WORLD_LOOSE) {
		if (view->loose == WORLD_LOOSE_MAX)
			return drifted;
		rank[view->sorted + view->loose++] = rank[slot];
		sorted_x[slot] = WORLD_LOOSE;
	}
	view->x[slot] = WORLD_FAR;
	return 0;
}

ALWAYS_INLINE void write_slot(const struct world_frame *frame, struct world_view *view, uint32_t slot, uint32_t rank)
{
	view->x[slot] = frame->x[rank];
	view->y[slot] = frame->y[rank];
	view->z[slot] = frame->z[rank];
}

static void write_cells(struct world_grid *grid, struct world_view *view, uint32_t to)
{
	const struct world_frame *frame = world_frame_at(grid->part, view->tick);
	const int32_t *x = grid->sorted_x[grid->slots], *y = grid->sorted_y[grid->slots];
	const uint32_t *rank = grid->rank[grid->slots];
	int32_t drift = view->drift;

	for (uint32_t slot = grid->at; slot < to; slot++) {
		write_slot(frame, view, slot, rank[slot]);

		const int32_t dx = distance(view->x[slot], x[slot]), dy = distance(view->y[slot], y[slot]);
		int32_t drifted = dx > dy ? dx : dy;

		if (unlikely(drifted > grid->drift_max))
			drifted = leave_cell(grid, view, slot, drifted);
		drift = drift < drifted ? drifted : drift;
	}
	view->drift = drift;
}

/// Of a loose slot, from whose rank somebody left before it was carried into the new ranks.
static void write_nobody(struct world_view *view, uint32_t slot)
{
	view->x[slot] = WORLD_FAR;
	view->y[slot] = view->z[slot] = 0;
}

static void write_loose(struct world_grid *grid, struct world_view *view)
{
	const struct world_frame *frame = world_frame_at(grid->part, view->tick);
	uint32_t *rank = grid->rank[grid->slots];

	while (grid->known < grid->part->count && view->loose < WORLD_LOOSE_MAX)
		rank[view->sorted + view->loose++] = grid->known++;
	for (uint32_t slot = view->sorted; slot < view->sorted + view->loose; slot++) {
		if (rank[slot] == WORLD_NOBODY)
			write_nobody(view, slot);
		else
			write_slot(frame, view, slot, rank[slot]);
	}
}

/// Who is gone before there was a new rank for them is in no cell, as if they were loose.
static void translate_cells(struct world_grid *grid, uint32_t to)
{
	const uint32_t *before = grid->rank[1 - grid->slots], *becomes = grid->part->becomes;
	uint32_t *rank = grid->rank[grid->slots];

	for (uint32_t slot = grid->at; slot < to; slot++) {
		const bool gone = becomes[before[slot]] == WORLD_NOBODY;

		rank[slot] = gone ? 0 : becomes[before[slot]];
		grid->sorted_x[grid->slots][slot] = gone ? WORLD_LOOSE : grid->sorted_x[1 - grid->slots][slot];
		grid->sorted_y[grid->slots][slot] = grid->sorted_y[1 - grid->slots][slot];
	}
}

static void translate_loose(struct world_grid *grid, const struct world_view *view)
{
	const uint32_t *before = grid->rank[1 - grid->slots], *becomes = grid->part->becomes;
	uint32_t *rank = grid->rank[grid->slots];

	for (uint32_t slot = view->sorted; slot < view->sorted + view->loose; slot++)
		rank[slot] = before[slot] == WORLD_NOBODY ? WORLD_NOBODY : becomes[before[slot]];
}

static void finish_view(struct world_grid *grid, struct world_view *view)
{
	write_loose(grid, view);
	grid->writing = false;
	__atomic_store_n(&grid->current, (grid->current + 1) % WORLD_VIEWS, __ATOMIC_RELEASE);
}

bool world_grid_step(struct world_grid *grid, uint32_t slots)
{
	struct world_view *view = next_view(grid);

	if (!grid->writing)
		return true;

	const uint32_t left = view->sorted - grid->at, to = grid->at + (left < slots ? left : slots);

	if (grid->translate && grid->at == 0)
		translate_loose(grid, view);
	if (grid->translate)
		translate_cells(grid, to);
	write_cells(grid, view, to);
	grid->at = to;
	if (to == view->sorted)
		finish_view(grid, view);
	return !grid->writing;
}

// ---------------------------------------------------------------- the next sort

static bool time_to_sort(const struct world_grid *grid, const struct world_view *view)
{
	return (view->tick - grid->sorted_tick >= WORLD_GRID_TICKS || view->loose > WORLD_LOOSE_MAX / 4) &&
	       view->tick == world_published(grid->part) && others_are_free(grid);
}

static void begin_sort(struct world_grid *grid, const struct world_view *view)
{
	grid->from_tick = view->tick;
	grid->from_count = grid->part->count;
	grid->elements = grid->done = 0;
	grid->sorting = SORTING_ELEMENTS;
}

static void write_elements(struct world_grid *grid, uint32_t *units)
{
	const struct world_frame *frame = world_frame_at(grid->part, grid->from_tick);

	for (; grid->done < grid->from_count && *units != 0; grid->done++, --*units) {
		const uint32_t rank = grid->done;
		const uint32_t column = (uint32_t)frame->x[rank] >> grid->shift;
		const uint32_t row = (uint32_t)frame->y[rank] >> grid->shift;

		if (frame->x[rank] != WORLD_FAR)
			grid->element[0][grid->elements++] = world_element(rank, row * grid->columns + column);
	}
	if (grid->done < grid->from_count)
		return;
	grid->pass = (struct world_pass){
		.from = grid->element[0],
		.to = grid->element[1],
		.count = grid->elements,
		.start = grid->start[1 - grid->starts],
		.buckets = grid->columns * grid->rows,
		.shift = WORLD_RANK_BITS,
	};
	world_pass_begin(&grid->pass);
	grid->sorting = SORTING_PASS;
}

static void fill_slots(struct world_grid *grid, uint32_t *units)
{
	const struct world_frame *frame = world_frame_at(grid->part, grid->from_tick);
	const uint32_t next = 1 - grid->slots;

	for (; grid->done < grid->elements && *units != 0; grid->done++, --*units) {
		const uint32_t rank = world_element_rank(grid->element[1][grid->done]);

		grid->rank[next][grid->done] = rank;
		grid->sorted_x[next][grid->done] = frame->x[rank];
		grid->sorted_y[next][grid->done] = frame->y[rank];
	}
	if (grid->done == grid->elements)
		grid->sorting = SORTING_READY;
}

bool world_grid_sort(struct world_grid *grid, uint32_t units)
{
	const struct world_view *view = world_view(grid);

	if (unlikely(is_reranked(grid))) // the next view is the first that knows
		return true;
	if (grid->sorting == SORTING_NOTHING && !grid->writing && time_to_sort(grid, view))
		begin_sort(grid, view);
	// A frame that is about to leave the ring is not sorted by any longer.
	if (grid->sorting != SORTING_NOTHING && !world_has_frame(grid->part, grid->from_tick))
		grid->sorting = SORTING_NOTHING;
	if (grid->sorting == SORTING_ELEMENTS)
		write_elements(grid, &units);
	if (grid->sorting == SORTING_PASS && world_pass_step(&grid->pass, &units)) {
		grid->done = 0;
		grid->sorting = SORTING_SLOTS;
	}
	if (grid->sorting == SORTING_SLOTS)
		fill_slots(grid, &units);
	return grid->sorting == SORTING_NOTHING || grid->sorting == SORTING_READY;
}

uint32_t world_grid_sort_units(const struct world_grid *grid)
{
	return grid->part->count + grid->columns * grid->rows / 4 + WORLD_LOOSE_MAX;
}
