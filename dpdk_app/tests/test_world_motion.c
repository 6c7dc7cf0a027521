// SPDX-License-Identifier: BSD-3-Clause
// test_world_motion.c: world/motion.h against buckets and lines in double arithmetic.

#include "unit.h"

#include <math.h>
#include <string.h>

#include "part_fixture.h"
#include "rules_fixture.h"

#define MARGIN (1 + 1.0 / 256)

static uint64_t cycles(double seconds)
{
	return (uint64_t)(seconds * HZ);
}

// ---------------------------------------------------------------- budgets

/// As one would draw it: what was spent and has not run out yet, in metres or metres per second.
struct bucket {
	double spent, rate, size;
	uint64_t at;
};

static double spent_with(const struct bucket *bucket, double amount, uint64_t now)
{
	const double left = bucket->spent - (double)(now - bucket->at) / HZ * bucket->rate;

	return (left > 0 ? left : 0) + amount;
}

static void spend(struct bucket *bucket, double amount, uint64_t now)
{
	bucket->spent = spent_with(bucket, amount, now);
	bucket->at = now;
}

static double apart(const int32_t a[3], const int32_t b[3], double unit)
{
	return hypot(hypot(a[0] - b[0], a[1] - b[1]), a[2] - b[2]) * unit;
}

/// As it is asked for: the player's moves are drawn around what is allowed, some way beyond it, and arrive anyhow.
static struct motion any_motion(const struct world_mover *mover, const struct world_rules *rules, uint64_t *seed)
{
	const double reach = drawn_below(seed, 20) == 0 ? 3 : drawn_below(seed, 3) == 0 ? 0.3 : 0.05;
	struct motion motion;

	world_mover_says(mover, rules, &motion);
	for (unsigned axis = 0; axis < 3; axis++) {
		motion.position[axis] += (float)drawn_between(seed, -reach, reach);
		motion.velocity[axis] += (float)drawn_between(seed, -2, 2);
		if (drawn_below(seed, 50) == 0)
			motion.velocity[axis] = (float)drawn_between(seed, -6, 6);
	}
	return motion;
}

static uint64_t any_gap(uint64_t *seed)
{
	switch (drawn_below(seed, 10)) {
	case 0:
		return 0;
	case 1:
		return cycles(drawn_between(seed, 0, 1));
	case 2:
		return drawn_below(seed, 100);
	default:
		return cycles(drawn_between(seed, 0, 0.04));
	}
}

static void walk(const struct world_plan *plan, uint64_t seed, unsigned taken_at_least)
{
	const struct world_rules rules = rules_of(plan);
	const double jitter = plan->jitter_ms / 1000.0, speed = (double)plan->max_speed_mps * MARGIN;
	const double acceleration = (double)plan->max_acceleration_mps2 * MARGIN;
	struct bucket way = {0, speed, speed * jitter, START},
		      turning = {0, acceleration, acceleration * jitter, START};
	struct world_mover mover = entered(&rules, motion_of(0, 0, 0, 0, 0, 0), START);
	uint64_t now = START;
	unsigned taken = 0;

	for (unsigned i = 0; i < 200000; i++) {
		const struct world_mover before = mover;
		const struct motion motion = any_motion(&mover, &rules, &seed);
		const bool is_fast = hypot(hypot((double)motion.velocity[0], (double)motion.velocity[1]),
					   (double)motion.velocity[2]) > speed;

		now += any_gap(&seed);

		const enum pg_world_move move = world_mover_move(&mover, &rules, &motion, now);

		if (move == PG_WORLD_MOVE_TAKEN) {
			taken++;
			assert_false(is_fast);
			spend(&way, apart(mover.position, before.position, rules.metres_per_unit), now);
			spend(&turning, apart(mover.velocity, before.velocity, rules.mps_per_velocity), now);
			// Over every interval that ends now, then.
			assert_true(way.spent <= way.size + 1e-10);
			assert_true(acceleration == 0 || turning.spent <= turning.size + 1e-10);
		} else if (!is_fast) {
			double to[3], way_there = 0, turned = 0;

			for (unsigned axis = 0; axis < 3; axis++) {
				to[axis] = (double)motion.position[axis] - rules.low[axis];
				to[axis] -= (before.position[axis] - 128) * rules.metres_per_unit;
				way_there += to[axis] * to[axis];
				to[axis] = (double)motion.velocity[axis];
				to[axis] -= before.velocity[axis] * rules.mps_per_velocity;
				turned += to[axis] * to[axis];
			}
			// A unit of each is what whole numbers cost.
			assert_true(spent_with(&way, sqrt(way_there) + 2 * rules.metres_per_unit, now) > way.size ||
				    spent_with(&turning, sqrt(turned) + 2 * rules.mps_per_velocity, now) >
					    turning.size);
		}
	}
	assert_true(taken >= taken_at_least);
}

static void any_moves_get_as_far_as_speed_and_jitter_allow_over_any_interval(void **state UNUSED)
{
	struct world_plan plan = town;

	walk(&plan, 1, 50000);
	plan.jitter_ms = 50;
	walk(&plan, 2, 20000);
	plan.jitter_ms = 5000;
	plan.max_acceleration_mps2 = 0;
	walk(&plan, 3, 100000);
	plan.max_speed_mps = 0.5F;
	plan.max_acceleration_mps2 = 1;
	walk(&plan, 4, 10);
	plan.quantum_m = 0.25F;
	plan.max_speed_mps = 50;
	walk(&plan, 5, 10);
}

static double way_of(const struct world_rules *rules, double step, double gap, unsigned moves, double silence)
{
	struct world_mover mover = entered(rules, motion_of(0, 0, 0, 6, 0, 0), START);
	uint64_t now = START + cycles(silence);
	const int32_t from = mover.position[0];
	double x = 0;

	for (unsigned i = 0; i < moves; i++) {
		const struct motion motion = motion_of(x + step, 0, 0, 6, 0, 0);

		if (world_mover_move(&mover, rules, &motion, now) == PG_WORLD_MOVE_TAKEN)
			x = (double)motion.position[0];
		now += cycles(gap);
	}
	return (mover.position[0] - from) * rules->metres_per_unit;
}

static void neither_small_moves_nor_a_burst_nor_silence_gets_further(void **state UNUSED)
{
	struct world_plan plan = town;

	plan.max_acceleration_mps2 = 0;

	const struct world_rules rules = rules_of(&plan);
	const double burst = 6 * MARGIN * 0.25;

	assert_true(way_of(&rules, 0.001, 0, 10000, 0) <= burst);
	assert_true(way_of(&rules, 0.001, 0, 10000, 3600) <= burst);
	assert_true(way_of(&rules, 0.001, 0, 10000, 3600) > burst - 0.01);
	assert_true(way_of(&rules, 1.6, 0, 1, 3600) == 0);
	assert_true(way_of(&rules, 0.02, 0.001, 10000, 3600) <= burst + 6 * MARGIN * 10);
	assert_true(way_of(&rules, 0.02, 0.001, 10000, 3600) > 59);
}

static void the_smallest_steps_are_not_shorter_than_they_are(void **state UNUSED)
{
	struct world_plan plan = town;

	plan.max_speed_mps = 2447; // 41 cycles for a unit
	plan.max_acceleration_mps2 = 0;
	plan.jitter_ms = 8;

	const struct world_rules rules = rules_of(&plan);
	struct world_mover mover = entered(&rules, motion_of(0, 0, 0, 0, 0, 0), START);
	unsigned taken = 0;
	bool takes = true;

	for (; takes; taken += takes) {
		struct motion motion;

		world_mover_says(&mover, &rules, &motion);
		motion.position[0] += (float)(1.5 * rules.metres_per_unit);
		takes = world_mover_move(&mover, &rules, &motion, START) == PG_WORLD_MOVE_TAKEN;
	}
	assert_true(taken > 200000);
	assert_true(taken * rules.metres_per_unit <= 2447 * MARGIN * 0.008);
}

/// One who runs at the greatest speed, turning as fast as is allowed; moves arrive in order, some as
/// late as the jitter allows: with the interval between two, it is spent.
static void run_for_an_hour(const struct world_plan *plan, double away, double hz, double clock)
{
	const struct world_rules rules = rules_of(plan);
	const double speed = (double)plan->max_speed_mps, late = 0.99 * plan->jitter_ms / 1000 - 1 / hz;
	const double turn = (double)plan->max_acceleration_mps2 / speed; // rad/s
	const double radius = speed / turn, x = away, y = away;
	struct world_mover mover = entered(&rules, motion_of(x + radius, y, 0, 0, speed, 0), START);
	uint64_t seed = 5, last = START;

	for (unsigned i = 1; i < 3600 * hz; i++) {
		const double time = i / hz, angle = turn * time * clock;
		const uint64_t arrives = START + cycles(time + (drawn_below(&seed, 100) == 0 ? late : 0));
		const struct motion motion = motion_of(x + radius * cos(angle), y + radius * sin(angle), 0,
						       -speed * sin(angle), speed * cos(angle), 0);

		last = arrives > last ? arrives : last;
		const enum pg_world_move move = world_mover_move(&mover, &rules, &motion, last);

		if (move != PG_WORLD_MOVE_TAKEN)
			fail_msg("refused after %g s: %s", time, pg_world_move_name(move));
	}
}

static void who_keeps_to_the_speed_is_never_corrected(void **state UNUSED)
{
	struct world_plan plan = town;

	run_for_an_hour(&plan, 0, 60, 1);
	run_for_an_hour(&plan, 11000, 60, 1.0002);
	plan.quantum_m = 0.125F;
	plan.reach_m = 0; // what players see is further back than is judged
	plan.tick_hz = 4;
	run_for_an_hour(&plan, -7000, 120, 1.0002);
	plan.max_acceleration_mps2 = 1;
	plan.max_speed_mps = 2;
	run_for_an_hour(&plan, -7000, 30, 1.0002);
}

static void speed_acceleration_and_bounds_are_told_apart(void **state UNUSED)
{
	const struct world_rules rules = rules_of(&town);
	const struct motion fast = motion_of(0, 0, 0, 4.3, 4.3, 0), far = motion_of(0, 1.6, 0, 0, 0, 0);
	const struct motion turned = motion_of(0, 0, 0, -5.5, 0, 0), out = motion_of(0, 0, -100.1, 0, 0, 0);
	const struct motion fine = motion_of(0, 1.4, 0, 0, 0, 0);
	struct world_mover mover;

	mover = entered(&rules, motion_of(0, 0, 0, 0, 0, 0), START);
	assert_int_equal(world_mover_move(&mover, &rules, &fast, START + HZ), PG_WORLD_MOVE_SPEED);
	mover = entered(&rules, motion_of(0, 0, 0, 0, 0, 0), START);
	assert_int_equal(world_mover_move(&mover, &rules, &far, START + HZ), PG_WORLD_MOVE_SPEED);
	mover = entered(&rules, motion_of(0, 0, 0, 0, 0, 0), START);
	assert_int_equal(world_mover_move(&mover, &rules, &fine, START + HZ), PG_WORLD_MOVE_TAKEN);
	mover = entered(&rules, motion_of(0, 0, 0, 5.5, 0, 0), START);
	assert_int_equal(world_mover_move(&mover, &rules, &turned, START + HZ), PG_WORLD_MOVE_ACCELERATION);
	mover = entered(&rules, motion_of(0, 0, 0, 0, 0, 0), START);
	assert_int_equal(world_mover_move(&mover, &rules, &out, START + HZ), PG_WORLD_MOVE_BOUNDS);
	assert_string_equal(pg_world_move_name(PG_WORLD_MOVE_TAKEN), "taken");
	assert_string_equal(pg_world_move_name(PG_WORLD_MOVE_BOUNDS), "bounds");
	assert_string_equal(pg_world_move_name(PG_WORLD_MOVE_SPEED), "speed");
	assert_string_equal(pg_world_move_name(PG_WORLD_MOVE_ACCELERATION), "acceleration");
	assert_string_equal(pg_world_move_name(PG_WORLD_MOVE_STALE), "stale");
}

// ---------------------------------------------------------------- corrections

static void who_is_corrected_stands_where_it_was_and_is_told_once_in_a_while(void **state UNUSED)
{
	const struct world_rules rules = rules_of(&town);
	const struct motion first = motion_of(1.25, -3.5, 7, 1, 2, 0.5), far = motion_of(60, 0, 0, 1, 2, 0.5);
	struct world_mover mover = entered(&rules, motion_of(1.25, -3.5, 7, 1, 2, 0.5), START);
	struct motion says;
	uint64_t now = START + HZ;

	assert_int_equal(world_mover_move(&mover, &rules, &first, now), PG_WORLD_MOVE_TAKEN);
	assert_int_equal(world_mover_move(&mover, &rules, &far, now), PG_WORLD_MOVE_SPEED);
	world_mover_says(&mover, &rules, &says);
	for (unsigned axis = 0; axis < 3; axis++) {
		assert_true(fabsf(says.position[axis] - first.position[axis]) < 0.001F);
		assert_true(says.velocity[axis] == 0);
	}
	for (unsigned i = 0; i < 499; i++)
		assert_int_equal(world_mover_move(&mover, &rules, &far, now + i * (HZ / 1000)), PG_WORLD_MOVE_STALE);
	assert_int_equal(world_mover_move(&mover, &rules, &says, now + HZ / 4), PG_WORLD_MOVE_TAKEN);
	assert_int_equal(world_mover_move(&mover, &rules, &far, now + HZ / 2), PG_WORLD_MOVE_SPEED);
	assert_int_equal(world_mover_move(&mover, &rules, &far, now + HZ / 2 + 1), PG_WORLD_MOVE_STALE);
	assert_int_equal(world_mover_where(&mover).x, 800125);
}

static void who_takes_a_correction_moves_on(void **state UNUSED)
{
	const struct world_rules rules = rules_of(&town);
	uint64_t seed = 77;

	for (unsigned i = 0; i < 100000; i++) {
		const double x = drawn_between(&seed, -8000, 12000), y = drawn_between(&seed, -8000, 12000);
		struct world_mover mover = entered(&rules, motion_of(x, y, 0, 0, 0, 0), START);
		struct motion says;

		world_mover_says(&mover, &rules, &says);
		assert_int_equal(world_mover_move(&mover, &rules, &says, START + 1), PG_WORLD_MOVE_TAKEN);
	}
}

static void a_game_puts_a_player_anywhere_in_the_world(void **state UNUSED)
{
	const struct world_rules rules = rules_of(&town);
	struct world_mover mover = entered(&rules, motion_of(0, 0, 0, 1, 0, 0), START);
	const struct motion there = motion_of(9000, -7000, 400, 300, 0, 0), old = motion_of(0.1, 0, 0, 1, 0, 0);
	const struct motion onward = motion_of(9000.1, -7000, 400, 0, 0, 0), out = motion_of(0, 0, 501, 0, 0, 0);
	const struct motion burst = motion_of(1.4, 0, 0, 1, 0, 0), fast = motion_of(0, 0, 0, 2500, 0, 0);
	uint64_t now = START + HZ;

	assert_int_equal(world_mover_move(&mover, &rules, &burst, now), PG_WORLD_MOVE_TAKEN);
	assert_true(world_mover_place(&mover, &rules, &there, now));
	assert_int_equal(world_mover_where(&mover).x, 1700000);
	assert_int_equal(world_mover_where(&mover).vx, 4000);
	assert_int_equal(world_mover_move(&mover, &rules, &old, now + 1), PG_WORLD_MOVE_STALE); // was on its way
	assert_false(world_mover_place(&mover, &rules, &out, now));
	assert_false(world_mover_place(&mover, &rules, &fast, now));
	assert_int_equal(world_mover_where(&mover).x, 1700000);

	// What it had spent, it has spent.
	const struct motion again = motion_of(9001.4, -7000, 400, 0, 0, 0);

	assert_true(world_mover_place(&mover, &rules, &onward, now));
	assert_int_equal(world_mover_move(&mover, &rules, &again, now + HZ / 10), PG_WORLD_MOVE_STALE);
	assert_int_equal(world_mover_move(&mover, &rules, &again, now + HZ / 4), PG_WORLD_MOVE_TAKEN);
}

static void late_moves_do_not_change_a_velocity(void **state UNUSED)
{
	struct world_plan plan = town;

	plan.jitter_ms = 500;

	const struct world_rules rules = rules_of(&plan);
	struct world_mover mover = entered(&rules, motion_of(0, 0, 0, 5, 0, 0), START);
	uint64_t seed = 8, last = START;

	for (unsigned i = 1; i < 10000; i++) {
		const uint64_t arrives = START + cycles(i / 60.0 + drawn_between(&seed, 0, 0.1));
		const struct motion motion = motion_of(i * 5 / 60.0, 0, 0, 5, 0, 0);

		last = arrives > last ? arrives : last;
		assert_int_equal(world_mover_move(&mover, &rules, &motion, last), PG_WORLD_MOVE_TAKEN);
		assert_int_equal(world_mover_where(&mover).vx, 67);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_moves_get_as_far_as_speed_and_jitter_allow_over_any_interval),
		cmocka_unit_test(neither_small_moves_nor_a_burst_nor_silence_gets_further),
		cmocka_unit_test(the_smallest_steps_are_not_shorter_than_they_are),
		cmocka_unit_test(who_keeps_to_the_speed_is_never_corrected),
		cmocka_unit_test(speed_acceleration_and_bounds_are_told_apart),
		cmocka_unit_test(who_is_corrected_stands_where_it_was_and_is_told_once_in_a_while),
		cmocka_unit_test(who_takes_a_correction_moves_on),
		cmocka_unit_test(a_game_puts_a_player_anywhere_in_the_world),
		cmocka_unit_test(late_moves_do_not_change_a_velocity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
