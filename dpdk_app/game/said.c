// SPDX-License-Identifier: BSD-3-Clause
// game/said.c: see said.h.

#include "game/said.h"

#include <string.h>

#include "game/clients.h"
#include "message/session_check.h"
#include "replication/replication.h"

/// Can a game say this to a player?
static bool fits(const struct game_outgoing *head)
{
	if (head->channel >= SESSION_CHANNELS || head->priority >= PRIORITIES || (head->flags & ~GAME_RELIABLE) != 0)
		return false;
	return session_event(head->type) != PG_EVENTS;
}

enum pg_order_refusal said_open(const struct game *game, const struct game_outgoing *head, const uint8_t *body,
				uint32_t length, struct outgoing *out)
{
	*out = (struct outgoing){
		.type = head->type,
		.channel = head->channel,
		.reliable = head->flags & GAME_RELIABLE,
		.priority = (enum priority)head->priority,
		.sender = head->sender,
		.body = body,
		.length = length,
	};
	if (game->netcode)
		payloads_begin_body(&game->netcode->payloads);
	if (!fits(head))
		return PG_ORDER_REFUSED_TYPE;
	if (length > SESSION_MESSAGE_MAX)
		return PG_ORDER_REFUSED_LENGTH;
	if (session_is_game(head->type))
		return PG_ORDER_REFUSED_NONE;
	memcpy(game->scratch, body, length);
	out->body = game->scratch;
	return session_event_check(head->type, out->body, length) == PG_DROP_NONE ? PG_ORDER_REFUSED_NONE :
										    PG_ORDER_REFUSED_BODY;
}

enum pg_order_refusal said_send(struct game *game, uint32_t player, const struct outgoing *message, uint64_t now)
{
	const uint32_t client = client_of(game, player);

	if (unlikely(client != NETCODE_NONE))
		return clients_send(game, client, message, now);
	if (unlikely(!game->shard))
		return PG_ORDER_REFUSED_NO_PLAYER;
	switch (session_relay(game->shard, player, message, now)) {
	case PG_LOSS_NONE:
		return PG_ORDER_REFUSED_NONE;
	case PG_LOSS_NO_PLAYER:
		return PG_ORDER_REFUSED_NO_PLAYER;
	default:
		return PG_ORDER_REFUSED_LOST;
	}
}

struct session_record *said_player(const struct game *game, uint32_t player, uint32_t *slot)
{
	struct session_record *record;

	if (unlikely(!game->shard))
		return NULL;
	*slot = store_player(game->shard->store, player);
	if (*slot == PLAYER_NONE)
		return NULL;
	record = &game->shard->store->records[*slot];
	return record_owner(record) == game->shard->worker && record_is_connected(record) ? record : NULL;
}

bool said_world(const struct game *game, const char name[GAME_WORLD_NAME], uint8_t *world)
{
	*world = 0;
	if (name[0] == '\0')
		return true;
	if (!game->shard || !game->shard->replication || name[GAME_WORLD_NAME - 1] != '\0')
		return false;
	*world = replication_find(game->shard->replication, name);
	return *world != 0;
}
