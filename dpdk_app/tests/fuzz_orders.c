// SPDX-License-Identifier: BSD-3-Clause
// fuzz_orders.c: a game process that says anything: each order is done or refused for one reason, nobody's memory is lost, and
// what is no order of a sound ring breaks nothing but the words of who said it.
//
// Two worlds are there, with room for a few entities, and after each step of the input a tick of theirs passes: who is counted is
// there, and of numbers that nobody has nothing is said.
//
// Two clients of the netcode profile are in; in an order of at least eight bytes, each of the first two numbers that is 200 or 201
// stands for one of them.
//
// Input: steps of a byte: 0 to 223 an order of the type that its low four bits say, with a length (a byte, of which 255 stands for
// 700) and as many bytes; 224 to 239 player 1 to 16 comes, or leaves; 240 to 247 a message to everybody in group 1, whom 40 join
// first; 248 to 251 the next process of the name attaches; 252 to 255 time is short from now on, or no longer.

#include <stdlib.h>
#include <string.h>

#include "game_fixture.h"
#include "replication_fixture.h"

#include "game/entities.h"
#include "session/connection.h"

#define LONG_ORDER 700
#define CLIENTS 2
#define CLIENT_NUMBER 200
#define TURNS_MAX 1000
#define INPUTS_OF_ONE 200 // fixture
#define ENTITIES 12
#define ENDS_MAX 100 // turns until what a process had is gone

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static struct game_fixture *fixture;
static struct replication_fixture *worlds;
static bool is_in[GAME_PLAYERS];
static unsigned inputs;

static struct netcode_player client[CLIENTS];

static void read_all(void)
{
	while (game_fixture_read(fixture) >= 0)
		;
}

/// Each payload ends once, and only whole ones leave, to whom they are for.
static void let_payloads_leave(void)
{
	const struct pg_worker_stats *stats = &fixture->clients->stats[0];
	const uint64_t sent = stats->netcode_payloads_sent;

	require(netcode_egress_of(fixture->clients, 0, client, CLIENTS, NETCODE_PAYLOAD) ==
		stats->netcode_payloads_sent - sent);
	require(stats->netcode_payloads_offered == stats->netcode_payloads_sent + stats->netcode_payloads_no_room +
							   stats->netcode_payloads_too_many +
							   stats->netcode_payloads_closed);
}

static const struct netcode_record *record_of(unsigned i)
{
	return &fixture->clients->records[client[i].told.client_index];
}

static void name_clients(uint8_t *body, uint32_t length)
{
	uint32_t number[2];

	if (length < sizeof(number))
		return;
	memcpy(number, body, sizeof(number));
	for (unsigned i = 0; i < 2; i++)
		if (number[i] >= CLIENT_NUMBER && number[i] < CLIENT_NUMBER + CLIENTS)
			number[i] = record_of(number[i] - CLIENT_NUMBER)->player;
	memcpy(body, number, sizeof(number));
}

static bool is_client_in(unsigned i)
{
	return netcode_client_at(fixture->clients->shard[0], &client[i].peer) != ADDRESS_NONE &&
	       record_of(i)->phase == NETCODE_CONNECTED;
}

static void let_client_in(unsigned i)
{
	const struct netcode_keep_alive nothing = {0, 0};

	for (unsigned k = 0; k < 2 * NETCODE_DISCONNECTS; k++) {
		netcode_wait(fixture->clients, 0.006);
		netcode_egress_of(fixture->clients, 0, client, CLIENTS, NETCODE_DISCONNECT);
	}
	client[i].grant.created_s = FIXTURE_UNIX_S;
	client[i].grant.expires_s = FIXTURE_UNIX_S + 1000000;
	netcode_player_regrant(&client[i]);
	client[i].sequence = 0;
	netcode_get_in(fixture->clients, 0, &client[i]);
	netcode_say(fixture->clients, 0, &client[i], NETCODE_KEEP_ALIVE, &nothing, sizeof(nothing));
}

/// Whoever was kicked comes again.
static void let_clients_in(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (!is_client_in(i))
			let_client_in(i);
}

/// Until the process has said all that it had to say.
static void take_turns(void)
{
	unsigned turns = 0;

	do {
		game_fixture_turn(fixture);
		read_all();
		let_payloads_leave();
		require(++turns < TURNS_MAX);
	} while (turn_is_wanted(fixture->game, 0));
}

/// Each order ends once.
static void order(enum game_order_type type, const void *body, uint32_t length)
{
	const struct pg_process_counts *counts = &fixture->game->counts[0];
	const uint64_t before = counts->orders;
	uint8_t named[LONG_ORDER];
	uint64_t refused = 0;

	require(length <= sizeof(named));
	if (length != 0)
		memcpy(named, body, length);
	name_clients(named, length);
	game_fixture_order(fixture, type, named, length);
	take_turns();
	require(counts->orders == before + 1);
	for (unsigned i = 0; i < PG_ORDER_REFUSALS; i++)
		refused += counts->refused[i];
	require(refused <= counts->orders);
	require(counts->refused[PG_ORDER_REFUSED_NONE] == 0);
	require(fixture->game->linked == 1);
}

static void leave(unsigned player)
{
	connection_close(fixture->sessions->shard[0], fixture_slot(fixture->sessions, &fixture->player[player]),
			 SESSION_CLOSED_IDLE, fixture->sessions->now);
	is_in[player] = false;
}

/// A ticket is for one connection.
static void come(unsigned player)
{
	fixture->player[player] = fixture_issue(fixture->sessions, player + 1, 1000, false);
	game_fixture_connect(fixture, player);
	is_in[player] = true;
}

static void come_or_leave(unsigned player)
{
	if (is_in[player])
		leave(player);
	else
		come(player);
}

static void say_to_everybody(void)
{
	const struct game_send_group send = {.group = 1, .message = {.type = 70, .channel = 1, .flags = GAME_RELIABLE}};
	uint8_t said[sizeof(send) + 200] = {0};

	memcpy(said, &send, sizeof(send));
	for (unsigned i = 0; i < GAME_PLAYERS; i++) {
		const struct game_group join = {.group = 1, .player = i + 1};

		if (!is_in[i])
			come(i);
		order(GAME_GROUP_JOIN, &join, sizeof(join));
	}
	order(GAME_SEND_GROUP, said, sizeof(said));
}

static void attach_next(void)
{
	const struct game_wish wish = {.times = fixture->link->now.times + 1, .present = true, .moves = true};

	fixture->link->wish = link_wish_pack(wish);
	fixture->game->changed = 1;
	game_heed(fixture->game);
}

static void hurry_or_not(void)
{
	fixture->routes.read_budget = fixture->routes.read_budget != 0 ? 0 : UINT32_MAX;
}

static void tick_worlds(void)
{
	replication_fixture_tick(worlds, true);
	for (uint32_t world = 0; world < FIXTURE_WORLDS; world++) {
		require(replication_fixture_is_sound(&worlds->replication->replica[world]));
		require(worlds->all[world] == worlds->replication->replica[world].counts->entities);
	}
}

/// @return bytes of the input that it took
static size_t step(const uint8_t *data, size_t size)
{
	const uint8_t what = data[0];
	size_t length;

	if (what >= 252)
		hurry_or_not();
	else if (what >= 248)
		attach_next();
	else if (what >= 240)
		say_to_everybody();
	else if (what >= 224)
		come_or_leave(what - 224);
	if (what >= 224 || size < 2)
		return 1;
	length = data[1] == UINT8_MAX ? LONG_ORDER : data[1];
	if (length > size - 2)
		length = size - 2;
	order((enum game_order_type)(what & 0xf), data + 2, (uint32_t)length);
	return 2 + length;
}

static void begin(void)
{
	fixture = game_fixture_open_netcode(2 * CLIENTS, false);
	worlds = replication_fixture_open_for(fixture->sessions, 1, ENTITIES);
	game_fixture_attach(fixture, true);
	for (unsigned i = 0; i < CLIENTS; i++)
		netcode_player_init(&client[i], 77 + i, (uint16_t)(4000 + i));
}

/// When nobody is in any more, nothing is queued. To make all of it anew takes longer than what one input does.
static void end(void)
{
	for (unsigned i = 0; i < GAME_PLAYERS; i++)
		if (is_in[i] && record_is_connected(fixture_record(fixture->sessions, &fixture->player[i])))
			leave(i);
	memset(is_in, 0, sizeof(is_in));
	require(fixture->sessions->shard[0]->ctx.pool->used == 0);
	fixture->routes.read_budget = UINT32_MAX;
	attach_next(); // which has no groups
	entities_end(fixture->game, 0);
	for (unsigned turns = 0; fixture->game->disowned != 0; turns++) {
		require(turns < ENDS_MAX);
		entities_end_some(fixture->game);
	}
	tick_worlds();
	for (uint32_t world = 0; world < FIXTURE_WORLDS; world++)
		require(worlds->all[world] == 0 && worlds->replication->replica[world].counts->players == 0);
	if (++inputs % INPUTS_OF_ONE != 0)
		return;
	replication_fixture_close(worlds);
	game_fixture_close(fixture);
	fixture = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!fixture)
		begin();
	let_clients_in();
	while (size != 0) {
		const size_t took = step(data, size);

		data += took;
		size -= took;
		tick_worlds();
	}
	end();
	return 0;
}
