// SPDX-License-Identifier: BSD-3-Clause
// entities.c: what a game has in the gateway's worlds beside the players: many in one record, each to the worker whose it is.

#include "game.h"

#include <string.h>

/// Of one kind, in an array of the caller's.
struct entities_said {
	uint16_t type;
	uint32_t bytes; // in a record; the first four are the identity
	uint32_t n;
	const void *at;
	uint32_t stride; // in the array
	bool players;    // each is of the worker who serves it
	void (*write)(void *item, const void *from);
};

static uint32_t identity_at(const struct entities_said *said, uint32_t i)
{
	uint32_t identity;

	memcpy(&identity, (const uint8_t *)said->at + (size_t)i * said->stride, sizeof(identity));
	return identity;
}

/// Whose it is; UINT32_MAX: nobody's.
static uint32_t number_of(const pgg *game, const struct entities_said *said, uint32_t i)
{
	const uint32_t identity = identity_at(said, i);
	const struct player *player;

	if (!said->players)
		return game_entity_worker(identity, game->workers_said);
	player = identity != 0 ? players_find(&game->players, identity) : NULL;
	return player && game->worker[player->worker] ? game->worker[player->worker]->number : UINT32_MAX;
}

struct worker *worker_of_number(const pgg *game, uint32_t number)
{
	for (unsigned i = 0; i < game->workers; i++)
		if (game->worker[i]->number == number)
			return game->worker[i];
	return NULL;
}

static int put_record(pgg *game, struct worker *worker, const char world[GAME_WORLD_NAME],
		      const struct entities_said *said, const uint32_t *index, uint32_t n)
{
	uint8_t *item;
	void *record;
	const int result = sink_reserve(game, &worker->sink, said->type,
					(uint32_t)sizeof(struct game_entities) + n * said->bytes, &record);

	if (result != PGG_OK)
		return result;
	memcpy(record, world, GAME_WORLD_NAME);
	item = (uint8_t *)record + sizeof(struct game_entities);
	for (uint32_t i = 0; i < n; i++, item += said->bytes)
		said->write(item, (const uint8_t *)said->at + (size_t)index[i] * said->stride);
	return PGG_OK;
}

/// Those of one worker, as many in a record as fit.
static int say_to(pgg *game, uint32_t number, const char world[GAME_WORLD_NAME], const struct entities_said *said)
{
	struct worker *worker = worker_of_number(game, number);
	uint32_t index[GAME_ENTITIES_MAX], n = 0;
	int result = PGG_OK;

	if (!worker)
		return said->players ? PGG_OK : PGG_FULL; // it has not begun yet
	for (uint32_t i = 0; i < said->n && result == PGG_OK; i++) {
		if (number_of(game, said, i) != number)
			continue;
		index[n++] = i;
		if (n < GAME_ENTITIES_MAX)
			continue;
		result = put_record(game, worker, world, said, index, n);
		n = 0;
	}
	return result == PGG_OK && n > 0 ? put_record(game, worker, world, said, index, n) : result;
}

static int say(pgg *game, const char *world, const struct entities_said *said)
{
	char name[GAME_WORLD_NAME];
	int result = check_alive(game);

	if (result != PGG_OK)
		return result;
	if (!put_world_name(name, world) || (!world && !said->players))
		return refuse(game, PGG_ARGUMENT, "world: the name has 1 to %u bytes", GAME_WORLD_NAME - 1);
	for (uint32_t number = 0; number < game->workers_said && result == PGG_OK; number++)
		result = say_to(game, number, name, said);
	return result;
}

static void write_spawn(void *item, const void *from)
{
	const struct pgg_entity *entity = from;
	struct game_spawn spawn = {.entity = entity->entity, .length = entity->state_bytes};

	memcpy(spawn.position, entity->position, sizeof(spawn.position));
	memcpy(spawn.velocity, entity->velocity, sizeof(spawn.velocity));
	memcpy(spawn.state, entity->state, spawn.length);
	memcpy(item, &spawn, sizeof(spawn));
}

static void write_place(void *item, const void *from)
{
	memcpy(item, from, sizeof(struct game_position));
}

static void write_identity(void *item, const void *from)
{
	memcpy(item, from, sizeof(uint32_t));
}

int pgg_spawn(pgg *game, const char *world, const struct pgg_entity *entities, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (entities[i].state_bytes > GAME_STATE_MAX)
			return refuse(game, PGG_TOO_LONG, "state_bytes of entity %u: %u, at most %u",
				      entities[i].entity, entities[i].state_bytes, GAME_STATE_MAX);
	return say(game, world,
		   &(struct entities_said){.type = GAME_SPAWN,
					   .bytes = sizeof(struct game_spawn),
					   .n = n,
					   .at = entities,
					   .stride = sizeof(*entities),
					   .write = write_spawn});
}

int pgg_move_entities(pgg *game, const char *world, const struct pgg_position *places, uint32_t n)
{
	static_assert(sizeof(*places) == sizeof(struct game_position), "as it lies in the record");
	return say(game, world,
		   &(struct entities_said){.type = GAME_MOVE_ENTITIES,
					   .bytes = sizeof(struct game_position),
					   .n = n,
					   .at = places,
					   .stride = sizeof(*places),
					   .write = write_place});
}

static void write_state(void *item, const void *from)
{
	const struct pgg_state *said = from;
	struct game_state state = {.entity = said->entity, .length = said->bytes};

	memcpy(state.state, said->data, state.length);
	memcpy(item, &state, sizeof(state));
}

static int set_states(pgg *game, const char *world, const struct pgg_state *states, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (states[i].bytes > GAME_STATE_MAX)
			return refuse(game, PGG_TOO_LONG, "bytes of the state of %u: %u, at most %u", states[i].entity,
				      states[i].bytes, GAME_STATE_MAX);
	return say(game, world,
		   &(struct entities_said){.type = GAME_STATE,
					   .bytes = sizeof(struct game_state),
					   .n = n,
					   .at = states,
					   .stride = sizeof(*states),
					   .write = write_state,
					   .players = !world});
}

int pgg_set_states(pgg *game, const char *world, const struct pgg_state *states, uint32_t n)
{
	return set_states(game, world ? world : "", states, n);
}

int pgg_set_player_states(pgg *game, const struct pgg_state *states, uint32_t n)
{
	return set_states(game, NULL, states, n);
}

int pgg_despawn(pgg *game, const char *world, const uint32_t *entities, uint32_t n)
{
	return say(game, world,
		   &(struct entities_said){.type = GAME_DESPAWN,
					   .bytes = sizeof(*entities),
					   .n = n,
					   .at = entities,
					   .stride = sizeof(*entities),
					   .write = write_identity});
}

uint32_t pgg_entity_worker(const pgg *game, uint32_t entity)
{
	return game->workers_said != 0 ? game_entity_worker(entity, game->workers_said) : 0;
}
