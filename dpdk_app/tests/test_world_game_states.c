// SPDX-License-Identifier: BSD-3-Clause
// test_world_game_states.c: what games say of entities beside where they are: once, when it changes, and again if it was lost.

#include "unit.h"

#include <string.h>

#include "world/observer_states.h"
#include "world_sight.h"

#define HEARD_TICKS 20 // there, back and more

static struct sight *quiet(void)
{
	struct sight *sight = open_sight("auto", (struct weather){.delay = 2, .room = ROOM, .slots = 32}, 1);

	pass(sight, 1);
	return sight;
}

static void see(struct sight *sight, unsigned slot, world_reference who)
{
	observer_enter(sight->observer, &sight->parts, slot, who);
}

static void lose(struct sight *sight, unsigned ticks)
{
	sight->weather.lost_down = 1000;
	pass(sight, ticks);
	sight->weather.lost_down = 0;
}

static void test_a_world_without_states_is_never_unsure(UNUSED void **state)
{
	struct sight *sight = quiet();

	for (unsigned slot = 0; slot < 32; slot++)
		see(sight, slot, world_refer(slot % PARTS, slot));
	for (unsigned i = 0; i < 100; i++) {
		pass(sight, 1);
		assert_int_equal(sight->observer->unsure, 0);
	}
	assert_int_equal(sight->observer->stated, 0);
	assert_int_equal(sight->game_states, 0);
	close_sight(sight);
}

static void test_who_comes_is_told_with_its_state_once(UNUSED void **state)
{
	struct sight *sight = quiet();

	say_state_of(sight, world_refer(0, 7), 32);
	say_state_of(sight, world_refer(1, 9), 5);
	see(sight, 3, world_refer(0, 7));
	see(sight, 4, world_refer(1, 9));
	pass(sight, 3);
	assert_true(has_newest_state(sight, 3) && has_newest_state(sight, 4));
	assert_int_equal(sight->client.slot[4].state_bytes, 5);
	pass(sight, 200);
	assert_int_equal(sight->game_states, 2);
	assert_int_equal(sight->observer->unsure, 0);
	close_sight(sight);
}

static void test_a_change_is_told_once(UNUSED void **state)
{
	struct sight *sight = quiet();

	see(sight, 3, world_refer(0, 7));
	see(sight, 4, world_refer(1, 9));
	pass(sight, HEARD_TICKS);
	say_state_of(sight, world_refer(1, 9), 12);
	pass(sight, 3);
	assert_true(has_newest_state(sight, 4));
	pass(sight, 200);
	assert_int_equal(sight->game_states, 1);
	assert_int_equal(sight->fulls, 2);
	walkers_say(sight->walkers[1], 9, "", 0);
	pass(sight, HEARD_TICKS);
	assert_int_equal(sight->client.slot[4].state_bytes, 0);
	assert_int_equal(sight->game_states, 2);
	close_sight(sight);
}

static void test_the_same_again_is_no_change(UNUSED void **state)
{
	struct sight *sight = quiet();

	see(sight, 4, world_refer(1, 9));
	for (unsigned i = 0; i < 10; i++) {
		walkers_say(sight->walkers[1], 9, "\1\2\3\4", 4);
		walkers_say(sight->walkers[0], 9, "", 0);
	}
	assert_int_equal(sight->parts.part[1]->stated, 1);
	assert_int_equal(sight->parts.part[0]->stated, 0);
	close_sight(sight);
}

static void test_what_was_lost_comes_again(UNUSED void **state)
{
	struct sight *sight = quiet();

	say_state_of(sight, world_refer(0, 7), 32);
	see(sight, 3, world_refer(0, 7));
	lose(sight, 1); // with the FULL
	pass(sight, HEARD_TICKS);
	assert_true(has_newest_state(sight, 3));
	assert_int_equal(sight->game_states, 2);
	say_state_of(sight, world_refer(0, 7), 32);
	lose(sight, 1); // alone
	pass(sight, HEARD_TICKS);
	assert_true(has_newest_state(sight, 3));
	assert_int_equal(sight->game_states, 4);
	close_sight(sight);
}

/// An older one arrives and is acknowledged, the newest is lost.
static void test_an_acknowledgement_is_of_the_state_that_was_told_then(UNUSED void **state)
{
	struct sight *sight = quiet();

	see(sight, 3, world_refer(0, 7));
	pass(sight, HEARD_TICKS);
	say_state_of(sight, world_refer(0, 7), 8);
	pass(sight, 1);
	say_state_of(sight, world_refer(0, 7), 9);
	lose(sight, 1);
	pass(sight, 4);
	assert_int_equal(sight->client.slot[3].state_bytes, 8);
	assert_int_not_equal(sight->observer->unsure, 0);
	pass(sight, HEARD_TICKS);
	assert_int_equal(sight->client.slot[3].state_bytes, 9);
	close_sight(sight);
}

/// Nothing is said of who is in a slot before the client is known to have that one, but with the FULL.
static void test_another_one_in_the_slot_has_not_the_state_of_the_one_before(UNUSED void **state)
{
	struct sight *sight = quiet();

	say_state_of(sight, world_refer(0, 7), 32);
	see(sight, 3, world_refer(0, 7));
	pass(sight, HEARD_TICKS);
	see(sight, 3, world_refer(1, 9));
	lose(sight, 1);
	say_state_of(sight, world_refer(1, 9), 32); // its FULL is on its way, for all that is known
	pass(sight, 3);
	assert_int_equal(sight->client.slot[3].number, number_of(sight, world_refer(0, 7)));
	pass(sight, HEARD_TICKS);
	assert_true(has_newest_state(sight, 3));
	see(sight, 3, world_refer(0, 11));
	pass(sight, HEARD_TICKS);
	assert_false(sight->client.slot[3].has_state);
	close_sight(sight);
}

static void test_who_comes_back_without_a_state_has_none(UNUSED void **state)
{
	struct sight *sight = quiet();

	say_state_of(sight, world_refer(0, 7), 32);
	see(sight, 3, world_refer(0, 7));
	pass(sight, HEARD_TICKS);
	observer_leave(sight->observer, 3);
	lose(sight, 1); // the EMPTY
	walkers_say(sight->walkers[0], 7, "", 0);
	see(sight, 3, world_refer(0, 7));
	pass(sight, HEARD_TICKS);
	assert_true(has_newest_state(sight, 3));
	assert_int_equal(sight->client.slot[3].state_bytes, 0);
	close_sight(sight);
}

static void test_a_number_that_is_given_again_has_no_state(UNUSED void **state)
{
	struct sight *sight = quiet();
	struct walkers *walkers = sight->walkers[0];
	const uint32_t number = walkers->part.number[7];
	struct world_game_said said;

	say_state_of(sight, world_refer(0, 7), 32);
	walkers_remove(walkers, 7);
	assert_true(world_game_state_read(&walkers->part, number, 1000 + number, &said));
	assert_int_equal(said.length, 0);
	world_game_state_set(&walkers->part, number, 55, (const uint8_t *)"\1\2\3\4", 4);
	assert_false(world_game_state_read(&walkers->part, number, 1000 + number, &said));
	assert_true(world_game_state_read(&walkers->part, number, 55, &said));
	close_sight(sight);
}

/// So many that the version on the wire is the same again.
static void test_versions_come_round(UNUSED void **state)
{
	struct sight *sight = quiet();
	const struct client_slot *has = &sight->client.slot[3];

	say_state_of(sight, world_refer(0, 7), 8);
	see(sight, 3, world_refer(0, 7));
	pass(sight, HEARD_TICKS);

	const uint8_t version = has->state_version;

	for (unsigned i = 1; i <= 256; i++) {
		const struct saying_of of = {.number = number_of(sight, world_refer(0, 7)), .revision = 1000 + i};

		walkers_say(sight->walkers[0], 7, &of, 8);
	}
	pass(sight, HEARD_TICKS);
	assert_int_equal(has->state_version, version);
	assert_true(has_newest_state(sight, 3));
	close_sight(sight);
}

/// Of the sequence, too, which never says again that there is none.
static void test_sequences_come_round(UNUSED void **state)
{
	struct sight *sight = quiet();
	struct walkers *walkers = sight->walkers[0];

	see(sight, 3, world_refer(0, 7));
	walkers->states.of[walkers->part.number[7] - walkers->states.first].sequence = UINT32_MAX - 3;
	walkers->part.stated = UINT32_MAX - 1;
	for (unsigned i = 0; i < 4; i++) {
		say_state_of(sight, world_refer(0, 7), 8);
		pass(sight, HEARD_TICKS);
		assert_true(has_newest_state(sight, 3));
		assert_int_not_equal(walkers->part.stated, 0);
	}
	assert_int_equal(walkers->states.of[walkers->part.number[7] - walkers->states.first].sequence, 6);
	close_sight(sight);
}

/// Another worker is in the middle of it.
static void test_what_is_being_written_is_told_later(UNUSED void **state)
{
	struct sight *sight = quiet();
	struct walkers *walkers = sight->walkers[0];
	struct world_game_state *at = &walkers->states.of[walkers->part.number[7] - walkers->states.first];

	see(sight, 3, world_refer(0, 7));
	pass(sight, HEARD_TICKS);
	say_state_of(sight, world_refer(0, 7), 8);
	at->sequence++;
	pass(sight, HEARD_TICKS);
	assert_int_equal(sight->game_states, 0);
	at->sequence++;
	pass(sight, HEARD_TICKS);
	assert_int_equal(sight->game_states, 1);
	assert_true(has_newest_state(sight, 3));
	close_sight(sight);
}

/// Where everybody is comes first, and yet everybody's state comes.
static void test_states_wait_for_room_but_not_for_ever(UNUSED void **state)
{
	struct sight *sight = quiet();

	sight->weather.room = 80;
	for (unsigned slot = 0; slot < 32; slot++)
		see(sight, slot, world_refer(slot % PARTS, slot));
	pass(sight, 100);
	for (unsigned slot = 0; slot < 32; slot++)
		say_state_of(sight, world_refer(slot % PARTS, slot), 32);
	pass(sight, 32 * 8 * 4);
	assert_true(sight->left_out > 0);
	for (unsigned slot = 0; slot < 32; slot++)
		assert_true(has_newest_state(sight, slot));
	assert_int_equal(sight->game_states, 32);
	close_sight(sight);
}

static void test_few_states_in_a_datagram(UNUSED void **state)
{
	struct sight *sight = quiet();

	for (unsigned slot = 0; slot < 32; slot++)
		see(sight, slot, world_refer(slot % PARTS, slot));
	pass(sight, 100);
	for (unsigned slot = 0; slot < 32; slot++)
		say_state_of(sight, world_refer(slot % PARTS, slot), 32);
	for (unsigned i = 1; i <= 4; i++) {
		pass(sight, 1);
		assert_int_equal(sight->game_states, OBSERVER_STATES_MAX * i);
	}
	pass(sight, HEARD_TICKS);
	assert_int_equal(sight->game_states, 32);
	close_sight(sight);
}

/// Losses, overtaking, who comes and goes, re-ranks, epochs: in the end the client has what the game said last of everybody, and
/// at no time what it said of somebody else.
static void test_weather(UNUSED void **state)
{
	static const struct weather weathers[] = {
		{.lost_down = 100,
		 .lost_up = 100,
		 .delay = 3,
		 .spread = 6,
		 .changes = 10,
		 .comes = 100,
		 .rerank = 40,
		 .says = 600,
		 .room = ROOM,
		 .slots = 32},
		{.lost_down = 20,
		 .lost_up = 20,
		 .delay = 2,
		 .spread = 2,
		 .changes = 40,
		 .comes = 300,
		 .rerank = 50,
		 .epochs = 10,
		 .says = 1000,
		 .room = 120,
		 .slots = 32,
		 .paces = true},
		{.lost_down = 300,
		 .lost_up = 300,
		 .delay = 8,
		 .spread = 8,
		 .changes = 4,
		 .comes = 50,
		 .rerank = 60,
		 .says = 300,
		 .skips = 300,
		 .room = 300,
		 .slots = 12},
	};

	for (unsigned i = 0; i < sizeof(weathers) / sizeof(weathers[0]); i++)
		for (uint64_t seed = 1; seed <= 2; seed++) {
			struct sight *sight = open_sight("auto", weathers[i], seed);

			pass(sight, 600);
			assert_true(sight->game_states >= 5);
			comes_to_rest(sight);
			assert_int_equal(sight->observer->unsure, 0);
			close_sight(sight);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_world_without_states_is_never_unsure),
		cmocka_unit_test(test_who_comes_is_told_with_its_state_once),
		cmocka_unit_test(test_a_change_is_told_once),
		cmocka_unit_test(test_the_same_again_is_no_change),
		cmocka_unit_test(test_what_was_lost_comes_again),
		cmocka_unit_test(test_an_acknowledgement_is_of_the_state_that_was_told_then),
		cmocka_unit_test(test_another_one_in_the_slot_has_not_the_state_of_the_one_before),
		cmocka_unit_test(test_who_comes_back_without_a_state_has_none),
		cmocka_unit_test(test_a_number_that_is_given_again_has_no_state),
		cmocka_unit_test(test_versions_come_round),
		cmocka_unit_test(test_sequences_come_round),
		cmocka_unit_test(test_what_is_being_written_is_told_later),
		cmocka_unit_test(test_states_wait_for_room_but_not_for_ever),
		cmocka_unit_test(test_few_states_in_a_datagram),
		cmocka_unit_test(test_weather),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
