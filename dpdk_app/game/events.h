// SPDX-License-Identifier: BSD-3-Clause
// game/events.h: what a worker tells game processes: what players say, that they come, go and move. All of a turn is seen at
// once, when it is published.

#ifndef POLLGATE_GAME_EVENTS_H
#define POLLGATE_GAME_EVENTS_H

#include "game/game.h"

/// A message that a route gives to a process. What becomes of it is counted.
void game_forward(struct game *game, unsigned process, uint32_t player, const struct delivered *message);

/// Room for a message of so many bytes, for a process that a route gives it to.
/// @return NULL: it is lost, and counted. Otherwise game->link[process]->delivered is to be one more when it is written
struct game_message *game_offer(struct game *game, unsigned process, uint32_t length);

/// A player is connected, or was and is no longer: struct session_watcher.
COLD void game_joined(struct game *game, uint32_t slot);
COLD void game_left(struct game *game, uint32_t slot, enum session_close_reason why);

/// Who hears of a player: by the number of the slot among those of all profiles, which a listing goes along. One that has not
/// come to it yet will find the player, or not.
/// @param share  by which players are shared out
/// @return bits of processes
uint32_t game_hearers(const struct game *game, uint32_t place, unsigned listener, uint32_t share);

/// Room for what a process hears of a player who comes or goes. It must be whole: if there is no room for it, the process is
/// told anew of all who are in.
void *game_tell(struct game *game, unsigned process, uint32_t length, enum game_event_type type);

/// Room in a ring.
/// @return NULL: there is none now, or the process has none
void *game_reserve(struct game *game, unsigned process, uint32_t length, enum game_event_type type);

/// How a player's connection is.
void game_tell_quality(struct game *game, unsigned process, const struct game_quality *quality);

/// Tells a process of some of those who are in, from where it stopped.
/// @param slots  to look at
COLD void game_list(struct game *game, unsigned process, uint32_t slots);

/// Whoever is told of movements hears where those are who moved since the last call.
void game_tell_moved(struct game *game);

/// A session of ours moved.
ALWAYS_INLINE void game_note_moved(struct game *game, uint32_t slot)
{
	if (likely(game->movers == 0))
		return;
	if (unlikely(game->moved_count == GAME_MOVED_MAX))
		game_tell_moved(game);
	game->moved[game->moved_count++] = slot;
}

/// What was said to one process until now is seen.
void game_publish_to(struct game *game, unsigned process);

/// What was said in this turn is seen, and whoever sleeps is woken.
void game_publish(struct game *game);

#endif
