// SPDX-License-Identifier: BSD-3-Clause
// test_world_glimpses.c: everybody in range is shown in every sweep, where they are, however they walk and are sorted.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "part_fixture.h"
#include "world/bits.h"
#include "world/glimpses.h"

#define PARTS_MAX 2
#define CAPACITY 8192
#define NUMBERS 16384
#define SHIFT 12
#define SIDE (1 << SHIFT)
#define RADIUS 3000
#define WALKED 20                          // at most, along an axis, in a tick
#define LISTED (2 * WORLD_SWEEP_TICKS + 1) // ticks until who came is in a list

struct fixture {
	uint32_t count;
	struct world_part *part[PARTS_MAX];
	struct world_sweep *sweep[PARTS_MAX];
	struct world_parts parts;
	struct world_glimpses *glimpses;
	uint64_t random;
	uint32_t tick, given;
	uint32_t part_of[NUMBERS], rank_of[NUMBERS]; // by number; WORLD_NOBODY: gone
	uint32_t last_shown[NUMBERS];                // tick; to one observer
};

static void open_world(struct fixture *f, uint32_t parts, uint32_t glimpses)
{
	f->count = f->parts.count = parts;
	for (uint32_t i = 0; i < parts; i++) {
		const struct world_part_plan plan = small_plan(CAPACITY);

		f->part[i] = make_part(&plan);
		f->parts.part[i] = f->part[i];
		f->tick = plan.first;
		const struct world_sweep_plan sweep_plan = {
			.part = f->part[i], .size = {WALK_SIZE, WALK_SIZE}, .shift = SHIFT};

		f->sweep[i] = world_sweep_init(world_memory(world_sweep_bytes(&sweep_plan)), &sweep_plan);
	}

	const struct world_glimpses_plan plan = {
		.parts = &f->parts,
		.sweep = (const struct world_sweep *const *)f->sweep,
		.radius = RADIUS,
		.glimpses = glimpses,
	};

	f->glimpses = world_glimpses_init(world_memory(world_glimpses_bytes(&plan)), &plan);
	memset(f->rank_of, 0xff, sizeof(f->rank_of));
}

static uint32_t add_at(struct fixture *f, uint32_t part, int32_t x, int32_t y)
{
	const struct world_place place = {.x = x, .y = y};
	const uint32_t number = f->given++;

	f->part_of[number] = part;
	f->rank_of[number] = world_part_add(f->part[part], number, 0, WORLD_PLAYER, &place, 0);
	assert_int_not_equal(f->rank_of[number], WORLD_NOBODY);
	return number;
}

/// Somewhere in a square around the middle.
static void add_many(struct fixture *f, uint32_t count, uint32_t side)
{
	const int32_t low = (WALK_SIZE - (int32_t)side) / 2;

	for (uint32_t i = 0; i < count; i++)
		add_at(f, i % f->count, low + (int32_t)drawn_below(&f->random, side),
		       low + (int32_t)drawn_below(&f->random, side));
}

static void walk(struct fixture *f, uint32_t part)
{
	for (uint32_t rank = 0; rank < f->part[part]->count; rank++) {
		uint32_t told;
		struct world_place place = world_part_present(f->part[part], rank, &told);

		if (f->part[part]->number[rank] == WORLD_NOBODY)
			continue;
		place.x += (int32_t)drawn_below(&f->random, 2 * WALKED + 1) - WALKED;
		place.y += (int32_t)drawn_below(&f->random, 2 * WALKED + 1) - WALKED;
		place.x = place.x < 0 ? 0 : place.x < WALK_SIZE ? place.x : WALK_SIZE - 1;
		place.y = place.y < 0 ? 0 : place.y < WALK_SIZE ? place.y : WALK_SIZE - 1;
		world_part_move(f->part[part], rank, &place, 0);
	}
}

static void find_ranks(struct fixture *f, uint32_t part)
{
	for (uint32_t rank = 0; rank < f->part[part]->count; rank++)
		if (f->part[part]->number[rank] != WORLD_NOBODY)
			f->rank_of[f->part[part]->number[rank]] = rank;
}

static void next_tick(struct fixture *f)
{
	f->tick++;
	for (uint32_t i = 0; i < f->count; i++) {
		(void)world_rerank_begin(f->part[i]);
		publish(f->part[i], f->tick, world_rerank_step(f->part[i], 500));
		find_ranks(f, i);
		(void)world_sweep_sort(f->sweep[i], world_sweep_sort_units(f->sweep[i]));
	}
}

static struct world_place place_of(const struct fixture *f, uint32_t number)
{
	return world_place_at(world_frame_at(f->part[f->part_of[number]], f->tick), f->rank_of[number]);
}

static int32_t apart(int32_t a, int32_t b)
{
	return a < b ? b - a : a - b;
}

/// Where a glimpse says that somebody is, and where they are.
static void check_glimpse(struct fixture *f, const struct world_strip *strip, uint64_t bits)
{
	const uint32_t number = (uint32_t)bits & ((1U << WORLD_NUMBER_BITS) - 1);
	const int32_t fine_x = (int32_t)(bits >> 20 & 0xff), fine_y = (int32_t)(bits >> 28 & 0xff);
	const int32_t x = (strip->cell_x << SHIFT) + (fine_x << (SHIFT - 8)) + (1 << (SHIFT - 9));
	const int32_t y = (strip->cell_y << SHIFT) + (fine_y << (SHIFT - 8)) + (1 << (SHIFT - 9));

	assert_true(number < f->given);
	assert_int_not_equal(f->rank_of[number], WORLD_NOBODY);
	assert_true(apart(place_of(f, number).x, x) <= 1 << (SHIFT - 9));
	assert_true(apart(place_of(f, number).y, y) <= 1 << (SHIFT - 9));
	assert_int_not_equal(f->last_shown[number], f->tick); // once in a tick
	f->last_shown[number] = f->tick;
}

/// Read what an observer is told.
/// @return how many were shown
static unsigned look(struct fixture *f, int32_t x, int32_t y)
{
	const struct world_strips *strips = world_glimpses_at(f->glimpses, x, y, f->tick);
	const uint8_t *at = strips->at;
	unsigned shown = 0;

	for (unsigned i = 0; i < strips->strips; i++) {
		struct world_strip strip;

		memcpy(&strip, at, sizeof(strip));
		at += sizeof(strip);
		const size_t bytes = (strip.glimpses * WORLD_GLIMPSE_BITS + 7) / 8;
		struct bit_reader reader = bits_read(at, bytes);

		assert_true(strip.glimpses > 0);
		for (unsigned j = 0; j < strip.glimpses; j++)
			check_glimpse(f, &strip, bits_get(&reader, WORLD_GLIMPSE_BITS));
		assert_int_equal(bits_get(&reader, 8 * bytes - reader.at), 0);
		at += bytes;
		shown += strip.glimpses;
	}
	assert_int_equal(at - strips->at, strips->bytes);
	assert_int_equal(shown, strips->glimpses);
	assert_true(shown <= WORLD_GLIMPSES_MAX);
	return shown;
}

static uint32_t period_at(const struct fixture *f, int32_t x, int32_t y)
{
	return f->glimpses->swept[(uint32_t)(y >> SHIFT) * f->glimpses->columns + (uint32_t)(x >> SHIFT)].period;
}

static bool within(const struct fixture *f, uint32_t number, int32_t x, int32_t y)
{
	const struct world_place p = place_of(f, number);
	const int64_t dx = p.x - x, dy = p.y - y;

	return dx * dx + dy * dy <= (int64_t)RADIUS * RADIUS;
}

/// Somebody who looks for some time.
struct watcher {
	int32_t x, y, step_x, step_y;
	uint32_t longest;        // sweep so far
	uint32_t since[NUMBERS]; // by number: in range since
	uint32_t checked;
};

/// Somebody leaves, whom the newest frame has, and somebody comes.
static void change(struct fixture *f)
{
	const uint32_t number = drawn_below(&f->random, f->given);

	if (f->rank_of[number] != WORLD_NOBODY)
		world_part_remove(f->part[f->part_of[number]], f->rank_of[number]);
	f->rank_of[number] = WORLD_NOBODY;
	add_many(f, 1, WALK_SIZE);
}

/// Who is in range all the time does not wait for longer than two sweeps and a list.
static void check_wait(struct fixture *f, struct watcher *w, uint32_t number)
{
	const uint32_t last = f->last_shown[number] > w->since[number] ? f->last_shown[number] : w->since[number];
	const uint32_t most = 2 * w->longest + LISTED;

	if (f->rank_of[number] == WORLD_NOBODY || !within(f, number, w->x, w->y) || w->since[number] == 0) {
		w->since[number] = f->tick;
	} else if (f->tick - w->since[number] >= most) {
		assert_true(f->tick - last <= most);
		w->checked++;
	}
}

static void watch(struct fixture *f, uint32_t ticks, int32_t step_x, int32_t step_y, uint32_t changes)
{
	static struct watcher w;

	w = (struct watcher){.x = WALK_SIZE / 2, .y = WALK_SIZE / 2, .step_x = step_x, .step_y = step_y};
	for (uint32_t i = 0; i < ticks; i++) {
		const uint32_t known = f->given;

		for (uint32_t part = 0; part < f->count; part++)
			walk(f, part);
		next_tick(f);
		w.x += w.step_x;
		w.y += w.step_y;
		for (uint32_t j = 0; j < changes; j++)
			change(f);
		look(f, w.x, w.y);
		w.longest = w.longest < period_at(f, w.x, w.y) ? period_at(f, w.x, w.y) : w.longest;
		for (uint32_t number = 0; number < known; number++)
			check_wait(f, &w, number);
	}
	assert_true(w.checked > 100);
}

static void settle(struct fixture *f)
{
	for (unsigned i = 0; i < LISTED; i++)
		next_tick(f);
}

static void test_everybody_in_range_is_shown_within_two_sweeps(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 8);
	add_many(f, 4000, WALK_SIZE);
	settle(f);
	watch(f, 400, 0, 0, 0);
	assert_true(period_at(f, WALK_SIZE / 2, WALK_SIZE / 2) > 10);
}

static void test_who_looks_while_walking_through_cells_misses_nobody(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 8);
	add_many(f, 4000, WALK_SIZE);
	settle(f);
	watch(f, 400, 24, 5, 0);
}

static void test_who_comes_is_shown_and_who_left_is_not(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 8);
	add_many(f, 3000, WALK_SIZE);
	settle(f);
	watch(f, 400, 0, 0, 3);
}

static void test_parts_are_one_world(void **state)
{
	struct fixture *f = *state;

	open_world(f, 2, 8);
	add_many(f, 4000, WALK_SIZE);
	settle(f);
	watch(f, 300, 0, 0, 2);
}

static void test_only_who_can_be_in_range_is_shown(void **state)
{
	struct fixture *f = *state;
	const int32_t low = 3 * SIDE, x = low + SIDE / 2;
	unsigned shown = 0;

	open_world(f, 1, 8);
	for (int32_t i = 0; i < 40; i++) {
		add_at(f, 0, low - RADIUS, x);
		add_at(f, 0, low - RADIUS - 1, x);
		add_at(f, 0, low + SIDE - 1 + RADIUS, x);
		add_at(f, 0, low + SIDE + RADIUS, x);
	}
	settle(f);
	for (unsigned i = 0; i < 200; i++) {
		next_tick(f);
		shown += look(f, x, x);
	}
	assert_true(shown > 0);
	for (uint32_t number = 0; number < f->given; number++)
		assert_int_equal(f->last_shown[number] != 0, number % 2 == 0);
}

static void test_a_cell_is_written_once_for_all_who_look_from_it(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 8);
	add_many(f, 1000, WALK_SIZE);
	settle(f);
	const struct world_strips *first = world_glimpses_at(f->glimpses, 5 * SIDE, 5 * SIDE, f->tick);

	assert_ptr_equal(world_glimpses_at(f->glimpses, 6 * SIDE - 1, 6 * SIDE - 1, f->tick), first);
	assert_int_equal(f->glimpses->written, 1);
	assert_ptr_not_equal(world_glimpses_at(f->glimpses, 6 * SIDE, 6 * SIDE - 1, f->tick), first);
	assert_int_equal(f->glimpses->written, 2);
}

/// Thousands in one place: as many as are to be shown, on average, in a sweep as long as that takes.
static void test_crowd_is_shown_at_the_rate_that_was_asked_for(void **state)
{
	struct fixture *f = *state;
	const int32_t x = WALK_SIZE / 2;
	unsigned shown = 0;

	open_world(f, 1, 24);
	add_many(f, 5000, 1000);
	settle(f);
	for (unsigned i = 0; i < 600; i++) {
		walk(f, 0);
		next_tick(f);
		shown += look(f, x, x);
	}
	assert_uint_in_range(period_at(f, x, x), 5000 / 24, 5000 / 24 * 5 / 4 + 1);
	assert_uint_in_range(shown, 600 * 18, 600 * 24);
	for (uint32_t number = 0; number < 5000; number++)
		assert_true(f->tick - f->last_shown[number] <= 300);
	assert_int_equal(f->glimpses->cut, 0);
}

static void test_crowd_that_comes_together_at_once_is_cut_and_then_swept_longer(void **state)
{
	struct fixture *f = *state;
	const int32_t x = WALK_SIZE / 2;

	open_world(f, 1, 8);
	for (uint32_t i = 0; i < 6000; i++)
		add_at(f, 0, 0, 0);
	settle(f);
	look(f, x, x);
	assert_int_equal(period_at(f, x, x), 1);
	for (uint32_t number = 0; number < 6000; number++) {
		const struct world_place place = {.x = x + (int32_t)(number % 100), .y = x};

		world_part_move(f->part[0], f->rank_of[number], &place, 0);
	}
	for (unsigned i = 0; i < LISTED + 10; i++) {
		next_tick(f);
		assert_true(look(f, x, x) <= WORLD_GLIMPSES_MAX);
	}
	assert_true(f->glimpses->cut > 0);
	assert_uint_in_range(period_at(f, x, x), 6000 / 8 / 2, 6000 / 8 * 2);
	for (unsigned i = 0; i < 2000; i++) {
		next_tick(f);
		look(f, x, x);
	}
	assert_uint_in_range(period_at(f, x, x), 6000 / 8, 6000 / 8 * 5 / 4 + 1);
	for (uint32_t number = 0; number < 6000; number++)
		assert_true(f->tick - f->last_shown[number] <= 2 * 6000 / 8 * 5 / 4);
}

/// Between two cells with the same around them nothing is lost, and nothing comes twice.
static void test_sweeps_of_cells_as_crowded_are_one(void **state)
{
	struct fixture *f = *state;
	const int32_t x = 3 * SIDE, y = 3 * SIDE + SIDE / 2;

	open_world(f, 1, 8);
	for (uint32_t i = 0; i < 1000; i++)
		add_at(f, 0, x - 500 + (int32_t)i, y);
	settle(f);
	for (unsigned i = 0; i < 500; i++) {
		next_tick(f);
		look(f, i % 2 ? x - 1 : x, y);
	}
	assert_int_equal(period_at(f, x, y), period_at(f, x - 1, y));
	for (uint32_t number = 0; number < 1000; number++)
		assert_true(f->tick - f->last_shown[number] < period_at(f, x, y));
}

static void test_ranks_that_become_others_while_they_are_listed_void_the_list(void **state)
{
	struct fixture *f = *state;
	const struct world_lists *lists;

	open_world(f, 1, 8);
	add_many(f, 2000, WALK_SIZE);
	for (unsigned i = 0; i < 70; i++)
		publish(f->part[0], ++f->tick, false);
	sort_ranks(f->part[0]);
	assert_false(world_sweep_sort(f->sweep[0], 1000)); // half of them
	publish(f->part[0], ++f->tick, true);
	while (!world_sweep_sort(f->sweep[0], 1000))
		;
	lists = world_lists(f->sweep[0]);
	assert_int_equal(lists->reranked, f->tick);
	for (uint32_t i = 0; i < 2000; i++)
		assert_int_equal(lists->key[i], world_key(f->part[0]->number[lists->rank[i]]));
}

static void test_staleness_is_as_long_as_a_sweep(void **state)
{
	struct fixture *f = *state;
	const int32_t x = WALK_SIZE / 2;

	open_world(f, 1, 8);
	add_many(f, 1000, 1000);
	settle(f);
	assert_int_equal(world_staleness(f->glimpses, 990), 0);
	for (unsigned i = 0; i < 600; i++) {
		next_tick(f);
		look(f, x, x);
	}
	const uint32_t period = period_at(f, x, x);

	assert_uint_in_range(period, 125, 160);
	assert_uint_in_range(world_staleness(f->glimpses, 500), period, period * 9 / 8);
	assert_uint_in_range(world_staleness(f->glimpses, 999), period, period * 9 / 8);
}

static void test_one_alone_is_shown_nobody_else(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 8);
	for (unsigned i = 0; i < 40; i++) {
		next_tick(f);
		assert_int_equal(look(f, 0, 0), 0);
		assert_int_equal(look(f, WALK_SIZE - 1, WALK_SIZE - 1), 0);
	}
	add_at(f, 0, 0, 0);
	settle(f);
	assert_int_equal(look(f, 0, 0), 1);
}

static int setup(void **state)
{
	struct fixture *f = world_memory(sizeof(*f));

	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < f->count; i++) {
		free(f->sweep[i]);
		free(f->part[i]);
	}
	free(f->glimpses);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_everybody_in_range_is_shown_within_two_sweeps),
		TEST(test_who_looks_while_walking_through_cells_misses_nobody),
		TEST(test_who_comes_is_shown_and_who_left_is_not),
		TEST(test_parts_are_one_world),
		TEST(test_only_who_can_be_in_range_is_shown),
		TEST(test_a_cell_is_written_once_for_all_who_look_from_it),
		TEST(test_crowd_is_shown_at_the_rate_that_was_asked_for),
		TEST(test_crowd_that_comes_together_at_once_is_cut_and_then_swept_longer),
		TEST(test_sweeps_of_cells_as_crowded_are_one),
		TEST(test_ranks_that_become_others_while_they_are_listed_void_the_list),
		TEST(test_staleness_is_as_long_as_a_sweep),
		TEST(test_one_alone_is_shown_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
