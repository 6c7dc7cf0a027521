// SPDX-License-Identifier: BSD-3-Clause
// game/orders.c: see orders.h.

#include "game/orders.h"

#include <string.h>

#include "game/clients.h"
#include "game/entities.h"
#include "game/events.h"
#include "game/said.h"
#include "message/finite.h"
#include "net/headers.h"
#include "replication/replication.h"
#include "session/connection.h"

/// To let somebody go: out of all groups of all processes, who are told of it.
#define KICK_UNITS SLICE_UNITS_PER_LOOK

// ---------------------------------------------------------------- a message

static enum pg_order_refusal obey_send(struct game *game, const uint8_t *record, uint32_t length, uint64_t now)
{
	enum pg_order_refusal refusal;
	struct outgoing message;
	struct game_send send;

	if (length < sizeof(send))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&send, record, sizeof(send));
	refusal = said_open(game, &send.message, record + sizeof(send), length - (uint32_t)sizeof(send), &message);
	return refusal == PG_ORDER_REFUSED_NONE ? said_send(game, send.player, &message, now) : refusal;
}

// ---------------------------------------------------------------- what is done to a player

/// A client of netcode has no position, and nothing in the profile tells how long its packets take.
static enum pg_order_refusal why_not_here(const struct game *game, uint32_t player)
{
	return client_of(game, player) != NETCODE_NONE ? PG_ORDER_REFUSED_PROFILE : PG_ORDER_REFUSED_NO_PLAYER;
}

static enum pg_order_refusal obey_kick(struct game *game, const uint8_t *record, uint32_t length, uint64_t now)
{
	struct game_kick kick;
	uint32_t slot, client;

	if (length != sizeof(kick))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&kick, record, sizeof(kick));
	client = client_of(game, kick.player);
	if (client != NETCODE_NONE) {
		clients_kick(game, client, now);
		return PG_ORDER_REFUSED_NONE;
	}
	if (!said_player(game, kick.player, &slot))
		return PG_ORDER_REFUSED_NO_PLAYER;
	connection_kick(game->shard, slot, kick.reason, now);
	return PG_ORDER_REFUSED_NONE;
}

/// @return false: there is no such place in the player's world
static bool place_in_world(const struct session_shard *shard, uint32_t slot, const uint8_t *bytes, uint64_t now)
{
	struct motion motion;

	memcpy(&motion, bytes, sizeof(motion));
	return !shard->replication || replication_place(shard->replication, slot, &motion, now);
}

/// The player hears of it in order, behind what was said before.
static enum pg_order_refusal correct(const struct game *game, const struct session_record *record,
				     const uint8_t motion[sizeof(struct motion)], uint64_t now)
{
	const struct outgoing message = {.type = SESSION_CORRECTION,
					 .reliable = true,
					 .priority = PRIORITY_URGENT,
					 .body = motion,
					 .length = sizeof(struct motion)};

	return session_deliver(game->shard, record_session(record), &message, now) == PG_LOSS_NONE ?
		       PG_ORDER_REFUSED_NONE :
		       PG_ORDER_REFUSED_LOST;
}

static enum pg_order_refusal obey_place(struct game *game, const uint8_t *record, uint32_t length, uint64_t now)
{
	struct session_record *placed;
	struct game_place place;
	uint8_t motion[sizeof(struct motion)];
	uint32_t slot;

	if (length != sizeof(place))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&place, record, sizeof(place));
	memcpy(motion, place.position, sizeof(motion));
	if (!floats6_finite(motion))
		return PG_ORDER_REFUSED_BODY;
	placed = said_player(game, place.player, &slot);
	if (!placed)
		return why_not_here(game, place.player);
	if (!place_in_world(game->shard, slot, motion, now))
		return PG_ORDER_REFUSED_BODY;
	record_move(placed, motion);
	return correct(game, placed, motion, now);
}

static enum pg_order_refusal obey_world(const struct game *game, const uint8_t *record, uint32_t length, uint64_t now)
{
	const struct session_record *moved;
	struct motion motion;
	struct game_world order;
	uint32_t slot;
	uint8_t world;
	bool is_placed;

	if (length != sizeof(order))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&order, record, sizeof(order));
	is_placed = order.flags & GAME_PLACED;
	memcpy(&motion, order.position, sizeof(motion));
	if ((order.flags & ~GAME_PLACED) != 0 || (is_placed && !floats6_finite((const uint8_t *)&motion)))
		return PG_ORDER_REFUSED_BODY;
	moved = said_player(game, order.player, &slot);
	if (!moved)
		return why_not_here(game, order.player);
	if (!said_world(game, order.name, &world))
		return PG_ORDER_REFUSED_NO_WORLD;
	if (!game->shard->replication) // out of no world
		return PG_ORDER_REFUSED_NONE;
	if (!replication_enter(game->shard->replication, slot, world, is_placed ? &motion : NULL, now))
		return PG_ORDER_REFUSED_BODY;
	return is_placed && world != 0 ? correct(game, moved, (const uint8_t *)&motion, now) : PG_ORDER_REFUSED_NONE;
}

static enum pg_order_refusal obey_ask(struct game *game, unsigned process, const uint8_t *record, uint32_t length)
{
	const struct delivery *c;
	struct game_ask ask;
	uint32_t slot;

	if (length != sizeof(ask))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&ask, record, sizeof(ask));
	if (!said_player(game, ask.player, &slot))
		return why_not_here(game, ask.player);
	c = store_delivery(game->shard->store, slot);
	game_tell_quality(game, process,
			  &(struct game_quality){
				  .player = ask.player,
				  .cookie = ask.cookie,
				  .round_trip_us = (uint32_t)(c->out.round_trip.smoothed * 1000 /
							      game->shard->rules->delivery.millisecond),
				  .deviation_us = (uint32_t)(c->out.round_trip.variance * 1000 /
							     game->shard->rules->delivery.millisecond),
				  .sent = c->out.left,
				  .lost = c->out.left_again,
			  });
	return PG_ORDER_REFUSED_NONE;
}

// ---------------------------------------------------------------- groups

/// Whoever can be in a group, of any profile.
static bool member_here(const struct game *game, uint32_t player, uint32_t *slot)
{
	const uint32_t client = client_of(game, player);

	if (client == NETCODE_NONE)
		return said_player(game, player, slot);
	*slot = game->first_client + client;
	return true;
}

static enum pg_order_refusal obey_group(struct game *game, unsigned process, enum game_order_type type,
					const uint8_t *record, uint32_t length)
{
	struct groups *groups = &game->link[process]->groups;
	struct game_group order;
	uint32_t slot;
	bool done;

	if (length != sizeof(order))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&order, record, sizeof(order));
	if (!member_here(game, order.player, &slot))
		return PG_ORDER_REFUSED_NO_PLAYER;
	done = type == GAME_GROUP_JOIN ? groups_join(groups, order.group, slot) :
					 groups_leave(groups, order.group, slot);
	return done ? PG_ORDER_REFUSED_NONE : PG_ORDER_REFUSED_NO_GROUP;
}

// ---------------------------------------------------------------- orders

enum pg_order_refusal order_obey(struct game *game, unsigned process, const struct ring_message *order,
				 struct slice *slice, uint64_t now)
{
	const uint8_t *record = order->body;

	slice_spend(slice, 1 + order->length / SLICE_UNIT_BYTES + (order->type == GAME_KICK ? KICK_UNITS : 0));
	switch ((enum game_order_type)order->type) {
	case GAME_SEND:
		return obey_send(game, record, order->length, now);
	case GAME_SEND_LIST:
	case GAME_SEND_GROUP:
	case GAME_GROUP_END:
		return many_obey(game, process, order, slice, now);
	case GAME_GROUP_JOIN:
	case GAME_GROUP_LEAVE:
		return obey_group(game, process, (enum game_order_type)order->type, record, order->length);
	case GAME_KICK:
		return obey_kick(game, record, order->length, now);
	case GAME_PLACE:
		return obey_place(game, record, order->length, now);
	case GAME_WORLD:
		return obey_world(game, record, order->length, now);
	case GAME_SPAWN:
	case GAME_MOVE_ENTITIES:
	case GAME_STATE:
	case GAME_DESPAWN:
		return entities_obey(game, process, order, slice, now);
	case GAME_SEARCH:
		return searches_obey(game, process, order, slice);
	case GAME_ASK:
		return obey_ask(game, process, record, order->length);
	default:
		return PG_ORDER_REFUSED_UNKNOWN;
	}
}
