// SPDX-License-Identifier: BSD-3-Clause
// test_moved.c: a connection moves to the address that answers a challenge, and back when the one before answers, too.

#include "unit.h"

#include <string.h>

#include "session/path.h"
#include "watched.h"

#define PATH_CHALLENGE_LEN (SESSION_AROUND + SESSION_PATH_TOKEN_LEN)

/// The token of a challenge that was just sent to `where`.
static void challenge(struct player *player, const struct peer *where, uint8_t token[SESSION_PATH_TOKEN_LEN])
{
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = path_challenge(fixture->shard[0], slot_of(player), where, datagram, fixture->now);

	assert_int_equal(length, PATH_CHALLENGE_LEN);
	assert_true(player_open(fixture, player, datagram, length));
	assert_int_equal(datagram[0], SESSION_PATH_CHALLENGE);
	memcpy(token, datagram + sizeof(struct session_header), SESSION_PATH_TOKEN_LEN);
}

static void an_answered_path_challenge_moves_the_connection(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	uint8_t token[SESSION_PATH_TOKEN_LEN];
	struct handshake_outcome outcome;

	challenge(&player, &there, token);
	assert_true(peer_equal(&fixture_record(fixture, &player)->peer, &player.peer)); // not before
	outcome = control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token));
	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_int_equal(outcome.message, PG_MESSAGE_SESSION_PATH_RESPONSE);
	assert_int_equal(outcome.answer, 0);
	assert_true(outcome.moved);
	assert_true(peer_equal(&fixture_record(fixture, &player)->peer, &there));
	assert_int_equal(fixture_record(fixture, &player)->phase, RECORD_CONNECTED);
	assert_int_equal(fixture->stats[0].path_changes, 1);
	outcome = control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)); // sent twice
	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_false(outcome.moved);
	assert_int_equal(fixture->stats[0].path_changes, 1);
}

static void a_path_response_from_anywhere_else_is_refused(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	const struct peer others[] = {player.peer, peer_at(0x14000064, 7000, 0), peer_at(0x14000063, 7001, 0),
				      peer_at(0x14000063, 7000, 1)};
	uint8_t token[SESSION_PATH_TOKEN_LEN];

	challenge(&player, &there, token);
	for (size_t i = 0; i < COUNT(others); i++)
		assert_int_equal(control(&player, &others[i], SESSION_PATH_RESPONSE, token, sizeof(token)).drop,
				 PG_DROP_BAD_PATH_RESPONSE);
	assert_true(peer_equal(&fixture_record(fixture, &player)->peer, &player.peer));
}

static void a_path_response_with_another_token_is_refused(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	uint8_t token[SESSION_PATH_TOKEN_LEN] = {0}, newer[SESSION_PATH_TOKEN_LEN];

	// nobody was challenged
	assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).drop,
			 PG_DROP_BAD_PATH_RESPONSE);
	challenge(&player, &there, token);
	for (size_t bit = 0; bit < sizeof(token) * 8; bit++) {
		token[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).drop,
				 PG_DROP_BAD_PATH_RESPONSE);
		token[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	fixture_wait(fixture, 1000);
	challenge(&player, &there, newer); // only the last one counts
	assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).drop,
			 PG_DROP_BAD_PATH_RESPONSE);
	fixture_wait(fixture, 4001); // and not for ever
	assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, newer, sizeof(newer)).drop,
			 PG_DROP_BAD_PATH_RESPONSE);
	assert_true(peer_equal(&fixture_record(fixture, &player)->peer, &player.peer));
}

/// Is a path challenged?
static bool challenged(const struct player *player, const struct peer *where)
{
	uint8_t datagram[PLAYER_BUFFER];

	return path_challenge(fixture->shard[0], slot_of(player), where, datagram, fixture->now) != 0;
}

static void a_path_is_challenged_again_four_times_a_second(void **state UNUSED)
{
	const struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	unsigned sent = 0;

	for (unsigned ms = 0; ms < 5000; ms += 10) {
		sent += challenged(&player, &there);
		fixture_wait(fixture, 10);
	}
	assert_int_equal(sent, 20);
	assert_int_equal(fixture->shard[0]->outbox.count, 20); // the proved one, too
}

static void whoever_lost_a_challenge_has_its_token_again_before_the_second_is_over(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	uint8_t lost[SESSION_PATH_TOKEN_LEN], token[SESSION_PATH_TOKEN_LEN];

	challenge(&player, &there, lost);
	fixture_wait(fixture, 250);
	challenge(&player, &there, token);
	assert_memory_equal(token, lost, sizeof(token));
	assert_true(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).moved);
}

static void who_answers_twice_after_a_move_is_not_suspected_at_the_next(void **state UNUSED)
{
	struct player player = connected_player();

	fixture_wait(fixture, 1000);
	for (unsigned i = 0; i < 50; i++) {
		const struct peer there = peer_at(0x14000063, (uint16_t)(7000 + i), 0);
		uint8_t token[SESSION_PATH_TOKEN_LEN];

		challenge(&player, &there, token);
		assert_true(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).moved);
		(void)control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)); // the challenge came twice
		fixture_wait(fixture, 200);
	}
	assert_int_equal(fixture->stats[0].path_changes, 50);
}

static void one_path_after_another_is_challenged_at_once(void **state UNUSED)
{
	struct player player = connected_player();

	for (unsigned i = 0; i < 50; i++) { // the player has another port every 200 ms
		const struct peer there = peer_at(0x14000063, (uint16_t)(7000 + i), 0);
		uint8_t token[SESSION_PATH_TOKEN_LEN];

		challenge(&player, &there, token);
		assert_false(challenged(&player, &there));
		assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).drop,
				 PG_DROP_NONE);
		assert_true(peer_equal(&fixture_record(fixture, &player)->peer, &there));
		fixture_wait(fixture, 200);
	}
	assert_int_equal(fixture->stats[0].path_changes, 50);
}

static void a_late_path_response_does_not_keep_a_player_from_where_he_is(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer before = peer_at(0x14000063, 7000, 0), there = peer_at(0x14000063, 7001, 0);
	uint8_t early[SESSION_PATH_TOKEN_LEN], token[SESSION_PATH_TOKEN_LEN];

	fixture_wait(fixture, 1000);
	challenge(&player, &before, early);
	challenge(&player, &there, token);
	assert_true(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).moved);
	assert_true(control(&player, &before, SESSION_PATH_RESPONSE, early, sizeof(early)).moved); // was held up
	challenge(&player, &there, token);
	assert_true(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).moved);
}

static void nobody_takes_his_challenge_away_from_a_player(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	uint8_t token[SESSION_PATH_TOKEN_LEN];

	fixture_wait(fixture, 1000);
	challenge(&player, &there, token);
	for (unsigned i = 0; i < 100; i++) { // copies of the player's datagrams, from everywhere, within a round trip
		const struct peer copied_to = peer_at(0x0a000000 + i, 9000, 0);

		assert_true(challenged(&player, &copied_to));
		fixture_wait(fixture, 1);
	}
	assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).drop, PG_DROP_NONE);
	assert_true(peer_equal(&fixture_record(fixture, &player)->peer, &there));
}

// ---------------------------------------------------------------- both addresses

/// The old address is asked as well: the token, as it leaves by the outbox.
static void old_challenge(struct player *player, uint8_t token[SESSION_PATH_TOKEN_LEN])
{
	struct outbox *outbox = &fixture->shard[0]->outbox;
	const struct outbox_entry *entry = outbox_oldest(outbox);
	uint8_t datagram[OUTBOX_PAYLOAD];

	assert_int_equal(outbox->count, 1);
	assert_true(peer_equal(&entry->peer, &fixture_record(fixture, player)->peer));
	assert_int_equal(entry->length, PATH_CHALLENGE_LEN);
	memcpy(datagram, entry->payload, entry->length);
	assert_true(player_open(fixture, player, datagram, entry->length));
	assert_int_equal(datagram[0], SESSION_PATH_CHALLENGE);
	memcpy(token, datagram + sizeof(struct session_header), SESSION_PATH_TOKEN_LEN);
	outbox_remove(outbox);
}

/// @return has the connection moved?
static bool respond(const struct player *player, const struct peer *from, const uint8_t token[SESSION_PATH_TOKEN_LEN])
{
	const struct handshake_outcome outcome =
		control(player, from, SESSION_PATH_RESPONSE, token, SESSION_PATH_TOKEN_LEN);

	assert_int_equal(outcome.drop, PG_DROP_NONE);
	return outcome.moved;
}

static bool is_at(const struct player *player, const struct peer *where)
{
	return peer_equal(&fixture_record(fixture, player)->peer, where);
}

/// A second later both are asked.
static void ask_both(struct player *player, const struct peer *there, uint8_t new[SESSION_PATH_TOKEN_LEN],
		     uint8_t old[SESSION_PATH_TOKEN_LEN])
{
	fixture_wait(fixture, 1000);
	challenge(player, there, new);
	old_challenge(player, old);
}

static void
whoever_copies_datagrams_and_carries_a_challenge_has_the_answers_until_the_player_answers(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer home = player.peer, thief = peer_at(0x14000063, 7000, 0);
	uint8_t new[SESSION_PATH_TOKEN_LEN], old[SESSION_PATH_TOKEN_LEN];
	unsigned moves = 0;

	ask_both(&player, &thief, new, old);
	assert_true(respond(&player, &thief, new)); // a little faster
	fixture_wait(fixture, 30);
	assert_true(respond(&player, &home, old));
	assert_true(is_at(&player, &home));
	for (unsigned second = 1; second < 59; second++) { // and then not even that
		ask_both(&player, &thief, new, old);
		moves += respond(&player, &thief, new);
		fixture_wait(fixture, 30);
		moves += respond(&player, &home, old);
	}
	assert_int_equal(moves, 0);
	assert_true(is_at(&player, &home));
}

static void whoever_is_slower_than_the_player_gets_nothing(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer home = player.peer, thief = peer_at(0x14000063, 7000, 0);
	uint8_t new[SESSION_PATH_TOKEN_LEN], old[SESSION_PATH_TOKEN_LEN];

	for (unsigned second = 0; second < 100; second++) {
		ask_both(&player, &thief, new, old);
		assert_false(respond(&player, &home, old));
		fixture_wait(fixture, 30);
		assert_false(respond(&player, &thief, new));
	}
	assert_true(is_at(&player, &home));
}

static void a_suspected_player_who_really_moves_is_believed_when_the_old_address_is_silent(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer home = player.peer, thief = peer_at(0x14000063, 7000, 0),
			  there = peer_at(0x14000064, 7000, 0);
	uint8_t new[SESSION_PATH_TOKEN_LEN], old[SESSION_PATH_TOKEN_LEN];

	ask_both(&player, &thief, new, old);
	assert_true(respond(&player, &thief, new));
	assert_true(respond(&player, &home, old)); // suspected from now on
	ask_both(&player, &there, new, old);       // nobody is at home any more
	fixture_wait(fixture, 30);
	assert_false(respond(&player, &there, new)); // too early to say
	ask_both(&player, &there, new, old);
	fixture_wait(fixture, 30);
	assert_true(respond(&player, &there, new));
	assert_true(is_at(&player, &there));
}

static void suspicion_ends_after_a_minute_and_with_the_connection(void **state UNUSED)
{
	for (unsigned again = 0; again < 2; again++) {
		struct player player = connected_player();
		const struct peer home = player.peer, thief = peer_at(0x14000063, 7000, 0);
		uint8_t new[SESSION_PATH_TOKEN_LEN], old[SESSION_PATH_TOKEN_LEN];

		ask_both(&player, &thief, new, old);
		assert_true(respond(&player, &thief, new));
		assert_true(respond(&player, &home, old));
		if (again) {
			fixture_wait(fixture, 50);
			assert_true(fixture_connect(fixture, 0, &player));
		} else {
			fixture_wait(fixture, 60000);
		}
		ask_both(&player, &thief, new, old);
		assert_true(respond(&player, &thief, new));
		connection_close(fixture->shard[0], slot_of(&player), SESSION_CLOSED_LEFT, fixture->now);
	}
}

static void a_path_response_of_any_other_length_is_refused(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	uint8_t body[64] = {0};

	challenge(&player, &there, body);
	for (uint16_t length = 0; length <= (uint16_t)sizeof(body); length++) {
		if (length != SESSION_PATH_TOKEN_LEN)
			assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, body, length).drop,
					 PG_DROP_SESSION_HEADER);
	}
	assert_int_equal(fixture_record(fixture, &player)->phase, RECORD_CONNECTED);
	assert_true(peer_equal(&fixture_record(fixture, &player)->peer, &player.peer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(an_answered_path_challenge_moves_the_connection),
		fixture_test(a_path_response_from_anywhere_else_is_refused),
		fixture_test(a_path_response_with_another_token_is_refused),
		fixture_test(a_path_is_challenged_again_four_times_a_second),
		fixture_test(whoever_lost_a_challenge_has_its_token_again_before_the_second_is_over),
		fixture_test(who_answers_twice_after_a_move_is_not_suspected_at_the_next),
		fixture_test(one_path_after_another_is_challenged_at_once),
		fixture_test(a_late_path_response_does_not_keep_a_player_from_where_he_is),
		fixture_test(nobody_takes_his_challenge_away_from_a_player),
		fixture_test(whoever_copies_datagrams_and_carries_a_challenge_has_the_answers_until_the_player_answers),
		fixture_test(whoever_is_slower_than_the_player_gets_nothing),
		fixture_test(a_suspected_player_who_really_moves_is_believed_when_the_old_address_is_silent),
		fixture_test(suspicion_ends_after_a_minute_and_with_the_connection),
		fixture_test(a_path_response_of_any_other_length_is_refused),
	};

	return cmocka_run_group_tests_name("moved", tests, NULL, NULL);
}
