// SPDX-License-Identifier: BSD-3-Clause
// test_world_judge.c: world/judge.h, with attackers who see what a client sees.

#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "part_fixture.h"
#include "rules_fixture.h"
#include "world/judge.h"

static const struct world_plan outskirts = {
	.low_m = {0, 0, 0},
	.high_m = {327, 327, 81},
	.quantum_m = 0.01F,
	.tick_hz = 64,
	.max_speed_mps = 6,
	.jitter_ms = 250,
	.rewind_ms = 500, // 32 ticks
	.interpolation_ms = 125,
	.reach_m = 2000,
	.body_radius_m = 0.3F,
	.body_height_m = 1.8F,
	.eye_m = 1.6F,
};

/// An archer, and somebody who runs past: along x, by so many quanta a tick. Of each rank the one of a number is told.
struct range {
	struct world_part *part;
	struct world_parts parts;
	struct world_rules rules;
	uint32_t first, ticks;
	int32_t pace;
};

#define ARCHER 7
#define RUNNER 3
#define SEEN_Y 9000

static int32_t runner_x(const struct range *range, double ticks)
{
	return (int32_t)floor(1000 + ticks * range->pace + 0.5);
}

static void run(struct range *range, uint32_t ticks, bool rerank)
{
	struct world_part *part = range->part;

	for (uint32_t i = 0; i < ticks; i++) {
		const struct world_place place = {.x = runner_x(range, ++range->ticks), .y = SEEN_Y};
		uint32_t rank = 0;

		while (rank < part->count && part->number[rank] != RUNNER)
			rank++;
		if (rank < part->count)
			world_part_move(part, rank, &place, (range->first + range->ticks) * WORLD_TOLD_PER_TICK);
		if (rerank && i == 0)
			sort_ranks(part);
		publish(part, range->first + range->ticks, rerank && i == 0);
	}
}

static struct range range_make(uint32_t first, int32_t pace, uint32_t ticks)
{
	struct range range = {.rules = rules_at(&outskirts, 1000000000), .first = first, .pace = pace};
	const struct world_place archer = {.x = 30000, .y = 0}, runner = {.x = 1000, .y = SEEN_Y};
	struct world_part_plan plan = small_plan(64);

	plan.first = first;
	plan.frames = range.rules.frames;
	plan.size[0] = 1 << 20;
	range.part = make_part(&plan);
	range.parts = (struct world_parts){.count = 1, .part = {range.part}};
	// A re-rank turns them round: the runner begins at the lower corner.
	world_part_add(range.part, ARCHER, 70, WORLD_PLAYER, &archer, first * WORLD_TOLD_PER_TICK);
	world_part_add(range.part, RUNNER, 30, WORLD_PLAYER, &runner, first * WORLD_TOLD_PER_TICK);
	run(&range, ticks, false);
	return range;
}

static world_reference who(const struct range *range, uint32_t number)
{
	for (uint32_t rank = 0; rank < range->part->count; rank++)
		if (range->part->number[rank] == number)
			return world_refer(0, rank);
	return WORLD_NOBODY;
}

static void aim_at(struct world_attack *attack, double x, double y, double z)
{
	attack->direction[0] = (float)(x - attack->from[0]);
	attack->direction[1] = (float)(y - attack->from[1]);
	attack->direction[2] = (float)(z - attack->from[2] - 160);
}

/// The archer aims at where the runner was at `view`, at its chest, and is heard `parts` of a tick after the newest
/// frame.
static struct world_attack shot(const struct range *range, struct world_moment view, uint32_t parts,
				uint32_t round_trip)
{
	struct world_attack attack = {
		.attacker = who(range, ARCHER),
		.target = who(range, RUNNER),
		.from = {30000, 0, 0},
		.view = view,
		.now = {range->first + range->ticks, parts},
		.round_trip = round_trip,
	};

	aim_at(&attack, runner_x(range, (view.tick - range->first) + view.parts / 256.0), SEEN_Y, 100);
	return attack;
}

static struct world_judgement judge(const struct range *range, const struct world_attack *attack)
{
	struct world_judging judging;

	world_judge_begin(&judging, &range->parts, &range->rules, attack);
	for (unsigned i = 0; !world_judge_step(&judging, &range->parts, 1); i++)
		assert_true(i < 100);
	return judging.judgement;
}

static struct world_moment ago(const struct range *range, uint32_t ticks, uint32_t parts)
{
	return world_moment_before((struct world_moment){range->first + range->ticks, 0}, ticks * 256 + parts);
}

// ---------------------------------------------------------------- the tick

static void an_attack_is_judged_by_the_very_moment_that_was_seen(void **state UNUSED)
{
	struct range range = range_make(UINT32_MAX - 90, 512, 50);

	for (unsigned after = 0; after < 60; after++) {
		for (uint32_t back = 0; back < 10 * 256; back += 37) {
			const struct world_moment view = ago(&range, 0, back);
			struct world_attack attack = shot(&range, view, 0, 10 * 256);
			struct world_judgement judgement = judge(&range, &attack);

			assert_int_equal(judgement.judged, PG_WORLD_JUDGED_HIT);
			assert_int_equal(judgement.clamped, WORLD_VIEW_KEPT);
			assert_int_equal(judgement.tick, view.tick);
			assert_int_equal(judgement.parts, view.parts);
			assert_int_equal(judgement.who, who(&range, RUNNER));
			assert_int_equal(judgement.error, 0);

			// Two quanta for each part of a tick that it is off; a tick is far beyond the body.
			attack.view = world_moment_before(view, 5);
			judgement = judge(&range, &attack);
			assert_int_equal(judgement.judged, PG_WORLD_JUDGED_HIT);
			assert_true(judgement.error > 0 && judgement.error <= 10);
			attack.view = (struct world_moment){view.tick - 1, view.parts};
			judgement = judge(&range, &attack);
			assert_int_equal(judgement.judged, PG_WORLD_JUDGED_MISS);
			assert_true(judgement.error > 30);
		}
		run(&range, 1, false);
	}
	free(range.part);
}

/// In parts of a tick from the first frame on: when the frame of a tick is shown, and when what is said then is heard.
static void what_a_client_can_see_is_never_clamped(void **state UNUSED)
{
	struct range range = range_make(5000, 90, 70);
	const uint32_t interpolation = range.rules.interpolation;
	uint64_t seed = 4;
	unsigned long_ago = 0;

	for (unsigned i = 0; i < 20000; i++) {
		const uint32_t way_down = drawn_below(&seed, 5 * 256), way_up = drawn_below(&seed, 5 * 256);
		// The newest frame that the client has is sent somewhere in its tick; the next one has not come yet.
		const uint32_t newest = 55, sent = newest * 256 + drawn_below(&seed, 257);
		const uint32_t next = (newest + 1) * 256 + drawn_below(&seed, 257);
		const uint32_t said = sent + way_down + drawn_below(&seed, next > sent ? next - sent : 1);
		const uint32_t heard = said + way_up, seen = newest * 256 - interpolation;
		struct world_attack attack =
			shot(&range, (struct world_moment){5000 + seen / 256, seen % 256}, 0, way_down + way_up);
		struct world_judgement judgement;

		attack.now = (struct world_moment){5000 + heard / 256, heard % 256};
		judgement = judge(&range, &attack);
		assert_int_equal(judgement.clamped, WORLD_VIEW_KEPT);
		assert_int_equal(judgement.judged, PG_WORLD_JUDGED_HIT);
		assert_int_equal(judgement.tick * 256 + judgement.parts, 5000 * 256 + seen);
		long_ago += heard - seen > way_down + way_up + interpolation + 256;

		// Who says nothing is supposed to have seen that within a tick.
		const struct world_moment supposed = world_supposed_view(&range.rules, attack.now, attack.round_trip);

		assert_in_range(world_moment_since(supposed, attack.view) + 256, 0, 512);
	}
	assert_true(long_ago > 1000); // a limit of one tick less would clamp those
	free(range.part);
}

static void older_moments_are_clamped_to_what_can_have_been_seen(void **state UNUSED)
{
	struct range range = range_make(UINT32_MAX - 60, 100, 70);
	const struct {
		uint32_t round_trip, back, oldest;
	} cases[] = {
		{0, 10 * 256, 10 * 256}, // two ticks, and 8 of interpolation
		{0, 10 * 256 + 1, 10 * 256},
		{700, 3259, 3260},
		{700, 3261, 3260},
		{700, 60 * 256, 3260},
		{22 * 256, 32 * 256, 32 * 256}, // rewind
		{22 * 256, 32 * 256 + 1, 32 * 256},
		{UINT32_MAX, 60 * 256, 32 * 256},
	};

	for (unsigned i = 0; i < COUNT(cases); i++) {
		const bool clamps = cases[i].back > cases[i].oldest;
		const struct world_moment view = ago(&range, 0, cases[i].back),
					  oldest = ago(&range, 0, cases[i].oldest);
		struct world_attack attack = shot(&range, clamps ? oldest : view, 0, cases[i].round_trip);
		struct world_judgement judgement;

		attack.view = view;
		judgement = judge(&range, &attack);
		assert_int_equal(judgement.clamped, clamps ? WORLD_VIEW_TOO_OLD : WORLD_VIEW_KEPT);
		assert_int_equal(judgement.tick, clamps ? oldest.tick : view.tick);
		assert_int_equal(judgement.parts, clamps ? oldest.parts : view.parts);
		assert_int_equal(judgement.judged, PG_WORLD_JUDGED_HIT);
		assert_int_equal(judgement.error, 0);
	}
	free(range.part);
}

static void who_claims_to_have_seen_what_is_to_come_is_judged_by_the_newest_frame(void **state UNUSED)
{
	struct range range = range_make(100, 512, 40);
	struct world_attack attack = shot(&range, ago(&range, 0, 0), 200, 0);
	struct world_judgement judgement;

	for (uint32_t ahead = 1; ahead < 3000; ahead += 100) {
		attack.view = world_moment_before(ago(&range, 0, 0), -ahead);
		judgement = judge(&range, &attack);
		assert_int_equal(judgement.clamped, WORLD_VIEW_TOO_NEW);
		assert_int_equal(judgement.tick, 140);
		assert_int_equal(judgement.parts, 0);
		assert_int_equal(judgement.judged, PG_WORLD_JUDGED_HIT);
	}
	free(range.part);
}

static void what_was_seen_before_a_rerank_is_judged_after_it(void **state UNUSED)
{
	struct range range = range_make(100, 200, 66);
	const world_reference before = who(&range, RUNNER);

	run(&range, 1, true);
	run(&range, 3, false);
	assert_int_not_equal(who(&range, RUNNER), before);
	for (uint32_t back = 0; back < 12 * 256; back += 64) {
		struct world_attack attack = shot(&range, ago(&range, 0, back), 0, 12 * 256);
		struct world_judgement judgement = judge(&range, &attack);

		assert_int_equal(judgement.judged, PG_WORLD_JUDGED_HIT);
		assert_int_equal(judgement.error, 0);
		attack.target = WORLD_NOBODY;
		judgement = judge(&range, &attack);
		assert_int_equal(judgement.judged, PG_WORLD_JUDGED_HIT);
		assert_int_equal(judgement.who, who(&range, RUNNER));
	}
	free(range.part);
}

static void a_moment_is_told_by_the_lower_bits_of_its_tick(void **state UNUSED)
{
	const uint32_t near[] = {5, 0x7fff, 0x8000, 0xffff, 0x10000, 0xfffffffe};

	for (unsigned i = 0; i < COUNT(near); i++)
		for (int32_t off = -3000; off <= 3000; off++) {
			const uint32_t tick = near[i] + (uint32_t)off;
			const struct world_moment told =
				world_moment_told((uint16_t)tick, 9, (struct world_moment){near[i], 200});

			assert_int_equal(told.tick, tick);
			assert_int_equal(told.parts, 9);
		}
}

// ---------------------------------------------------------------- outcomes

/// To the side of the runner who stands, sloping down by 60 quanta over the way.
#define DISTANCE ((int)((hypot(29000, SEEN_Y) - 30) * hypot(1, 60 / hypot(29000, SEEN_Y))))

static void each_outcome_says_why(void **state UNUSED)
{
	struct range range = range_make(100, 0, 40);
	const struct world_moment view = ago(&range, 2, 0);
	struct world_attack attack = shot(&range, view, 0, 1000);
	struct world_judgement judgement = judge(&range, &attack);

	assert_int_equal(judgement.judged, PG_WORLD_JUDGED_HIT);
	assert_int_equal(judgement.distance, DISTANCE);
	aim_at(&attack, 1000, SEEN_Y, 160 + 40); // over the head, which ends at 180
	judgement = judge(&range, &attack);
	assert_int_equal(judgement.judged, PG_WORLD_JUDGED_MISS);
	assert_in_range(judgement.error, 49, 50); // the middle ends at 150
	attack.target = WORLD_NOBODY;
	judgement = judge(&range, &attack);
	assert_int_equal(judgement.judged, PG_WORLD_JUDGED_MISS);
	assert_int_equal(judgement.who, WORLD_NOBODY);

	attack = shot(&range, view, 0, 1000);
	range.rules.reach = 30000;
	judgement = judge(&range, &attack);
	assert_int_equal(judgement.judged, PG_WORLD_JUDGED_TOO_FAR);
	assert_int_equal(judgement.error, 0);
	assert_int_equal(judgement.distance, DISTANCE);
	attack.target = WORLD_NOBODY;
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_MISS);

	attack.attacker = world_refer(0, 5);
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_ATTACKER);
	attack.attacker = world_refer(1, 0);
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_ATTACKER);
	attack.attacker = WORLD_NOBODY;
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_ATTACKER);
	attack.attacker = who(&range, ARCHER);
	world_part_remove(range.part, world_rank_of(attack.attacker));
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_ATTACKER);
	assert_string_equal(pg_world_judged_name(PG_WORLD_JUDGED_HIT), "hit");
	assert_string_equal(pg_world_judged_name(PG_WORLD_JUDGED_NO_DIRECTION), "no_direction");
	free(range.part);
}

static void who_was_not_there_is_no_target(void **state UNUSED)
{
	struct range range = range_make(100, 10, 40);
	const struct world_place place = {.x = 15000, .y = 5000};
	struct world_attack attack = shot(&range, ago(&range, 2, 0), 0, 10000);

	attack.target = world_refer(0, 60);
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_TARGET);
	attack.target = world_refer(9, 0);
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_TARGET);

	// Who comes is there from its first frame on.
	world_part_add(range.part, 20, 0, WORLD_OTHER, &place, 140 * WORLD_TOLD_PER_TICK);
	attack.target = world_refer(0, 2);
	aim_at(&attack, place.x, place.y, 100);
	attack.now = (struct world_moment){143, 0};
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_TARGET);
	run(&range, 3, false);
	attack.view = (struct world_moment){140, 255};
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_TARGET);
	attack.view = (struct world_moment){141, 0};
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_HIT);
	attack.target = WORLD_NOBODY;
	assert_int_equal(judge(&range, &attack).who, world_refer(0, 2));
	attack.view = (struct world_moment){140, 255};
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_MISS);

	// Who leaves is gone at once.
	attack.view = (struct world_moment){141, 0};
	world_part_remove(range.part, 2);
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_MISS);
	attack.target = world_refer(0, 2);
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_TARGET);
	free(range.part);
}

static void a_part_that_is_behind_is_judged_by_its_newest_frame(void **state UNUSED)
{
	struct range range = range_make(100, 0, 40);
	struct range behind = range_make(100, 0, 30);
	struct world_attack attack = shot(&range, ago(&range, 2, 0), 0, 1000);
	struct world_judgement judgement;

	world_part_remove(range.part, world_rank_of(attack.target));
	world_part_remove(behind.part, world_rank_of(who(&behind, ARCHER))); // would be in the way
	range.parts.count = 2;
	range.parts.part[1] = behind.part;
	attack.target = world_refer(1, world_rank_of(who(&behind, RUNNER)));
	for (unsigned i = 0; i < 2; i++) {
		judgement = judge(&range, &attack);
		assert_int_equal(judgement.judged, PG_WORLD_JUDGED_HIT);
		assert_int_equal(judgement.who, world_refer(1, world_rank_of(who(&behind, RUNNER))));
		assert_int_equal(judgement.tick, 130);
		attack.target = WORLD_NOBODY;
	}
	free(range.part);
	free(behind.part);
}

static void a_direction_is_of_any_length_but_none(void **state UNUSED)
{
	struct range range = range_make(100, 0, 40);
	struct world_attack attack = shot(&range, ago(&range, 2, 0), 0, 1000), as_it_is = attack;
	const double scales[] = {1e-30, 1, 1e33, -1};

	for (unsigned i = 0; i < COUNT(scales); i++) {
		for (unsigned axis = 0; axis < 3; axis++)
			attack.direction[axis] = (float)((double)as_it_is.direction[axis] * scales[i]);
		assert_int_equal(judge(&range, &attack).judged,
				 scales[i] > 0 ? PG_WORLD_JUDGED_HIT : PG_WORLD_JUDGED_MISS);
	}
	memcpy(attack.direction, (float[]){0, -0.0F, 0}, sizeof(attack.direction));
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_DIRECTION);
	memcpy(attack.direction, (float[]){NAN, 1, 0}, sizeof(attack.direction));
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_DIRECTION);
	memcpy(attack.direction, (float[]){0, INFINITY, 0}, sizeof(attack.direction));
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_NO_DIRECTION);
	memcpy(attack.direction, (float[]){FLT_TRUE_MIN, 0, 0}, sizeof(attack.direction));
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_MISS);
	memcpy(attack.direction, (float[]){FLT_MAX, -FLT_MAX, FLT_MAX}, sizeof(attack.direction));
	assert_int_equal(judge(&range, &attack).judged, PG_WORLD_JUDGED_MISS);
	free(range.part);
}

static void attackers_do_not_hit_themselves(void **state UNUSED)
{
	struct range range = range_make(100, 0, 40);
	struct world_attack attack = shot(&range, ago(&range, 2, 0), 0, 1000);

	attack.target = WORLD_NOBODY;
	assert_int_equal(judge(&range, &attack).who, who(&range, RUNNER)); // the ray begins within the archer
	free(range.part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_attack_is_judged_by_the_very_moment_that_was_seen),
		cmocka_unit_test(what_a_client_can_see_is_never_clamped),
		cmocka_unit_test(older_moments_are_clamped_to_what_can_have_been_seen),
		cmocka_unit_test(who_claims_to_have_seen_what_is_to_come_is_judged_by_the_newest_frame),
		cmocka_unit_test(what_was_seen_before_a_rerank_is_judged_after_it),
		cmocka_unit_test(a_moment_is_told_by_the_lower_bits_of_its_tick),
		cmocka_unit_test(each_outcome_says_why),
		cmocka_unit_test(who_was_not_there_is_no_target),
		cmocka_unit_test(a_part_that_is_behind_is_judged_by_its_newest_frame),
		cmocka_unit_test(a_direction_is_of_any_length_but_none),
		cmocka_unit_test(attackers_do_not_hit_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
