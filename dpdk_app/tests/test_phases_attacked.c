// SPDX-License-Identifier: BSD-3-Clause
// test_phases_attacked.c: key updates of the session profile while somebody forges flags, and while datagrams come in any order.

#include "unit.h"

#include "phases_talk.h"

static void flip(struct late *late)
{
	late->bytes[offsetof(struct session_header, flags)] ^= SESSION_FLAG_PHASE;
}

static void test_flipped_flags_change_nothing_and_delay_no_update(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);

	for (unsigned phase = 0; phase < 4; phase++) {
		for (unsigned i = 0; i < 100; i++) { // faster than the player, and at the same time
			struct late forged = a_late_one(g, &player);
			struct reply reply;

			flip(&forged);
			reply = arrives(g, &player, &forged);
			check_dropped(g, &reply, PG_DROP_BAD_TAG);
			player.sent--;
		}
		check_answered_in(g, &player, phase);
		player_seal_in(g->fixture, &player, phase + 1);
	}
}

static void test_flipped_flags_of_a_crowd_make_bounded_work(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player[32];
	struct session_shard *shard = g->fixture->shard[0];
	unsigned made = 0;

	for (unsigned i = 0; i < COUNT(player); i++)
		player[i] = connected(g, 1 + i);
	for (unsigned i = 0; i < COUNT(player); i++) {
		struct late forged = a_late_one(g, &player[i]);

		flip(&forged);
		assert_int_equal(arrives(g, &player[i], &forged).result, PG_DROP_BAD_TAG);
	}
	for (unsigned i = 0; i < PHASES_KEPT; i++)
		made += shard->phases.of[i].has_next;
	assert_int_equal(made, PHASES_MADE_AT_ONCE);
	fixture_wait(g->fixture, 10);
	for (unsigned i = 0; i < COUNT(player); i++) { // of those whose keys are there, all go on
		fixture_wait(g->fixture, 1);
		player_seal_in(g->fixture, &player[i], 1);
		check_answered_in(g, &player[i], 1);
	}
}

/// Whoever has tickets, or forges, asks for next keys until none are made: who is to follow the gateway does so all the same.
static void test_who_is_to_follow_does_not_wait_for_those_who_ask_for_keys(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1), greedy = connected(g, 2);
	struct late forged;
	unsigned refused = 0;

	make_due(g, &player);
	assert_int_equal(header_of(say(g, &player, true, a_request()).bytes).flags, 1);
	for (unsigned phase = 1; phase <= 2 * PHASES_MADE_AT_ONCE; phase++) {
		player_seal_in(g->fixture, &greedy, phase);
		refused += say(g, &greedy, true, a_request()).result == PG_DROP_BAD_TAG;
	}
	assert_int_equal(refused, PHASES_MADE_AT_ONCE);
	forged = a_late_one(g, &player);
	forged.bytes[forged.length - 1] ^= 1;
	flip(&forged);
	assert_int_equal(arrives(g, &player, &forged).result, PG_DROP_BAD_TAG);
	player.sent--;
	player_seal_in(g->fixture, &player, 1);
	check_answered_in(g, &player, 1);
}

static void test_reordered_datagrams_around_updates_are_all_taken(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	static struct late late[256];
	uint64_t seed = 11;

	for (unsigned i = 0; i < COUNT(late); i++) {
		if (i % 64 == 63)
			player_seal_in(g->fixture, &player, i / 64 + 1);
		late[i] = a_late_one(g, &player);
	}
	for (unsigned i = 8; i + 8 < COUNT(late); i++) { // within 16 that follow each other
		const unsigned j = i + random_below(&seed, 16 - (i - 8) % 16);
		const struct late other = late[j];

		late[j] = late[i];
		late[i] = other;
	}
	for (unsigned i = 0; i < COUNT(late); i++)
		assert_int_equal(arrives(g, &player, &late[i]).result, PG_DROP_NONE);
	assert_int_equal(g->fixture->stats[0].messages.received[PG_REQUEST_MOVE], COUNT(late));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_EVERY_WAY(test_flipped_flags_change_nothing_and_delay_no_update),
		BY_EVERY_WAY(test_flipped_flags_of_a_crowd_make_bounded_work),
		BY_EVERY_WAY(test_who_is_to_follow_does_not_wait_for_those_who_ask_for_keys),
		BY_EVERY_WAY(test_reordered_datagrams_around_updates_are_all_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
