// SPDX-License-Identifier: BSD-3-Clause
// game/clients.c: see clients.h.

#include "game/clients.h"

#include <string.h>

#include "game/events.h"

static_assert(GAME_PAYLOAD_MAX == NETCODE_PAYLOAD_MAX && GAME_USER_DATA == NETCODE_USER_DATA_LEN,
	      "bus/records.h knows no profile");

static const struct netcode_record *record_of(const struct game *game, uint32_t slot)
{
	return &game->netcode->store->clients.records[slot];
}

static bool is_in(const struct game *game, const struct netcode_record *record)
{
	return __atomic_load_n(&record->phase, __ATOMIC_ACQUIRE) == NETCODE_CONNECTED &&
	       record->owner == game->netcode->worker;
}

uint32_t clients_find(const struct game *game, uint32_t player)
{
	const uint32_t slot = player & NETCODE_PLAYER_SLOT;

	if (!game->netcode || slot >= game->netcode->store->clients.capacity)
		return NETCODE_NONE;
	return is_in(game, record_of(game, slot)) && record_of(game, slot)->player == player ? slot : NETCODE_NONE;
}

// ---------------------------------------------------------------- what processes hear

static void fill_joined(const struct game *game, uint32_t slot, enum game_how how, struct game_joined_client *joined)
{
	const struct netcode_record *record = record_of(game, slot);

	*joined = (struct game_joined_client){
		.joined =
			{
				.player = record->player,
				.session = slot,
				.port = game->port[peer_listener(&record->peer)],
				.profile = PG_PROFILE_NETCODE,
				.how = (uint8_t)how,
			},
		.client = record->client_id,
	};
	memcpy(joined->user_data, record->user_data, sizeof(joined->user_data));
}

static uint32_t hearers(const struct game *game, uint32_t slot)
{
	const struct netcode_record *record = record_of(game, slot);

	return game_hearers(game, game->first_client + slot, peer_listener(&record->peer),
			    netcode_player_share(record->client_id));
}

static void client_joined(struct game *game, uint32_t slot)
{
	for (uint32_t left = hearers(game, slot); left != 0; left &= left - 1) {
		const unsigned process = (unsigned)__builtin_ctz(left);
		struct game_joined_client *joined = game_tell(game, process, sizeof(*joined), GAME_JOINED);

		if (joined)
			fill_joined(game, slot, GAME_JOINED_NOW, joined);
	}
}

static void client_left(struct game *game, uint32_t slot, enum session_close_reason why)
{
	const struct netcode_record *record = record_of(game, slot);

	for (uint32_t left = game->linked; left != 0; left &= left - 1)
		groups_forget(&game->link[__builtin_ctz(left)]->groups, game->first_client + slot);
	for (uint32_t left = hearers(game, slot); left != 0; left &= left - 1) {
		const unsigned process = (unsigned)__builtin_ctz(left);
		struct game_left *gone = game_tell(game, process, sizeof(*gone), GAME_LEFT);

		if (gone)
			*gone = (struct game_left){.player = record->player, .session = slot, .why = (uint8_t)why};
	}
}

bool clients_list(struct game *game, unsigned process, uint32_t slot)
{
	const struct netcode_record *record = record_of(game, slot);
	struct game_joined_client *joined;

	if (!is_in(game, record) ||
	    !game_hears(game->routes, process, peer_listener(&record->peer), netcode_player_share(record->client_id)))
		return true;
	joined = game_reserve(game, process, sizeof(*joined), GAME_JOINED);
	if (!joined)
		return false;
	fill_joined(game, slot, GAME_JOINED_BEFORE, joined);
	return true;
}

/// It is opened where the process reads it.
static enum netcode_heard client_said(struct game *game, uint32_t slot, const uint8_t *packet,
				      const struct netcode_header *header)
{
	const struct netcode_record *from = record_of(game, slot);
	const unsigned process = game_route(game->routes, peer_listener(&from->peer), GAME_TYPE_PAYLOAD,
					    netcode_player_share(from->client_id));
	struct game_message *message;

	if (process == GAME_PROCESS_NONE)
		return NETCODE_NOBODY;
	message = game_offer(game, process, header->length);
	if (!message)
		return NETCODE_LOST;
	*message =
		(struct game_message){.player = from->player, .type = GAME_TYPE_PAYLOAD, .priority = PRIORITY_URGENT};
	netcode_unseal(message->body, packet, header, from->to_server);
	game->link[process]->delivered++;
	return NETCODE_HEARD;
}

const struct netcode_watcher game_client_watcher = {.joined = client_joined, .left = client_left, .said = client_said};

// ---------------------------------------------------------------- what is done to them

enum pg_order_refusal clients_send(const struct game *game, uint32_t slot, const struct outgoing *message, uint64_t now)
{
	if (message->type != GAME_TYPE_PAYLOAD || message->reliable || message->channel != 0)
		return PG_ORDER_REFUSED_PROFILE;
	if (message->length == 0 || message->length > NETCODE_PAYLOAD_MAX)
		return PG_ORDER_REFUSED_LENGTH;
	return netcode_send(game->netcode, slot, message->body, (uint16_t)message->length, now) ?
		       PG_ORDER_REFUSED_NONE :
		       PG_ORDER_REFUSED_LOST;
}

enum pg_order_refusal clients_send_but(const struct game *game, uint32_t slot, uint32_t except,
				       const struct outgoing *message, uint64_t now)
{
	return record_of(game, slot)->player == except ? PG_ORDER_REFUSED_NONE : clients_send(game, slot, message, now);
}

void clients_kick(const struct game *game, uint32_t slot, uint64_t now)
{
	netcode_end(game->netcode, slot, SESSION_CLOSED_KICKED, NETCODE_DISCONNECTS, now);
}
