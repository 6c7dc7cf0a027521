// SPDX-License-Identifier: BSD-3-Clause
// fuzz_waiting.c: players of a world who say anything, at any time, while they move, come, go and are looked for: each message ends
// once, nothing waits for ever, nobody's memory is lost, and what an attack is told with is what it can be.
//
// Beside them a game process asks who was where: each question ends once.
//
// Input: steps of a byte. Its low three bits are a player, the others: 0 to 2 an attack, to 5 a chat message, to 7 anything, of eight
// bytes more, if it is let in; 8 to 15 something long for everyone near; 16 to 19 a movement of two bytes more; 20, 21 a tick, 21 with
// another order of ranks if that is possible; 22 the player leaves the world or comes back; 23 all that waits ends; 24 a question, of
// 48 bytes more behind the name of its world; else a step of what waits.

#include <stdlib.h>
#include <string.h>

#include "game_fixture.h"

#include "delivery/lists.h"
#include "game/waiting.h"
#include "message/attack.h"
#include "message/session_check.h"
#include "replication/members.h"
#include "replication_fixture.h"
#include "session/connection.h"

#define PLAYERS 8
#define INPUTS_OF_ONE 100 // fixture
#define LONGEST 600
#define STEPS_MAX 1000000

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static struct game_fixture *fixture;
static struct replication_fixture *world;
static uint64_t said;
static unsigned inputs;

static struct session_shard *shard(void)
{
	return fixture->sessions->shard[0];
}

static uint32_t slot_of(unsigned player)
{
	return fixture_slot(fixture->sessions, &fixture->player[player]);
}

static uint64_t ended(void)
{
	uint64_t ended = 0;

	for (unsigned i = 0; i < PG_DESTINATIONS; i++)
		ended += fixture->sessions->stats[0].messages.dispatched[i];
	return ended;
}

static void finish(void)
{
	unsigned steps = 0;

	while (waiting_has_some(world->waiting)) {
		waiting_step(shard(), fixture->sessions->now);
		require(++steps < STEPS_MAX);
	}
	require(ended() == said);
	for (unsigned player = 0; player < PLAYERS; player++)
		require(world->replication->members[slot_of(player)].waits == 0);
}

/// What has been queued for a player is whole.
static void look_at_told(unsigned player)
{
	const struct outbound *out = &store_delivery(shard()->store, slot_of(player))->out;

	for (unsigned queue = 0; queue < PRIORITIES * OUTBOUND_QUEUES; queue++) {
		const struct stored *first;

		if (!(out->waiting_mask >> queue & 1))
			continue;
		first = stored_at(shard()->ctx.pool, outbound_lists(&shard()->ctx, out)->waiting_in[queue]);
		if (first->type == SESSION_ATTACK_EVENT)
			require(session_body_check(first->type, first->body, first->length) == PG_DROP_NONE);
	}
}

static void begin(void)
{
	fixture = game_fixture_open();
	world = replication_fixture_open(fixture->sessions);
	game_fixture_attach(fixture, false);
	for (unsigned player = 0; player < PLAYERS; player++) {
		game_fixture_connect(fixture, player);
		replication_fixture_enter(world, slot_of(player), 0, (float)player);
	}
	replication_fixture_tick(world, false);
}

/// Messages that nobody's datagrams take away are let go of with the connection.
static void end(void)
{
	finish();
	for (unsigned player = 0; player < PLAYERS; player++)
		look_at_told(player);
	if (++inputs % INPUTS_OF_ONE != 0)
		return;
	for (unsigned player = 0; player < PLAYERS; player++) {
		member_leaves(world->replication, slot_of(player));
		connection_close(shard(), slot_of(player), SESSION_CLOSED_IDLE, fixture->sessions->now);
	}
	require(shard()->ctx.pool->used == 0);
	replication_fixture_close(world);
	game_fixture_close(fixture);
	fixture = NULL;
	said = 0;
}

static void say(unsigned player, uint8_t type, const uint8_t *body, uint32_t length)
{
	if (session_body_check(type, body, length) != PG_DROP_NONE)
		return;
	said++;
	game_fixture_say(fixture, player, type, body, length);
}

#define WORDS 8 // of a message, in the input

/// A direction, and a moment about now or anywhere.
static void say_attack(unsigned player, const uint8_t word[WORDS])
{
	const struct attack_body attack = {
		.target_id = word[1] % 16,
		.direction = {(int8_t)word[2], (int8_t)word[3], (int8_t)word[4]},
	};
	const struct attack_view view = {
		.tick = (uint16_t)(world->replica->tick + (uint32_t)(int8_t)word[5] * (word[6] & 8 ? 100 : 1)),
		.parts = word[7],
		.zero = word[6] >> 7,
	};
	uint8_t body[ATTACK_VIEWED];

	memcpy(body, &attack, sizeof(attack));
	memcpy(body + sizeof(attack), &view, sizeof(view));
	if (word[6] & 4) // any bits at all
		memcpy(body + word[6] % sizeof(attack), word, 3);
	say(player, SESSION_ATTACK, body, word[6] & 1 ? sizeof(body) : sizeof(attack));
}

static void say_chat(unsigned player, const uint8_t word[WORDS])
{
	uint8_t body[sizeof(struct chat_body) + UINT8_MAX];
	const struct chat_body chat = {.target_id = word[1] % 16, .text_len = word[2]};

	memset(body, 'a', sizeof(body));
	memcpy(body, &chat, sizeof(chat));
	say(player, SESSION_CHAT, body, (uint32_t)sizeof(chat) + word[2]);
}

static void say_any(unsigned player, unsigned what, const uint8_t word[WORDS])
{
	static const uint8_t type_of[] = {SESSION_SKILL, SESSION_BULK, SESSION_ATTACK, SESSION_CHAT};

	say(player, type_of[what % COUNT(type_of)], word, WORDS);
}

/// @return bytes of the input that it took
static size_t say_input(unsigned player, unsigned what, const uint8_t *data, size_t size)
{
	uint8_t word[WORDS] = {0};
	const size_t took = size < WORDS ? size : WORDS;

	memcpy(word, data, took);
	if (what < 3)
		say_attack(player, word);
	else if (what < 6)
		say_chat(player, word);
	else
		say_any(player, word[0], word);
	return took;
}

static void say_long(unsigned player)
{
	uint8_t body[LONGEST] = {0};

	say(player, SESSION_BULK, body, sizeof(body));
}

static void come_or_leave(unsigned player)
{
	const uint32_t slot = slot_of(player);

	if (world->replication->members[slot].world == 0)
		replication_fixture_enter(world, slot, 0, (float)player);
	else
		(void)replication_enter(world->replication, slot, 0, NULL, fixture->sessions->now);
}

/// @return bytes of the input that it took
static size_t ask(const uint8_t *data, size_t size)
{
	const struct pg_process_counts *counts = &fixture->game->counts[0];
	const uint64_t before = counts->orders;
	struct game_search search = {.world = "meadow"};
	const size_t most = sizeof(search) - sizeof(search.world), took = size < most ? size : most;
	uint64_t became = 0;

	memcpy((uint8_t *)&search + sizeof(search.world), data, took);
	search.most %= 64; // few are let in that are greater
	game_fixture_order(fixture, GAME_SEARCH, &search, sizeof(search));
	do
		game_fixture_turn(fixture);
	while (fixture->link->searching.unfinished);
	while (game_fixture_read(fixture) >= 0)
		;
	require(counts->orders == before + 1);
	for (unsigned i = 0; i < PG_WORLD_SEARCHES; i++)
		became += world->replica->counts->searches[i];
	became += counts->refused[PG_ORDER_REFUSED_BODY] + counts->refused[PG_ORDER_REFUSED_RECEIVERS];
	require(became == counts->orders);
	require(fixture->game->linked == 1);
	return took;
}

/// @return bytes of the input that it took
static size_t step(const uint8_t *data, size_t size)
{
	const unsigned player = data[0] & 7, what = data[0] >> 3;

	if (what < 8)
		return 1 + say_input(player, what, data + 1, size - 1);
	if (what < 16) {
		say_long(player);
	} else if (what < 20 && size > 2) {
		replication_fixture_move(world, slot_of(player), (int8_t)data[1], (int8_t)data[2]);
		return 3;
	} else if (what < 22) {
		replication_fixture_tick(world, what & 1);
	} else if (what == 22) {
		come_or_leave(player);
	} else if (what == 23) {
		finish();
	} else if (what == 24) {
		return 1 + ask(data + 1, size - 1);
	} else {
		waiting_step(shard(), fixture->sessions->now);
	}
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!fixture)
		begin();
	while (size != 0) {
		const size_t took = step(data, size);

		data += took;
		size -= took;
	}
	end();
	return 0;
}
