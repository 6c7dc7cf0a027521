// SPDX-License-Identifier: BSD-3-Clause
// test_renames_crash.c: visible numbers after a crash, wherever a worker died in a change of them.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "renaming.h"
#include "session/renames.h"
#include "session/state.h"
#include "single_step.h"

// ---------------------------------------------------------------- after a crash

static void test_numbers_outlive_the_worker(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct reply reply;

	restart_workers(g);
	for (unsigned i = 0; i < 3; i++) {
		player_rename(&player);
		answered_under(g, &player);
		player.spare.number = 0; // if NUMBER came, it is lost
		restart_workers(g);
		reply = say_before(g, &player);
		assert_int_equal(reply.result, PG_DROP_NONE);
		assert_true(player_open(g->fixture, &player, reply.bytes, reply.length));
		assert_int_equal(player.heard_under, player.now.number);
		assert_int_equal(answered_under(g, &player), player.now.number);
		connection_sweep(g->fixture->shard[0], g->fixture->now, 16);
		await_spare(g, &player); // the same, told again
	}
	fixture_wait(g->fixture, 3100);
	reply = say_before(g, &player);
	check_dropped(g, &reply, PG_DROP_SESSION_UNKNOWN);
}

/// As where another version kept them in another way.
static void test_whose_numbers_are_lost_is_closed_as_restarted(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1), stays = connected(g, 2);

	player_rename(&player);
	answered_under(g, &player);
	memset(g->fixture->store.visible.of, 0, visible_size(PIPELINE_FIXTURE_CAPACITY));
	restart_workers(g);
	assert_int_equal(fixture_record(g->fixture, &player)->phase, RECORD_LOST);
	assert_int_equal(answered_under(g, &stays), stays.session);
	assert_int_equal(connection_sweep(g->fixture->shard[0], g->fixture->now, 16), 1);
	assert_int_equal(g->fixture->stats[0].closed[SESSION_CLOSED_RESTARTED], 1);
	fixture_wait(g->fixture, 5);
	assert_true(connect_by(g, 0, &player));
	player_rename(&player);
	assert_int_equal(answered_under(g, &player), player.now.number);
}

static void test_without_their_section_connections_go_on_and_have_no_spare(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct directory *directory = g->fixture->state;
	struct pg_error error;
	const struct state_shape shape = {16, FIXTURE_SHARDS, PIPELINE_FIXTURE_CAPACITY, 0};

	assert_string_equal(directory->section[directory->count - 1].name, "numbers");
	directory->count--;
	assert_int_equal(state_check(g->fixture->state, g->fixture->state_size, &shape, &error), PG_OK);
	restart_workers(g);
	assert_int_equal(answered_under(g, &player), player.session);
	fixture_wait(g->fixture, 5);
	assert_true(connect_by(g, 0, &player));
	assert_int_equal(player.welcome.spare, 0);
	assert_int_equal(answered_under(g, &player), player.session);
	directory->count++;
}

// ---------------------------------------------------------------- a crash, anywhere

#define CRASHES_MAX 512

/// All of it that the state file has, as each store left it.
static struct crash {
	struct session_record record;
	struct visible visible;
	uint64_t table[4 * PIPELINE_FIXTURE_CAPACITY];
} crashes[CRASHES_MAX];
static volatile size_t crash_count;
static const struct session_store *watched;
static uint32_t watched_slot;

static void look(struct crash *out)
{
	memset(out, 0, sizeof(*out));
	out->record = watched->records[watched_slot];
	out->visible = watched->visible.of[watched_slot];
	memcpy(out->table, watched->visible.table, sizeof(out->table));
}

static void after_an_instruction(int signal UNUSED)
{
	if (crash_count == CRASHES_MAX)
		abort();
	look(&crashes[crash_count]);
	if (memcmp(&crashes[crash_count], &crashes[crash_count - 1], sizeof(crashes[0])) != 0)
		crash_count++;
}

static void put_back(struct pipeline_fixture *g, const struct crash *crash)
{
	g->fixture->store.records[watched_slot] = crash->record;
	g->fixture->store.visible.of[watched_slot] = crash->visible;
	memcpy(g->fixture->store.visible.table, crash->table, sizeof(crash->table));
}

/// @param before  so many changes went before it
static void crash_in_a_change(struct pipeline_fixture *g, unsigned before)
{
	struct player player = connected(g, 1), was;

	for (unsigned i = 0; i < before; i++) {
		player_rename(&player);
		answered_under(g, &player);
		await_spare(g, &player);
	}
	player_rename(&player);
	watched = &g->fixture->store;
	watched_slot = slot_of(g, &player);
	assert_int_equal(watched->visible.mask + 1, COUNT(crashes[0].table));
	look(&crashes[0]);
	crash_count = 1;
	single_step(after_an_instruction);
	renames_take(g->fixture->shard[0], watched_slot, player.now.number, true, g->fixture->now);
	single_step_end();
	assert_true(crash_count > 5);
	was = player;
	for (size_t i = 0; i < crash_count; i++) {
		put_back(g, &crashes[i]);
		restart_workers(g);
		player = was;
		assert_int_equal(say_before(g, &player).result, PG_DROP_NONE); // whether it changed or not
		assert_int_equal(answered_under(g, &player), player.now.number);
		connection_sweep(g->fixture->shard[0], g->fixture->now, 16);
		await_spare(g, &player);
		player_rename(&player);
		assert_int_equal(answered_under(g, &player), player.now.number);
		was.sent = player.sent;
	}
}

static void test_a_crash_at_any_store_of_the_first_change_loses_neither_number(void **state)
{
	crash_in_a_change(*state, 0);
}

/// Where a number before is given up.
static void test_a_crash_at_any_store_of_a_later_change_loses_neither_number(void **state)
{
	crash_in_a_change(*state, 2);
}

static void test_a_crash_at_any_store_of_a_beginning_leaves_nothing_in_the_table(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1), was;

	player_rename(&player);
	answered_under(g, &player);
	await_spare(g, &player);
	watched = &g->fixture->store;
	watched_slot = slot_of(g, &player);
	look(&crashes[0]);
	crash_count = 1;
	single_step(after_an_instruction);
	renames_begin(g->fixture->shard[0], watched_slot);
	single_step_end();
	assert_true(crash_count > 5);
	was = player;
	for (size_t i = 0; i < crash_count; i++) {
		put_back(g, &crashes[i]);
		g->fixture->store.records[watched_slot].phase = RECORD_IDLE; // as it is then
		fixture_restart(g->fixture);
		use_shards(g);
		fixture_wait(g->fixture, 5);
		player = was;
		assert_true(connect_by(g, 0, &player));
		assert_int_equal(entries(g), 1);
		player_rename(&player);
		assert_int_equal(answered_under(g, &player), player.now.number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_EVERY_WAY(test_numbers_outlive_the_worker),
		BY_EVERY_WAY(test_whose_numbers_are_lost_is_closed_as_restarted),
		BY_EVERY_WAY(test_without_their_section_connections_go_on_and_have_no_spare),
		BY_WAY(test_a_crash_at_any_store_of_the_first_change_loses_neither_number, "common frames", WAY_COMMON),
		BY_WAY(test_a_crash_at_any_store_of_a_later_change_loses_neither_number, "common frames", WAY_COMMON),
		BY_WAY(test_a_crash_at_any_store_of_a_beginning_leaves_nothing_in_the_table, "common frames",
		       WAY_COMMON),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
