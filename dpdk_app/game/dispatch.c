// SPDX-License-Identifier: BSD-3-Clause
// game/dispatch.c: see dispatch.h.

#include "game/dispatch.h"

#include "message/session_check.h"
#include "net/headers.h"
#include "replication/near.h"

/// Where in the body of a type that is for another player that player is named.
static const uint8_t target_at[UINT8_MAX + 1] = {
#define RELAYED(NAME, name, title, number, body, compress, target, ...) [number] = (target),
#include "wire/messages.def"
};

static void dispatched(struct session_shard *shard, enum pg_destination to)
{
	counter_add(&shard->stats->messages.dispatched[to], 1);
}

/// An event of everyone near, where there is a world that knows who that is.
static bool dispatch_to_near(struct session_shard *shard, const struct session_record *from,
			     const struct outgoing *event, uint64_t now)
{
	const uint32_t slot = (uint32_t)(from - shard->store->records);

	return shard->replication && near_tell(shard->replication, slot, event, now);
}

/// An event of the player whom the message names, or of everyone near.
static void dispatch_to_players(struct session_shard *shard, const struct session_record *from,
				const struct delivered *message, uint64_t now)
{
	// The game's own name nobody, and their bodies may be empty.
	const uint32_t target = session_is_game(message->type) ? 0 : load32(message->body + target_at[message->type]);
	const struct outgoing event = {
		.type = (uint8_t)(message->type + SESSION_EVENT),
		.channel = message->channel,
		.reliable = message->reliable,
		.priority = (enum priority)message->priority, // it travels
		.sender = from->player_id,
		.body = message->body,
		.length = message->length,
	};

	if (target == 0 && !session_is_game(message->type) && dispatch_to_near(shard, from, &event, now)) {
		dispatched(shard, PG_DESTINATION_NEAR);
		return;
	}
	if (target == 0)
		counter_add(&shard->stats->messages.lost[PG_LOSS_NO_RECEIVER], 1);
	if (target != 0 && session_relay(shard, target, &event, now) == PG_LOSS_NONE)
		dispatched(shard, PG_DESTINATION_PLAYER);
	else
		dispatched(shard, PG_DESTINATION_NOBODY);
}

void dispatch_event(struct session_shard *shard, const struct session_record *from, const struct delivered *message,
		    uint64_t now)
{
	const unsigned process = shard->game ? game_route(shard->game->routes, peer_listener(&from->peer),
							  message->type, from->player_id) :
					       GAME_PROCESS_NONE;

	if (process == GAME_PROCESS_NONE) {
		dispatch_to_players(shard, from, message, now);
		return;
	}
	dispatched(shard, PG_DESTINATION_PROCESS);
	game_forward(shard->game, process, from, message);
}
