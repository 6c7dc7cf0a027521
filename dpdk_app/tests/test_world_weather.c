// SPDX-License-Identifier: BSD-3-Clause
// test_world_weather.c: what a client decodes is what was published, whatever is lost, overtaken or changed on the way.

#include "unit.h"

#include "world_sight.h"

/// A bad network, and a world in which much happens.
#define EVERYTHING                                                                                         \
	.lost_down = 60, .lost_up = 80, .delay = 2, .spread = 3, .changes = 15, .comes = 60, .rerank = 83, \
	.skips = 20, .room = ROOM, .slots = 32

static void test_what_is_decoded_was_published(UNUSED void **state)
{
	static const char *const levels[] = {"v2", "v3", "v4"};

	for (unsigned i = 0; i < COUNT(levels); i++) {
		if (!world_kernels_select(levels[i]))
			continue;

		struct sight *sight = open_sight(levels[i], (struct weather){EVERYTHING}, 5 + i);

		pass(sight, 4000);
		assert_true(sight->decoded > 60000);
		assert_true(sight->skipped > 0 && sight->skipped < sight->decoded / 50);
		comes_to_rest(sight);
		close_sight(sight);
	}
}

static void test_ticks_come_round(UNUSED void **state)
{
	struct sight *sight = open_sight("auto", (struct weather){EVERYTHING, .first = UINT32_MAX - 1500}, 11);

	pass(sight, 3000);
	assert_uint_in_range(sight->tick, 1, 2000);
	assert_true(sight->decoded > 45000);
	assert_true(sight->skipped > 0 && sight->skipped < sight->decoded / 50);
	comes_to_rest(sight);
	close_sight(sight);
}

static void test_without_loss_every_record_is_decoded(UNUSED void **state)
{
	struct sight *sight = open_sight("auto", (struct weather){EVERYTHING}, 9);

	sight->weather.lost_down = sight->weather.spread = 0;
	pass(sight, 3000);
	assert_true(sight->decoded > 40000);
	assert_int_equal(sight->skipped, 0);
	assert_int_equal(sight->overtaken, 0);
	close_sight(sight);
}

/// Longer than stamps of 8 and of 16 bits last. In full they are told once, and again when that was lost.
static void test_a_neighbour_can_stay_for_ever(UNUSED void **state)
{
	struct sight *sight = open_sight("auto",
					 (struct weather){.lost_down = 20,
							  .delay = 3,
							  .changes = 30,
							  .rerank = 251,
							  .room = ROOM,
							  .slots = 3,
							  .lives = true},
					 3);
	uint64_t fulls;

	pass(sight, 1000);
	assert_int_not_equal(sight->lasting, WORLD_NOBODY);
	sight->weather.changes = 0;
	pass(sight, 100);
	fulls = sight->fulls;
	pass(sight, 70000);
	assert_int_equal(sight->fulls, fulls);
	assert_int_equal(sight->client.slot[0].number, sight->lasting);
	comes_to_rest(sight);
	close_sight(sight);
}

static void test_acknowledgements_that_seldom_come_are_enough(UNUSED void **state)
{
	struct sight *sight = open_sight("auto", (struct weather){EVERYTHING}, 4);

	sight->weather.lost_up = 950;
	sight->weather.comes = sight->weather.changes = 2;
	pass(sight, 6000);
	assert_true(sight->decoded > 60000);
	comes_to_rest(sight);
	close_sight(sight);
}

/// Who never acknowledges is told in full, each neighbour when what it was told of them is too old to go on from.
static void test_a_client_that_never_acknowledges_is_told_of_in_full_now_and_then(UNUSED void **state)
{
	const unsigned ticks = 2000;
	struct sight *sight = open_sight(
		"auto", (struct weather){.lost_up = 1000, .delay = 3, .changes = 500, .room = ROOM, .slots = 32}, 8);

	pass(sight, 20);
	sight->weather.changes = 0;
	pass(sight, ticks);

	const unsigned seen = (unsigned)__builtin_popcount(sight->observer->occupied);

	assert_uint_in_range(seen, 5, 32);
	assert_true(sight->fulls > ticks / 40 * seen);
	assert_true(sight->fulls < 200 + ticks / 25 * seen);
	assert_int_equal(sight->skipped, 0);
	assert_true(sight->decoded > ticks * seen * 9 / 10);
	close_sight(sight);
}

/// No acknowledgement is in time to be of use: each is told of against a FULL that is supposed to have come, for a while.
static void test_a_way_of_more_ticks_than_are_told_apart_is_one_without_baselines(UNUSED void **state)
{
	struct sight *sight = open_sight(
		"auto", (struct weather){.delay = 20, .spread = 2, .changes = 200, .room = ROOM, .slots = 16}, 21);

	pass(sight, 40);
	sight->weather.changes = 2;
	pass(sight, 2000);
	assert_true(sight->decoded > 10000);
	assert_true(sight->fulls > 200);
	assert_true(sight->skipped < sight->decoded / 20);
	close_sight(sight);
}

static void test_an_epoch_makes_all_of_before_void(UNUSED void **state)
{
	struct sight *sight = open_sight("auto", (struct weather){EVERYTHING}, 10);

	sight->weather.epochs = 20;
	sight->weather.changes = 100;
	pass(sight, 4000);
	assert_true(sight->decoded > 20000);
	comes_to_rest(sight);
	close_sight(sight);
}

static void test_what_there_is_no_room_for_is_told_later(UNUSED void **state)
{
	struct sight *sight = open_sight("auto", (struct weather){EVERYTHING}, 11);

	sight->weather.room = WORLD_STATE_ROOM_MIN;
	sight->weather.changes = 4;
	pass(sight, 6000);
	assert_true(sight->left_out > 1000);
	assert_true(sight->decoded > 20000);
	comes_to_rest(sight);
	close_sight(sight);
}

static void test_who_is_far_is_told_of_seldom(UNUSED void **state)
{
	struct sight *sight = open_sight("auto", (struct weather){EVERYTHING, .paces = true}, 12);

	sight->weather.spread = 0;
	pass(sight, 4000);
	assert_true(sight->decoded > 20000);
	comes_to_rest(sight);
	close_sight(sight);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_decoded_was_published),
		cmocka_unit_test(test_ticks_come_round),
		cmocka_unit_test(test_without_loss_every_record_is_decoded),
		cmocka_unit_test(test_a_neighbour_can_stay_for_ever),
		cmocka_unit_test(test_acknowledgements_that_seldom_come_are_enough),
		cmocka_unit_test(test_a_client_that_never_acknowledges_is_told_of_in_full_now_and_then),
		cmocka_unit_test(test_a_way_of_more_ticks_than_are_told_apart_is_one_without_baselines),
		cmocka_unit_test(test_an_epoch_makes_all_of_before_void),
		cmocka_unit_test(test_what_there_is_no_room_for_is_told_later),
		cmocka_unit_test(test_who_is_far_is_told_of_seldom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
