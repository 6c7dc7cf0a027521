// SPDX-License-Identifier: BSD-3-Clause
// test_world_interest.c: who is chosen, against everybody looked at one by one.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "interest_fixture.h"

/// Of some observers; one of every part and some more.
#define OBSERVERS 12

static void make_observers(const struct fixture *f, struct onlooker *observers)
{
	memset(observers, 0, OBSERVERS * sizeof(*observers));
	for (uint32_t i = 0; i < OBSERVERS; i++)
		observers[i].self = world_refer(i % f->count, i / f->count);
}

static void live(struct fixture *f, uint32_t ticks, int32_t reach)
{
	struct onlooker observers[OBSERVERS];

	make_observers(f, observers);
	settle(f);
	for (uint32_t i = 0; i < ticks; i++) {
		for (uint32_t part = 0; part < f->count; part++)
			walk(f, part, reach);
		next_tick(f, false);
		for (uint32_t j = i % 3; j < OBSERVERS; j += 3)
			turn(f, &observers[j]);
	}
}

static void test_nearest_are_seen_while_all_walk_over_borders(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 32);
	for (uint32_t i = 0; i < 2500; i++)
		add_within(f, 0, WALK_SIZE);
	live(f, 60, 30);
}

static void test_village_with_fewer_than_can_be_seen(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 32);
	for (uint32_t i = 0; i < 700; i++)
		add_within(f, 0, WALK_SIZE);
	live(f, 60, 100);
}

static void test_crowd_within_one_radius(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 32);
	for (uint32_t i = 0; i < 5000; i++)
		add_within(f, 0, RADIUS);
	live(f, 40, 40);
}

static void test_crowd_that_runs_apart(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 32);
	for (uint32_t i = 0; i < 400; i++)
		add_within(f, 0, 300);
	live(f, 60, 300);
}

static void test_crowd_in_one_point(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 32);
	for (uint32_t i = 0; i < 3000; i++)
		add_within(f, 0, 1);
	for (uint32_t i = 0; i < 100; i++)
		add_within(f, 0, 2 * RADIUS);
	live(f, 10, 0);
	live(f, 6, 2);
}

static void test_crowd_in_a_point_far_from_the_observer(void **state)
{
	struct fixture *f = *state;

	open_world(f, 1, 32);
	for (uint32_t i = 0; i < OBSERVERS; i++) {
		const struct world_place place = {.x = 10000 + 20 * (int32_t)i, .y = 10000};

		add_at(f, 0, &place);
	}
	for (uint32_t i = 0; i < 3000; i++) {
		const struct world_place place = {.x = 12500, .y = 10000 + (int32_t)i % 7};

		add_at(f, 0, &place);
	}
	live(f, 20, 5);
}

static void test_one_alone_sees_nobody(void **state)
{
	struct fixture *f = *state;
	struct onlooker o = {0};
	struct world_choice choice;

	open_world(f, 1, 32);
	add_within(f, 0, 1);
	next_tick(f, false);
	choose(f, &o, &choice);
	assert_int_equal(choice.enters, 0);
	assert_int_equal(choice.leaves, 0);
	assert_false(choice.more);
	live(f, 20, 10);
}

static void test_positions_at_the_bounds(void **state)
{
	struct fixture *f = *state;
	const int32_t size[2] = {WALK_SIZE, WALK_SIZE};

	open_world(f, 1, 8);
	for (uint32_t i = 0; i < 400; i++) {
		struct world_place place = {.x = i & 1 ? 0 : size[0] - 1, .y = i & 2 ? 0 : size[1] - 1};

		if (i & 4)
			place.x = (int32_t)drawn_below(&f->random, WALK_SIZE);
		else
			place.y = (int32_t)drawn_below(&f->random, WALK_SIZE);
		place.z = i & 8 ? 0 : WALK_SIZE / 4 - 1;
		add_at(f, 0, &place);
	}
	live(f, 30, 50);
}

static void test_height_counts(void **state)
{
	struct fixture *f = *state;
	struct onlooker o = {0};
	struct world_choice choice;
	const struct world_place low = {.x = 10000, .y = 10000}, high = {.x = 10000, .y = 10000, .z = RADIUS + 1};
	const struct world_place edge = {.x = 10000, .y = 10000, .z = RADIUS};
	const struct world_place wraps = {.x = 10000, .y = 10000, .z = 1 << 16}; // its square is 0 in 32 bits

	open_world(f, 1, 32);
	add_at(f, 0, &low);
	add_at(f, 0, &high);
	add_at(f, 0, &edge);
	add_at(f, 0, &wraps);
	next_tick(f, false);
	choose(f, &o, &choice);
	assert_int_equal(choice.enters, 1);
	assert_int_equal(choice.enter[0], 2);
}

static void test_several_parts_are_one_world(void **state)
{
	struct fixture *f = *state;

	open_world(f, 3, 32);
	for (uint32_t i = 0; i < 2400; i++)
		add_within(f, i % 3, WALK_SIZE);
	live(f, 40, 30);
}

static void test_who_is_seen_stays_though_others_are_a_little_nearer(void **state)
{
	struct fixture *f = *state;
	struct onlooker o = {0};
	struct world_choice choice;
	const struct world_place here = {.x = 10000, .y = 10000}, seen = {.x = 11000, .y = 10000};
	const struct world_place nearer = {.x = 9080, .y = 10000}, nearest = {.x = 9120, .y = 10000};

	open_world(f, 1, 1);
	add_at(f, 0, &here);
	add_at(f, 0, &seen);
	next_tick(f, false);
	turn(f, &o);
	assert_int_equal(o.who[0], 1);
	add_at(f, 0, &nearer); // 920 to 1000
	next_tick(f, false);
	turn(f, &o);
	assert_int_equal(o.who[0], 1);
	add_at(f, 0, &nearest); // 880: more than a tenth
	next_tick(f, false);
	choose(f, &o, &choice);
	assert_int_equal(choice.leaves, 1);
	assert_int_equal(choice.enter[0], 3);
}

static void test_who_is_seen_leaves_beyond_the_leave_radius(void **state)
{
	struct fixture *f = *state;
	struct onlooker o = {0};
	const struct world_place here = {.x = 10000, .y = 10000};
	const int32_t at[] = {RADIUS + 1, RADIUS, LEAVE_RADIUS, LEAVE_RADIUS + 1, LEAVE_RADIUS, RADIUS};
	const bool seen[] = {false, true, true, false, false, true};

	open_world(f, 1, 32);
	add_at(f, 0, &here);
	add_at(f, 0, &here);
	for (unsigned i = 0; i < COUNT(at); i++) {
		const struct world_place there = {.x = 10000 + at[i], .y = 10000};

		world_part_move(f->part[0], 1, &there, 0);
		next_tick(f, false);
		turn(f, &o);
		assert_int_equal(o.has, seen[i]);
	}
}

/// The rule that clients are checked by: whoever is missing is not nearer than the farthest who is seen, by the factor and by what
/// both walked since the observer's turn.
static void check_rule(const struct fixture *f, const struct onlooker *o, int64_t walked)
{
	const struct world_place here = place_of(f, o->self);
	int64_t farthest = 0;

	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++)
		if (o->has >> slot & 1) {
			const struct world_place there = place_of(f, o->who[slot]);
			const int64_t d2 = distance2(&here, &there);

			farthest = farthest < d2 ? d2 : farthest;
		}
	if (__builtin_popcount(o->has) < (int)f->neighbours)
		return;
	for (uint32_t rank = 0; rank < f->part[0]->count; rank++) {
		const struct world_place there = place_of(f, world_refer(0, rank));
		const double missing = (double)distance2(&here, &there);
		double nearest = __builtin_sqrt((double)farthest) * 100 / HYSTERESIS_PERCENT - (double)(2 * walked) - 1;

		nearest = nearest < 0 ? 0 : nearest;
		if (rank != world_rank_of(o->self) && slot_of(o, world_refer(0, rank)) < 0)
			assert_true(missing >= nearest * nearest);
	}
}

static void test_nobody_is_missing_who_is_nearer_than_the_rule_says(void **state)
{
	struct fixture *f = *state;
	static struct onlooker observers[2000];

	memset(observers, 0, sizeof(observers));
	open_world(f, 1, 32);
	for (uint32_t i = 0; i < 2000; i++) {
		add_within(f, 0, WALK_SIZE / 2);
		observers[i].self = i;
	}
	settle(f);
	for (uint32_t i = 0; i < 40; i++) {
		walk(f, 0, 10); // up to 15 in the plane, each
		next_tick(f, false);
		for (uint32_t rank = 0; rank < 2000; rank += 7) {
			struct onlooker *o = &observers[rank];
			struct world_choice choice;

			if (world_has_turn(rank, f->tick)) {
				const struct world_place here = place_of(f, o->self);
				const struct world_turn t = {here.x, here.y, here.z, o->self, o->has, o->who, o->reach};

				assert_true(world_kernels_select("auto")->choose(f->interest, &t, &choice));
				take_choice(o, &choice);
			}
			if (i >= WORLD_TURN_TICKS)
				check_rule(f, o, 15 * (WORLD_TURN_TICKS - 1));
		}
	}
}

static void test_everybody_has_a_turn_every_eight_ticks(UNUSED void **state)
{
	for (uint32_t rank = 0; rank < 3000; rank++) {
		unsigned turns = 0;

		for (uint32_t tick = 777; tick < 777 + WORLD_TURN_TICKS; tick++)
			turns += world_has_turn(rank, tick);
		assert_int_equal(turns, 1);
	}
}

static void translate(const struct fixture *f, struct onlooker *o, uint32_t *as_of)
{
	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++) {
		uint32_t then = *as_of;

		if (!(o->has >> slot & 1))
			continue;
		o->who[slot] = world_rank_now(f->part[0], o->who[slot], &then);
		if (o->who[slot] == WORLD_NOBODY)
			o->has &= ~(1U << slot);
	}
	o->self = world_rank_now(f->part[0], o->self, as_of);
}

static void test_re_ranks_and_holes(void **state)
{
	struct fixture *f = *state;
	struct onlooker observers[OBSERVERS];
	uint32_t as_of[OBSERVERS];
	unsigned reranks = 0;

	open_world(f, 1, 32);
	for (uint32_t i = 0; i < 2000; i++)
		add_within(f, 0, WALK_SIZE);
	make_observers(f, observers);
	settle(f);
	for (uint32_t i = 0; i < OBSERVERS; i++)
		as_of[i] = f->part[0]->reranked;
	for (uint32_t i = 0; i < 300; i++) {
		(void)world_rerank_begin(f->part[0]);
		const bool ready = world_rerank_step(f->part[0], 3000);

		walk(f, 0, 20);
		add_within(f, 0, WALK_SIZE);
		for (unsigned tries = 0; tries < 3; tries++) {
			const uint32_t rank = drawn_below(&f->random, f->part[0]->count);
			bool looks = false;

			for (uint32_t j = 0; j < OBSERVERS; j++)
				looks |= world_rank_now(f->part[0], observers[j].self, &(uint32_t){as_of[j]}) == rank;
			if (!looks && f->part[0]->number[rank] != WORLD_NOBODY)
				world_part_remove(f->part[0], rank);
		}
		next_tick(f, ready);
		reranks += f->part[0]->reranked == f->tick;
		for (uint32_t j = i % 4; j < OBSERVERS; j += 4) {
			translate(f, &observers[j], &as_of[j]);
			turn(f, &observers[j]);
		}
	}
	assert_true(reranks >= 3);
}

/// Of another worker's part the frame in new ranks may be published before its grid is.
static void test_grid_that_is_a_re_rank_behind_is_read_in_new_ranks(void **state)
{
	struct fixture *f = *state;
	struct onlooker o = {0};
	struct world_choice choice;
	uint32_t as_of;

	open_world(f, 1, 32);
	for (uint32_t i = 0; i < 1000; i++)
		add_within(f, 0, WALK_SIZE / 3);
	for (unsigned i = 0; i < 70; i++)
		next_tick(f, false);
	turn(f, &o);
	as_of = f->part[0]->reranked;
	const struct world_place here = place_of(f, o.self);

	sort_ranks(f->part[0]);
	publish(f->part[0], ++f->tick, true); // its grid is of the tick before
	struct world_turn t = {here.x, here.y, here.z, o.self, o.has, o.who, o.reach};
	const struct world_kernels *kernels = world_kernels_select("auto");

	assert_false(kernels->choose(f->interest, &t, &choice)); // references are in old ranks
	world_interest_begin(f->interest);
	translate(f, &o, &as_of);
	t.self = o.self;
	assert_true(kernels->choose(f->interest, &t, &choice));
	assert_int_equal(choice.leaves, 0); // nobody moved
	assert_int_equal(choice.enters, 0);
}

static void test_crowd_is_not_looked_through_for_ever(void **state)
{
	struct fixture *f = *state;
	struct onlooker o = {0};
	struct world_choice choice;

	open_world(f, 3, 32);
	for (uint32_t i = 0; i < 3 * CAPACITY; i++)
		add_within(f, i % 3, 40);
	for (unsigned i = 0; i < 16; i++)
		next_tick(f, false);
	choose(f, &o, &choice);
	assert_int_equal(choice.enters, 32);
	assert_true(choice.more);
	assert_true(choice.cut);
	assert_true(choice.looked_at <= WORLD_LOOKED_AT_MAX + 512);
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

	close_world(f);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_nearest_are_seen_while_all_walk_over_borders),
		TEST(test_village_with_fewer_than_can_be_seen),
		TEST(test_crowd_within_one_radius),
		TEST(test_crowd_that_runs_apart),
		TEST(test_crowd_in_one_point),
		TEST(test_crowd_in_a_point_far_from_the_observer),
		TEST(test_one_alone_sees_nobody),
		TEST(test_positions_at_the_bounds),
		TEST(test_height_counts),
		TEST(test_several_parts_are_one_world),
		TEST(test_who_is_seen_stays_though_others_are_a_little_nearer),
		TEST(test_who_is_seen_leaves_beyond_the_leave_radius),
		TEST(test_nobody_is_missing_who_is_nearer_than_the_rule_says),
		cmocka_unit_test(test_everybody_has_a_turn_every_eight_ticks),
		TEST(test_re_ranks_and_holes),
		TEST(test_grid_that_is_a_re_rank_behind_is_read_in_new_ranks),
		TEST(test_crowd_is_not_looked_through_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
