// SPDX-License-Identifier: BSD-3-Clause
// world/sweep.c: a radix sort by key and then by cell, in slices.

#include "world/sweep.h"

#include "world/lay_out.h"

#define HALF_BITS (WORLD_KEY_BITS / 2)
#define HALF_BUCKETS (1U << HALF_BITS)
static_assert(2 * HALF_BITS == WORLD_KEY_BITS, "two passes sort by key");

static uint32_t cells_along(int32_t size, uint8_t shift)
{
	return ((uint32_t)(size - 1) >> shift) + 1;
}

static void take_tables(struct lay_out *room, struct world_sweep *sweep, const struct world_sweep_plan *plan)
{
	const uint32_t capacity = plan->part->capacity;
	const uint32_t columns = cells_along(plan->size[0], plan->shift);
	const uint32_t rows = cells_along(plan->size[1], plan->shift);

	sweep->buckets = take(room, (HALF_BUCKETS + 1) * sizeof(uint32_t));
	for (unsigned i = 0; i < 2; i++) {
		sweep->lists[i].start = take(room, ((size_t)columns * rows + 1) * sizeof(uint32_t));
		sweep->lists[i].key = take(room, capacity * sizeof(uint32_t));
		sweep->lists[i].rank = take(room, capacity * sizeof(uint32_t));
		sweep->element[i] = take(room, capacity * sizeof(uint64_t));
	}
}

size_t world_sweep_bytes(const struct world_sweep_plan *plan)
{
	struct lay_out room = {0};
	struct world_sweep sweep;

	take(&room, sizeof(sweep));
	take_tables(&room, &sweep, plan);
	return room.at;
}

struct world_sweep *world_sweep_init(void *memory, const struct world_sweep_plan *plan)
{
	struct lay_out room = {(uintptr_t)memory};
	struct world_sweep *sweep = take(&room, sizeof(*sweep));

	take_tables(&room, sweep, plan);
	sweep->part = plan->part;
	sweep->columns = cells_along(plan->size[0], plan->shift);
	sweep->rows = cells_along(plan->size[1], plan->shift);
	sweep->shift = plan->shift;
	sweep->from_tick = world_published(plan->part) - WORLD_SWEEP_TICKS;
	sweep->switched = world_published(plan->part) - 1;
	sweep->lists[0].reranked = plan->part->reranked;
	return sweep;
}

static struct world_lists *next_lists(struct world_sweep *sweep)
{
	return &sweep->lists[1 - sweep->current];
}

static void begin(struct world_sweep *sweep)
{
	sweep->from_tick = world_published(sweep->part);
	sweep->from_count = sweep->part->count;
	sweep->elements = sweep->done = 0;
	next_lists(sweep)->reranked = sweep->part->reranked;
	sweep->listing = LISTING_ELEMENTS;
}

static void sort_by(struct world_sweep *sweep, unsigned from, uint32_t *start, uint32_t buckets, uint8_t shift)
{
	sweep->pass = (struct world_pass){
		.from = sweep->element[from],
		.to = sweep->element[1 - from],
		.count = sweep->elements,
		.start = start,
		.buckets = buckets,
		.shift = shift,
	};
	world_pass_begin(&sweep->pass);
	sweep->listing++;
}

static void write_elements(struct world_sweep *sweep, uint32_t *units)
{
	const struct world_frame *frame = world_frame_at(sweep->part, sweep->from_tick);
	const uint32_t *number = sweep->part->number;

	for (; sweep->done < sweep->from_count && *units != 0; sweep->done++, --*units) {
		const uint32_t rank = sweep->done;
		const uint32_t column = (uint32_t)frame->x[rank] >> sweep->shift;
		const uint32_t row = (uint32_t)frame->y[rank] >> sweep->shift;
		const uint64_t cell = (uint64_t)row * sweep->columns + column;

		if (number[rank] != WORLD_NOBODY)
			sweep->element[0][sweep->elements++] =
				world_element(rank, cell << WORLD_KEY_BITS | world_key(number[rank]));
	}
	if (sweep->done == sweep->from_count)
		sort_by(sweep, 0, sweep->buckets, HALF_BUCKETS, WORLD_RANK_BITS);
}

static void list_members(struct world_sweep *sweep, uint32_t *units)
{
	const struct world_lists *lists = next_lists(sweep);

	for (; sweep->done < sweep->elements && *units != 0; sweep->done++, --*units) {
		const uint64_t element = sweep->element[1][sweep->done];

		lists->key[sweep->done] = (uint32_t)(element >> WORLD_RANK_BITS) & (WORLD_KEYS - 1);
		lists->rank[sweep->done] = world_element_rank(element);
	}
	if (sweep->done == sweep->elements) {
		sweep->listing = LISTING_NOTHING;
		sweep->switched = world_published(sweep->part);
		__atomic_store_n(&sweep->current, 1 - sweep->current, __ATOMIC_RELEASE);
	}
}

/// Numbers are by rank: a list of which some were read before and some after a re-rank would be wrong.
static bool elements_are_void(const struct world_sweep *sweep)
{
	return sweep->listing == LISTING_ELEMENTS &&
	       (sweep->lists[1 - sweep->current].reranked != sweep->part->reranked ||
		!world_has_frame(sweep->part, sweep->from_tick));
}

bool world_sweep_sort(struct world_sweep *sweep, uint32_t units)
{
	const uint32_t age = world_published(sweep->part) - sweep->from_tick;

	if ((sweep->listing == LISTING_NOTHING && age >= WORLD_SWEEP_TICKS &&
	     world_readers_passed(sweep->part, sweep->switched + 1)) ||
	    elements_are_void(sweep))
		begin(sweep);
	if (sweep->listing == LISTING_ELEMENTS)
		write_elements(sweep, &units);
	if (sweep->listing == LISTING_LOW && world_pass_step(&sweep->pass, &units))
		sort_by(sweep, 1, sweep->buckets, HALF_BUCKETS, WORLD_RANK_BITS + HALF_BITS);
	if (sweep->listing == LISTING_HIGH && world_pass_step(&sweep->pass, &units))
		sort_by(sweep, 0, next_lists(sweep)->start, sweep->columns * sweep->rows,
			WORLD_RANK_BITS + WORLD_KEY_BITS);
	if (sweep->listing == LISTING_CELLS && world_pass_step(&sweep->pass, &units)) {
		sweep->done = 0;
		sweep->listing = LISTING_MEMBERS;
	}
	if (sweep->listing == LISTING_MEMBERS)
		list_members(sweep, &units);
	return sweep->listing == LISTING_NOTHING;
}

uint32_t world_sweep_sort_units(const struct world_sweep *sweep)
{
	return sweep->part->count + sweep->columns * sweep->rows / 4 + HALF_BUCKETS;
}
