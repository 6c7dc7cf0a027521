// SPDX-License-Identifier: BSD-3-Clause
// test_game_clients.c: what a game process hears of clients of the netcode profile.

#include "game_clients_fixture.h"

#include <string.h>

static void who_gets_in_is_named_by_id_and_user_data_and_who_leaves_is_told(void **state UNUSED)
{
	uint32_t player;

	begin();
	player = record(0)->player;
	leave(0);
	game_fixture_turn(fixture);
	expect_left(player, SESSION_CLOSED_LEFT);
	game_expect_nothing(fixture);
}

static void who_is_silent_for_too_long_leaves_as_idle(void **state UNUSED)
{
	unsigned looks = 100;

	begin();
	netcode_wait(fixture->clients, 5.1);
	assert_int_equal(netcode_next(fixture->clients->shard[0], &looks, fixture->clients->now), NETCODE_NONE);
	game_fixture_turn(fixture);
	expect_left(record(0)->player, SESSION_CLOSED_IDLE);
	assert_int_equal(stats()->sessions_expired, 1);
	assert_int_equal(stats()->connected, 0);
}

static void everybody_leaves_when_the_gateway_ends_and_is_told_once(void **state UNUSED)
{
	begin();
	netcode_dismiss(fixture->clients->shard[0], fixture->clients->now, 4096);
	game_fixture_turn(fixture);
	expect_left(record(0)->player, SESSION_CLOSED_SHUTDOWN);
	for (unsigned i = 0; i < 20; i++) {
		netcode_wait(fixture->clients, 0.01);
		netcode_egress_of(fixture->clients, 0, client, CLIENTS, NETCODE_DISCONNECT);
	}
	assert_int_equal(stats()->connected, 0);
	game_fixture_turn(fixture);
	game_expect_nothing(fixture);
}

static void who_is_in_is_listed_behind_the_players_of_sessions(void **state UNUSED)
{
	game_fixture_connect(fixture, 0);
	get_in(0);
	get_in(1);
	get_in(2);
	leave(1);
	game_fixture_attach(fixture, false);
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_LISTING);
	game_expect_joined(fixture, 1, GAME_JOINED_BEFORE);
	expect_joined(0, GAME_JOINED_BEFORE);
	expect_joined(2, GAME_JOINED_BEFORE);
	game_expect(fixture, GAME_LISTED);
	game_expect_nothing(fixture);
	get_in(1); // behind the listing, which is over
	game_fixture_connect(fixture, 1);
	game_fixture_turn(fixture);
	expect_joined(1, GAME_JOINED_NOW);
	game_expect_joined(fixture, 2, GAME_JOINED_NOW);
	game_expect_nothing(fixture);
}

/// The ring takes a dozen of them: the rest follow when there is room.
static void a_listing_goes_on_where_the_ring_was_full(void **state UNUSED)
{
	struct netcode_player many[CAPACITY];
	const struct game_joined_client *joined = (const struct game_joined_client *)fixture->record;
	unsigned named = 0;

	for (unsigned i = 0; i < CAPACITY; i++) {
		netcode_player_init(&many[i], 1 + i, (uint16_t)(5000 + i));
		netcode_get_in(fixture->clients, 0, &many[i]);
	}
	game_fixture_attach(fixture, false);
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_LISTING);
	for (int type = GAME_JOINED; type != GAME_LISTED;) {
		type = game_fixture_read(fixture);
		if (type == -1)
			game_fixture_turn(fixture);
		if (type == GAME_JOINED)
			assert_true(joined->client == ++named);
	}
	assert_int_equal(named, CAPACITY);
}

static void a_payload_that_a_route_takes_reaches_its_process_whole(void **state UNUSED)
{
	const struct game_message *message = (const struct game_message *)fixture->record;
	uint8_t body[1000];

	for (unsigned i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 7);
	begin();
	for (unsigned length = 1; length <= sizeof(body); length = length * 3 + 1) {
		assert_true(say(0, body, (uint16_t)length).forwarded);
		game_fixture_turn(fixture);
		game_expect(fixture, GAME_MESSAGE);
		assert_int_equal(fixture->length, sizeof(*message) + length);
		assert_int_equal(message->player, record(0)->player);
		assert_int_equal(message->type, GAME_TYPE_PAYLOAD);
		assert_int_equal(message->flags, 0);
		assert_int_equal(message->channel, 0);
		assert_memory_equal(message->body, body, length);
	}
	assert_int_equal(stats()->netcode_payloads_lost + stats()->netcode_payloads_missed, 0);
	assert_int_equal(counts()->offered, counts()->delivered);
}

static void a_payload_that_no_route_takes_is_nobodys(void **state UNUSED)
{
	game_fixture_route(fixture, GAME_TYPE_PAYLOAD + 1, GAME_TYPE_LAST);
	game_fixture_attach(fixture, false);
	get_in(0);
	assert_false(say(0, "x", 1).forwarded);
	assert_int_equal(stats()->netcode_payloads_lost, 1);
	assert_int_equal(counts()->offered, 0);
}

static void a_payload_that_its_process_cannot_have_is_lost_there(void **state UNUSED)
{
	const uint8_t body[NETCODE_PAYLOAD_MAX] = {0};
	unsigned forwarded = 0;

	begin();
	assert_false(say(0, body, sizeof(body)).forwarded); // more than a quarter of its ring
	assert_int_equal(counts()->lost[PG_PROCESS_LOSS_TOO_LONG], 1);
	for (unsigned i = 0; i < 10; i++)
		forwarded += say(0, body, 900).forwarded;
	game_fixture_turn(fixture);
	assert_true(forwarded > 0 && forwarded < 10);
	assert_int_equal(counts()->delivered, forwarded);
	assert_int_equal(counts()->lost[PG_PROCESS_LOSS_FULL], 10 - forwarded);
	assert_int_equal(stats()->netcode_payloads_missed, 11 - forwarded);
	assert_int_equal(stats()->netcode_payloads_lost, 0);
}

static void clients_are_shared_out_by_their_ids(void **state UNUSED)
{
	game_fixture_route(fixture, GAME_TYPE_PAYLOAD, GAME_TYPE_PAYLOAD);
	fixture->policy.route[0].processes = 2;
	fixture->policy.route[0].process[1] = 1;
	memset(&fixture->routes, 0, sizeof(fixture->routes));
	game_routes_init(&fixture->routes, &fixture->policy, 1000000);
	game_fixture_attach(fixture, false);
	game_expect_empty_listing(fixture);
	for (unsigned i = 0; i < CAPACITY; i++) {
		struct netcode_player one;
		const bool ours = game_route(&fixture->routes, 0, GAME_TYPE_PAYLOAD, 1 + i) == 0;

		netcode_player_init(&one, 1 + i, (uint16_t)(5000 + i));
		netcode_get_in(fixture->clients, 0, &one);
		game_fixture_turn(fixture);
		game_expect(fixture, ours ? GAME_JOINED : -1);
		assert_int_equal(netcode_say(fixture->clients, 0, &one, NETCODE_PAYLOAD, "x", 1).outcome.forwarded,
				 ours);
		game_fixture_turn(fixture);
		game_expect(fixture, ours ? GAME_MESSAGE : -1);
	}
	assert_int_equal(counts()->offered + fixture->game->counts[1].offered, CAPACITY);
	assert_true(counts()->offered > 0 && counts()->offered < CAPACITY);
}

static void a_client_keeps_its_number_when_the_worker_dies(void **state UNUSED)
{
	uint32_t player;

	begin();
	player = record(0)->player;
	game_fixture_restart(fixture);
	game_fixture_turn(fixture);
	assert_int_equal(record(0)->player, player);
	assert_true(say(0, "x", 1).forwarded);
}

static void a_client_of_a_release_without_numbers_gets_one(void **state UNUSED)
{
	get_in(0);
	fixture->clients->records[client[0].told.client_index].player = 0;
	netcode_restart(fixture->clients);
	assert_true(netcode_player_has(record(0)->player, client[0].told.client_index));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALONE(who_gets_in_is_named_by_id_and_user_data_and_who_leaves_is_told),
		ALONE(who_is_silent_for_too_long_leaves_as_idle),
		ALONE(everybody_leaves_when_the_gateway_ends_and_is_told_once),
		BOTH(who_is_in_is_listed_behind_the_players_of_sessions),
		ALONE(a_listing_goes_on_where_the_ring_was_full),
		BOTH(a_payload_that_a_route_takes_reaches_its_process_whole),
		ALONE(a_payload_that_no_route_takes_is_nobodys),
		ALONE(a_payload_that_its_process_cannot_have_is_lost_there),
		BOTH(clients_are_shared_out_by_their_ids),
		ALONE(a_client_keeps_its_number_when_the_worker_dies),
		ALONE(a_client_of_a_release_without_numbers_gets_one),
	};

	return cmocka_run_group_tests_name("game_clients", tests, NULL, NULL);
}
