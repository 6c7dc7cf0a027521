// SPDX-License-Identifier: BSD-3-Clause
// players.c: which players are in, and which worker serves each.

#include "game.h"

#include <stdlib.h>

#define SIZE_MIN 1024U

bool players_init(struct players *players)
{
	*players = (struct players){.slot = calloc(SIZE_MIN, sizeof(struct player)), .size = SIZE_MIN};
	return players->slot != NULL;
}

ALWAYS_INLINE uint32_t home_of(const struct players *players, uint32_t player)
{
	return (uint32_t)((player * 0x9e3779b97f4a7c15ULL) >> 32) & (players->size - 1);
}

/// Where the player is, or would be.
ALWAYS_INLINE struct player *slot_of(const struct players *players, uint32_t player)
{
	uint32_t at = home_of(players, player);

	while (players->slot[at].player != player && players->slot[at].player != 0)
		at = (at + 1) & (players->size - 1);
	return &players->slot[at];
}

struct player *players_find(const struct players *players, uint32_t player)
{
	struct player *found = slot_of(players, player);

	return found->player != 0 ? found : NULL;
}

static bool grow(struct players *players)
{
	struct players larger = *players;

	if (players->size >= PLAYERS_MAX)
		return false;
	larger.size *= 2;
	larger.slot = calloc(larger.size, sizeof(struct player));
	if (!larger.slot)
		return false;
	for (uint32_t at = 0; at < players->size; at++)
		if (players->slot[at].player != 0)
			*slot_of(&larger, players->slot[at].player) = players->slot[at];
	free(players->slot);
	larger.version++;
	*players = larger;
	return true;
}

struct player *players_add(struct players *players, uint32_t player)
{
	struct player *slot;

	if (players->count >= players->size / 2 && !grow(players))
		return NULL;
	slot = slot_of(players, player);
	if (slot->player == 0) {
		*slot = (struct player){.player = player};
		players->count++;
	}
	return slot;
}

static void players_remove(struct players *players, struct player *player)
{
	const uint32_t mask = players->size - 1;
	uint32_t hole = (uint32_t)(player - players->slot);

	players->version++;
	players->count--;
	for (uint32_t at = (hole + 1) & mask; players->slot[at].player != 0; at = (at + 1) & mask) {
		const uint32_t home = home_of(players, players->slot[at].player);

		if (((at - home) & mask) < ((at - hole) & mask))
			continue; // it would be before its place
		players->slot[hole] = players->slot[at];
		hole = at;
	}
	players->slot[hole] = (struct player){0};
}

static bool leaving_grow(struct players *players)
{
	const uint32_t size = players->leaving_size > 0 ? 2 * players->leaving_size : SIZE_MIN;
	uint32_t *larger = realloc(players->leaving, size * sizeof(*larger));

	if (!larger)
		return false;
	players->leaving = larger;
	players->leaving_size = size;
	return true;
}

void players_leave(struct players *players, struct player *player)
{
	players->named -= player->is_named;
	player->is_named = false;
	if (players->leavings == players->leaving_size && !leaving_grow(players)) {
		players_remove(players, player);
		return;
	}
	player->is_leaving = true;
	players->leaving[players->leavings++] = player->player;
}

void players_let_go(struct players *players)
{
	while (players->leavings > 0) {
		struct player *player = players_find(players, players->leaving[--players->leavings]);

		if (player && player->is_leaving) // and has not come back
			players_remove(players, player);
	}
}
