// SPDX-License-Identifier: BSD-3-Clause
// game_clients_fixture.c: see game_clients_fixture.h.

#include "game_clients_fixture.h"

struct game_fixture *fixture;
struct netcode_player client[CLIENTS];

static int open_with(bool alone)
{
	fixture = game_fixture_open_netcode(CAPACITY, alone);
	for (unsigned i = 0; i < CLIENTS; i++)
		netcode_player_init(&client[i], 0x7700000001ULL + i, (uint16_t)(4000 + i));
	return 0;
}

int clients_open_both(void **state UNUSED)
{
	return open_with(false);
}

int clients_open_alone(void **state UNUSED)
{
	return open_with(true);
}

int clients_close(void **state UNUSED)
{
	game_fixture_close(fixture);
	return 0;
}

const struct pg_worker_stats *stats(void)
{
	return &fixture->clients->stats[0];
}

const struct pg_process_counts *counts(void)
{
	return &fixture->game->counts[0];
}

const struct netcode_record *record(unsigned i)
{
	return &fixture->clients->records[client[i].told.client_index];
}

void get_in(unsigned i)
{
	netcode_get_in(fixture->clients, 0, &client[i]);
}

struct netcode_outcome say(unsigned i, const void *body, uint16_t length)
{
	return netcode_say(fixture->clients, 0, &client[i], NETCODE_PAYLOAD, body, length).outcome;
}

void leave(unsigned i)
{
	netcode_say(fixture->clients, 0, &client[i], NETCODE_DISCONNECT, NULL, 0);
}

void expect_joined(unsigned i, enum game_how how)
{
	const struct game_joined_client *joined = (const struct game_joined_client *)fixture->record;

	game_expect(fixture, GAME_JOINED);
	assert_int_equal(fixture->length, sizeof(*joined));
	assert_int_equal(joined->joined.player, record(i)->player);
	assert_int_equal(joined->joined.session, client[i].told.client_index);
	assert_int_equal(joined->joined.port, 9000);
	assert_int_equal(joined->joined.profile, PG_PROFILE_NETCODE);
	assert_int_equal(joined->joined.how, how);
	assert_true(joined->client == client[i].grant.client_id);
	assert_memory_equal(joined->user_data, client[i].grant.user_data, GAME_USER_DATA);
}

void expect_left(uint32_t player, enum session_close_reason why)
{
	const struct game_left *left = (const struct game_left *)fixture->record;

	game_expect(fixture, GAME_LEFT);
	assert_int_equal(left->player, player);
	assert_int_equal(left->why, why);
}

void begin(void)
{
	game_fixture_route(fixture, GAME_TYPE_PAYLOAD, GAME_TYPE_PAYLOAD);
	game_fixture_attach(fixture, false);
	game_expect_empty_listing(fixture);
	get_in(0);
	game_fixture_turn(fixture);
	expect_joined(0, GAME_JOINED_NOW);
}
