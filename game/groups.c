// SPDX-License-Identifier: BSD-3-Clause
// groups.c: messages to many players: one record for each worker, in all of their rings or in none.

#include "game.h"

#include <string.h>

/// Of one message, in each worker's ring. What was reserved before is committed, so that it can be taken back alone.
struct spread {
	pgg *game;
	struct sink *sink[WORKERS_MAX];
	unsigned sinks;
};

static int spread_reserve(struct spread *spread, struct sink *sink, uint16_t type, uint32_t length, void **record)
{
	enum ring_result result = RING_FULL;

	if (sink->attached) {
		ring_commit(&sink->writer);
		sink->uncommitted = 0;
		result = ring_reserve(&sink->writer, length, type, record);
	}
	if (result == RING_OK) {
		spread->sink[spread->sinks++] = sink;
		sink->uncommitted = 1;
		return PGG_OK;
	}
	for (unsigned i = 0; i < spread->sinks; i++)
		ring_abandon(&spread->sink[i]->writer);
	return sink_result(spread->game, sink, result);
}

static void spread_done(struct spread *spread)
{
	for (unsigned i = 0; i < spread->sinks; i++)
		spread->sink[i]->is_dirty = true;
	spread->game->is_dirty = true;
	spread->game->statistics.sent += spread->sinks;
}

static int check_all(pgg *game, const struct pgg_message *message, struct game_outgoing *out)
{
	int result = check_alive(game);

	if (result == PGG_OK)
		result = check_body(game, message);
	return result == PGG_OK ? check_message(game, message, out) : result;
}

// ---------------------------------------------------------------- lists

/// Where each is, or NO_WORKER.
/// @return how many are here
static int find_all(pgg *game, const uint32_t *players, uint32_t n, uint32_t *of_worker)
{
	int here = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct player *found = players[i] != 0 ? players_find(&game->players, players[i]) : NULL;

		game->list_worker[i] = found ? found->worker : NO_WORKER;
		if (!found)
			continue;
		of_worker[found->worker]++;
		here++;
	}
	return here;
}

static uint32_t body_at(uint32_t count)
{
	return ((uint32_t)sizeof(struct game_send_list) + count * (uint32_t)sizeof(uint32_t) + 7) & ~7U;
}

static void fill_list(const pgg *game, const uint32_t *players, uint32_t n, uint16_t worker,
		      struct game_send_list *list)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < n; i++)
		if (game->list_worker[i] == worker)
			list->player[at++] = players[i];
}

static void fill_body(void *record, uint32_t at, const struct pgg_message *message)
{
	if (message->length > 0)
		memcpy((uint8_t *)record + at, message->body, message->length);
}

int pgg_send_list(pgg *game, const uint32_t *players, uint32_t n, const struct pgg_message *message)
{
	uint32_t of_worker[WORKERS_MAX] = {0};
	struct spread spread = {.game = game};
	uint16_t place[WORKERS_MAX];
	void *record[WORKERS_MAX];
	struct game_outgoing out;
	int here, result = check_all(game, message, &out);

	if (result != PGG_OK)
		return result;
	if (n > PGG_LIST_MAX)
		return refuse(game, PGG_TOO_MANY, "players: %u, allowed are %u in a list", n, PGG_LIST_MAX);
	here = find_all(game, players, n, of_worker);
	for (unsigned w = 0; w < game->workers; w++) {
		const uint32_t length = body_at(of_worker[w]) + message->length;

		if (of_worker[w] == 0)
			continue;
		place[spread.sinks] = (uint16_t)w;
		result = spread_reserve(&spread, &game->worker[w]->sink, GAME_SEND_LIST, length, &record[spread.sinks]);
		if (result != PGG_OK)
			return result;
	}
	for (unsigned i = 0; i < spread.sinks; i++) {
		struct game_send_list *list = record[i];

		*list = (struct game_send_list){.count = of_worker[place[i]], .message = out};
		fill_list(game, players, n, place[i], list);
		fill_body(list, body_at(list->count), message);
	}
	spread_done(&spread);
	return here;
}

// ---------------------------------------------------------------- groups

int pgg_send_group(pgg *game, uint32_t group, uint32_t except, const struct pgg_message *message)
{
	struct spread spread = {.game = game};
	void *record[WORKERS_MAX];
	struct game_outgoing out;
	int result = check_all(game, message, &out);

	for (unsigned w = 0; w < game->workers && result == PGG_OK; w++)
		if (game->worker[w]->sink.attached)
			result = spread_reserve(&spread, &game->worker[w]->sink, GAME_SEND_GROUP,
						(uint32_t)sizeof(struct game_send_group) + message->length,
						&record[spread.sinks]);
	if (result != PGG_OK)
		return result;
	for (unsigned i = 0; i < spread.sinks; i++) {
		*(struct game_send_group *)record[i] =
			(struct game_send_group){.group = group, .except = except, .message = out};
		fill_body(record[i], sizeof(struct game_send_group), message);
	}
	spread_done(&spread);
	return PGG_OK;
}

static int change_group(pgg *game, uint16_t type, uint32_t group, uint32_t player)
{
	const struct player *found;
	void *record;
	int result = check_alive(game);

	if (result != PGG_OK)
		return result;
	found = player != 0 ? players_find(&game->players, player) : NULL;
	if (!found)
		return refuse_player(game, player);
	result = sink_reserve(game, &game->worker[found->worker]->sink, type, sizeof(struct game_group), &record);
	if (result == PGG_OK)
		*(struct game_group *)record = (struct game_group){group, player};
	return result;
}

int pgg_group_join(pgg *game, uint32_t group, uint32_t player)
{
	return change_group(game, GAME_GROUP_JOIN, group, player);
}

int pgg_group_leave(pgg *game, uint32_t group, uint32_t player)
{
	return change_group(game, GAME_GROUP_LEAVE, group, player);
}

int pgg_group_end(pgg *game, uint32_t group)
{
	struct spread spread = {.game = game};
	void *record[WORKERS_MAX];
	int result = check_alive(game);

	for (unsigned w = 0; w < game->workers && result == PGG_OK; w++)
		if (game->worker[w]->sink.attached)
			result = spread_reserve(&spread, &game->worker[w]->sink, GAME_GROUP_END,
						sizeof(struct game_group), &record[spread.sinks]);
	if (result != PGG_OK)
		return result;
	for (unsigned i = 0; i < spread.sinks; i++)
		*(struct game_group *)record[i] = (struct game_group){.group = group};
	spread_done(&spread);
	return PGG_OK;
}
