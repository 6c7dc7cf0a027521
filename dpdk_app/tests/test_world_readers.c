// SPDX-License-Identifier: BSD-3-Clause
// test_world_readers.c: what a worker has read of another's part stays as it was until it reads anew, whatever that one does, in
// orders of steps that are drawn; and neither waits for the other for ever.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "part_fixture.h"
#include "world/grid.h"
#include "world/kernels.h"
#include "world/reading.h"
#include "world/sweep.h"

#define CAPACITY 512
#define PEOPLE 300
#define FRAMES 64
#define BEHIND 20
#define AGES_WRITTEN 0x7eU // 1 to 6
#define NEWEST_AGE 6
#define ROUNDS 60000

enum stage { OVER, PUBLISH, GRID, RECORDS };

/// All that a reader may look at, in one number; but numbers, of which some leave.
struct seen {
	uint64_t all;
	uint32_t count, ages;
	uint32_t number[CAPACITY];
};

struct fixture {
	struct world_part *part[2]; // the reader's; the other's
	struct world_grid *grid;
	struct world_sweep *sweep;
	struct world_parts parts;
	struct world_reading reading;
	uint64_t random;

	// the other worker
	enum stage stage;
	uint32_t clock, given;
	bool ready;
	uint32_t published, held, reranks, tables, without_tables, same_view;

	// the reader
	const struct world_view *view;
	const struct world_lists *lists;
	struct seen seen;
	uint32_t reads, latest;
};

static void mix(uint64_t *all, const void *at, size_t bytes)
{
	const uint8_t *byte = at;

	for (size_t i = 0; i < bytes; i++) // FNV-1a
		*all = (*all ^ byte[i]) * 0x100000001b3;
}

static void mix_frame(uint64_t *all, const struct world_frame *frame, uint32_t count)
{
	mix(all, frame->x, count * sizeof(*frame->x));
	mix(all, frame->y, count * sizeof(*frame->y));
	mix(all, frame->z, count * sizeof(*frame->z));
	mix(all, frame->vx, count * sizeof(*frame->vx));
}

/// Tables that were not there yet may be by now.
static void mix_tables(uint64_t *all, const struct world_part *read, uint32_t *ages, bool first)
{
	const uint32_t tick = read->published;

	for (uint32_t age = 1; age <= NEWEST_AGE; age++) {
		const uint64_t *table = world_records_of(read, tick, age);

		if (first && table)
			*ages |= 1U << age;
		if (*ages >> age & 1) {
			assert_non_null(table);
			mix(all, table, read->count * sizeof(*table));
		}
	}
}

static struct seen look_at_all(const struct fixture *f, uint32_t ages, bool first)
{
	const struct world_part *read = f->reading.parts.part[1];
	struct seen seen = {.count = read->count, .ages = ages};
	uint64_t *all = &seen.all;

	for (uint32_t tick = read->published; tick != read->published - FRAMES; tick--)
		if (world_has_frame(read, tick))
			mix_frame(all, world_frame_at(read, tick), read->count);
	mix(all, read->identity, read->count * sizeof(*read->identity));
	mix(all, read->sort, read->count);
	mix(all, read->came, read->count * sizeof(*read->came));
	mix(all, read->was, read->count * sizeof(*read->was));
	mix(all, read->becomes, read->count * sizeof(*read->becomes));
	mix_tables(all, read, &seen.ages, first);
	memcpy(seen.number, read->number, read->count * sizeof(*read->number));

	const uint32_t slots = f->view->sorted + f->view->loose;

	mix(all, f->view, sizeof(*f->view));
	mix(all, f->view->x, slots * sizeof(*f->view->x));
	mix(all, f->view->rank, slots * sizeof(*f->view->rank));
	mix(all, f->view->start, (f->grid->columns * f->grid->rows + 1) * sizeof(uint32_t));
	mix(all, f->lists->start, (f->sweep->columns * f->sweep->rows + 1) * sizeof(uint32_t));
	mix(all, f->lists->rank, f->lists->start[f->sweep->columns * f->sweep->rows] * sizeof(uint32_t));
	return seen;
}

static void read_anew(struct fixture *f)
{
	world_read(&f->reading, f->clock);
	f->view = world_view(f->grid);
	f->lists = world_lists(f->sweep);
	f->seen = look_at_all(f, 0, true);
	f->latest = f->clock;
	f->reads++;
}

static void is_as_it_was(struct fixture *f)
{
	const struct seen now = look_at_all(f, f->seen.ages, false);

	assert_int_equal(now.count, f->seen.count);
	assert_true(now.all == f->seen.all);
	for (uint32_t rank = 0; rank < now.count; rank++)
		assert_true(now.number[rank] == f->seen.number[rank] || now.number[rank] == WORLD_NOBODY);
}

// ---------------------------------------------------------------- the other worker, step by step

static void come(struct fixture *f)
{
	const int32_t size[3] = {WALK_SIZE, WALK_SIZE, 100};
	const struct world_place place = drawn_place(&f->random, size);
	const uint32_t number = f->given++;

	(void)world_part_add(f->part[1], number, number * 3, WORLD_PLAYER, &place, f->clock * WORLD_TOLD_PER_TICK);
}

static void live(struct fixture *f)
{
	struct world_part *part = f->part[1];
	const uint32_t rank = drawn_below(&f->random, part->count);
	const int32_t size[3] = {WALK_SIZE, WALK_SIZE, 100};
	const struct world_place place = drawn_place(&f->random, size);

	if (part->number[rank] == WORLD_NOBODY)
		return;
	if (drawn_below(&f->random, 8) != 0) {
		world_part_move(part, rank, &place, f->clock * WORLD_TOLD_PER_TICK);
	} else {
		world_part_remove(part, rank);
		come(f);
	}
}

static void begin_tick(struct fixture *f)
{
	f->clock += 1 + (drawn_below(&f->random, 16) == 0);
	if (!world_part_can_begin(f->part[1], f->clock)) {
		f->held++;
		return;
	}
	world_part_begin(f->part[1], f->clock, f->ready);
	f->stage = PUBLISH;
}

static void step_publish(struct fixture *f)
{
	struct world_part *part = f->part[1];

	if (!world_part_step(part, 100))
		return;
	f->published++;
	f->reranks += part->reranked == f->clock;
	if (part->reranked == f->clock)
		f->ready = false;
	world_grid_begin(f->grid);
	f->same_view += !f->grid->writing;
	f->stage = GRID;
}

static void write_tables(struct fixture *f)
{
	const struct world_part *part = f->part[1];

	f->stage = OVER;
	f->tables += world_frame_at(part, f->clock)->records != NULL;
	f->without_tables += world_frame_at(part, f->clock)->records == NULL;
	if (!world_frame_at(part, f->clock)->records)
		return;
	for (uint32_t age = 1; age <= NEWEST_AGE; age++) {
		if (!world_has_frame(part, f->clock - age))
			continue;
		world_kernels_select("v2")->records(part, f->clock, age, 0, part->count);
		world_records_done(f->part[1], f->clock, age);
	}
}

static void step(struct fixture *f)
{
	switch (f->stage) {
	case OVER:
		(void)world_grid_sort(f->grid, 400);
		(void)world_sweep_sort(f->sweep, 400);
		(void)world_rerank_begin(f->part[1]);
		f->ready = world_rerank_step(f->part[1], 400);
		begin_tick(f);
		break;
	case PUBLISH:
		step_publish(f);
		break;
	case GRID:
		if (world_grid_step(f->grid, 100))
			f->stage = RECORDS;
		break;
	case RECORDS:
		write_tables(f);
		break;
	}
}

// ---------------------------------------------------------------- tests

static int setup(void **state)
{
	struct fixture *f = world_memory(sizeof(*f));
	struct world_part_plan plan = small_plan(CAPACITY);

	plan.readers = 2;
	plan.behind = BEHIND;
	plan.frames = FRAMES;
	plan.ages = NEWEST_AGE;
	f->random = 7;
	f->clock = plan.first;
	for (unsigned i = 0; i < 2; i++)
		f->parts.part[i] = f->part[i] = make_part(&plan);
	f->parts.count = 2;

	const struct world_grid_plan grid = {
		.part = f->part[1], .size = {WALK_SIZE, WALK_SIZE}, .shift = 10, .drift_max = 300};
	const struct world_sweep_plan sweep = {.part = f->part[1], .size = {WALK_SIZE, WALK_SIZE}, .shift = 12};

	f->grid = world_grid_init(world_memory(world_grid_bytes(&grid)), &grid);
	f->sweep = world_sweep_init(world_memory(world_sweep_bytes(&sweep)), &sweep);
	world_reading_init(&f->reading, &f->parts, 0);
	for (unsigned i = 0; i < PEOPLE; i++)
		come(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->part[0]), free(f->part[1]);
	free(f->grid);
	free(f->sweep);
	free(f);
	return 0;
}

/// Now and then the reader is late by more than the other can bear.
static void test_what_was_read_stays_until_it_is_read_anew(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 400; i++)
		step(f);
	read_anew(f);
	for (unsigned i = 0; i < ROUNDS; i++) {
		const uint32_t late = f->reads % 8 == 0 ? 200 : f->reads % 8 == 1 ? 60 : 16;

		live(f);
		step(f);
		if (drawn_below(&f->random, late) != 0)
			continue;
		is_as_it_was(f);
		read_anew(f);
	}
	assert_true(f->reads > 200);
	assert_true(f->published > 2000);
	assert_true(f->reranks > 10);
	assert_true(f->tables > 500);
	assert_true(f->without_tables > 100);
	assert_true(f->same_view > 100);
	assert_true(f->held > 10);
}

static void go_on(struct fixture *f, unsigned ticks)
{
	for (const uint32_t until = f->clock + ticks; (int32_t)(until - f->clock) > 0 || f->stage != OVER;)
		step(f);
}

static void test_no_frame_is_begun_over_one_that_may_be_read(void **state)
{
	struct fixture *f = *state;

	go_on(f, FRAMES + 20);
	read_anew(f);
	assert_true(world_part_can_begin(f->part[1], f->clock + BEHIND));
	assert_false(world_part_can_begin(f->part[1], f->clock + BEHIND + 1));
	world_read(&f->reading, f->clock + 1);
	assert_true(world_part_can_begin(f->part[1], f->clock + BEHIND + 1));
}

/// Both were held up for a minute, so that each is late for the other. Neither has published since.
static void test_two_who_are_late_go_on(void **state)
{
	struct fixture *f = *state;
	struct world_reading other = {.own = 1};

	world_reading_init(&other, &f->parts, 1);
	go_on(f, FRAMES + 20);
	read_anew(f);
	world_read(&other, f->clock);
	f->clock += 3600;
	assert_false(world_part_can_begin(f->part[1], f->clock));
	world_read(&other, f->clock); // as in each tick that is held
	assert_true(world_part_can_begin(f->part[0], f->clock));
	publish(f->part[0], f->clock, false);
	world_read(&f->reading, f->clock);
	assert_true(world_part_can_begin(f->part[1], f->clock));
}

static void test_of_a_part_that_is_late_no_more_is_read_than_it_leaves_alone(void **state)
{
	struct fixture *f = *state;
	const struct world_part *read = f->reading.parts.part[1];

	f->random = 1; // go_on() may leave out a tick
	go_on(f, FRAMES + 20);
	world_read(&f->reading, f->clock);
	const uint32_t most = FRAMES - 1 - BEHIND;

	assert_int_equal(read->window, most);
	world_read(&f->reading, f->clock + 5);
	assert_int_equal(read->window, most - 5);
	world_read(&f->reading, f->clock + most + 1);
	assert_int_equal(read->window, 0);
	assert_false(world_has_frame(read, f->clock));
	world_read(&f->reading, f->clock - 3);
	assert_int_equal(read->window, most);
}

static void test_a_reader_has_the_order_of_the_frame_it_has(void **state)
{
	struct fixture *f = *state;
	const struct world_part *read = f->reading.parts.part[1];
	uint32_t before;

	go_on(f, 3 * FRAMES);
	before = f->part[1]->reranked;
	read_anew(f);
	while (f->part[1]->reranked == before) { // up to its publication, and no further
		assert_int_equal(read->reranked, before);
		world_read(&f->reading, f->clock);
		step(f);
	}
	assert_int_equal(read->published < f->part[1]->published, true);
	assert_int_equal(read->reranked, before);
	assert_ptr_not_equal(read->number, f->part[1]->number);
	world_read(&f->reading, f->clock);
	assert_int_equal(read->reranked, f->part[1]->reranked);
	assert_int_equal(read->reranked_before, before);
	assert_ptr_equal(read->number, f->part[1]->number);
}

/// Who asks too seldom has lost who it had: the ranks of two re-ranks before are nobody's.
static void test_a_rank_of_two_reranks_before_is_nobody(void **state)
{
	struct fixture *f = *state;
	uint32_t as_of, reranks;

	go_on(f, 3 * FRAMES);
	as_of = f->part[1]->reranked;
	for (reranks = f->reranks; f->reranks < reranks + 2;)
		step(f);
	assert_int_equal(world_rank_now(f->part[1], 0, &as_of), WORLD_NOBODY);
	assert_int_equal(as_of, f->part[1]->reranked);
	as_of = f->part[1]->reranked_before;
	assert_int_equal(world_rank_now(f->part[1], 0, &as_of), f->part[1]->becomes[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_was_read_stays_until_it_is_read_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_frame_is_begun_over_one_that_may_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_who_are_late_go_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_of_a_part_that_is_late_no_more_is_read_than_it_leaves_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_reader_has_the_order_of_the_frame_it_has, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_rank_of_two_reranks_before_is_nobody, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
