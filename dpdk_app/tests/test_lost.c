// SPDX-License-Identifier: BSD-3-Clause
// test_lost.c: whoever talks to nobody is told so, and nobody else can tell him.

#include "unit.h"

#include <string.h>

#include "handshake_fixture.h"
#include "session/lost.h"

static uint16_t talk_on(struct player *player, const struct peer *from, uint8_t *datagram)
{
	static const uint8_t body[24];
	const uint16_t length = player_seal(fixture, player, SESSION_DATA, body, sizeof(body), datagram);

	return lost_answer(fixture->shard[0], fixture_slot(fixture, player), from, datagram, length, fixture->now);
}

static void end(const struct player *player, enum session_close_reason why)
{
	connection_close(fixture->shard[0], fixture_slot(fixture, player), why, fixture->now);
}

static bool is_reset_of(const struct player *player, const uint8_t *datagram, uint16_t length)
{
	struct session_reset reset;

	if (length != sizeof(reset))
		return false;
	memcpy(&reset, datagram, sizeof(reset));
	return reset.header.kind == SESSION_RESET && reset.header.length == length &&
	       reset.header.session == player->session &&
	       memcmp(reset.token, player->welcome.reset_token, sizeof(reset.token)) == 0;
}

static void drain(void)
{
	while (outbox_oldest(&fixture->shard[0]->outbox))
		outbox_remove(&fixture->shard[0]->outbox);
}

// ---------------------------------------------------------------- CLOSE, again

static void a_close_is_said_again_to_who_goes_on_talking_for_three_seconds(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER];
	unsigned closes = 0;

	assert_true(fixture_connect(fixture, 0, &player));
	end(&player, SESSION_CLOSED_REVOKED);
	for (unsigned ms = 0; ms < 4000; ms += 16) { // 60 datagrams a second
		const uint16_t length = talk_on(&player, &player.peer, datagram);

		if (length != 0 && datagram[0] == SESSION_CLOSE) {
			assert_true(ms < 3000);
			assert_true(player_open(fixture, &player, datagram, length));
			assert_int_equal(datagram[sizeof(struct session_header)], SESSION_CLOSED_REVOKED);
			closes++;
		}
		fixture_wait(fixture, 16);
	}
	assert_uint_in_range(closes, 20, 30); // ten a second
}

/// What is said again are the same bytes: nothing was sealed, and no key was kept for it.
static void nothing_of_the_keys_is_left_when_a_connection_has_ended(void **state UNUSED)
{
	static const uint8_t none[HASH_LEN];
	struct player player = fixture_issue(fixture, 7, 600, false);
	const struct session_record *record = fixture_record(fixture, &player);
	const uint32_t slot = fixture_slot(fixture, &player);
	uint8_t secret[HASH_LEN], datagram[PLAYER_BUFFER];
	uint16_t length;

	assert_true(fixture_connect(fixture, 0, &player));
	length = player_seal(fixture, &player, SESSION_DATA, "hello", 5, datagram);
	memcpy(secret, record->secret, sizeof(secret));
	assert_memory_not_equal(secret, none, sizeof(none));
	end(&player, SESSION_CLOSED_REVOKED);
	for (size_t at = 0; at + HASH_LEN <= fixture->state_size; at++)
		assert_memory_not_equal((const uint8_t *)fixture->state + at, secret, sizeof(secret));
	assert_false(cipher_open(&fixture->shard[0]->code, store_keys(&fixture->store, slot).open, 1, datagram,
				 sizeof(struct session_header), length));
}

static void only_the_address_of_the_connection_is_told_its_close_again(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	const struct peer elsewhere = peer_at(0x14000007, 5001, 0);
	uint8_t datagram[PLAYER_BUFFER];

	assert_true(fixture_connect(fixture, 0, &player));
	end(&player, SESSION_CLOSED_IDLE);
	fixture_wait(fixture, 200);
	assert_true(is_reset_of(&player, datagram, talk_on(&player, &elsewhere, datagram)));
}

// ---------------------------------------------------------------- RESET

static void a_player_without_connection_is_told_by_the_token_of_the_last_one(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER];

	assert_true(fixture_connect(fixture, 0, &player));
	end(&player, SESSION_CLOSED_LEFT); // of which nothing is said
	assert_true(is_reset_of(&player, datagram, talk_on(&player, &player.peer, datagram)));
}

static void the_token_outlives_a_worker_process(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER];

	assert_true(fixture_connect(fixture, 0, &player));
	end(&player, SESSION_CLOSED_IDLE);
	fixture_restart(fixture);
	assert_true(is_reset_of(&player, datagram, talk_on(&player, &player.peer, datagram)));
}

/// The attack: make the gateway say the token of a connection that lives, and end it with that.
static void the_token_of_a_living_connection_is_never_said(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER], token[3][SESSION_RESET_TOKEN_LEN];
	const struct peer elsewhere = peer_at(0x14000099, 5000, 0);

	for (unsigned i = 0; i < 3; i++) {
		fixture_wait(fixture, 100);
		assert_true(fixture_connect(fixture, 0, &player));
		memcpy(token[i], player.welcome.reset_token, sizeof(token[i]));
		for (unsigned n = 0; n < 1000; n++)
			assert_int_equal(talk_on(&player, &elsewhere, datagram), 0);
		end(&player, SESSION_CLOSED_LEFT);
	}
	assert_memory_not_equal(token[0], token[1], sizeof(token[0]));
	assert_memory_not_equal(token[1], token[2], sizeof(token[0]));
	assert_true(is_reset_of(&player, datagram, talk_on(&player, &elsewhere, datagram)));
}

static void sessions_that_never_connected_or_were_never_issued_are_told_nothing(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), stranger = player;
	uint8_t datagram[PLAYER_BUFFER];

	player.cipher = (struct cipher){0};
	assert_int_equal(talk_on(&player, &player.peer, datagram), 0);
	stranger.session = fixture_next_number(fixture, player.session);
	assert_int_equal(talk_on(&stranger, &player.peer, datagram), 0);
	stranger.session = 0;
	assert_int_equal(talk_on(&stranger, &player.peer, datagram), 0);
}

static void a_reset_is_shorter_than_what_it_answers(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER];

	assert_true(fixture_connect(fixture, 0, &player));
	end(&player, SESSION_CLOSED_LEFT);
	for (uint16_t length = sizeof(struct session_header); length < 64; length++) {
		struct session_header header = {.kind = SESSION_DATA, .length = length, .session = player.session};

		memset(datagram, 0, sizeof(datagram));
		memcpy(datagram, &header, sizeof(header));

		const uint16_t answer = lost_answer(fixture->shard[0], fixture_slot(fixture, &player), &player.peer,
						    datagram, length, fixture->now);

		assert_true(answer < length);
		assert_int_equal(answer != 0, length >= 40);
	}
}

/// A flood of datagrams for sessions that are over takes the time of handshakes, and no more than HELLOs may.
static void resets_use_the_budget_of_handshakes(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), other = fixture_issue(fixture, 8, 600, false);
	uint8_t datagram[PLAYER_BUFFER], confirm[PLAYER_BUFFER];
	unsigned resets = 0;

	assert_true(fixture_connect(fixture, 0, &player));
	end(&player, SESSION_CLOSED_LEFT);

	const uint16_t length = fixture_ask(fixture, 0, &other, confirm);

	fixture->rules.handshake = handshake_budget_make(200, pg_tsc_hz()); // the default
	while (talk_on(&player, &player.peer, datagram) != 0)
		assert_true(++resets < 1000000); // time stands still here: it must run out
	assert_true(resets > 0);
	assert_int_equal(send_handshake(&other, confirm, length).answer, length);
	fixture_wait(fixture, 1000);
	assert_true(talk_on(&player, &player.peer, datagram) != 0);
}

static void many_connections_that_end_at_once_are_all_told(void **state UNUSED)
{
	static struct player player[FAREWELLS + 100];
	unsigned closes = 0, resets = 0;
	uint8_t datagram[PLAYER_BUFFER];

	for (uint32_t i = 0; i < COUNT(player); i++) {
		player[i] = fixture_issue(fixture, i + 1, 600, false);
		assert_true(fixture_connect(fixture, 0, &player[i]));
	}
	for (size_t i = 0; i < COUNT(player); i++) {
		end(&player[i], SESSION_CLOSED_REVOKED);
		drain();
	}
	fixture_wait(fixture, 200);
	for (size_t i = 0; i < COUNT(player); i++) {
		const uint16_t length = talk_on(&player[i], &player[i].peer, datagram);

		closes += datagram[0] == SESSION_CLOSE && player_open(fixture, &player[i], datagram, length);
		resets += is_reset_of(&player[i], datagram, length);
	}
	assert_int_equal(closes, FAREWELLS);
	assert_int_equal(resets, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_close_is_said_again_to_who_goes_on_talking_for_three_seconds),
		fixture_test(nothing_of_the_keys_is_left_when_a_connection_has_ended),
		fixture_test(only_the_address_of_the_connection_is_told_its_close_again),
		fixture_test(a_player_without_connection_is_told_by_the_token_of_the_last_one),
		fixture_test(the_token_outlives_a_worker_process),
		fixture_test(the_token_of_a_living_connection_is_never_said),
		fixture_test(sessions_that_never_connected_or_were_never_issued_are_told_nothing),
		fixture_test(a_reset_is_shorter_than_what_it_answers),
		fixture_test(resets_use_the_budget_of_handshakes),
		fixture_test(many_connections_that_end_at_once_are_all_told),
	};

	return cmocka_run_group_tests_name("lost", tests, NULL, NULL);
}
