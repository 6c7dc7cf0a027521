// SPDX-License-Identifier: BSD-3-Clause
// test_game_players.c: whom a game process knows to be in, when many come and go.

#include "gateway.h"

static struct gateway gateway;

static void many_players_are_found_and_forgotten(void **state UNUSED)
{
	enum { PLAYERS = 3000 };
	struct pgg_event event[64];
	unsigned joined = 0, left = 0;
	pgg *game = gateway_begin(&gateway, 1);

	for (uint32_t i = 0; i < PLAYERS; i++) {
		gateway_join(&gateway, 0, 1000 + i * 37, GAME_JOINED_NOW);
		joined += (unsigned)pgg_poll(game, event, COUNT(event));
	}
	while (pgg_wait(game, 0) > 0)
		joined += (unsigned)pgg_poll(game, event, COUNT(event));
	assert_int_equal(joined, PLAYERS);
	for (uint32_t i = 0; i < PLAYERS; i++)
		assert_true(pgg_is_here(game, 1000 + i * 37));
	gateway_listing(&gateway, 0, (const uint32_t[]){1000, 1037}, 2);
	while (pgg_wait(game, 0) > 0) {
		const int n = pgg_poll(game, event, COUNT(event));

		for (int i = 0; i < n; i++)
			left += event[i].type == PGG_LEFT;
	}
	assert_int_equal(left, PLAYERS); // those two stay, 7 and 9 go
	assert_int_equal(pgg_players(game), 2);
	assert_true(pgg_is_here(game, 1037));
	gateway_end(&gateway, game);
}

static void whoever_goes_is_forgotten_and_nobody_else(void **state UNUSED)
{
	enum { PLAYERS = 450 };
	struct pgg_event event[64];
	pgg *game = gateway_begin(&gateway, 1);

	for (uint32_t i = 1; i <= PLAYERS; i++)
		gateway_join(&gateway, 0, 100 + i, GAME_JOINED_NOW);
	while (pgg_wait(game, 0) > 0)
		pgg_poll(game, event, COUNT(event));
	for (uint32_t i = 1; i <= PLAYERS; i += 3)
		gateway_leave(&gateway, 0, 100 + i, 1);
	while (pgg_wait(game, 0) > 0)
		pgg_poll(game, event, COUNT(event));
	for (uint32_t i = 1; i <= PLAYERS; i++)
		assert_int_equal(pgg_is_here(game, 100 + i), i % 3 != 1);
	assert_int_equal(pgg_players(game), 2 + PLAYERS - PLAYERS / 3);
	gateway_end(&gateway, game);
}

static void players_who_come_while_others_are_forgotten_lose_nobody(void **state UNUSED)
{
	enum { PLAYERS = 400 };
	struct pgg_event event;
	unsigned joined = 0, left = 0;
	pgg *game = gateway_begin(&gateway, 2);

	for (uint32_t i = 1; i <= PLAYERS; i++)
		gateway_join(&gateway, 0, 100 + i, GAME_JOINED_NOW);
	while (joined < PLAYERS)
		joined += (unsigned)pgg_poll(game, &event, 1);
	gateway_listing(&gateway, 0, NULL, 0);
	for (uint32_t i = 1; i <= PLAYERS; i++) // the table grows
		gateway_join(&gateway, 1, 10000 + i, GAME_JOINED_NOW);
	while (pgg_wait(game, 0) > 0)
		if (pgg_poll(game, &event, 1) == 1)
			left += event.type == PGG_LEFT;
	assert_int_equal(left, 2 + PLAYERS);
	assert_int_equal(pgg_players(game), PLAYERS);
	gateway_end(&gateway, game);
}

static void whoever_left_a_moment_ago_can_be_answered_and_is_not_here(void **state UNUSED)
{
	const struct pgg_message answer = {.type = 64};
	struct pgg_event event[4];
	pgg *game = gateway_begin(&gateway, 1);

	gateway_join(&gateway, 0, 8, GAME_JOINED_NOW);
	gateway_leave(&gateway, 0, 8, 1);
	gateway_leave(&gateway, 0, 7, 1);
	gateway_join(&gateway, 0, 7, GAME_JOINED_NOW);
	assert_int_equal(pgg_poll(game, event, COUNT(event)), 4);
	assert_int_equal(pgg_group_join(game, 1, 8), PGG_OK);
	assert_int_equal(pgg_send(game, 8, &answer), PGG_OK);
	assert_false(pgg_is_here(game, 8));
	assert_true(pgg_is_here(game, 7));
	assert_int_equal(pgg_players(game), 2);
	no_event(game);
	assert_int_equal(pgg_send(game, 8, &answer), PGG_NOT_HERE);
	assert_int_equal(pgg_send(game, 7, &answer), PGG_OK);
	assert_int_equal(pgg_players(game), 2);
	gateway_end(&gateway, game);
}

/// The next number that has its place where many others have theirs, as players.c hashes them.
static uint32_t next_of_a_crowd(uint32_t player)
{
	do
		player++;
	while (((player * 0x9e3779b97f4a7c15ULL) >> 32 & 1023) > 8);
	return player;
}

static void players_who_go_while_others_are_forgotten_hide_nobody(void **state UNUSED)
{
	enum { PLAYERS = 250 };
	uint32_t player = 100, other[PLAYERS];
	struct pgg_event event;
	unsigned left = 0;
	pgg *game = gateway_begin(&gateway, 2);

	for (unsigned i = 0; i < PLAYERS; i++) {
		player = next_of_a_crowd(player);
		gateway_join(&gateway, 0, player, GAME_JOINED_NOW);
		player = other[i] = next_of_a_crowd(player);
		gateway_join(&gateway, 1, player, GAME_JOINED_NOW);
	}
	while (pgg_wait(game, 0) > 0)
		pgg_poll(game, &event, 1);
	gateway_listing(&gateway, 0, NULL, 0);
	for (unsigned i = 0; i < PLAYERS; i++)
		gateway_leave(&gateway, 1, other[i], 1);
	while (pgg_wait(game, 0) > 0) // from each ring in turn
		if (pgg_poll(game, &event, 1) == 1)
			left += event.type == PGG_LEFT;
	assert_int_equal(left, 2 + 2 * PLAYERS);
	assert_int_equal(pgg_players(game), 0);
	gateway_end(&gateway, game);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_players_are_found_and_forgotten),
		cmocka_unit_test(whoever_goes_is_forgotten_and_nobody_else),
		cmocka_unit_test(players_who_come_while_others_are_forgotten_lose_nobody),
		cmocka_unit_test(whoever_left_a_moment_ago_can_be_answered_and_is_not_here),
		cmocka_unit_test(players_who_go_while_others_are_forgotten_hide_nobody),
	};

	return cmocka_run_group_tests_name("game_players", tests, NULL, NULL);
}
