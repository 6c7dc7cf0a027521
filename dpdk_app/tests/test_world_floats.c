// SPDX-License-Identifier: BSD-3-Clause
// test_world_floats.c: what becomes of floats in world/motion.h, whatever they are.

#include "unit.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "part_fixture.h"
#include "rules_fixture.h"

static void positions_become_the_nearest_quantum(void **state UNUSED)
{
	struct world_plan plan = town;
	uint64_t seed = 9;

	for (unsigned q = 0; q < 3; q++) {
		plan.quantum_m = (const float[]){0.01F, 0.0625F, 1.0F / 3}[q];

		const struct world_rules rules = rules_of(&plan);

		for (unsigned i = 0; i < 100000; i++) {
			const struct motion motion =
				motion_of(drawn_between(&seed, -8000, 12000), drawn_between(&seed, -8000, 12000),
					  drawn_between(&seed, -100, 500), drawn_between(&seed, -3, 3), 0, 0);
			const struct world_mover mover = entered(&rules, motion, START);
			const struct world_place place = world_mover_where(&mover);
			const double quantum = (double)plan.quantum_m;

			assert_true(fabs(place.x - ((double)motion.position[0] + 8000) / quantum) <= 0.5 + 1e-6);
			assert_true(fabs(place.y - ((double)motion.position[1] + 8000) / quantum) <= 0.5 + 1e-6);
			assert_true(fabs(place.z - ((double)motion.position[2] + 100) / quantum) <= 0.5 + 1e-6);
			assert_true(fabs(place.x + place.beyond[0] / 256.0 -
					 ((double)motion.position[0] + 8000) / quantum) <= 1 / 256.0);
			assert_true(fabs(place.vx - (double)motion.velocity[0] * 8 / 60 / quantum) <= 0.5 + 1e-6);
		}
	}
}

static enum pg_world_move first_move(double x, double y, double z, double vx)
{
	struct world_plan plan = town;

	memcpy(plan.low_m, (float[]){0, 0, 0}, sizeof(plan.low_m));
	memcpy(plan.high_m, (float[]){100, 100, 100}, sizeof(plan.high_m));
	plan.quantum_m = 0.5F;
	plan.max_speed_mps = 500;
	plan.max_acceleration_mps2 = 0;
	plan.jitter_ms = 1000;

	const struct world_rules rules = rules_of(&plan);
	struct world_mover mover = entered(&rules, motion_of(50, 50, 50, 0, 0, 0), START);
	const struct motion motion = motion_of(x, y, z, vx, 0, 0);
	const enum pg_world_move move = world_mover_move(&mover, &rules, &motion, START + HZ);
	const struct world_place place = world_mover_where(&mover);

	assert_uint_in_range(place.x, 0, 200);
	assert_uint_in_range(place.y, 0, 200);
	assert_uint_in_range(place.z, 0, 200);
	return move;
}

static void the_world_ends_half_a_quantum_beyond_its_corners(void **state UNUSED)
{
	assert_int_equal(first_move(0, 0, 0, 0), PG_WORLD_MOVE_TAKEN);
	assert_int_equal(first_move(-0.0, -0.0, -0.0, -0.0), PG_WORLD_MOVE_TAKEN);
	assert_int_equal(first_move(100, 100, 100, 0), PG_WORLD_MOVE_TAKEN);
	assert_int_equal(first_move(-0.25, 0, 0, 0), PG_WORLD_MOVE_TAKEN);
	assert_int_equal(first_move(0, 100.24, 0, 0), PG_WORLD_MOVE_TAKEN);
	assert_int_equal(first_move(0, 100.25, 0, 0), PG_WORLD_MOVE_BOUNDS);
	assert_int_equal(first_move(0, 0, -0.2500001, 0), PG_WORLD_MOVE_BOUNDS);
	assert_int_equal(first_move(100.26, 0, 0, 0), PG_WORLD_MOVE_BOUNDS);
}

static void floats_of_any_size_are_judged(void **state UNUSED)
{
	const double denormal = (double)FLT_TRUE_MIN, most = (double)FLT_MAX;

	assert_int_equal(first_move(denormal, -denormal, denormal, denormal), PG_WORLD_MOVE_TAKEN);
	assert_int_equal(first_move(1e30, 0, 0, 0), PG_WORLD_MOVE_BOUNDS);
	assert_int_equal(first_move(0, -1e30, 0, 0), PG_WORLD_MOVE_BOUNDS);
	assert_int_equal(first_move(0, 0, most, 0), PG_WORLD_MOVE_BOUNDS);
	assert_int_equal(first_move(0, 0, -most, most), PG_WORLD_MOVE_BOUNDS);
	assert_int_equal(first_move(0, 0, 0, 1e30), PG_WORLD_MOVE_SPEED);
	assert_int_equal(first_move(0, 0, 0, -most), PG_WORLD_MOVE_SPEED);
	assert_int_equal(first_move(0, 0, 0, (double)INFINITY), PG_WORLD_MOVE_SPEED);
	assert_int_equal(first_move(0, 0, 0, (double)NAN), PG_WORLD_MOVE_SPEED);
	assert_int_equal(first_move((double)NAN, 0, 0, 0), PG_WORLD_MOVE_BOUNDS);
	assert_int_equal(first_move(0, (double)-INFINITY, 0, 0), PG_WORLD_MOVE_BOUNDS);
}

/// Any bits as floats: not numbers, denormals, infinities among them.
static void any_bits_leave_a_player_within_the_world(void **state UNUSED)
{
	const struct world_rules rules = rules_of(&town);
	struct world_mover mover = entered(&rules, motion_of(0, 0, 0, 0, 0, 0), START);
	uint64_t seed = 9;
	unsigned of[PG_WORLD_MOVES] = {0};

	for (unsigned i = 0; i < 300000; i++) {
		const struct world_mover before = mover;
		uint32_t bits[6];
		struct motion motion;

		for (unsigned n = 0; n < 6; n++)
			bits[n] = drawn(&seed) & (drawn_below(&seed, 5) == 0 ? UINT32_MAX : 0x807fffff);
		memcpy(&motion, bits, sizeof(motion));

		const enum pg_world_move move = world_mover_move(&mover, &rules, &motion, START + i * (HZ / 100));
		const struct world_place place = world_mover_where(&mover);

		of[move]++;
		assert_true(place.x >= 0 && place.x <= 2000000 && place.y >= 0 && place.y <= 2000000);
		assert_true(place.z >= 0 && place.z <= 60000);
		assert_true(move == PG_WORLD_MOVE_TAKEN ||
			    memcmp(mover.position, before.position, sizeof(before.position)) == 0);
		if (i % 1000 == 0)
			mover = entered(&rules, motion_of(0, 0, 0, 0, 0, 0), START);
	}
	assert_true(of[PG_WORLD_MOVE_TAKEN] > 1000);
	assert_true(of[PG_WORLD_MOVE_BOUNDS] > 1000);
	assert_true(of[PG_WORLD_MOVE_SPEED] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positions_become_the_nearest_quantum),
		cmocka_unit_test(the_world_ends_half_a_quantum_beyond_its_corners),
		cmocka_unit_test(floats_of_any_size_are_judged),
		cmocka_unit_test(any_bits_leave_a_player_within_the_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
