// SPDX-License-Identifier: BSD-3-Clause
// game/dispatch.h: where a message of the `session` profile goes once it was taken: into its sender's session, to a game
// process, to another player, or to nobody, which is counted. Decided here and nowhere else.

#ifndef POLLGATE_GAME_DISPATCH_H
#define POLLGATE_GAME_DISPATCH_H

#include "game/events.h"
#include "replication/replication.h"
#include "session/shard.h"

/// Does any process get what players say? Then it is told whose it is, and that lies in a line of the record that packets
/// otherwise do not touch.
ALWAYS_INLINE bool dispatch_names_players(const struct session_shard *shard)
{
	return shard->game != NULL && shard->game->routes->routed != 0;
}

/// Who says a message, whatever has become of the session since.
struct said_by {
	uint32_t player;
	uint8_t listener;
};

ALWAYS_INLINE struct said_by said_by(const struct session_record *from)
{
	return (struct said_by){from->player_id, (uint8_t)peer_listener(&from->peer)};
}

/// Where a message went.
ALWAYS_INLINE void dispatch_count(struct session_shard *shard, enum pg_destination to)
{
	counter_add(&shard->stats->messages.dispatched[to], 1);
}

/// The player whom a message names that it is for; 0: nobody.
uint32_t dispatch_target(const struct delivered *message);

/// Is it for everyone near?
bool dispatch_is_for_near(const struct session_shard *shard, const struct said_by *by, const struct delivered *message);

/// What a player gets of it. The body stays where it is.
struct outgoing dispatch_event_of(const struct said_by *by, const struct delivered *message);

/// A message that is not for the gateway itself: to the process that a route gives it to; without a route, an action of one
/// player on another, or a message to another, is an event of the other. What is for everyone near gets to nobody here.
enum pg_destination dispatch_said(struct session_shard *shard, const struct said_by *by,
				  const struct delivered *message, uint64_t now);

/// The same, and if it takes a look through the world, it waits for that.
void dispatch_event(struct session_shard *shard, const struct session_record *from, const struct delivered *message,
		    uint64_t now);

// Effects on who says it, as wire/messages.def names them.

/// Where a player is and moves goes into the player's own session.
ALWAYS_INLINE void effect_move(struct session_record *from, const uint8_t *body)
{
	record_move(from, body);
}

ALWAYS_INLINE void effect_none(struct session_record *from, const uint8_t *body)
{
	// It says only that its sender is there.
	(void)from;
	(void)body;
}

/// A message that a player says to the gateway itself. Where the type is a constant, as in the lane of movements, no more than
/// its effect is left of this.
/// @param from  the sender's record, which is ours
/// @param body  of any alignment, whole
/// @return false: it is of another type, for another player
ALWAYS_INLINE bool dispatch_own(struct session_record *from, uint8_t type, const uint8_t *body)
{
	// Types may have the same effect. NOLINTBEGIN(bugprone-branch-clone)
	switch (__builtin_expect(type, SESSION_MOVE)) {
#define OWN(NAME, name, title, number, kind, compress, effect, ...) \
	case SESSION_##NAME:                                        \
		effect_##effect(from, body);                        \
		return true;
#include "wire/messages.def"
	default:
		return false;
	}
	// NOLINTEND(bugprone-branch-clone)
}

/// A movement of one of our sessions was taken. Game processes hear of it as the rules of its world left it.
ALWAYS_INLINE void dispatch_moved(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	if (unlikely(shard->replication != NULL))
		replication_moved(shard->replication, slot, now);
	if (unlikely(shard->game != NULL))
		game_note_moved(shard->game, slot);
}

/// @param from  the sender's record, which is ours
ALWAYS_INLINE void dispatch(struct session_shard *shard, struct session_record *from, const struct delivered *message,
			    uint64_t now)
{
	if (unlikely(!dispatch_own(from, message->type, message->body)))
		dispatch_event(shard, from, message, now);
	else if (message->type == SESSION_MOVE)
		dispatch_moved(shard, (uint32_t)(from - shard->store->records), now);
}

#endif
