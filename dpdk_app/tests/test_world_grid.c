// SPDX-License-Identifier: BSD-3-Clause
// test_world_grid.c: everybody is in one slot, where they are, and no farther from its cell than the view says.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "part_fixture.h"
#include "world/grid.h"

#define CAPACITY 4096
#define SHIFT 10
#define DRIFT_MAX 400

struct fixture {
	struct world_part *part;
	struct world_grid *grid;
	uint64_t random;
	uint32_t tick;
	uint32_t given;
};

static int setup(void **state)
{
	struct fixture *f = world_memory(sizeof(*f));
	const struct world_part_plan plan = small_plan(CAPACITY);

	f->part = make_part(&plan);
	f->tick = plan.first;
	const struct world_grid_plan grid_plan = {
		.part = f->part, .size = {WALK_SIZE, WALK_SIZE}, .shift = SHIFT, .drift_max = DRIFT_MAX};

	f->grid = world_grid_init(world_memory(world_grid_bytes(&grid_plan)), &grid_plan);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->grid);
	free(f->part);
	free(f);
	return 0;
}

static void view(struct fixture *f)
{
	world_grid_begin(f->grid);
	for (unsigned steps = 0; !world_grid_step(f->grid, 61); steps++)
		assert_true(steps <= CAPACITY / 61);
}

static void next_tick(struct fixture *f, bool rerank)
{
	publish(f->part, ++f->tick, rerank);
	view(f);
}

static void sort_all(struct fixture *f)
{
	for (unsigned steps = 0; !world_grid_sort(f->grid, 97); steps++)
		assert_true(steps < 1000);
}

static uint32_t add_at(struct fixture *f, const struct world_place *place)
{
	return world_part_add(f->part, f->given++, 0, WORLD_PLAYER, place, f->tick * WORLD_TOLD_PER_TICK);
}

static uint32_t add(struct fixture *f)
{
	const int32_t size[3] = {WALK_SIZE, WALK_SIZE, WALK_SIZE / 4};
	const struct world_place place = drawn_place(&f->random, size);

	return add_at(f, &place);
}

static void add_many(struct fixture *f, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		add(f);
}

/// Everybody goes up to `reach` in each direction.
static void walk(struct fixture *f, int32_t reach)
{
	for (uint32_t rank = 0; rank < f->part->count; rank++) {
		uint32_t told;
		struct world_place place = world_part_present(f->part, rank, &told);

		if (f->part->number[rank] == WORLD_NOBODY)
			continue;
		place.x += (int32_t)drawn_below(&f->random, 2 * (uint32_t)reach + 1) - reach;
		place.y += (int32_t)drawn_below(&f->random, 2 * (uint32_t)reach + 1) - reach;
		place.vx = place.vy = place.vz = 0;
		world_part_move(f->part, rank, &place, 0);
	}
}

static int32_t outside(int32_t position, int32_t low, int32_t size)
{
	return position < low ? low - position : position >= low + size ? position - (low + size - 1) : 0;
}

static void check_cell(const struct fixture *f, const struct world_view *v, uint32_t cell)
{
	const int32_t low_x = (int32_t)(cell % f->grid->columns << SHIFT);
	const int32_t low_y = (int32_t)(cell / f->grid->columns << SHIFT);

	for (uint32_t slot = v->start[cell]; slot < v->start[cell + 1]; slot++) {
		if (v->x[slot] == WORLD_FAR)
			continue;
		assert_true(outside(v->x[slot], low_x, 1 << SHIFT) <= v->drift);
		assert_true(outside(v->y[slot], low_y, 1 << SHIFT) <= v->drift);
	}
}

/// @return how many there are
static uint32_t check(const struct fixture *f)
{
	const struct world_view *v = world_view(f->grid);
	const struct world_frame *frame = world_frame_at(f->part, f->tick);
	uint32_t seen[CAPACITY] = {0}, found = 0;

	assert_int_equal(v->tick, f->tick);
	assert_int_equal(v->start[0], 0);
	assert_int_equal(v->start[f->grid->columns * f->grid->rows], v->sorted);
	for (uint32_t cell = 0; cell < f->grid->columns * f->grid->rows; cell++)
		check_cell(f, v, cell);
	for (uint32_t slot = 0; slot < v->sorted + v->loose; slot++) {
		if (v->x[slot] == WORLD_FAR)
			continue;
		seen[v->rank[slot]]++;
		assert_int_equal(v->x[slot], frame->x[v->rank[slot]]);
		assert_int_equal(v->y[slot], frame->y[v->rank[slot]]);
		assert_int_equal(v->z[slot], frame->z[v->rank[slot]]);
	}
	for (uint32_t rank = 0; rank < f->part->count; rank++) {
		const bool there = frame->x[rank] != WORLD_FAR;

		assert_int_equal(seen[rank], there);
		found += there;
	}
	return found;
}

static void test_who_comes_is_found_at_once(void **state)
{
	struct fixture *f = *state;

	next_tick(f, false);
	assert_int_equal(check(f), 0);
	add_many(f, 10);
	next_tick(f, false);
	assert_int_equal(check(f), 10);
	assert_int_equal(world_view(f->grid)->loose, 10);
	add(f);
	next_tick(f, false);
	assert_int_equal(check(f), 11);
}

static void test_everybody_is_in_a_cell_once_they_are_sorted(void **state)
{
	struct fixture *f = *state;

	add_many(f, 2000);
	for (unsigned i = 0; i < WORLD_GRID_TICKS; i++)
		next_tick(f, false);
	sort_all(f);
	next_tick(f, false);
	assert_int_equal(check(f), 2000);
	assert_int_equal(world_view(f->grid)->sorted, 2000);
	assert_int_equal(world_view(f->grid)->loose, 0);
}

static void settle(struct fixture *f, uint32_t count)
{
	add_many(f, count);
	next_tick(f, false);
	for (unsigned i = 0; i < WORLD_GRID_TICKS; i++)
		next_tick(f, false);
	sort_all(f);
	next_tick(f, false);
	assert_int_equal(world_view(f->grid)->loose, 0);
}

static void test_who_walks_is_written_in_place_and_the_drift_is_known(void **state)
{
	struct fixture *f = *state;

	settle(f, 2000);
	for (unsigned i = 0; i < 6; i++) {
		walk(f, 20);
		next_tick(f, false);
		assert_int_equal(check(f), 2000);
		assert_int_equal(world_view(f->grid)->loose, 0);
		assert_true(world_view(f->grid)->drift > 0);
	}
}

static void test_who_goes_far_at_once_is_loose_and_adds_no_drift(void **state)
{
	struct fixture *f = *state;
	const struct world_place far = {.x = 5, .y = WALK_SIZE - 5};

	settle(f, 1000);
	world_part_move(f->part, 17, &far, 0);
	next_tick(f, false);
	assert_int_equal(check(f), 1000);
	assert_int_equal(world_view(f->grid)->loose, 1);
	assert_true(world_view(f->grid)->drift <= DRIFT_MAX);
	next_tick(f, false);
	assert_int_equal(check(f), 1000);
	assert_int_equal(world_view(f->grid)->loose, 1);
	world_part_remove(f->part, 17);
	next_tick(f, false);
	assert_int_equal(check(f), 999);
	assert_true(world_view(f->grid)->drift <= DRIFT_MAX);
}

static void test_when_more_are_far_than_loose_slots_the_search_looks_farther(void **state)
{
	struct fixture *f = *state;

	settle(f, 2000);
	for (uint32_t rank = 0; rank < WORLD_LOOSE_MAX + 100; rank++) {
		const struct world_place far = {.x = 5, .y = WALK_SIZE - 5};

		world_part_move(f->part, rank, &far, 0);
	}
	next_tick(f, false);
	assert_int_equal(check(f), 2000);
	assert_int_equal(world_view(f->grid)->loose, WORLD_LOOSE_MAX);
	assert_true(world_view(f->grid)->drift > DRIFT_MAX);
	sort_all(f); // at once
	next_tick(f, false);
	assert_int_equal(check(f), 2000);
	assert_int_equal(world_view(f->grid)->loose, 0);
}

static void test_who_left_is_in_no_slot(void **state)
{
	struct fixture *f = *state;

	settle(f, 1000);
	for (uint32_t rank = 0; rank < 1000; rank += 2)
		world_part_remove(f->part, rank);
	next_tick(f, false);
	assert_int_equal(check(f), 500);
}

static void test_a_sort_over_many_ticks_is_of_one_frame(void **state)
{
	struct fixture *f = *state;
	bool sorted = false;

	settle(f, 1500);
	for (unsigned i = 0; i < 60; i++) {
		walk(f, 10);
		add(f);
		world_part_remove(f->part, i * 7);
		next_tick(f, false);
		assert_int_equal(check(f), 1500);
		sorted |= world_view(f->grid)->loose <= 1;
		world_grid_sort(f->grid, world_grid_sort_units(f->grid));
	}
	assert_true(sorted);
}

static void test_ranks_change_and_everybody_is_in_their_slot(void **state)
{
	struct fixture *f = *state;
	unsigned reranks = 0;
	uint32_t gone = 0;

	settle(f, 1500);
	for (unsigned i = 0; i < 400; i++) {
		(void)world_rerank_begin(f->part); // as often as it can be
		const bool ready = world_rerank_step(f->part, 5000);

		walk(f, 10);
		add(f);
		world_part_begin(f->part, ++f->tick, ready);
		while (!world_part_step(f->part, 100))
			if (gone < 1400 && drawn_below(&f->random, 8) == 0) {
				const uint32_t rank = drawn_below(&f->random, f->part->count);

				if (f->part->number[rank] != WORLD_NOBODY)
					world_part_remove(f->part, rank);
			}
		view(f);
		reranks += f->part->reranked == f->tick;
		if (i % 3 == 0)
			world_grid_sort(f->grid, 1000);
		if (f->part->reranked == f->tick)
			check(f);
		publish(f->part, ++f->tick, false); // who left meanwhile is a hole now
		view(f);
		check(f);
	}
	assert_true(reranks > 5);
}

static void test_units_of_a_tick_sort_in_time(void **state)
{
	struct fixture *f = *state;
	uint32_t oldest = 0;

	add_many(f, 3000);
	for (unsigned i = 0; i < 100; i++) {
		next_tick(f, false);
		world_grid_sort(f->grid, world_grid_sort_units(f->grid));
		if (i > 20 && f->tick - f->grid->sorted_tick > oldest)
			oldest = f->tick - f->grid->sorted_tick;
	}
	assert_uint_in_range(oldest, WORLD_GRID_TICKS, 2 * WORLD_GRID_TICKS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_who_comes_is_found_at_once),
		TEST(test_everybody_is_in_a_cell_once_they_are_sorted),
		TEST(test_who_walks_is_written_in_place_and_the_drift_is_known),
		TEST(test_who_goes_far_at_once_is_loose_and_adds_no_drift),
		TEST(test_when_more_are_far_than_loose_slots_the_search_looks_farther),
		TEST(test_who_left_is_in_no_slot),
		TEST(test_a_sort_over_many_ticks_is_of_one_frame),
		TEST(test_ranks_change_and_everybody_is_in_their_slot),
		TEST(test_units_of_a_tick_sort_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
