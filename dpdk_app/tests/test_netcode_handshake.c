// SPDX-License-Identifier: BSD-3-Clause
// test_netcode_handshake.c: requests and responses: who gets in, and all that the standard says to ignore.

#include "unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "netcode_fixture.h"

#define CAPACITY 4

static struct netcode_fixture *fixture;
static struct netcode_player player;

static int open_all(void **state UNUSED)
{
	fixture = netcode_open_fixture(CAPACITY);
	netcode_player_init(&player, 77, 4000);
	return 0;
}

static int close_all(void **state UNUSED)
{
	netcode_close_fixture(fixture);
	return 0;
}

static enum pg_drop drop_of(const struct netcode_request *request)
{
	const struct netcode_reply reply = netcode_deliver(fixture, 0, &player.peer, request, sizeof(*request));

	assert_int_equal(reply.length, 0);
	return reply.outcome.drop;
}

/// Nothing is kept of whoever was refused.
static unsigned attempts_kept(void)
{
	unsigned kept = 0;

	for (unsigned set = 0; set < ATTEMPT_SETS; set++)
		for (unsigned way = 0; way < ATTEMPT_WAYS; way++)
			kept += fixture->shard[0]->attempts->set[set][way].over != 0;
	return kept;
}

static unsigned uses_kept(void)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < netcode_history_uses(CAPACITY); i++)
		kept += fixture->history->use[i].expires_s != 0;
	return kept;
}

// ---------------------------------------------------------------- getting in

static void client_with_a_token_is_challenged_and_gets_in(void **state UNUSED)
{
	netcode_get_in(fixture, 0, &player);
	assert_int_equal(player.told.max_clients, CAPACITY);
	assert_true(player.told.client_index < CAPACITY);
	assert_int_equal(fixture->stats[0].connected, 1);
	assert_int_equal(fixture->stats[0].connections, 1);
	assert_int_equal(fixture->stats[0].listener[0].sessions, 1);
	assert_memory_equal(fixture->records[player.told.client_index].user_data, player.grant.user_data,
			    NETCODE_USER_DATA_LEN);
	assert_true(fixture->records[player.told.client_index].client_id == 77);
}

static void challenge_is_shorter_than_its_request(void **state UNUSED)
{
	const struct netcode_reply reply = netcode_ask(fixture, 0, &player);

	assert_int_equal(reply.length, 1 + 8 + 308 + 16);
	assert_true(reply.length < sizeof(struct netcode_request));
}

static void request_that_is_repeated_is_challenged_again(void **state UNUSED)
{
	const struct netcode_challenge first = (netcode_ask(fixture, 0, &player), player.challenge);

	netcode_ask(fixture, 0, &player);
	assert_true(player.challenge.sequence != first.sequence);
	assert_int_equal(attempts_kept(), 1);
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_NONE);
}

static void clients_have_indexes_of_their_own_below_the_most(void **state UNUSED)
{
	struct netcode_player players[CAPACITY];
	unsigned seen = 0;

	for (unsigned i = 0; i < CAPACITY; i++) {
		netcode_player_init(&players[i], 100 + i, (uint16_t)(5000 + i));
		netcode_get_in(fixture, i % FIXTURE_WORKERS, &players[i]);
		seen |= 1U << players[i].told.client_index;
	}
	assert_int_equal(seen, (1U << CAPACITY) - 1);
}

static void client_gets_in_again_with_its_token_when_it_has_left(void **state UNUSED)
{
	uint64_t last;

	netcode_get_in(fixture, 0, &player);
	last = fixture->records[player.told.client_index].tx_sequence;
	assert_int_equal(netcode_say(fixture, 0, &player, NETCODE_DISCONNECT, NULL, 0).outcome.drop, PG_DROP_NONE);
	netcode_get_in(fixture, 0, &player);
	// The keys are the same, so no sequence may come again.
	assert_true(fixture->records[player.told.client_index].tx_sequence > last);
}

// ---------------------------------------------------------------- requests that are ignored

static void request_of_another_length_is_ignored(void **state UNUSED)
{
	uint8_t request[sizeof(struct netcode_request) + 1] = {0};
	const struct netcode_request good = netcode_player_request(&player);

	memcpy(request, &good, sizeof(good));
	for (size_t n = 0; n <= sizeof(request); n++) {
		if (n == sizeof(good))
			continue;
		assert_int_equal(netcode_deliver(fixture, 0, &player.peer, request, n).outcome.drop,
				 PG_DROP_NETCODE_HEADER);
	}
	assert_int_equal(attempts_kept() + uses_kept(), 0);
}

static void request_of_another_version_is_ignored(void **state UNUSED)
{
	for (unsigned i = 0; i < NETCODE_VERSION_LEN; i++) {
		struct netcode_request request = netcode_player_request(&player);

		request.version[i] ^= 1;
		assert_int_equal(drop_of(&request), PG_DROP_NETCODE_HEADER);
	}
}

static void request_for_another_protocol_is_ignored(void **state UNUSED)
{
	struct netcode_request request = netcode_player_request(&player);

	request.protocol_id++;
	assert_int_equal(drop_of(&request), PG_DROP_NETCODE_PROTOCOL);
}

static void request_with_an_expired_token_is_ignored(void **state UNUSED)
{
	const struct netcode_request request = netcode_player_request(&player);

	netcode_wait(fixture, 29);
	assert_int_equal(netcode_ask(fixture, 0, &player).outcome.drop, PG_DROP_NONE);
	netcode_wait(fixture, 1);
	assert_int_equal(drop_of(&request), PG_DROP_NETCODE_EXPIRED);
}

static void token_that_was_given_a_longer_life_is_ignored(void **state UNUSED)
{
	struct netcode_request request = netcode_player_request(&player);

	request.expires_s += 1000;
	assert_int_equal(drop_of(&request), PG_DROP_NETCODE_TOKEN);
}

static void request_that_was_not_made_with_the_private_key_is_ignored_and_leaves_nothing(void **state UNUSED)
{
	for (unsigned i = 0; i < 1000; i++) {
		struct netcode_request request = netcode_player_request(&player);

		request.sealed[i] ^= 1;
		assert_int_equal(drop_of(&request), PG_DROP_NETCODE_TOKEN);
	}
	assert_int_equal(attempts_kept() + uses_kept(), 0);
}

static void token_for_another_server_is_ignored(void **state UNUSED)
{
	struct netcode_request request;

	player.grant.server[0].port++;
	netcode_player_regrant(&player);
	request = netcode_player_request(&player);
	assert_int_equal(drop_of(&request), PG_DROP_NETCODE_ADDRESS);
	player.grant.server[0] = (struct pg_netcode_server){6, {0}, 8082};
	netcode_player_regrant(&player);
	request = netcode_player_request(&player);
	assert_int_equal(drop_of(&request), PG_DROP_NETCODE_ADDRESS);
	assert_int_equal(attempts_kept() + uses_kept(), 0);
}

static void token_that_names_us_among_others_is_good(void **state UNUSED)
{
	player.grant.server[2] = player.grant.server[0];
	player.grant.server[0] = (struct pg_netcode_server){6, {0xfd, 1}, 8082};
	player.grant.server[1] = (struct pg_netcode_server){4, {10, 0, 0, 9}, 8082};
	player.grant.server_count = 3;
	netcode_player_regrant(&player);
	netcode_get_in(fixture, 0, &player);
}

static void request_of_a_connected_address_is_ignored(void **state UNUSED)
{
	const struct netcode_request request = netcode_player_request(&player);
	struct netcode_player other;

	netcode_get_in(fixture, 0, &player);
	assert_int_equal(drop_of(&request), PG_DROP_NETCODE_CONNECTED);
	netcode_player_init(&other, 78, 4000); // another client from there
	assert_int_equal(netcode_ask(fixture, 0, &other).outcome.drop, PG_DROP_NETCODE_CONNECTED);
}

static void request_for_a_connected_client_is_ignored_at_whatever_worker(void **state UNUSED)
{
	struct netcode_player twin;

	netcode_get_in(fixture, 0, &player);
	netcode_player_init(&twin, 77, 4001);
	for (unsigned worker = 0; worker < FIXTURE_WORKERS; worker++)
		assert_int_equal(netcode_ask(fixture, worker, &twin).outcome.drop, PG_DROP_NETCODE_CONNECTED);
}

// ---------------------------------------------------------------- attacks

static void stolen_token_is_ignored_from_another_address_at_whatever_worker(void **state UNUSED)
{
	struct netcode_player thief = player;

	netcode_ask(fixture, 0, &player);
	peer_set_channel(&thief.peer, htons(4001), 0);
	for (unsigned worker = 0; worker < FIXTURE_WORKERS; worker++)
		assert_int_equal(netcode_ask(fixture, worker, &thief).outcome.drop, PG_DROP_NETCODE_TOKEN_USED);
	peer_set4(&thief.peer, htonl(0x0a000003));
	peer_set_channel(&thief.peer, htons(4000), 0);
	assert_int_equal(netcode_ask(fixture, 0, &thief).outcome.drop, PG_DROP_NETCODE_TOKEN_USED);
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_NONE);
}

static void stolen_token_is_ignored_after_a_crash_too(void **state UNUSED)
{
	struct netcode_player thief = player;

	netcode_ask(fixture, 0, &player);
	netcode_restart(fixture);
	peer_set_channel(&thief.peer, htons(4001), 0);
	assert_int_equal(netcode_ask(fixture, 0, &thief).outcome.drop, PG_DROP_NETCODE_TOKEN_USED);
	netcode_get_in(fixture, 0, &player);
}

static void spoofed_requests_without_a_token_leave_nothing_and_get_no_answer(void **state UNUSED)
{
	struct netcode_request request = netcode_player_request(&player);

	for (unsigned i = 0; i < 10000; i++) {
		struct peer peer = player.peer;

		peer_set4(&peer, htonl(0x0b000000 + i));
		memcpy(request.nonce, &i, sizeof(i));
		assert_int_equal(netcode_deliver(fixture, 0, &peer, &request, sizeof(request)).length, 0);
	}
	assert_int_equal(attempts_kept() + uses_kept(), 0);
}

/// Somebody who has a token of his own sends it from our player's address, which nobody can prevent.
static void token_of_others_from_a_players_address_does_not_keep_the_player_out(void **state UNUSED)
{
	struct netcode_player rogue;

	netcode_ask(fixture, 0, &player);
	netcode_player_init(&rogue, 666, 4000);
	assert_int_equal(netcode_ask(fixture, 0, &rogue).outcome.drop, PG_DROP_NONE);
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_NONE);
}

static void response_from_an_address_that_did_not_ask_is_ignored(void **state UNUSED)
{
	struct netcode_player other = player;

	netcode_ask(fixture, 0, &player);
	other.challenge = player.challenge;
	peer_set_channel(&other.peer, htons(4001), 0);
	assert_int_equal(netcode_answer(fixture, 0, &other).outcome.drop, PG_DROP_SESSION_UNKNOWN);
}

static void response_sealed_with_another_key_is_ignored(void **state UNUSED)
{
	netcode_ask(fixture, 0, &player);
	player.to_server[0] ^= 1;
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_BAD_TAG);
}

static void response_of_another_length_is_ignored(void **state UNUSED)
{
	netcode_ask(fixture, 0, &player);
	assert_int_equal(netcode_say(fixture, 0, &player, NETCODE_RESPONSE, &player.challenge, 307).outcome.drop,
			 PG_DROP_MESSAGE_SIZE);
}

static void response_with_a_challenge_that_is_not_ours_is_ignored(void **state UNUSED)
{
	netcode_ask(fixture, 0, &player);
	player.challenge.sealed[5] ^= 1;
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_COOKIE_FORGED);
	player.challenge.sealed[5] ^= 1;
	player.challenge.sequence++;
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_COOKIE_FORGED);
}

/// Somebody with two tokens would be who the one says, with the keys of the other.
static void challenge_of_another_client_is_ignored(void **state UNUSED)
{
	struct netcode_player other;

	netcode_player_init(&other, 78, 4001);
	netcode_ask(fixture, 0, &player);
	netcode_ask(fixture, 0, &other);
	player.challenge = other.challenge;
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_COOKIE_FORGED);
}

static void response_comes_too_late_after_the_tokens_timeout(void **state UNUSED)
{
	netcode_ask(fixture, 0, &player);
	netcode_wait(fixture, 5);
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_SESSION_UNKNOWN);
}

static void response_that_is_repeated_changes_nothing(void **state UNUSED)
{
	uint32_t index;

	netcode_get_in(fixture, 0, &player);
	index = player.told.client_index;
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_NETCODE_CONNECTED);
	assert_int_equal(fixture->records[index].phase, NETCODE_CONNECTED);
	assert_int_equal(fixture->stats[0].connections, 1);
}

static void of_two_with_one_client_id_the_first_to_answer_gets_in(void **state UNUSED)
{
	struct netcode_player twin;

	netcode_player_init(&twin, 77, 4001);
	netcode_ask(fixture, 0, &player);
	netcode_ask(fixture, 1, &twin);
	assert_int_equal(netcode_answer(fixture, 1, &twin).outcome.drop, PG_DROP_NONE);
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_NETCODE_CONNECTED);
}

// ---------------------------------------------------------------- a full gateway

static void fill(struct netcode_player players[CAPACITY])
{
	for (unsigned i = 0; i < CAPACITY; i++) {
		netcode_player_init(&players[i], 100 + i, (uint16_t)(5000 + i));
		netcode_get_in(fixture, i % FIXTURE_WORKERS, &players[i]);
	}
}

static void request_to_a_full_gateway_is_denied(void **state UNUSED)
{
	struct netcode_player players[CAPACITY];
	struct netcode_reply reply;
	uint8_t body[64];

	fill(players);
	reply = netcode_ask(fixture, 0, &player);
	assert_int_equal(reply.outcome.message, PG_MESSAGE_NETCODE_REQUEST);
	assert_int_equal(netcode_hear(&player, reply.bytes, reply.length, body), NETCODE_DENIED);
	assert_int_equal(reply.length, 1 + 8 + 16);
	assert_int_equal(fixture->stats[0].netcode_denied, 1);
	assert_int_equal(attempts_kept(), 0);
}

static void response_to_a_gateway_that_is_full_by_now_is_denied(void **state UNUSED)
{
	struct netcode_player players[CAPACITY];
	struct netcode_reply reply;
	uint8_t body[64];

	netcode_ask(fixture, 0, &player);
	fill(players);
	reply = netcode_answer(fixture, 0, &player);
	assert_int_equal(reply.outcome.message, PG_MESSAGE_NETCODE_RESPONSE);
	assert_int_equal(netcode_hear(&player, reply.bytes, reply.length, body), NETCODE_DENIED);
}

static void place_of_a_client_who_left_is_the_next_ones(void **state UNUSED)
{
	struct netcode_player players[CAPACITY];

	fill(players);
	assert_int_equal(netcode_say(fixture, 1, &players[1], NETCODE_DISCONNECT, NULL, 0).outcome.drop, PG_DROP_NONE);
	netcode_get_in(fixture, 0, &player);
	assert_int_equal(player.told.client_index, players[1].told.client_index);
}

// ---------------------------------------------------------------- limits

static void handshakes_beyond_their_share_of_time_are_dropped_requests_first(void **state UNUSED)
{
	fixture->rules.handshake = handshake_budget_make(200, FIXTURE_HZ);
	netcode_ask(fixture, 0, &player);
	fixture->handshakes[0].conforms_at = fixture->now + fixture->rules.handshake.tolerance;
	assert_int_equal(netcode_ask(fixture, 0, &player).outcome.drop, PG_DROP_HANDSHAKE_BUDGET);
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_NONE);
	fixture->handshakes[0].conforms_at = fixture->now + 2 * fixture->rules.handshake.tolerance;
	netcode_player_init(&player, 78, 4001);
	assert_int_equal(netcode_ask(fixture, 0, &player).outcome.drop, PG_DROP_HANDSHAKE_BUDGET);
}

static void requests_of_a_source_beyond_its_limit_are_dropped(void **state UNUSED)
{
	fixture->rules.connection[0] = rate_make(1, 2, FIXTURE_HZ);
	assert_int_equal(netcode_ask(fixture, 0, &player).outcome.drop, PG_DROP_NONE);
	assert_int_equal(netcode_ask(fixture, 0, &player).outcome.drop, PG_DROP_NONE);
	assert_int_equal(netcode_ask(fixture, 0, &player).outcome.drop, PG_DROP_CONNECTION_RATE_LIMITED);
	assert_int_equal(netcode_answer(fixture, 0, &player).outcome.drop, PG_DROP_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(client_with_a_token_is_challenged_and_gets_in),
		TEST(challenge_is_shorter_than_its_request),
		TEST(request_that_is_repeated_is_challenged_again),
		TEST(clients_have_indexes_of_their_own_below_the_most),
		TEST(client_gets_in_again_with_its_token_when_it_has_left),
		TEST(request_of_another_length_is_ignored),
		TEST(request_of_another_version_is_ignored),
		TEST(request_for_another_protocol_is_ignored),
		TEST(request_with_an_expired_token_is_ignored),
		TEST(token_that_was_given_a_longer_life_is_ignored),
		TEST(request_that_was_not_made_with_the_private_key_is_ignored_and_leaves_nothing),
		TEST(token_for_another_server_is_ignored),
		TEST(token_that_names_us_among_others_is_good),
		TEST(request_of_a_connected_address_is_ignored),
		TEST(request_for_a_connected_client_is_ignored_at_whatever_worker),
		TEST(stolen_token_is_ignored_from_another_address_at_whatever_worker),
		TEST(stolen_token_is_ignored_after_a_crash_too),
		TEST(spoofed_requests_without_a_token_leave_nothing_and_get_no_answer),
		TEST(token_of_others_from_a_players_address_does_not_keep_the_player_out),
		TEST(response_from_an_address_that_did_not_ask_is_ignored),
		TEST(response_sealed_with_another_key_is_ignored),
		TEST(response_of_another_length_is_ignored),
		TEST(response_with_a_challenge_that_is_not_ours_is_ignored),
		TEST(challenge_of_another_client_is_ignored),
		TEST(response_comes_too_late_after_the_tokens_timeout),
		TEST(response_that_is_repeated_changes_nothing),
		TEST(of_two_with_one_client_id_the_first_to_answer_gets_in),
		TEST(request_to_a_full_gateway_is_denied),
		TEST(response_to_a_gateway_that_is_full_by_now_is_denied),
		TEST(place_of_a_client_who_left_is_the_next_ones),
		TEST(handshakes_beyond_their_share_of_time_are_dropped_requests_first),
		TEST(requests_of_a_source_beyond_its_limit_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
