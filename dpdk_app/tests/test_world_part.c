// SPDX-License-Identifier: BSD-3-Clause
// test_world_part.c: a frame says where everybody is at its tick, and a re-rank loses nobody.

#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "part_fixture.h"

#define CAPACITY 1024
#define FIRST 1000
#define PLACE_BYTES (offsetof(struct world_place, vz) + sizeof(int16_t)) // what a frame has of it

struct fixture {
	struct world_part *part;
	uint64_t random;
	uint32_t tick;
};

static int setup(void **state)
{
	struct fixture *f = world_memory(sizeof(*f));
	const struct world_part_plan plan = small_plan(CAPACITY);

	f->part = make_part(&plan);
	f->tick = FIRST;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->part);
	free(f);
	return 0;
}

static void next_tick(struct fixture *f, bool rerank)
{
	publish(f->part, ++f->tick, rerank);
}

/// Identities are the numbers, and a thousand.
static uint32_t add(struct fixture *f, uint32_t number, const struct world_place *place)
{
	return world_part_add(f->part, number, number + 1000, WORLD_PLAYER, place, f->tick * WORLD_TOLD_PER_TICK);
}

static uint32_t add_drawn(struct fixture *f, uint32_t number)
{
	const int32_t size[3] = {WALK_SIZE, WALK_SIZE, WALK_SIZE / 4};
	struct world_place place = drawn_place(&f->random, size);

	place.vx = place.vy = place.vz = 0;
	return add(f, number, &place);
}

static struct world_place seen(const struct fixture *f, uint32_t rank, uint32_t tick)
{
	return world_place_at(world_frame_at(f->part, tick), rank);
}

static void test_who_comes_is_in_the_next_frame(void **state)
{
	struct fixture *f = *state;
	const struct world_place place = {.x = 100, .y = 200, .z = 300};
	const uint32_t rank = add(f, 7, &place);

	assert_int_equal(f->part->count, 0);
	assert_int_equal(world_published(f->part), FIRST);
	next_tick(f, false);
	assert_int_equal(world_published(f->part), FIRST + 1);
	assert_int_equal(f->part->count, 1);
	assert_int_equal(f->part->number[rank], 7);
	assert_int_equal(f->part->identity[rank], 1007);
	assert_int_equal(f->part->sort[rank], WORLD_PLAYER);
	assert_int_equal(f->part->came[rank], FIRST + 1);
	assert_int_equal(seen(f, rank, f->tick).x, 100);
	assert_int_equal(seen(f, rank, f->tick).y, 200);
	assert_int_equal(seen(f, rank, f->tick).z, 300);
}

static void test_who_comes_while_a_frame_is_written_is_in_the_one_after_it(void **state)
{
	struct fixture *f = *state;
	uint32_t late;

	for (uint32_t i = 0; i < 100; i++)
		add_drawn(f, i);
	world_part_begin(f->part, ++f->tick, false);
	assert_false(world_part_step(f->part, 50));
	late = add_drawn(f, 100);
	assert_true(world_part_step(f->part, 50));
	assert_int_equal(f->part->count, 100);
	next_tick(f, false);
	assert_int_equal(f->part->count, 101);
	assert_int_equal(f->part->came[late], f->tick);
}

static void test_nothing_is_published_before_all_is_written(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 100; i++)
		add_drawn(f, i);
	world_part_begin(f->part, f->tick + 1, false);
	for (unsigned i = 0; i < 9; i++) {
		assert_false(world_part_step(f->part, 10));
		assert_int_equal(world_published(f->part), f->tick);
	}
	assert_true(world_part_step(f->part, 10));
	assert_int_equal(world_published(f->part), f->tick + 1);
}

static void test_who_left_is_a_hole_far_from_everybody(void **state)
{
	struct fixture *f = *state;
	const uint32_t first = add_drawn(f, 1), second = add_drawn(f, 2);

	next_tick(f, false);
	world_part_remove(f->part, first);
	next_tick(f, false);
	assert_int_equal(f->part->number[first], WORLD_NOBODY);
	assert_int_equal(seen(f, first, f->tick).x, WORLD_FAR);
	assert_int_equal(f->part->number[second], 2);
	assert_true(seen(f, first, f->tick - 1).x < WALK_SIZE);
	assert_int_equal(add_drawn(f, 3), 2); // a hole is given to nobody
}

static void test_full_part_takes_nobody(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < CAPACITY; i++)
		assert_int_equal(add_drawn(f, i), i);
	assert_int_equal(add_drawn(f, CAPACITY), WORLD_NOBODY);
}

static void test_who_was_told_of_late_is_moved_on(void **state)
{
	struct fixture *f = *state;
	const struct world_place place = {.x = 1000, .y = 1000, .z = 1000, .vx = 80, .vy = -80, .vz = 3};
	const uint32_t told = f->tick * WORLD_TOLD_PER_TICK + WORLD_TOLD_PER_TICK / 2;
	const uint32_t rank = world_part_add(f->part, 1, 1, WORLD_PLAYER, &place, told);
	struct world_place p;

	next_tick(f, false); // half a tick at ten quanta per tick
	p = seen(f, rank, f->tick);
	assert_int_equal(p.x, 1005);
	assert_int_equal(p.y, 995);
	assert_int_equal(p.z, 1000); // 3/16: the nearest is none
	assert_int_equal(p.vx, 80);
	assert_int_equal(p.vy, -80);
	next_tick(f, false);
	next_tick(f, false);
	p = seen(f, rank, f->tick);
	assert_int_equal(p.x, 1025);
	assert_int_equal(p.y, 975);
	assert_int_equal(p.z, 1001); // 15/16
}

/// Halves of a quantum per tick.
static void test_who_is_moved_on_goes_by_how_velocities_are_told(void **state)
{
	const struct fixture *f = *state;
	struct world_part_plan plan = small_plan(CAPACITY);

	plan.velocity_shift = 2;

	struct world_part *part = make_part(&plan);
	const struct world_place place = {.x = 1000, .y = 1000, .z = 1000, .vx = 20, .vy = -20, .vz = 1};
	const uint32_t rank = world_part_add(part, 1, 1, WORLD_PLAYER, &place,
					     f->tick * WORLD_TOLD_PER_TICK + WORLD_TOLD_PER_TICK / 2);
	struct world_place p;

	publish(part, f->tick + 1, false); // half a tick at ten quanta per tick
	p = world_place_at(world_frame_at(part, f->tick + 1), rank);
	assert_int_equal(p.x, 1005);
	assert_int_equal(p.y, 995);
	assert_int_equal(p.z, 1000); // 1/4: the nearest is none
	assert_int_equal(p.vx, 20);
	for (uint32_t tick = f->tick + 2; tick < f->tick + 40; tick++)
		publish(part, tick, false);
	p = world_place_at(world_frame_at(part, f->tick + 39), rank);
	assert_int_equal(p.x, 1080); // stopped, after eight ticks
	assert_int_equal(p.vx, 0);
	free(part);
}

static void test_who_is_never_told_of_again_stops_and_stays(void **state)
{
	struct fixture *f = *state;
	const struct world_place place = {.x = 1000, .y = 1000, .vx = 80};
	const uint32_t rank = add(f, 1, &place);

	for (unsigned i = 0; i < 8; i++)
		next_tick(f, false);
	assert_int_equal(seen(f, rank, f->tick).x, 1080);
	assert_int_equal(seen(f, rank, f->tick).vx, 80);
	for (unsigned i = 0; i < 300; i++) {
		next_tick(f, false);
		assert_int_equal(seen(f, rank, f->tick).x, 1080);
		assert_int_equal(seen(f, rank, f->tick).vx, 0);
	}
	f->tick += UINT32_MAX / WORLD_TOLD_PER_TICK - 200; // the time of their place wraps
	for (unsigned i = 0; i < 300; i++)
		next_tick(f, false);
	assert_int_equal(seen(f, rank, f->tick).x, 1080);
}

static void test_what_is_told_before_its_time_is_where_it_was_told(void **state)
{
	struct fixture *f = *state;
	const struct world_place place = {.x = 1000, .vx = 80};
	const uint32_t rank = world_part_add(f->part, 1, 1, WORLD_PLAYER, &place, (f->tick + 2) * WORLD_TOLD_PER_TICK);

	next_tick(f, false);
	assert_int_equal(seen(f, rank, f->tick).x, 1000);
	next_tick(f, false);
	next_tick(f, false);
	assert_int_equal(seen(f, rank, f->tick).x, 1010);
}

/// From between two quanta, and on from there: the nearest quantum, not the nearest to a nearest one.
static void test_where_somebody_is_by_now_is_rounded_once(void **state)
{
	struct fixture *f = *state;
	const uint32_t rank = add(f, 1, &(struct world_place){.x = 0});

	for (unsigned i = 0; i < 20000; i++) {
		const struct world_place place = {
			.x = 1000,
			.vx = (int16_t)((int32_t)drawn_below(&f->random, 161) - 80),
			.beyond = {(int8_t)((int32_t)drawn_below(&f->random, 256) - 128)},
		};
		const uint32_t late = drawn_below(&f->random, WORLD_TOLD_PER_TICK);
		const double way = (double)place.vx / WORLD_VELOCITY_PARTS * late / WORLD_TOLD_PER_TICK;

		world_part_move(f->part, rank, &place, (f->tick + 1) * WORLD_TOLD_PER_TICK - late);
		next_tick(f, false);
		assert_true(fabs(seen(f, rank, f->tick).x - (1000 + place.beyond[0] / 256.0 + way)) <= 0.5);
	}
}

static void test_nobody_is_moved_out_of_the_world(void **state)
{
	struct fixture *f = *state;
	const struct world_place low = {.vx = INT16_MIN, .vy = INT16_MIN, .vz = INT16_MIN};
	const struct world_place high = {.x = WALK_SIZE - 1,
					 .y = WALK_SIZE - 1,
					 .z = WALK_SIZE / 4 - 1,
					 .vx = INT16_MAX,
					 .vy = INT16_MAX,
					 .vz = INT16_MAX};
	const uint32_t first = add(f, 1, &low), second = add(f, 2, &high);

	for (unsigned i = 0; i < 20; i++) {
		next_tick(f, false);
		assert_int_equal(seen(f, first, f->tick).x, 0);
		assert_int_equal(seen(f, first, f->tick).y, 0);
		assert_int_equal(seen(f, first, f->tick).z, 0);
		assert_int_equal(seen(f, second, f->tick).x, WALK_SIZE - 1);
		assert_int_equal(seen(f, second, f->tick).y, WALK_SIZE - 1);
		assert_int_equal(seen(f, second, f->tick).z, WALK_SIZE / 4 - 1);
	}
}

static void test_frames_are_those_of_their_ticks(void **state)
{
	struct fixture *f = *state;

	assert_true(world_has_frame(f->part, FIRST));
	assert_false(world_has_frame(f->part, FIRST - 1));
	assert_false(world_has_frame(f->part, FIRST + 1));
	for (unsigned i = 0; i < 200; i++)
		next_tick(f, false);
	for (uint32_t age = 0; age < 63; age++)
		assert_true(world_has_frame(f->part, f->tick - age));
	assert_false(world_has_frame(f->part, f->tick - 63)); // the next one is written there
	assert_false(world_has_frame(f->part, f->tick - 64));
	f->tick += 3; // ticks that were not kept
	next_tick(f, false);
	assert_true(world_has_frame(f->part, f->tick));
	for (uint32_t age = 1; age <= 3; age++)
		assert_false(world_has_frame(f->part, f->tick - age));
	assert_true(world_has_frame(f->part, f->tick - 4));
}

static void test_ranks_are_in_the_order_of_the_curve(void **state)
{
	struct fixture *f = *state;
	uint64_t last = 0;

	for (uint32_t i = 0; i < 500; i++)
		add_drawn(f, i);
	for (unsigned i = 0; i < 70; i++)
		next_tick(f, false);
	sort_ranks(f->part);
	next_tick(f, true);
	assert_int_equal(f->part->reranked, f->tick);
	for (uint32_t rank = 0; rank < 500; rank++) {
		const struct world_place p = seen(f, rank, f->tick);
		uint64_t code = 0;

		for (unsigned bit = 5; bit < 15; bit++) // the coarser bits
			code |= (uint64_t)(p.x >> bit & 1) << 2 * bit | (uint64_t)(p.y >> bit & 1) << (2 * bit + 1);
		assert_true(code >= last);
		last = code;
	}
}

/// What a model knows of everybody, by number; numbers are given once.
struct model {
	bool here[4096], published[4096];
	struct world_place place[4096];
	uint32_t rank[4096], as_of[4096];
	uint32_t given;
};

static void come(struct fixture *f, struct model *m)
{
	const uint32_t number = m->given++;

	m->rank[number] = add_drawn(f, number);
	assert_int_not_equal(m->rank[number], WORLD_NOBODY);
	m->as_of[number] = f->part->reranked;
	m->here[number] = true;
}

static uint32_t somebody(struct fixture *f, const struct model *m)
{
	uint32_t number;

	do
		number = drawn_below(&f->random, m->given);
	while (!m->here[number]);
	return number;
}

static void meddle(struct fixture *f, struct model *m)
{
	const int32_t size[3] = {WALK_SIZE, WALK_SIZE, WALK_SIZE / 4};
	const uint32_t mover = somebody(f, m), leaver = somebody(f, m);
	struct world_place place = drawn_place(&f->random, size);

	place.vx = place.vy = place.vz = 0;
	m->rank[mover] = world_rank_now(f->part, m->rank[mover], &m->as_of[mover]);
	world_part_move(f->part, m->rank[mover], &place, 0);
	m->rank[leaver] = world_rank_now(f->part, m->rank[leaver], &m->as_of[leaver]);
	world_part_remove(f->part, m->rank[leaver]);
	m->here[leaver] = false;
	come(f, m);
}

static void check_everybody(struct fixture *f, struct model *m)
{
	uint32_t here = 0, found = 0;

	for (uint32_t number = 0; number < m->given; number++) {
		uint32_t told;

		if (!m->here[number])
			continue;
		here++;
		m->rank[number] = world_rank_now(f->part, m->rank[number], &m->as_of[number]);
		assert_int_equal(f->part->number[m->rank[number]], number);
		assert_int_equal(f->part->identity[m->rank[number]], number + 1000);
		const struct world_place p = world_part_present(f->part, m->rank[number], &told);
		const struct world_place q = seen(f, m->rank[number], f->tick);

		assert_memory_equal(&p, &q, PLACE_BYTES);
	}
	for (uint32_t rank = 0; rank < f->part->count; rank++)
		found += f->part->number[rank] != WORLD_NOBODY;
	assert_int_equal(found, here);
}

static void check_when_they_came(const struct fixture *f, struct model *m)
{
	for (uint32_t rank = 0; rank < f->part->count; rank++) {
		const uint32_t number = f->part->number[rank];

		if (number != WORLD_NOBODY && !m->published[number]) {
			m->published[number] = true;
			assert_int_equal(f->part->came[rank], f->tick);
		}
	}
}

/// People come, leave and move between any two steps of a frame and of a re-rank.
static void test_re_rank_loses_nobody_whatever_happens_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct model *m = world_memory(sizeof(*m));
	unsigned reranks = 0;

	for (uint32_t i = 0; i < 300; i++)
		come(f, m);
	for (unsigned round = 0; round < 900; round++) {
		const bool begun = round % 80 == 70 && world_rerank_begin(f->part);
		bool ready = world_rerank_step(f->part, 500);

		if (begun || drawn_below(&f->random, 4) == 0)
			meddle(f, m);
		f->tick += ready ? 3 : 1; // an overrun, as new ranks come
		world_part_begin(f->part, f->tick, ready);
		while (!world_part_step(f->part, 40))
			if (ready)
				meddle(f, m);
		reranks += f->part->reranked == f->tick;
		check_when_they_came(f, m);
		next_tick(f, false); // who came meanwhile is in this one at the latest
		check_when_they_came(f, m);
		check_everybody(f, m);
	}
	assert_true(reranks > 5);
	free(m);
}

static void test_new_ranks_lead_to_the_old_ones_and_back(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 300; i++)
		add_drawn(f, i);
	for (unsigned i = 0; i < 70; i++)
		next_tick(f, false);
	sort_ranks(f->part);
	for (uint32_t i = 0; i < 300; i += 3)
		world_part_remove(f->part, i);
	const uint32_t newcomer = add_drawn(f, 300);

	next_tick(f, true);
	assert_int_equal(f->part->count, 201);
	for (uint32_t rank = 0; rank < 201; rank++) {
		const uint32_t before = world_rank_at(f->part, rank, f->tick - 1);

		assert_int_equal(world_rank_at(f->part, rank, f->tick), rank);
		if (f->part->number[rank] == 300) {
			assert_int_equal(before, WORLD_NOBODY);
			assert_int_equal(f->part->becomes[newcomer], rank);
			continue;
		}
		const struct world_place p = seen(f, rank, f->tick), q = seen(f, before, f->tick - 1);

		assert_memory_equal(&p, &q, PLACE_BYTES);
		assert_int_equal(f->part->becomes[before], rank);
	}
	for (uint32_t i = 0; i < 300; i += 3)
		assert_int_equal(f->part->becomes[i], WORLD_NOBODY);
}

static void test_re_ranks_are_a_ring_apart(void **state)
{
	struct fixture *f = *state;

	add_drawn(f, 1);
	for (unsigned i = 0; i < 64; i++)
		next_tick(f, false);
	sort_ranks(f->part);
	next_tick(f, true);
	for (unsigned i = 0; i < 63; i++) {
		next_tick(f, true);
		assert_false(world_rerank_begin(f->part));
	}
	assert_int_equal(f->part->reranked, FIRST + 65);
	next_tick(f, false);
	assert_true(world_rerank_begin(f->part));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_who_comes_is_in_the_next_frame),
		TEST(test_who_comes_while_a_frame_is_written_is_in_the_one_after_it),
		TEST(test_nothing_is_published_before_all_is_written),
		TEST(test_who_left_is_a_hole_far_from_everybody),
		TEST(test_full_part_takes_nobody),
		TEST(test_who_was_told_of_late_is_moved_on),
		TEST(test_who_is_moved_on_goes_by_how_velocities_are_told),
		TEST(test_who_is_never_told_of_again_stops_and_stays),
		TEST(test_what_is_told_before_its_time_is_where_it_was_told),
		TEST(test_where_somebody_is_by_now_is_rounded_once),
		TEST(test_nobody_is_moved_out_of_the_world),
		TEST(test_frames_are_those_of_their_ticks),
		TEST(test_ranks_are_in_the_order_of_the_curve),
		TEST(test_re_rank_loses_nobody_whatever_happens_meanwhile),
		TEST(test_new_ranks_lead_to_the_old_ones_and_back),
		TEST(test_re_ranks_are_a_ring_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
