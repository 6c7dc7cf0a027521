// SPDX-License-Identifier: BSD-3-Clause
// test_handshake_attacks.c: who has no ticket, who has one and too little patience, who sees and injects, and crowds. Each
// test has the figure that must hold.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "handshake_fixture.h"
#include "rig.h"

#define CROWD 1000

static struct rate per_second(uint32_t pps, uint32_t burst)
{
	return rate_make(pps, burst, pg_tsc_hz());
}

static struct player neighbour_of(const struct player *player, uint32_t id, uint16_t port)
{
	struct player neighbour = fixture_issue(fixture, id, 600, false);

	neighbour.peer = player->peer;
	peer_set_channel(&neighbour.peer, BE16(port), 0);
	return neighbour;
}

// ---------------------------------------------------------------- at a player's address

/// The attack that kept players out: 100 HELLOs a second that look as if the player had sent them. Here a thousand times as many,
/// and each costs its source what it may send.
static void hellos_spoofed_from_a_players_address_do_not_keep_the_player_out(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), spoofed = player;
	uint8_t datagram[PLAYER_BUFFER];

	fixture->rules.connection[0] = per_second(5, 3);
	for (unsigned i = 0; i < 100000; i++) {
		player_hello(&spoofed, datagram);
		assert_int_equal(send_handshake(&spoofed, datagram, sizeof(struct session_hello)).drop, PG_DROP_NONE);
	}
	assert_true(fixture_connect(fixture, 0, &player));
}

static void confirms_without_a_key_do_not_keep_a_neighbour_out(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), stranger = neighbour_of(&player, 8, 6000);
	uint8_t confirm[PLAYER_BUFFER];
	uint16_t length;

	fixture->rules.connection[0] = per_second(5, 3);
	length = fixture_ask(fixture, 0, &stranger, confirm);
	confirm[length - 1] ^= 1;
	for (unsigned i = 0; i < 1000; i++)
		assert_dropped(&stranger, confirm, length, PG_DROP_BAD_PROOF);
	assert_true(fixture_connect(fixture, 0, &player));
}

/// One ticket is good for ten connections at once and one a second, so what an address may do is left to others there.
static void one_ticket_used_again_and_again_does_not_keep_neighbours_out(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), greedy = neighbour_of(&player, 8, 6000);
	uint8_t confirm[PLAYER_BUFFER];
	unsigned accepted = 0;

	fixture->rules.connection[0] = per_second(20, 40);
	for (unsigned i = 0; i < 200; i++) {
		const uint16_t length = fixture_ask(fixture, 0, &greedy, confirm);
		const struct handshake_outcome outcome = send_handshake(&greedy, confirm, length);

		accepted += outcome.drop == PG_DROP_NONE;
		if (outcome.drop != PG_DROP_NONE)
			assert_int_equal(outcome.drop, PG_DROP_CONNECTION_RATE_LIMITED);
		fixture_wait(fixture, 5);
	}
	assert_uint_in_range(accepted, 10, 11);
	for (uint32_t id = 9; id < 29; id++) {
		struct player other = neighbour_of(&player, id, (uint16_t)(7000 + id));

		assert_true(fixture_connect(fixture, 0, &other));
	}
	assert_true(fixture_connect(fixture, 0, &player));
}

/// Another address is never touched by what one proves too often.
static void a_source_gets_its_connections_a_second_and_others_are_untouched(void **state UNUSED)
{
	struct player at = fixture_issue(fixture, 7, 600, false), other = fixture_issue(fixture, 99, 600, false);
	uint8_t confirm[PLAYER_BUFFER];
	unsigned accepted = 0;
	uint16_t length;

	fixture->rules.connection[0] = per_second(5, 3);
	for (uint32_t id = 10; id < 40; id++) {
		struct player one = neighbour_of(&at, id, (uint16_t)(6000 + id)); // the port evades nothing

		length = fixture_ask(fixture, 0, &one, confirm);
		accepted += send_handshake(&one, confirm, length).drop == PG_DROP_NONE;
	}
	assert_int_equal(accepted, 3);
	assert_true(fixture_connect(fixture, 0, &other));
	length = fixture_ask(fixture, 0, &at, confirm);
	assert_dropped(&at, confirm, length, PG_DROP_CONNECTION_RATE_LIMITED);
	fixture_wait(fixture, 201);
	assert_int_equal(send_handshake(&at, confirm, length).drop, PG_DROP_NONE); // the same, repeated
}

// ---------------------------------------------------------------- when time is short

/// Send until the budget is used up for this rank; time stands still.
static void flood(struct player *by, bool conforms)
{
	uint8_t datagram[PLAYER_BUFFER];
	enum pg_drop drop = PG_DROP_NONE;

	for (unsigned i = 0; drop == PG_DROP_NONE; i++) {
		assert_true(i < 10000000);
		player_hello(by, datagram);
		drop = handshake_receive(fixture->shard[0], &by->peer, datagram, sizeof(struct session_hello), conforms,
					 fixture->now)
			       .drop;
	}
	assert_int_equal(drop, conforms ? PG_DROP_HANDSHAKE_BUDGET : PG_DROP_SOURCE_RATE_LIMITED);
}

/// One host at its own address, or one that spoofs a single address: whoever else greets is answered.
static void who_sends_too_much_leaves_time_for_all_others(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), loud = fixture_issue(fixture, 8, 600, false);

	fixture->rules.handshake = handshake_budget_make(200, pg_tsc_hz()); // the default
	flood(&loud, false);
	assert_true(fixture_connect(fixture, 0, &player));
}

static void who_has_a_cookie_comes_before_a_million_who_spoof(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), flooded = fixture_issue(fixture, 8, 600, false);
	uint8_t confirm[PLAYER_BUFFER];
	const uint16_t length = fixture_ask(fixture, 0, &player, confirm);

	fixture->rules.handshake = handshake_budget_make(200, pg_tsc_hz()); // the default
	flood(&flooded, true);
	assert_int_equal(send_handshake(&player, confirm, length).answer, length);
}

// ---------------------------------------------------------------- who wants to know

/// What becomes of a HELLO, but for what is new in every answer.
static struct session_challenge greeted(struct player player, uint32_t session)
{
	struct session_challenge answer;
	uint8_t datagram[PLAYER_BUFFER];
	struct handshake_outcome outcome;

	player.session = session;
	player_hello(&player, datagram);
	outcome = send_handshake(&player, datagram, sizeof(struct session_hello));
	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_int_equal(outcome.answer, sizeof(answer));
	memcpy(&answer, datagram, sizeof(answer));
	assert_memory_equal(answer.client_nonce, player.client_nonce, SESSION_NONCE_LEN);
	assert_int_equal(answer.header.session, session);
	answer.header.session = 0;
	memset(answer.client_nonce, 0, sizeof(answer.client_nonce));
	memset(answer.cookie, 0, sizeof(answer.cookie));
	memset(answer.proof, 0, sizeof(answer.proof));
	return answer;
}

/// Issued, connected, consumed, expired, revoked, of the past, and never issued: the same kind, length and bytes.
static void a_hello_tells_nothing_of_whose_number_it_names(void **state UNUSED)
{
	struct player issued = fixture_issue(fixture, 7, 600, false), connected = fixture_issue(fixture, 8, 600, false),
		      consumed = fixture_issue(fixture, 9, 600, true), expired = fixture_issue(fixture, 10, 2, false),
		      revoked = fixture_issue(fixture, 11, 600, false);

	assert_true(fixture_connect(fixture, 0, &connected));
	assert_true(fixture_connect(fixture, 0, &consumed));
	replay_mark(&fixture_record(fixture, &consumed)->replay, 1);
	fixture_wait(fixture, 3000);
	assert_true(pg_session_revoke(fixture->state, revoked.session));

	const uint32_t numbers[] = {
		connected.session,
		consumed.session,
		expired.session,
		revoked.session,
		0,
		1,
		63,
		0x000fffff,
		fixture_next_number(fixture, issued.session),
	};
	const struct session_challenge as = greeted(issued, issued.session);
	uint8_t *before = state_copy();

	for (size_t i = 0; i < COUNT(numbers); i++) {
		const struct session_challenge answer = greeted(issued, numbers[i]);

		assert_memory_equal(&answer, &as, sizeof(as));
	}
	assert_state_is(before);
	for (size_t reason = 0; reason < PG_DENIALS; reason++)
		assert_int_equal(fixture->stats[0].denied[reason], 0);
}

/// The CHALLENGE for a number that was never issued has a proof like all others: the same cookie's, always the same.
static void the_proof_for_a_number_of_nobody_is_no_simpler_than_others(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	static const uint8_t zeros[SESSION_TAG_LEN];
	struct session_challenge answer[2];
	uint8_t datagram[PLAYER_BUFFER], decoy[SESSION_KEY_LEN];

	player.session = fixture_next_number(fixture, player.session);
	for (unsigned i = 0; i < 2; i++) {
		player_hello(&player, datagram);
		send_handshake(&player, datagram, sizeof(struct session_hello));
		memcpy(&answer[i], datagram, sizeof(answer[i]));
	}
	assert_memory_not_equal(answer[0].proof, answer[1].proof, SESSION_TAG_LEN);
	assert_memory_not_equal(answer[0].proof, zeros, SESSION_TAG_LEN);
	decoy_key(decoy, &fixture->store.secret, player.session);
	assert_true(proof_is_right(PROOF_OF_CHALLENGE, decoy, (const uint8_t *)&answer[0], sizeof(answer[0])));
}

/// Whoever has no ticket hears nothing of a CONFIRM, whatever became of the session that it names.
static void a_confirm_without_the_key_is_never_answered(void **state UNUSED)
{
	struct player expired = fixture_issue(fixture, 10, 2, false), revoked = fixture_issue(fixture, 11, 600, false);
	struct player *of[] = {&expired, &revoked};
	uint8_t datagram[PLAYER_BUFFER];

	fixture_wait(fixture, 3000);
	assert_true(pg_session_revoke(fixture->state, revoked.session));
	for (size_t i = 0; i < COUNT(of); i++) {
		const uint16_t length = fixture_ask(fixture, 0, of[i], datagram);

		datagram[length - 1] ^= 1;
		assert_dropped(of[i], datagram, length, PG_DROP_BAD_PROOF);
	}
	revoked.session = fixture_next_number(fixture, revoked.session);
	player_hello(&revoked, datagram);
	send_handshake(&revoked, datagram, sizeof(struct session_hello));
	memcpy(revoked.cookie, ((const struct session_challenge *)datagram)->cookie, SESSION_COOKIE_LEN);

	const uint16_t length = player_confirm(&revoked, datagram);

	assert_dropped(&revoked, datagram, length, PG_DROP_SESSION_UNKNOWN);
}

// ---------------------------------------------------------------- who recorded everything, and gets the ticket later

/// All that a ticket opens are proofs: with it, the recorded handshake and the state of an idle gateway, no key is found.
static void a_ticket_that_leaks_later_opens_nothing_that_was_recorded(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER], copy[PLAYER_BUFFER], agreed[EXCHANGE_LEN] = {0}, secret[HASH_LEN];
	struct transcript transcript = {.session = player.session};
	struct traffic_keys keys;
	struct cipher_key open;

	assert_true(fixture_connect(fixture, 0, &player));

	const uint16_t length = player_seal(fixture, &player, SESSION_DATA, "secret", 6, datagram);

	memcpy(transcript.client_nonce, player.client_nonce, SESSION_NONCE_LEN);
	memcpy(transcript.server_nonce, player.server_nonce, SESSION_NONCE_LEN);
	memcpy(transcript.client_share, player.exchange.share, EXCHANGE_LEN);
	memcpy(transcript.server_share, player.welcome.server_share, EXCHANGE_LEN);
	connection_secret(secret, player.key, agreed, &transcript); // all but the exchange
	traffic_keys_derive(&keys, secret);
	cipher_key_init(&fixture->shard[0]->code, &open, keys.to_gateway, keys.to_gateway_salt);
	memcpy(copy, datagram, length);
	assert_false(cipher_open(&fixture->shard[0]->code, &open, 1, copy, sizeof(struct session_header), length));
	assert_true(exchange_agree(agreed, &player.exchange, player.welcome.server_share));
	connection_secret(secret, player.key, agreed, &transcript); // with it
	traffic_keys_derive(&keys, secret);
	cipher_key_init(&fixture->shard[0]->code, &open, keys.to_gateway, keys.to_gateway_salt);
	assert_true(cipher_open(&fixture->shard[0]->code, &open, 1, datagram, sizeof(struct session_header), length));
}

// ---------------------------------------------------------------- a crowd comes back

/// Of one player who comes back: what PROTOCOL.md says of repetition, in milliseconds.
struct returning {
	uint8_t confirm[PLAYER_BUFFER];
	uint16_t length;
	unsigned due_ms, wait_ms, tries;
	uint64_t seed;
	bool in;
	struct player player;
};

/// As of an address that sends more than `limits.source_pps`, as such a crowd does.
static struct handshake_outcome hand_in(const struct player *player, uint8_t *datagram, uint16_t length)
{
	return handshake_receive(fixture->shard[0], &player->peer, datagram, length, false, fixture->now);
}

static void greet(struct returning *r)
{
	uint8_t hello[PLAYER_BUFFER];
	const uint16_t length = player_hello(&r->player, hello);
	const struct handshake_outcome outcome = hand_in(&r->player, hello, length);

	if (outcome.drop != PG_DROP_NONE || !player_take_challenge(&r->player, hello, outcome.answer))
		return;
	r->length = player_confirm(&r->player, r->confirm);
	r->wait_ms = 250;
}

static void confirm(struct returning *r)
{
	uint8_t datagram[PLAYER_BUFFER];
	struct handshake_outcome outcome;

	memcpy(datagram, r->confirm, r->length);
	outcome = hand_in(&r->player, datagram, r->length);
	r->tries++;
	r->in = outcome.drop == PG_DROP_NONE && player_take_welcome(fixture, &r->player, datagram, outcome.answer);
	assert_true(r->in || outcome.drop == PG_DROP_SOURCE_RATE_LIMITED ||
		    outcome.drop == PG_DROP_CONNECTION_RATE_LIMITED);
}

static void try_to_return(struct returning *r, unsigned ms)
{
	if (r->in || ms < r->due_ms)
		return;
	if (r->length == 0)
		greet(r);
	if (r->length != 0)
		confirm(r);
	r->due_ms = ms + r->wait_ms - (unsigned)(random_next(&r->seed) % (r->wait_ms / 4));
	r->wait_ms = r->wait_ms * 2 < 2000 ? r->wait_ms * 2 : 2000;
}

/// A thousand players behind one address, all within 50 ms, by the limits that are the default.
static void a_thousand_players_of_one_address_are_back_within_ten_seconds(void **state UNUSED)
{
	struct returning *crowd = calloc(CROWD, sizeof(*crowd));
	unsigned in = 0, ms = 0, most = 0;

	assert_non_null(crowd);
	fixture->rules.connection[0] = per_second(100, 1000);
	fixture->rules.handshake = handshake_budget_make(200, pg_tsc_hz());
	for (uint32_t i = 0; i < CROWD; i++) {
		crowd[i].player = fixture_issue(fixture, i + 1, 600, false);
		crowd[i].player.peer = peer_at(0x14000001, (uint16_t)(5000 + i), 0);
		crowd[i].wait_ms = 250;
		crowd[i].due_ms = i % 50; // round trips differ
		crowd[i].seed = i;
	}
	for (; in < CROWD && ms < 10000; ms += 10) {
		in = 0;
		for (unsigned i = 0; i < CROWD; i++) {
			try_to_return(&crowd[i], ms);
			in += crowd[i].in;
			most = crowd[i].tries > most ? crowd[i].tries : most;
		}
		fixture_wait(fixture, 10);
	}
	print_message("%u of %u back after %u ms, with at most %u CONFIRMs\n", in, CROWD, ms, most);
	free(crowd);
	assert_int_equal(in, CROWD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(hellos_spoofed_from_a_players_address_do_not_keep_the_player_out),
		fixture_test(confirms_without_a_key_do_not_keep_a_neighbour_out),
		fixture_test(one_ticket_used_again_and_again_does_not_keep_neighbours_out),
		fixture_test(a_source_gets_its_connections_a_second_and_others_are_untouched),
		fixture_test(who_sends_too_much_leaves_time_for_all_others),
		fixture_test(who_has_a_cookie_comes_before_a_million_who_spoof),
		fixture_test(a_hello_tells_nothing_of_whose_number_it_names),
		fixture_test(the_proof_for_a_number_of_nobody_is_no_simpler_than_others),
		fixture_test(a_confirm_without_the_key_is_never_answered),
		fixture_test(a_ticket_that_leaks_later_opens_nothing_that_was_recorded),
		fixture_test(a_thousand_players_of_one_address_are_back_within_ten_seconds),
	};

	return cmocka_run_group_tests_name("handshake_attacks", tests, NULL, NULL);
}
