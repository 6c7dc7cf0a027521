// SPDX-License-Identifier: BSD-3-Clause
// test_game_states.c: what a game says of entities and of players goes to the workers that have them.

#include "gateway.h"

#include <stdio.h>
#include <string.h>

static struct gateway gateway;

/// 7 and 9 at the first worker, 20 at the second.
static pgg *begin(void)
{
	pgg *game;

	gateway_start(&gateway, 2);
	game = gateway_attach(&gateway, "arena");
	gateway_listing(&gateway, 0, (const uint32_t[]){7, 9}, 2);
	gateway_listing(&gateway, 1, (const uint32_t[]){20}, 1);
	for (unsigned left = 5; left > 0;) {
		struct pgg_event event[5];
		const int n = pgg_poll(game, event, 5);

		assert_true(n >= 0);
		left -= (unsigned)n;
	}
	return game;
}

static struct pgg_state state_of(uint32_t who, const char *said)
{
	struct pgg_state state = {.entity = who, .bytes = (uint8_t)strlen(said)};

	memcpy(state.data, said, state.bytes);
	return state;
}

/// The states of the next record to this worker, of which there are `n`, in this world.
static const struct game_state *states_at(unsigned worker, const char *world, uint32_t n)
{
	const uint32_t bytes = (uint32_t)(sizeof(struct game_entities) + n * sizeof(struct game_state));
	const struct game_entities *head = gateway_order(&gateway, worker, GAME_STATE, bytes);
	char name[GAME_WORLD_NAME] = {0};

	(void)snprintf(name, sizeof(name), "%s", world);
	assert_memory_equal(head->world, name, sizeof(name));
	return (const void *)(head + 1);
}

static void assert_says(const struct game_state *state, uint32_t who, const char *said)
{
	static const uint8_t nothing[GAME_STATE_MAX];

	assert_int_equal(state->entity, who);
	assert_int_equal(state->length, strlen(said));
	assert_memory_equal(state->state, said, state->length);
	assert_memory_equal(state->state + state->length, nothing, sizeof(nothing) - state->length);
}

static void a_players_goes_to_its_worker(void **state UNUSED)
{
	const struct pgg_state said[] = {state_of(7, "seven"), state_of(20, ""), state_of(99, "nobody"),
					 state_of(9, "12345678901234567890123456789012"), state_of(0, "no number")};
	pgg *game = begin();
	const struct game_state *states;

	assert_int_equal(pgg_set_player_states(game, said, 5), PGG_OK);
	pgg_flush(game);
	states = states_at(0, "", 2);
	assert_says(&states[0], 7, "seven");
	assert_says(&states[1], 9, "12345678901234567890123456789012");
	assert_says(states_at(1, "", 1), 20, "");
	gateway_no_order(&gateway, 0);
	gateway_no_order(&gateway, 1);
	pgg_close(game);
	gateway_stop(&gateway);
}

static void an_entitys_goes_to_the_worker_that_follows_from_its_identity(void **state UNUSED)
{
	pgg *game = begin();

	for (uint32_t entity = 1; entity <= 50; entity++) {
		const struct pgg_state said = state_of(entity, "x");

		assert_int_equal(pgg_set_states(game, "meadow", &said, 1), PGG_OK);
		pgg_flush(game);
		assert_says(states_at(pgg_entity_worker(game, entity), "meadow", 1), entity, "x");
	}
	gateway_no_order(&gateway, 0);
	gateway_no_order(&gateway, 1);
	pgg_close(game);
	gateway_stop(&gateway);
}

static void many_are_several_records(void **state UNUSED)
{
	struct pgg_state said[150];
	pgg *game = begin();

	for (unsigned i = 0; i < 150; i++)
		said[i] = state_of(7, "x");
	assert_int_equal(pgg_set_player_states(game, said, 150), PGG_OK);
	pgg_flush(game);
	(void)states_at(0, "", GAME_ENTITIES_MAX);
	(void)states_at(0, "", GAME_ENTITIES_MAX);
	(void)states_at(0, "", 150 - 2 * GAME_ENTITIES_MAX);
	gateway_no_order(&gateway, 0);
	pgg_close(game);
	gateway_stop(&gateway);
}

static void what_cannot_be_is_not_written(void **state UNUSED)
{
	struct pgg_state said[] = {state_of(7, "x"), {.entity = 9, .bytes = PGG_STATE_MAX + 1}};
	pgg *game = begin();

	assert_int_equal(pgg_set_player_states(game, said, 2), PGG_TOO_LONG);
	assert_int_equal(pgg_set_states(game, "meadow", said, 2), PGG_TOO_LONG);
	assert_int_equal(pgg_set_states(game, "", said, 1), PGG_ARGUMENT);
	assert_int_equal(pgg_set_states(game, NULL, said, 1), PGG_ARGUMENT);
	assert_int_equal(pgg_set_states(game, "a name of more than the thirty-one bytes", said, 1), PGG_ARGUMENT);
	pgg_flush(game);
	gateway_no_order(&gateway, 0);
	gateway_no_order(&gateway, 1);
	pgg_close(game);
	gateway_stop(&gateway);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_players_goes_to_its_worker),
		cmocka_unit_test(an_entitys_goes_to_the_worker_that_follows_from_its_identity),
		cmocka_unit_test(many_are_several_records),
		cmocka_unit_test(what_cannot_be_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
