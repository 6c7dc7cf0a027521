// SPDX-License-Identifier: BSD-3-Clause
// test_connection.c: the life of a connection: replaced, moved, closed, swept; and no nonce twice.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "session/path.h"
#include "watched.h"

static struct handshake_outcome control(const struct player *player, const struct peer *from, enum session_kind kind,
					const void *body, uint16_t body_len)
{
	uint8_t opened[PLAYER_BUFFER] = {(uint8_t)kind};
	uint8_t *copy = malloc(SESSION_AROUND + body_len); // of exactly its size
	struct handshake_outcome outcome;

	assert_non_null(copy);
	memcpy(opened + sizeof(struct session_header), body, body_len);
	memcpy(copy, opened, SESSION_AROUND + body_len);
	outcome = handshake_control(fixture->shard[0], slot_of(player), from, copy,
				    (uint16_t)(SESSION_AROUND + body_len), fixture->now);
	free(copy);
	return outcome;
}

// ---------------------------------------------------------------- replaced

static void who_confirms_from_elsewhere_replaces_who_was_there(void **state UNUSED)
{
	struct player before = connected_player(), after = before;

	fixture_wait(fixture, 50);
	after.peer = peer_at(0x14000063, 7000, 0);
	assert_true(fixture_connect(fixture, 0, &after));
	assert_memory_not_equal(before.server_nonce, after.server_nonce, SESSION_NONCE_LEN);
	assert_true(peer_equal(&fixture_record(fixture, &after)->peer, &after.peer));
	assert_told(&before, &before.peer, SESSION_CLOSED_REPLACED); // under the old keys
	assert_int_equal(fixture->stats[0].closed[SESSION_CLOSED_REPLACED], 1);
	assert_int_equal(fixture->stats[0].connected, 1);
	assert_int_equal(fixture->stats[0].connections, 2);
}

static void who_starts_again_at_the_same_address_is_not_told_of_himself(void **state UNUSED)
{
	struct player player = connected_player();

	fixture_wait(fixture, 50);
	assert_true(fixture_connect(fixture, 0, &player));
	assert_int_equal(fixture->shard[0]->outbox.count, 0);
	assert_int_equal(fixture->stats[0].closed[SESSION_CLOSED_REPLACED], 1);
}

static void a_new_connection_remembers_nothing_of_the_last(void **state UNUSED)
{
	struct player player = connected_player();
	struct session_record *record = fixture_record(fixture, &player);

	replay_mark(&record->replay, 1000);
	record->taken = (struct taken){1000, 7};
	record->taken_at = fixture->now;
	record->tx_counter = 5000;
	record->ids = (struct delivery_ids){.tx = {0, 9}, .rx = {0, 0, 8}};
	record->seen = RECORD_SEEN_STORED;
	record->epoch = 3;
	fixture_wait(fixture, 50);
	assert_true(fixture_connect(fixture, 0, &player));
	assert_int_equal(player.welcome.header.counter, 1);
	assert_int_equal(record->taken.newest | record->taken.bits | record->taken_at, 0);
	assert_true(replay_fresh(&record->replay, 1));
	assert_int_equal(record->ids.tx[1] | record->ids.rx[2] | record->seen | record->epoch, 0);
}

// ---------------------------------------------------------------- moved

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

static void a_path_is_challenged_once_a_second_at_most(void **state UNUSED)
{
	const struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	unsigned sent = 0;

	for (unsigned ms = 0; ms < 5000; ms += 10) {
		sent += challenged(&player, &there);
		fixture_wait(fixture, 10);
	}
	assert_uint_in_range(sent, 4, 5);
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

static void control_datagrams_of_any_other_length_are_refused(void **state UNUSED)
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
	memset(body, 0, sizeof(body));
	body[0] = SESSION_CLOSED_LEFT;
	for (uint16_t length = 0; length <= (uint16_t)sizeof(body); length++) {
		if (length != sizeof(struct session_close_body))
			assert_int_equal(control(&player, &player.peer, SESSION_CLOSE, body, length).drop,
					 PG_DROP_SESSION_HEADER);
	}
	assert_int_equal(fixture_record(fixture, &player)->phase, RECORD_CONNECTED);
	assert_true(peer_equal(&fixture_record(fixture, &player)->peer, &player.peer));
}

static void kinds_that_no_client_sends_are_refused_sealed_too(void **state UNUSED)
{
	struct player player = connected_player();
	uint8_t body[8] = {SESSION_CLOSED_LEFT};

	for (unsigned kind = 0; kind < 256; kind++)
		if (kind != SESSION_CLOSE && kind != SESSION_PATH_RESPONSE)
			assert_int_equal(control(&player, &player.peer, (enum session_kind)kind, body, 8).drop,
					 PG_DROP_SESSION_STATE);
	assert_int_equal(fixture_record(fixture, &player)->phase, RECORD_CONNECTED);
}

// ---------------------------------------------------------------- closed

/// In the lines that are its own.
static void assert_no_key_is_left(uint32_t slot)
{
	const struct session_keys keys = store_keys(&fixture->store, slot);
	static const uint8_t nothing[CACHE_LINE];

	for (uint32_t rest = fixture->store.keys.places.kept; rest; rest &= rest - 1) {
		const size_t at = (size_t)__builtin_ctz(rest) * CACHE_LINE;

		assert_memory_equal((const uint8_t *)keys.open + at, nothing, CACHE_LINE);
		assert_memory_equal((const uint8_t *)keys.seal + at, nothing, CACHE_LINE);
	}
}

static void who_leaves_is_gone_and_may_come_again(void **state UNUSED)
{
	struct player player = connected_player();
	const struct session_close_body body = {.reason = SESSION_CLOSED_LEFT};
	const struct handshake_outcome outcome = control(&player, &player.peer, SESSION_CLOSE, &body, sizeof(body));

	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_int_equal(outcome.message, PG_MESSAGE_SESSION_CLOSE);
	assert_int_equal(outcome.answer, 0);
	assert_nobody_is_connected(&player);
	assert_int_equal(fixture->shard[0]->outbox.count, 0); // the player knows
	assert_int_equal(fixture->stats[0].closed[SESSION_CLOSED_LEFT], 1);
	assert_no_key_is_left(slot_of(&player));
	fixture_wait(fixture, 1);
	assert_true(fixture_connect(fixture, 1, &player)); // by another worker, even
	assert_int_equal(fixture_record(fixture, &player)->owner, 1);
}

static void a_close_with_no_reason_or_with_rubbish_behind_it_is_refused(void **state UNUSED)
{
	static const uint8_t bad[][4] = {{0, 0, 0, 0}, {10, 0, 0, 0}, {255, 0, 0, 0}, {1, 1, 0, 0}, {1, 0, 0, 1}};
	struct player player = connected_player();

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(control(&player, &player.peer, SESSION_CLOSE, bad[i], sizeof(bad[i])).drop,
				 PG_DROP_SESSION_HEADER);
	assert_int_equal(fixture_record(fixture, &player)->phase, RECORD_CONNECTED);
}

static void the_silent_are_closed_as_idle(void **state UNUSED)
{
	struct player player = connected_player();

	fixture_wait(fixture, 29999);
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 0);
	fixture_wait(fixture, 2);
	assert_int_equal(connection_sweep(fixture->shard[1], fixture->now, 16), 0); // another worker's
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_IDLE);
	assert_nobody_is_connected(&player);
}

static void the_expired_are_closed_as_expired(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 5, false);

	assert_true(fixture_connect(fixture, 0, &player));
	fixture_wait(fixture, 4900);
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 0);
	fixture_wait(fixture, 200);
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_EXPIRED);
	assert_nobody_is_connected(&player);
}

static void the_revoked_are_closed_as_revoked(void **state UNUSED)
{
	struct player player = connected_player();

	assert_true(pg_session_revoke(fixture->state, player.session));
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_REVOKED);
	assert_nobody_is_connected(&player);
}

static void a_sweep_looks_at_no_more_than_its_budget(void **state UNUSED)
{
	for (uint32_t id = 1; id <= 10; id++) {
		struct player player = fixture_issue(fixture, id, 600, false);

		assert_true(fixture_connect(fixture, 0, &player));
	}
	fixture_wait(fixture, 31000);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 2), 2);
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 2), 0);
}

static void a_sweep_waits_for_room_in_the_outbox(void **state UNUSED)
{
	struct player player = connected_player();
	struct outbox *outbox = &fixture->shard[0]->outbox;

	outbox->count = OUTBOX_SIZE;
	fixture_wait(fixture, 31000);
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 0);
	outbox->count = 0;
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(who_confirms_from_elsewhere_replaces_who_was_there),
		fixture_test(who_starts_again_at_the_same_address_is_not_told_of_himself),
		fixture_test(a_new_connection_remembers_nothing_of_the_last),
		fixture_test(an_answered_path_challenge_moves_the_connection),
		fixture_test(a_path_response_from_anywhere_else_is_refused),
		fixture_test(a_path_response_with_another_token_is_refused),
		fixture_test(a_path_is_challenged_once_a_second_at_most),
		fixture_test(one_path_after_another_is_challenged_at_once),
		fixture_test(a_late_path_response_does_not_keep_a_player_from_where_he_is),
		fixture_test(nobody_takes_his_challenge_away_from_a_player),
		fixture_test(whoever_copies_datagrams_and_carries_a_challenge_has_the_answers_until_the_player_answers),
		fixture_test(whoever_is_slower_than_the_player_gets_nothing),
		fixture_test(a_suspected_player_who_really_moves_is_believed_when_the_old_address_is_silent),
		fixture_test(suspicion_ends_after_a_minute_and_with_the_connection),
		fixture_test(control_datagrams_of_any_other_length_are_refused),
		fixture_test(kinds_that_no_client_sends_are_refused_sealed_too),
		fixture_test(who_leaves_is_gone_and_may_come_again),
		fixture_test(a_close_with_no_reason_or_with_rubbish_behind_it_is_refused),
		fixture_test(the_silent_are_closed_as_idle),
		fixture_test(the_expired_are_closed_as_expired),
		fixture_test(the_revoked_are_closed_as_revoked),
		fixture_test(a_sweep_looks_at_no_more_than_its_budget),
		fixture_test(a_sweep_waits_for_room_in_the_outbox),
	};

	return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
