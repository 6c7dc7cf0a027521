// SPDX-License-Identifier: BSD-3-Clause
// game/dispatch.c: see dispatch.h.

#include "game/dispatch.h"

#include "game/waiting.h"
#include "message/attack.h"
#include "message/session_check.h"
#include "net/headers.h"

/// Where in the body of a type that is for another player that player is named.
static const uint8_t target_at[UINT8_MAX + 1] = {
#define RELAYED(NAME, name, title, number, body, compress, target, ...) [number] = (target),
#include "wire/messages.def"
};

uint32_t dispatch_target(const struct delivered *message)
{
	// The game's own name nobody, and their bodies may be empty.
	return session_is_game(message->type) ? 0 : load32(message->body + target_at[message->type]);
}

static unsigned route(const struct session_shard *shard, const struct said_by *by, const struct delivered *message)
{
	return shard->game ? game_route(shard->game->routes, by->listener, message->type, by->player) :
			     GAME_PROCESS_NONE;
}

bool dispatch_is_for_near(const struct session_shard *shard, const struct said_by *by, const struct delivered *message)
{
	return !session_is_game(message->type) && dispatch_target(message) == 0 &&
	       route(shard, by, message) == GAME_PROCESS_NONE;
}

/// What the client says that it saw is between it and the gateway: others hear how the attack was judged by it, and game
/// processes say on what they hear.
static uint32_t told_length(const struct delivered *message)
{
	return message->type == SESSION_ATTACK && message->length == ATTACK_VIEWED ?
		       (uint32_t)sizeof(struct attack_body) :
		       message->length;
}

struct outgoing dispatch_event_of(const struct said_by *by, const struct delivered *message)
{
	return (struct outgoing){
		.type = (uint8_t)(message->type + SESSION_EVENT),
		.channel = message->channel,
		.reliable = message->reliable,
		.priority = (enum priority)message->priority, // it travels
		.sender = by->player,
		.body = message->body,
		.length = told_length(message),
	};
}

/// An event of the player whom the message names.
static enum pg_destination dispatch_to_player(struct session_shard *shard, const struct said_by *by,
					      const struct delivered *message, uint64_t now)
{
	const uint32_t target = dispatch_target(message);
	const struct outgoing event = dispatch_event_of(by, message);

	if (target == 0)
		counter_add(&shard->stats->messages.lost[PG_LOSS_NO_RECEIVER], 1);
	if (target != 0 && session_relay(shard, target, &event, now) == PG_LOSS_NONE)
		return PG_DESTINATION_PLAYER;
	return PG_DESTINATION_NOBODY;
}

enum pg_destination dispatch_said(struct session_shard *shard, const struct said_by *by,
				  const struct delivered *message, uint64_t now)
{
	const unsigned process = route(shard, by, message);
	enum pg_destination to = PG_DESTINATION_PROCESS;

	if (process == GAME_PROCESS_NONE)
		to = dispatch_to_player(shard, by, message, now);
	dispatch_count(shard, to);
	if (process != GAME_PROCESS_NONE) {
		struct delivered told = *message;

		told.length = told_length(message);
		game_forward(shard->game, process, by->player, &told);
	}
	return to;
}

void dispatch_event(struct session_shard *shard, const struct session_record *from, const struct delivered *message,
		    uint64_t now)
{
	const struct said_by by = said_by(from);

	if (shard->replication && waiting_takes(shard, from, message, now))
		return;
	(void)dispatch_said(shard, &by, message, now);
}
