// SPDX-License-Identifier: BSD-3-Clause
// game/events.h: what a worker tells game processes: what players say, that they come, go and move. All of a turn is seen at
// once, when it is published.

#ifndef POLLGATE_GAME_EVENTS_H
#define POLLGATE_GAME_EVENTS_H

#include "game/game.h"

/// A message that a route gives to a process. What becomes of it is counted.
void game_forward(struct game *game, unsigned process, const struct session_record *from,
		  const struct delivered *message);

/// A player is connected, or was and is no longer: struct session_watcher.
COLD void game_joined(struct game *game, uint32_t slot);
COLD void game_left(struct game *game, uint32_t slot, enum session_close_reason why);

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

/// What was said in this turn is seen, and whoever sleeps is woken.
void game_publish(struct game *game);

#endif
