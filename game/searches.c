// SPDX-License-Identifier: BSD-3-Clause
// searches.c: what a game asks about who was where in a world: of any worker, as each knows of all of them.

#include "game.h"

#include <math.h>
#include <string.h>

static_assert((int)PGG_SPHERE == GAME_SEARCH_SPHERE && (int)PGG_RAY == GAME_SEARCH_RAY &&
		      PGG_FOUND_MAX == GAME_SEARCH_MOST,
	      "as in bus/records.h");
static_assert((int)PGG_SEARCH_ANSWERED == GAME_FOUND_ANSWERED && (int)PGG_SEARCH_CLAMPED == GAME_FOUND_CLAMPED &&
		      (int)PGG_SEARCH_TOO_OLD == GAME_FOUND_TOO_OLD &&
		      (int)PGG_SEARCH_NO_COMBAT == GAME_FOUND_NO_COMBAT && (int)PGG_SEARCH_BUSY == GAME_FOUND_BUSY &&
		      (int)PGG_SEARCH_NO_WORLD == GAME_FOUND_NO_WORLD,
	      "likewise");
static_assert(sizeof(struct pgg_found) == sizeof(struct game_found_one) &&
		      offsetof(struct pgg_found, distance) == offsetof(struct game_found_one, distance) &&
		      offsetof(struct pgg_found, sort) == offsetof(struct game_found_one, sort),
	      "read where they lie");

static bool is_vector(const float vector[3])
{
	return isfinite(vector[0]) && isfinite(vector[1]) && isfinite(vector[2]);
}

static int check_search(pgg *game, const struct pgg_search *search)
{
	const float *direction = search->direction;

	if (search->kind != PGG_SPHERE && search->kind != PGG_RAY)
		return refuse(game, PGG_ARGUMENT, "kind: %u, allowed are PGG_SPHERE and PGG_RAY", search->kind);
	if (search->most == 0 || search->most > PGG_FOUND_MAX)
		return refuse(game, PGG_ARGUMENT, "most: %u, allowed are 1 to %u", search->most, PGG_FOUND_MAX);
	if (!is_vector(search->position) || !(search->reach >= 0) || !isfinite(search->reach))
		return refuse(game, PGG_ARGUMENT, "position, reach: finite numbers are allowed, and no reach below 0");
	if (search->kind == PGG_RAY &&
	    (!is_vector(direction) || (direction[0] == 0 && direction[1] == 0 && direction[2] == 0)))
		return refuse(game, PGG_ARGUMENT, "direction: three finite numbers, not all of them 0");
	return PGG_OK;
}

static uint8_t flags_of(const struct pgg_search *search)
{
	const bool is_anybody = !search->players && !search->entities;
	uint8_t flags = search->now ? GAME_SEARCH_NOW : 0;

	if (search->players || is_anybody)
		flags |= GAME_SEARCH_PLAYERS;
	if (search->entities || is_anybody)
		flags |= GAME_SEARCH_ENTITIES;
	return flags;
}

static int put_search(pgg *game, struct worker *worker, const struct game_search *search)
{
	void *record;
	const int result = sink_reserve(game, &worker->sink, GAME_SEARCH, sizeof(*search), &record);

	if (result == PGG_OK)
		memcpy(record, search, sizeof(*search));
	return result;
}

int pgg_search(pgg *game, const char *world, const struct pgg_search *search)
{
	struct worker *worker;
	int result = check_alive(game);
	struct game_search order;

	if (result == PGG_OK)
		result = check_search(game, search);
	if (result != PGG_OK)
		return result;
	order = (struct game_search){
		.cookie = search->cookie,
		.kind = (uint8_t)search->kind,
		.flags = flags_of(search),
		.most = (uint16_t)search->most,
		.tick = search->tick,
		.parts = search->parts,
		.except = search->but_player,
		.reach = search->reach,
	};
	if (!world || !put_world_name(order.world, world))
		return refuse(game, PGG_ARGUMENT, "world: the name has 1 to %u bytes", GAME_WORLD_NAME - 1);
	memcpy(order.position, search->position, sizeof(order.position));
	memcpy(order.direction, search->direction, sizeof(order.direction));
	worker = game->workers_said != 0 ? worker_of_number(game, search->cookie % game->workers_said) : NULL;
	return worker ? put_search(game, worker, &order) : PGG_FULL; // it has not begun yet
}
