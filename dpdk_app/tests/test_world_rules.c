// SPDX-License-Identifier: BSD-3-Clause
// test_world_rules.c: world/rules.h: which plans cannot be, and what becomes of those that can.

#include "unit.h"

#include <math.h>
#include <string.h>

#include "rules_fixture.h"

static void refused(struct world_plan plan, const char *words)
{
	struct world_rules rules;
	struct pg_error error;

	assert_int_equal(world_rules_make(&rules, &plan, "town", HZ, &error), PG_ERROR_USAGE);
	if (strstr(error.message, words) == NULL || strstr(error.message, "world town: ") == NULL)
		fail_msg("%s", error.message);
}

#define REFUSED(words, field, ...)             \
	do {                                   \
		struct world_plan plan = town; \
                                               \
		plan.field = (__VA_ARGS__);    \
		refused(plan, words);          \
	} while (0)

static void a_plan_that_cannot_be_is_refused_in_a_sentence(void **state UNUSED)
{
	REFUSED("quantum_m is 0;", quantum_m, 0);
	REFUSED("quantum_m is nan;", quantum_m, NAN);
	REFUSED("quantum_m is inf;", quantum_m, INFINITY);
	REFUSED("quantum_m is -0.01;", quantum_m, -0.01F);
	REFUSED("20000 m along x are 2222222 times quantum_m, 0.009; at most 2097151 times", quantum_m, 0.009F);
	REFUSED("bounds along y are -8000 to -8000 m", high_m[1], -8000);
	REFUSED("bounds along z are nan to 500 m", low_m[2], NAN);
	REFUSED("bounds along x are -8000 to inf m", high_m[0], INFINITY);
	REFUSED("0.00390625 m along z are less than quantum_m, 0.01", low_m[2], 499.99609375F);
	REFUSED("tick_hz is 3; it must be 4 to 128", tick_hz, 3);
	REFUSED("tick_hz is 129; it must be 4 to 128", tick_hz, 129);
	REFUSED("max_speed_mps is 0;", max_speed_mps, 0);
	REFUSED("max_speed_mps is 0.15; it must be at least 16 times quantum_m, 0.01", max_speed_mps, 0.15F);
	REFUSED("max_speed_mps is nan;", max_speed_mps, NAN);
	REFUSED("max_speed_mps is 2450; with quantum_m 0.01 and tick_hz 60 it is at most 2447", max_speed_mps, 2450);
	REFUSED("max_acceleration_mps2 is 0.001;", max_acceleration_mps2, 0.001F);
	REFUSED("max_acceleration_mps2 is -1;", max_acceleration_mps2, -1);
	REFUSED("jitter_ms is 6; it must be 7 to 5000", jitter_ms, 6);
	REFUSED("settle_ms is 10001;", settle_ms, 10001);
}

static void the_largest_world_has_as_many_quanta_as_the_wire(void **state UNUSED)
{
	struct world_plan plan = town;

	memcpy(plan.low_m, (float[]){0, 0, 0}, sizeof(plan.low_m));
	memcpy(plan.high_m, (float[]){2097151, 2097151, 1}, sizeof(plan.high_m));
	plan.quantum_m = 1;
	plan.max_speed_mps = 16;

	const struct world_rules rules = rules_of(&plan);
	const struct world_mover mover = entered(&rules, motion_of(2097151, 2097151, 1, 0, 0, 0), START);

	assert_int_equal(world_mover_where(&mover).x, (1 << WORLD_POSITION_BITS) - 1);
	plan.high_m[0] = 2097152;
	refused(plan, "2097152 m along x are 2097152 times quantum_m, 1");
}

static void the_greatest_speed_fits_the_wire(void **state UNUSED)
{
	struct world_plan plan = town;

	plan.max_speed_mps = 2447;
	plan.max_acceleration_mps2 = 0;

	const struct world_rules rules = rules_of(&plan);
	struct world_mover mover = entered(&rules, motion_of(0, 0, 0, 0, 0, 0), START);
	const struct motion right = motion_of(0, 0, 0, 2447, 0, 0), left = motion_of(0, 0, 0, -2447, 0, 0);

	assert_int_equal(world_mover_move(&mover, &rules, &right, START), PG_WORLD_MOVE_TAKEN);
	assert_int_equal(world_mover_where(&mover).vx, 32627);
	assert_int_equal(world_mover_move(&mover, &rules, &left, START), PG_WORLD_MOVE_TAKEN);
	assert_int_equal(world_mover_where(&mover).vx, -32627);
}

static void rules_of_attacks_are_checked_and_rounded(void **state UNUSED)
{
	struct world_plan plan = town;
	struct world_rules rules = rules_of(&plan);
	struct pg_error error;

	assert_int_equal(rules.rewind, 30 * 256);
	assert_int_equal(rules.interpolation, 6 * 256);
	assert_int_equal(rules.frames, 64);
	assert_int_equal(rules.reach, 10000);
	assert_int_equal(rules.eye, 160);
	assert_int_equal(rules.body.radius, 30);
	assert_int_equal(rules.body.low, 30);
	assert_int_equal(rules.body.high, 150);
	plan.body_height_m = 0.5F;
	rules = rules_of(&plan);
	assert_int_equal(rules.body.low, 25);
	assert_int_equal(rules.body.high, 25);
	plan.tick_hz = 128;
	plan.rewind_ms = 1000;
	assert_int_equal(rules_of(&plan).frames, 256);
	plan.rewind_ms = 116;
	assert_int_equal(rules_of(&plan).frames, 32);
	plan.rewind_ms = 115;
	assert_int_equal(world_rules_make(&rules, &plan, "town", 1, &error), PG_ERROR_USAGE);
	assert_string_equal(error.message, "world town: rewind_ms is 115; with interpolation_ms 100 and tick_hz 128 it "
					   "is at least 116");
	plan.reach_m = 0;
	plan.rewind_ms = 0;
	assert_int_equal(rules_of(&plan).frames, 32);

	plan.rewind_ms = 1001;
	assert_int_equal(world_rules_make(&rules, &plan, "town", 1, &error), PG_ERROR_USAGE);
	assert_string_equal(error.message, "world town: rewind_ms is 1001; it must be 0 to 1000");
	plan = town;
	plan.reach_m = NAN;
	assert_int_equal(world_rules_make(&rules, &plan, "town", 1, &error), PG_ERROR_USAGE);
	assert_non_null(strstr(error.message, "world town: reach_m is nan; it must be 0 to 20971.5"));
	plan = town;
	plan.body_height_m = -1;
	assert_int_equal(world_rules_make(&rules, &plan, "town", 1, &error), PG_ERROR_USAGE);
	assert_non_null(strstr(error.message, "world town: body_height_m is -1;"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_that_cannot_be_is_refused_in_a_sentence),
		cmocka_unit_test(the_largest_world_has_as_many_quanta_as_the_wire),
		cmocka_unit_test(the_greatest_speed_fits_the_wire),
		cmocka_unit_test(rules_of_attacks_are_checked_and_rounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
