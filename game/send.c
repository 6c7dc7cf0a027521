// SPDX-License-Identifier: BSD-3-Clause
// send.c: messages to players. Nothing is written before all is known to be right and to have room.

#include "game.h"

#include <math.h>
#include <string.h>

// ---------------------------------------------------------------- what may be sent

/// What is sent of a type: as which number, and how long its body is.
struct rule {
	uint8_t number; // 0: nothing
	bool has_sender;
	uint32_t least;
	uint32_t most;
};

enum body_bytes {
#define BODY(body, least, most, fields) LEAST_##body = (least), MOST_##body = (most),
#define CHECKED BODY
#include "wire/messages.def"
};

static const struct rule rules[UINT8_MAX + 1] = {
#define RELAYED(NAME, name, title, number, body, ...) \
	[number] = {(number) + SESSION_EVENT, true, LEAST_##body, MOST_##body},
#define GIVEN(NAME, name, title, number, body, ...) [number] = {number, false, LEAST_##body, MOST_##body},
#include "wire/messages.def"
};

#define RELAYED(NAME, name, title, number, body, ...) \
	static_assert((int)PGG_TYPE_##NAME == (number), "as in wire/messages.def");
#include "wire/messages.def"
static_assert((int)PGG_TYPE_INVENTORY == SESSION_INVENTORY, "as in wire/messages.def");

static struct rule rule_of(uint8_t type)
{
	if (type >= PGG_OWN_FIRST && type <= PGG_OWN_LAST)
		return (struct rule){type, false, 0, PGG_BODY_MAX};
	if (type == SESSION_CORRECTION)
		return (struct rule){0}; // is what pgg_place() says, where it is also done
	return rules[type];
}

static int check_travel(pgg *game, const struct pgg_message *message)
{
	if (message->channel >= SESSION_CHANNELS)
		return refuse(game, PGG_ARGUMENT, "channel: %u, allowed are 0 to 3", message->channel);
	if (message->priority > PGG_BULK)
		return refuse(game, PGG_ARGUMENT, "priority: %u, allowed are 0 to 2", message->priority);
	if (!message->reliable && message->channel != 0)
		return refuse(game, PGG_ARGUMENT, "channel: %u of what is not reliable, allowed is 0",
			      message->channel);
	// What is in no order is in one datagram.
	if (message->length > SESSION_DATAGRAM_MAX &&
	    (!message->reliable || message->channel == SESSION_CHANNEL_UNORDERED))
		return refuse(game, PGG_TOO_LONG,
			      "body: %u bytes in one datagram, allowed are %u; reliable on channels 0 to 2 it is cut",
			      message->length, SESSION_DATAGRAM_MAX);
	return PGG_OK;
}

int check_message(pgg *game, const struct pgg_message *message, struct game_outgoing *out)
{
	const struct rule rule = rule_of(message->type);

	if (rule.number == 0)
		return refuse(game, PGG_WRONG_TYPE,
			      "type: %u, which is not sent to players; allowed are %u, %u, %u, %u, %u and 64 to 199",
			      message->type, PGG_TYPE_ATTACK, PGG_TYPE_CHAT, PGG_TYPE_SKILL, PGG_TYPE_BULK,
			      PGG_TYPE_INVENTORY);
	if (message->length == 0 && rule.least > 0)
		return refuse(game, PGG_EMPTY, "body: none, of type %u, whose body has %u to %u bytes", message->type,
			      rule.least, rule.most);
	if (message->length > rule.most || message->length < rule.least)
		return refuse(game, message->length > rule.most ? PGG_TOO_LONG : PGG_WRONG_LENGTH,
			      "body: %u bytes of type %u, allowed are %u to %u", message->length, message->type,
			      rule.least, rule.most);
	*out = (struct game_outgoing){
		.sender = rule.has_sender ? message->sender : 0,
		.type = rule.number,
		.channel = message->channel,
		.flags = message->reliable ? GAME_RELIABLE : 0,
		.priority = message->priority,
	};
	return check_travel(game, message);
}

int check_body(pgg *game, const struct pgg_message *message)
{
	if (likely(message->body || message->length == 0))
		return PGG_OK;
	return refuse(game, PGG_ARGUMENT, "body: NULL, of %u bytes", message->length);
}

// ---------------------------------------------------------------- a ring to write

int sink_result(pgg *game, struct sink *sink, enum ring_result result)
{
	switch (result) {
	case RING_OK:
		return PGG_OK;
	case RING_TOO_LONG:
		return refuse(game, PGG_TOO_LONG, "more than a quarter of the ring, which has %u bytes (game.ring_kib)",
			      game->ring_bytes);
	case RING_FULL:
		game->statistics.full++;
		flush(game); // or it would stay full
		if (sink->peer)
			packets_take(game); // another may read it by now
		return PGG_FULL;
	default:
		if (sink->peer) {
			sink->attached = false;
			sink->is_spoilt = true;
			return refuse_spoilt(game, sink->peer);
		}
		game_over(game, PGG_DETACHED, PGG_ENDED, "a ring that is written: %s",
			  ring_fault_text(sink->writer.fault));
		return PGG_ENDED;
	}
}

int sink_reserve(pgg *game, struct sink *sink, uint16_t type, uint32_t length, void **body)
{
	enum ring_result result;

	if (unlikely(!sink->attached))
		return PGG_FULL; // the worker is just starting again
	if (sink->uncommitted >= UNCOMMITTED_MAX) {
		ring_commit(&sink->writer);
		sink->uncommitted = 0;
	}
	result = ring_reserve(&sink->writer, length, type, body);
	if (unlikely(result != RING_OK))
		return sink_result(game, sink, result);
	sink->uncommitted++;
	sink->is_dirty = game->is_dirty = true;
	game->statistics.sent++;
	return PGG_OK;
}

enum profile {
#define PROFILE(NAME, name, loops) PROFILE_##NAME,
#include "wire/profiles.def"
};
static_assert((int)PGG_PROFILE_PLAIN == PROFILE_PLAIN && (int)PGG_PROFILE_SESSION == PROFILE_SESSION &&
		      (int)PGG_PROFILE_NETCODE == PROFILE_NETCODE,
	      "as in wire/profiles.def");

/// Is there what is asked for in the player's profile? Of those who are not named yet only the gateway knows.
static bool profile_has(const struct player *player, uint16_t type, const struct pgg_message *message)
{
	if (likely(player->profile != PGG_PROFILE_NETCODE))
		return true;
	if (type == GAME_PLACE || type == GAME_ASK || type == GAME_WORLD)
		return false;
	return type != GAME_SEND || (message->type == PGG_PAYLOAD && !message->reliable && message->length >= 1 &&
				     message->length <= PGG_PAYLOAD_MAX);
}

/// To the worker who serves the player.
/// @param message  of GAME_SEND; NULL otherwise
static int order_player(pgg *game, uint32_t player, uint16_t type, const struct pgg_message *message, uint32_t length,
			void **body)
{
	const int result = check_alive(game);
	const struct player *found;

	if (unlikely(result != PGG_OK))
		return result;
	found = players_find(&game->players, player);
	if (unlikely(!found || player == 0))
		return refuse_player(game, player);
	if (unlikely(!profile_has(found, type, message)))
		return PGG_PROFILE;
	return sink_reserve(game, &game->worker[found->worker]->sink, type, length, body);
}

// ---------------------------------------------------------------- to one

int pgg_send_reserve(pgg *game, uint32_t player, const struct pgg_message *message, void **body)
{
	struct game_outgoing out;
	struct game_send *send;
	void *record;
	int result = check_message(game, message, &out);

	if (unlikely(result != PGG_OK))
		return result;
	result = order_player(game, player, GAME_SEND, message, (uint32_t)sizeof(*send) + message->length, &record);
	if (unlikely(result != PGG_OK))
		return result;
	send = record;
	send->player = player;
	send->zero = 0;
	send->message = out;
	*body = send->body;
	return PGG_OK;
}

int pgg_send(pgg *game, uint32_t player, const struct pgg_message *message)
{
	void *body;
	int result = check_body(game, message);

	if (result == PGG_OK)
		result = pgg_send_reserve(game, player, message, &body);
	if (result == PGG_OK && message->length > 0)
		memcpy(body, message->body, message->length);
	return result;
}

int pgg_kick(pgg *game, uint32_t player, uint8_t reason)
{
	void *body;
	int result;

	if (reason > PGG_REASON_MAX)
		return refuse(game, PGG_ARGUMENT, "reason: %u, allowed are 0 to %u", reason, PGG_REASON_MAX);
	result = order_player(game, player, GAME_KICK, NULL, sizeof(struct game_kick), &body);
	if (result == PGG_OK)
		*(struct game_kick *)body = (struct game_kick){.player = player, .reason = reason};
	return result;
}

static bool is_finite(const float vector[3])
{
	return isfinite(vector[0]) && isfinite(vector[1]) && isfinite(vector[2]);
}

int pgg_place(pgg *game, uint32_t player, const float position[3], const float velocity[3])
{
	struct game_place place = {.player = player};
	void *body;
	int result;

	if (!position || !velocity || !is_finite(position) || !is_finite(velocity))
		return refuse(game, PGG_ARGUMENT, "position, velocity: three finite numbers are allowed in each");
	memcpy(place.position, position, sizeof(place.position));
	memcpy(place.velocity, velocity, sizeof(place.velocity));
	result = order_player(game, player, GAME_PLACE, NULL, sizeof(place), &body);
	if (result == PGG_OK)
		memcpy(body, &place, sizeof(place));
	return result;
}

bool put_world_name(char name[GAME_WORLD_NAME], const char *world)
{
	const size_t length = world ? strnlen(world, GAME_WORLD_NAME) : 0;

	if (length == GAME_WORLD_NAME || (world && length == 0))
		return false;
	memset(name, 0, GAME_WORLD_NAME);
	if (world)
		memcpy(name, world, length);
	return true;
}

int pgg_enter_world(pgg *game, uint32_t player, const char *world, const float position[3], const float velocity[3])
{
	static const float standing[3];
	struct game_world order = {.player = player, .flags = position ? GAME_PLACED : 0};
	void *body;
	int result;

	if (!put_world_name(order.name, world))
		return refuse(game, PGG_ARGUMENT, "world: the name has 1 to %u bytes", GAME_WORLD_NAME - 1);
	if ((position && !is_finite(position)) || (velocity && !is_finite(velocity)))
		return refuse(game, PGG_ARGUMENT, "position, velocity: three finite numbers are allowed in each");
	if (position) {
		memcpy(order.position, position, sizeof(order.position));
		memcpy(order.velocity, velocity ? velocity : standing, sizeof(order.velocity));
	}
	result = order_player(game, player, GAME_WORLD, NULL, sizeof(order), &body);
	if (result == PGG_OK)
		memcpy(body, &order, sizeof(order));
	return result;
}

int pgg_ask(pgg *game, uint32_t player, uint32_t cookie)
{
	void *body;
	const int result = order_player(game, player, GAME_ASK, NULL, sizeof(struct game_ask), &body);

	if (result == PGG_OK)
		*(struct game_ask *)body = (struct game_ask){.player = player, .cookie = cookie};
	return result;
}
