// SPDX-License-Identifier: BSD-3-Clause
// test_load_world.c: who is meant by what players of a world say, as `pollgate load` judges what they hear.

#include "unit.h"

#include <stdlib.h>

#include "load/world_play.h"
#include "wire/plain.h"

#define FIRST_PLAYER 100
#define RADIUS 50.0F
#define ATTACK_NUMBER 1

enum { ATTACKER, NEAR, FAR, VERY_FAR, PLAYERS };

static struct pg_load_page page;
static struct world_play *play;
static uint64_t began; // TSC

/// In a datagram of that number.
static void say(uint32_t player, float x, uint64_t datagram, uint64_t now)
{
	const struct plain_move move = {.motion.position = {x, 0, 0}};
	const struct message message = {.player = player, .type = PLAIN_MOVE};

	(void)world_play_said(play, &message, (const uint8_t *)&move, datagram, now);
}

/// The gateway has that.
static void say_where(uint32_t player, float x)
{
	say(player, x, 1, began - 10 * pg_tsc_hz());
	world_play_arrived(play, player, 1, began - 10 * pg_tsc_hz());
}

/// All have been there for some time.
static int begin(void **state UNUSED)
{
	const struct pg_load_plan plan = {
		.players = PLAYERS,
		.first_player_id = FIRST_PLAYER,
		.world = {.walk = PG_LOAD_SPREAD,
			  .ground_m = 1000,
			  .speed_mps = 2,
			  .radius_m = RADIUS,
			  .leave_radius_m = RADIUS,
			  .hearers = PLAYERS},
	};

	page = (struct pg_load_page){0};
	play = world_play_open(&plan, &page);
	if (!play)
		return -1;
	began = pg_tsc();
	say_where(ATTACKER, 0);
	say_where(NEAR, RADIUS / 2);
	say_where(FAR, 2 * RADIUS);
	say_where(VERY_FAR, 4 * RADIUS);
	return 0;
}

static int end(void **state UNUSED)
{
	world_play_close(play);
	return 0;
}

/// The gateway has taken it.
static void attack(uint32_t target)
{
	const struct plain_attack attack = {.target_id = target, .attack_id = ATTACK_NUMBER};
	const struct message message = {.player = ATTACKER, .type = PLAIN_ATTACK};

	assert_int_equal(world_play_players(play)->number(play), ATTACK_NUMBER);
	assert_int_equal(world_play_said(play, &message, (const uint8_t *)&attack, 2, pg_tsc()), ATTACK_NUMBER);
	world_play_taken(play, ATTACK_NUMBER, true, pg_tsc());
}

static void hear(uint32_t player, uint32_t target, uint32_t hit, bool is_player)
{
	const struct pgc_event event = {
		.type = PGC_EVENT_ATTACK,
		.player_id = FIRST_PLAYER + ATTACKER,
		.as.attack = {.target_id = target,
			      .attack_id = ATTACK_NUMBER,
			      .judged = PGC_HIT,
			      .is_player = is_player,
			      .who = hit},
	};

	world_play_event(play, player, &event, pg_tsc());
}

/// @return heard by who is not meant
static uint64_t strays(void)
{
	world_play_turn(play, pg_tsc(), true);
	return page.counts.world.events_stray;
}

static void everyone_near_is_meant_and_who_was_hit_from_further_away(void **state UNUSED)
{
	attack(0);
	hear(NEAR, 0, FIRST_PLAYER + FAR, true);
	hear(ATTACKER, 0, FIRST_PLAYER + FAR, true);
	hear(FAR, 0, FIRST_PLAYER + FAR, true);
	assert_int_equal(strays(), 0);
	assert_int_equal(page.counts.world.events_duplicated, 0);
}

static void who_is_further_away_and_was_not_hit_is_not_meant(void **state UNUSED)
{
	attack(0);
	hear(FAR, 0, FIRST_PLAYER + VERY_FAR, true);
	assert_int_equal(strays(), 1);
}

static void an_entity_with_a_players_number_is_no_player(void **state UNUSED)
{
	attack(0);
	hear(FAR, 0, FIRST_PLAYER + FAR, false);
	assert_int_equal(strays(), 1);
}

static void who_hears_it_twice_is_told_of(void **state UNUSED)
{
	attack(0);
	hear(FAR, 0, FIRST_PLAYER + FAR, true);
	hear(FAR, 0, FIRST_PLAYER + FAR, true);
	assert_int_equal(strays(), 0);
	assert_int_equal(page.counts.world.events_duplicated, 1);
}

static void who_is_aimed_at_and_who_was_hit_instead_are_meant(void **state UNUSED)
{
	attack(FIRST_PLAYER + VERY_FAR);
	hear(VERY_FAR, FIRST_PLAYER + VERY_FAR, FIRST_PLAYER + FAR, true);
	hear(FAR, FIRST_PLAYER + VERY_FAR, FIRST_PLAYER + FAR, true);
	hear(ATTACKER, FIRST_PLAYER + VERY_FAR, FIRST_PLAYER + FAR, true);
	assert_int_equal(strays(), 0);
	hear(NEAR, FIRST_PLAYER + VERY_FAR, FIRST_PLAYER + FAR, true);
	assert_int_equal(strays(), 1); // it is judged already
}

/// As players walk, and as far as they come in ten seconds of which nothing arrives.
static void walk(uint32_t player, float x, bool arrives)
{
	const struct pgc_event connected = {.type = PGC_EVENT_CONNECTED};

	world_play_event(play, player, &connected, began - 11 * pg_tsc_hz());
	say_where(player, x);
	say(player, x + 10, 2, pg_tsc());
	say(ATTACKER, 0, 2, pg_tsc());
	world_play_arrived(play, ATTACKER, 2, pg_tsc());
	if (arrives)
		world_play_arrived(play, player, 2, pg_tsc());
}

static void who_was_near_for_the_gateway_which_heard_nothing_of_them_since_is_meant(void **state UNUSED)
{
	walk(FAR, RADIUS - 5, false);
	attack(0);
	hear(FAR, 0, FIRST_PLAYER + VERY_FAR, true);
	assert_int_equal(strays(), 0);
}

static void who_was_near_and_is_known_to_have_walked_on_is_not_meant(void **state UNUSED)
{
	walk(FAR, RADIUS - 5, true);
	attack(0);
	hear(FAR, 0, FIRST_PLAYER + VERY_FAR, true);
	assert_int_equal(strays(), 1);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(everyone_near_is_meant_and_who_was_hit_from_further_away),
		WORLD_TEST(who_is_further_away_and_was_not_hit_is_not_meant),
		WORLD_TEST(an_entity_with_a_players_number_is_no_player),
		WORLD_TEST(who_hears_it_twice_is_told_of),
		WORLD_TEST(who_is_aimed_at_and_who_was_hit_instead_are_meant),
		WORLD_TEST(who_was_near_for_the_gateway_which_heard_nothing_of_them_since_is_meant),
		WORLD_TEST(who_was_near_and_is_known_to_have_walked_on_is_not_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
