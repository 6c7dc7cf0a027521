// SPDX-License-Identifier: BSD-3-Clause
// test_handshake_confirm.c: CONFIRM: what is refused and leaves no trace, and what a repeated one gets.

#include "unit.h"

#include <string.h>

#include "handshake_fixture.h"

// ---------------------------------------------------------------- CONFIRM, bad

static void a_confirm_with_one_bit_changed_changes_nothing(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER], *before = state_copy();

	player.max_datagram = 508;

	const uint16_t length = fixture_ask(fixture, 0, &player, datagram);

	for (size_t bit = 0; bit < (size_t)length * 8; bit++) {
		uint8_t copy[PLAYER_BUFFER];
		struct handshake_outcome outcome;

		memcpy(copy, datagram, length);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		outcome = send_handshake(&player, copy, length);
		assert_true(outcome.answer <= length);
		if (outcome.drop == PG_DROP_NONE) // of the version, only
			assert_true(bit / 8 == offsetof(struct session_confirm, version) ||
				    bit / 8 == offsetof(struct session_confirm, version) + 1);
	}
	assert_true(fixture->stats[0].connections == 0);
	assert_state_is(before);
}

static void a_confirm_of_any_other_length_is_refused(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER] = {0}, *before = state_copy();
	struct session_confirm *confirm = (struct session_confirm *)datagram;

	player.max_datagram = 600;
	fixture_ask(fixture, 0, &player, datagram);
	for (uint16_t length = 0; length <= PLAYER_BUFFER; length++) {
		if (length == 600)
			continue;
		assert_dropped(&player, datagram, length, PG_DROP_SESSION_HEADER);
		confirm->header.length = length;
		if (length < sizeof(struct session_header))
			continue;
		assert_dropped(&player, datagram, length, PG_DROP_SESSION_HEADER);
		confirm->header.length = 600;
	}
	assert_state_is(before);
}

static void a_confirm_shorter_or_longer_than_may_be_is_refused_though_proved(void **state UNUSED)
{
	static const uint16_t lengths[] = {72, 73, 507, 1401, PLAYER_BUFFER};
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER];

	for (size_t i = 0; i < COUNT(lengths); i++) {
		player.max_datagram = lengths[i];
		fixture_ask(fixture, 0, &player, datagram);
		assert_dropped(&player, datagram, lengths[i], PG_DROP_SESSION_HEADER);
	}
}

static void a_confirm_that_asks_for_another_length_than_its_own_is_refused(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = fixture_ask(fixture, 0, &player, datagram);

	for (int off = -1; off <= 1; off += 2) {
		((struct session_confirm *)datagram)->max_datagram = (uint16_t)(length + off);
		proof_write(PROOF_OF_CONFIRM, player.key, datagram, length);
		assert_dropped(&player, datagram, length, PG_DROP_SESSION_HEADER);
	}
}

static void a_proved_confirm_with_padding_that_is_not_zero_is_refused(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER], *before = state_copy();
	const uint16_t length = fixture_ask(fixture, 0, &player, datagram);

	for (size_t i = sizeof(struct session_confirm); i < (size_t)length - SESSION_TAG_LEN; i += 13) {
		datagram[i] = 1;
		proof_write(PROOF_OF_CONFIRM, player.key, datagram, length);
		assert_dropped(&player, datagram, length, PG_DROP_SESSION_HEADER);
		datagram[i] = 0;
	}
	assert_state_is(before);
}

static void cookies_are_good_for_what_they_were_made_for_and_nothing_else(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), other = fixture_issue(fixture, 8, 600, false);
	uint8_t datagram[PLAYER_BUFFER], copy[PLAYER_BUFFER], *before;
	const uint16_t length = fixture_ask(fixture, 0, &player, datagram);
	struct player at = player;

	before = state_copy();
	at.peer = peer_at(0x14000099, 5000, 0);
	assert_dropped(&at, datagram, length, PG_DROP_COOKIE_FORGED);
	at.peer = peer_at(0x14000007, 5001, 0);
	assert_dropped(&at, datagram, length, PG_DROP_COOKIE_FORGED);
	at.peer = peer_at(0x14000007, 5000, 1);
	assert_dropped(&at, datagram, length, PG_DROP_COOKIE_FORGED);

	memcpy(other.cookie, player.cookie, sizeof(other.cookie)); // another session, with its right proof
	memcpy(other.client_nonce, player.client_nonce, sizeof(other.client_nonce));
	other.peer = player.peer;
	player_confirm(&other, copy);
	assert_dropped(&other, copy, length, PG_DROP_COOKIE_FORGED);

	at = player; // another nonce
	at.client_nonce[15] ^= 1;
	player_confirm(&at, copy);
	assert_dropped(&at, copy, length, PG_DROP_COOKIE_FORGED);

	at = player; // another time
	at.cookie[0] ^= 1;
	player_confirm(&at, copy);
	assert_dropped(&at, copy, length, PG_DROP_COOKIE_FORGED);

	fixture_wait(fixture, 4001);
	assert_dropped(&player, datagram, length, PG_DROP_COOKIE_OLD);
	assert_state_is(before);
}

static void a_cookie_without_the_key_is_worth_nothing(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER], *before = state_copy();
	uint16_t length;

	assert_int_not_equal(fixture_ask(fixture, 0, &player, datagram), 0);
	player.key[31] ^= 1;
	length = player_confirm(&player, datagram);
	assert_dropped(&player, datagram, length, PG_DROP_BAD_PROOF);
	assert_state_is(before);
}

// ---------------------------------------------------------------- CONFIRM, again

static void a_repeated_confirm_gets_the_same_keys_and_the_next_sequence(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	struct session_record *record = fixture_record(fixture, &player), before;
	uint8_t datagram[PLAYER_BUFFER], first[PLAYER_BUFFER], nonce[SESSION_NONCE_LEN];
	const uint16_t length = fixture_ask(fixture, 0, &player, datagram);

	memcpy(first, datagram, length);
	assert_true(player_take_welcome(fixture, &player, first, send_handshake(&player, first, length).answer));
	memcpy(nonce, player.server_nonce, sizeof(nonce));
	before = *record;
	for (uint32_t n = 2; n < 10; n++) {
		struct handshake_outcome outcome;

		fixture_wait(fixture, 250);
		memcpy(first, datagram, length);
		outcome = send_handshake(&player, first, length);
		assert_false(outcome.moved);
		assert_true(player_take_welcome(fixture, &player, first, outcome.answer));
		assert_memory_equal(nonce, player.server_nonce, sizeof(nonce));
		assert_int_equal(player.welcome.header.counter, n);
		before.tx_counter++;
		assert_memory_equal(&before, record, sizeof(before));
	}
	assert_int_equal(fixture->stats[0].connections, 1);
}

static void a_repeated_confirm_may_ask_for_less_until_something_was_said(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	struct session_record *record = fixture_record(fixture, &player);
	uint8_t datagram[PLAYER_BUFFER], nonce[SESSION_NONCE_LEN];

	assert_true(fixture_connect(fixture, 0, &player));
	memcpy(nonce, player.server_nonce, sizeof(nonce));
	player.max_datagram = 1232;
	uint16_t length = player_confirm(&player, datagram);
	assert_true(player_take_welcome(fixture, &player, datagram, send_handshake(&player, datagram, length).answer));
	assert_int_equal(player.welcome.max_datagram, 1232);
	assert_memory_equal(nonce, player.server_nonce, sizeof(nonce));
	assert_int_equal(record->max_datagram, 1232);

	player.max_datagram = 1400; // the first one, late: nothing grows
	length = player_confirm(&player, datagram);
	assert_int_equal(send_handshake(&player, datagram, length).answer, 1232);
	assert_int_equal(record->max_datagram, 1232);

	replay_mark(&record->replay, 1);
	player.max_datagram = 508;
	length = player_confirm(&player, datagram);
	send_handshake(&player, datagram, length);
	assert_int_equal(record->max_datagram, 1232);
}

static void a_cookie_that_is_not_newer_is_refused(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), older = player, other = player;
	uint8_t old_confirm[PLAYER_BUFFER], other_confirm[PLAYER_BUFFER], *before;
	uint16_t length = fixture_ask(fixture, 0, &older, old_confirm);

	fixture_wait(fixture, 10);
	assert_true(fixture_connect(fixture, 0, &player));
	other = player; // the same cookie, and another share
	other.exchange.share[0] ^= 1;
	assert_int_equal(player_confirm(&other, other_confirm), length);
	before = state_copy();
	assert_dropped(&older, old_confirm, length, PG_DROP_COOKIE_OLD);
	assert_dropped(&other, other_confirm, length, PG_DROP_COOKIE_OLD);
	assert_state_is(before);
}

/// Two attempts whose HELLOs share a burst, and so a time: the later one connects.
static void the_second_of_two_attempts_in_one_burst_connects(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), later = player;
	uint8_t first[PLAYER_BUFFER], second[PLAYER_BUFFER];
	const uint16_t length = fixture_ask(fixture, 0, &player, first);

	assert_int_equal(fixture_ask(fixture, 0, &later, second), length);
	assert_true(player_take_welcome(fixture, &player, first, send_handshake(&player, first, length).answer));
	assert_true(player_take_welcome(fixture, &later, second, send_handshake(&later, second, length).answer));
	assert_int_equal(fixture_record(fixture, &player)->connections, 2);
}

static void a_share_with_which_nothing_can_be_agreed_is_refused(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER], *before = state_copy();

	fixture_ask(fixture, 0, &player, datagram);
	for (uint8_t low = 0; low < 2; low++) { // points of small order: 0 and 1
		memset(player.exchange.share, 0, EXCHANGE_LEN);
		player.exchange.share[0] = low;

		const uint16_t length = player_confirm(&player, datagram);

		assert_dropped(&player, datagram, length, PG_DROP_BAD_SHARE);
		assert_int_equal(fixture_record(fixture, &player)->owner, RECORD_NO_OWNER);
	}
	assert_state_is(before);
}

/// Secrets are the worker's for a second: the share is another one then, and the secret is nowhere any more.
static void a_worker_forgets_its_secret_after_a_second(void **state UNUSED)
{
	static const struct exchange_key none;
	struct player a = fixture_issue(fixture, 7, 600, false), b = fixture_issue(fixture, 8, 600, false);
	struct session_shard *shard = fixture->shard[0];
	struct exchange_key was;

	assert_true(fixture_connect(fixture, 0, &a));
	assert_true(fixture_connect(fixture, 0, &b));
	assert_memory_equal(a.welcome.server_share, b.welcome.server_share, EXCHANGE_LEN);
	was = shard->exchanges.key;
	fixture_wait(fixture, 1001);
	connection_sweep(shard, fixture->now, 0);
	assert_memory_equal(&shard->exchanges.key, &none, sizeof(none));
	assert_true(fixture_connect(fixture, 0, &b));
	assert_memory_not_equal(a.welcome.server_share, b.welcome.server_share, EXCHANGE_LEN);
	for (size_t at = 0; at + EXCHANGE_LEN <= sizeof(*shard); at++)
		assert_memory_not_equal((const uint8_t *)shard + at, was.secret, EXCHANGE_LEN);
}

static void confirms_of_former_connections_are_worth_nothing(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t confirm[5][PLAYER_BUFFER], copy[PLAYER_BUFFER], *before;
	struct player was[5];
	uint16_t length = 0;

	for (unsigned i = 0; i < 5; i++) {
		fixture_wait(fixture, 100);
		length = fixture_ask(fixture, 0, &player, confirm[i]);
		was[i] = player;
		memcpy(copy, confirm[i], length);
		assert_true(player_take_welcome(fixture, &player, copy, send_handshake(&player, copy, length).answer));
	}
	before = state_copy();
	for (unsigned i = 0; i < 4; i++)
		assert_dropped(&was[i], confirm[i], length, PG_DROP_COOKIE_OLD);
	assert_state_is(before);
}

static void a_confirm_does_not_bring_a_closed_connection_back(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER], copy[PLAYER_BUFFER];
	const uint16_t length = fixture_ask(fixture, 0, &player, datagram);

	memcpy(copy, datagram, length);
	assert_int_equal(send_handshake(&player, copy, length).answer, length);
	connection_close(fixture->shard[0], fixture_slot(fixture, &player), SESSION_CLOSED_LEFT, fixture->now);
	assert_dropped(&player, datagram, length, PG_DROP_COOKIE_OLD);
	assert_int_equal(fixture_record(fixture, &player)->owner, RECORD_NO_OWNER);
	assert_int_equal(fixture->stats[0].connected, 0);
}

static void a_session_of_another_worker_is_left_to_him(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER], copy[PLAYER_BUFFER];
	struct handshake_outcome outcome;
	uint16_t length;

	assert_true(fixture_connect(fixture, 0, &player));
	fixture_wait(fixture, 1);
	length = fixture_ask(fixture, 1, &player, datagram); // a HELLO is anybody's
	memcpy(copy, datagram, length);
	outcome = send_from(1, &player.peer, copy, length);
	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_true(outcome.elsewhere);
	assert_int_equal(outcome.owner, 0);
	assert_int_equal(outcome.answer, 0);
	assert_memory_equal(copy, datagram, length); // as it came
	outcome = send_from(0, &player.peer, copy, length);
	assert_true(player_take_welcome(fixture, &player, copy, outcome.answer));
	assert_int_equal(fixture->stats[1].connections, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_confirm_with_one_bit_changed_changes_nothing),
		fixture_test(a_confirm_of_any_other_length_is_refused),
		fixture_test(a_confirm_shorter_or_longer_than_may_be_is_refused_though_proved),
		fixture_test(a_confirm_that_asks_for_another_length_than_its_own_is_refused),
		fixture_test(a_proved_confirm_with_padding_that_is_not_zero_is_refused),
		fixture_test(cookies_are_good_for_what_they_were_made_for_and_nothing_else),
		fixture_test(a_cookie_without_the_key_is_worth_nothing),
		fixture_test(a_repeated_confirm_gets_the_same_keys_and_the_next_sequence),
		fixture_test(a_repeated_confirm_may_ask_for_less_until_something_was_said),
		fixture_test(a_cookie_that_is_not_newer_is_refused),
		fixture_test(the_second_of_two_attempts_in_one_burst_connects),
		fixture_test(a_share_with_which_nothing_can_be_agreed_is_refused),
		fixture_test(a_worker_forgets_its_secret_after_a_second),
		fixture_test(confirms_of_former_connections_are_worth_nothing),
		fixture_test(a_confirm_does_not_bring_a_closed_connection_back),
		fixture_test(a_session_of_another_worker_is_left_to_him),
	};

	return cmocka_run_group_tests_name("handshake_confirm", tests, NULL, NULL);
}
