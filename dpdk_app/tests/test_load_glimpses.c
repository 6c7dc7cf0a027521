// SPDX-License-Identifier: BSD-3-Clause
// test_load_glimpses.c: what `pollgate load` makes of glimpses: where they are of, and how long somebody goes without one.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "load/pace.h"
#include "load/world_model.h"

#define TICK_HZ 20
#define SHIFT 13 // 82 m
#define QUANTUM_M 0.01
#define RADIUS 5000 // quanta
#define HAS_SLOT_AT 5500
#define HAS_NONE_AT 6000
#define ALL_AT 5000
#define NUMBER_OF(player) ((player) + 10)
#define UNKNOWN_NUMBER 99
#define STATE_BYTES 200

enum { OBSERVER, HAS_SLOT, HAS_NONE, PLAYERS };

struct fixture {
	struct pg_load_page page;
	struct walks walks;
	struct world_model *model;
	struct world_view *view;
	uint64_t began; // TSC of tick 0
	uint8_t strip[16];
};

static struct fixture *f;

static uint64_t at(uint32_t tick)
{
	return f->began + tick * (pg_tsc_hz() / TICK_HZ);
}

static int begin(void **state UNUSED)
{
	const struct pg_load_plan plan = {
		.players = PLAYERS,
		.first_player_id = 1,
		.world = {.walk = PG_LOAD_SPREAD,
			  .ground_m = 100,
			  .middle_m = {50, 50, 0},
			  .radius_m = RADIUS * (float)QUANTUM_M,
			  .leave_radius_m = RADIUS * (float)QUANTUM_M,
			  .hysteresis = 1,
			  .extrapolate_ms = 250,
			  .glimpses = 1,
			  .budget_kbps = 128},
	};
	const struct walk_rules walk = {.ground_m = 100, .speed_mps = 0.01F, .standing = 1};
	const struct world_view_rules rules = {0};

	f = calloc(1, sizeof(*f));
	if (!f || !walks_open(&f->walks, &walk, PLAYERS, 1))
		return -1;
	f->began = pg_tsc();
	f->model = world_model_open(&plan, &f->page, &f->walks);
	f->view = calloc(1, world_view_size(&rules));
	if (!f->model || !f->view)
		return -1;
	world_view_make(f->view, &rules);
	f->view->world = (struct world_known){.any = true,
					      .epoch = 1,
					      .tick_hz = TICK_HZ,
					      .cell_shift = SHIFT,
					      .slots = 1,
					      .quantum_um = 10000,
					      .radius = RADIUS,
					      .tick = 1};
	f->view->slot[0] =
		(struct world_slot){.occupied = true, .who = {NUMBER_OF(HAS_SLOT), 1 + HAS_SLOT, WORLD_PLAYER}};
	for (uint32_t player = 0; player < PLAYERS; player++)
		world_model_connected(f->model, player, true, at(0));
	return 0;
}

static int end(void **state UNUSED)
{
	world_model_close(f->model);
	walks_close(&f->walks);
	free(f->view);
	free(f);
	return 0;
}

/// All stand, and the gateway hears it at once.
static void stand(uint32_t tick, int32_t last_x)
{
	const int32_t x[PLAYERS] = {ALL_AT, HAS_SLOT_AT, last_x};

	for (uint32_t player = 0; player < PLAYERS; player++) {
		const float motion[6] = {(float)x[player] * (float)QUANTUM_M, ALL_AT * (float)QUANTUM_M};

		world_model_said(f->model, player, motion, tick, at(tick));
		world_model_arrived(f->model, player, tick, at(tick));
	}
}

/// One of this number is seen there in this tick.
static void show(uint32_t number, int32_t x)
{
	const struct world_strip strip = {.cell_x = (uint16_t)(x >> SHIFT), .glimpses = 1};
	const uint64_t bits = number | (uint64_t)(x >> (SHIFT - 8) & 0xff) << WORLD_NUMBER_BITS |
			      (uint64_t)(ALL_AT >> (SHIFT - 8)) << (WORLD_NUMBER_BITS + 8);

	memcpy(f->strip, &strip, sizeof(strip));
	memcpy(f->strip + sizeof(strip), &bits, sizeof(bits));
	f->view->body.strips = 1;
	f->view->body.strips_at = f->strip;
}

static void tell(uint32_t tick)
{
	f->view->body.tick = (uint16_t)tick;
	f->view->body.epoch = 1;
	f->view->newest = tick;
	world_model_told(f->model, OBSERVER, f->view, STATE_BYTES, at(tick) + 1);
	f->view->body.strips = 0;
	if (tick == 1)
		for (uint32_t player = 0; player < PLAYERS; player++)
			world_glimpses_named(f->model, NUMBER_OF(player), player);
}

/// For ten seconds, and the one without a slot is seen every so many ticks (0: never).
static const struct pg_load_world_counts *watch(uint32_t number, int32_t x, int32_t shown_at, uint32_t every)
{
	for (uint32_t tick = 1; tick <= 10 * TICK_HZ; tick++) {
		stand(tick, x);
		if (every != 0 && tick % every == 0)
			show(number, shown_at);
		tell(tick);
	}
	world_model_turn(f->model, at(10 * TICK_HZ), true);
	return &f->page.counts.world;
}

static void who_is_seen_by_turns_is_in_order(void **state UNUSED)
{
	const struct pg_load_world_counts *counts = watch(NUMBER_OF(HAS_NONE), HAS_NONE_AT, HAS_NONE_AT, 3);

	assert_int_equal(counts->glimpses, 10 * TICK_HZ / 3);
	assert_true(counts->unseen > 5);
	assert_true(counts->unseen_max_ns < SECOND_NS / TICK_HZ * 3);
	assert_int_equal(counts->unseen_late, 0);
	assert_int_equal(counts->glimpses_wrong + counts->glimpses_beyond + counts->glimpses_unknown, 0);
}

static void who_is_never_seen_is_told_of(void **state UNUSED)
{
	const struct pg_load_world_counts *counts = watch(0, HAS_NONE_AT, 0, 0);

	assert_true(counts->unseen_late > 0);
	assert_true(counts->unseen_late < counts->unseen); // not at once
	assert_true(counts->unseen_max_ns > 5 * SECOND_NS);
}

static void where_strangers_are_nobody_knows_how_long_that_may_be(void **state UNUSED)
{
	stand(1, HAS_NONE_AT);
	tell(1);
	world_glimpses_named(f->model, UNKNOWN_NUMBER, PLAYERS);
	for (uint32_t tick = 2; tick <= 10 * TICK_HZ; tick++) {
		stand(tick, HAS_NONE_AT);
		tell(tick);
	}
	assert_true(f->page.counts.world.unseen_max_ns > 5 * SECOND_NS);
	assert_int_equal(f->page.counts.world.unseen_late, 0);
}

static void who_can_have_been_seen_in_what_was_lost_is_not_told_of(void **state UNUSED)
{
	for (uint32_t tick = 1; tick <= 10 * TICK_HZ; tick++) {
		stand(tick, HAS_NONE_AT);
		if (tick % 2 == 1)
			tell(tick);
	}
	assert_true(f->page.counts.world.unseen_max_ns > 5 * SECOND_NS);
	assert_int_equal(f->page.counts.world.unseen_late, 0);
}

static void a_glimpse_of_where_nobody_was_is_wrong(void **state UNUSED)
{
	const struct pg_load_world_counts *counts = watch(NUMBER_OF(HAS_NONE), HAS_NONE_AT, HAS_NONE_AT + 100, 3);

	assert_int_equal(counts->glimpses_wrong, counts->glimpses);
}

static void a_glimpse_from_too_far_is_told_of(void **state UNUSED)
{
	const int32_t far = ALL_AT + RADIUS + 2 * (1 << SHIFT);
	const struct pg_load_world_counts *counts = watch(NUMBER_OF(HAS_NONE), far, far, 3);

	assert_int_equal(counts->glimpses_wrong, 0);
	assert_true(counts->glimpses_beyond > counts->glimpses / 2);
	assert_int_equal(counts->unseen, 0);
}

static void a_number_that_nobody_knows_is_judged_by_nothing(void **state UNUSED)
{
	const struct pg_load_world_counts *counts = watch(UNKNOWN_NUMBER, HAS_NONE_AT, HAS_NONE_AT, 3);

	assert_int_equal(counts->glimpses, 0);
	assert_int_equal(counts->glimpses_unknown, 10 * TICK_HZ / 3);
}

int main(void)
{
#define GLIMPSES_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		GLIMPSES_TEST(who_is_seen_by_turns_is_in_order),
		GLIMPSES_TEST(who_is_never_seen_is_told_of),
		GLIMPSES_TEST(where_strangers_are_nobody_knows_how_long_that_may_be),
		GLIMPSES_TEST(who_can_have_been_seen_in_what_was_lost_is_not_told_of),
		GLIMPSES_TEST(a_glimpse_of_where_nobody_was_is_wrong),
		GLIMPSES_TEST(a_glimpse_from_too_far_is_told_of),
		GLIMPSES_TEST(a_number_that_nobody_knows_is_judged_by_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
