// SPDX-License-Identifier: BSD-3-Clause
// game/turn.h: when game processes have their way with a worker, and for how long.
//
// A turn of the worker's loop has `read_budget` for them at most, and while packets come not more time than all else took since
// the last turn: whatever processes say, half of the worker is the players'. What there is no time for waits in its ring, and the
// next turn begins with the next process.

#ifndef POLLGATE_GAME_TURN_H
#define POLLGATE_GAME_TURN_H

#include "game/game.h"

/// @param received  packets of the worker, ever
/// @return how long processes may have their way in a turn that begins now, TSC both
ALWAYS_INLINE uint64_t turn_allowance(const struct game *game, uint64_t received, uint64_t now)
{
	const uint64_t elsewhere = now - game->turn_ended, most = game->routes->read_budget;

	return received != game->received && elsewhere < most ? elsewhere : most;
}

/// Does what processes say. One that writes what cannot be is given up.
/// @return orders
unsigned turn_obey(struct game *game, uint64_t now);

/// Has one of them said something, or is something of it unfinished?
ALWAYS_INLINE bool turn_is_wanted(const struct game *game, unsigned process)
{
	const struct game_link *link = game->link[process];

	return ring_is_ready(&link->in) || link->many.unfinished || link->searching.unfinished;
}

ALWAYS_INLINE bool turn_is_wanted_by_any(const struct game *game)
{
	for (uint32_t left = game->heard; left != 0; left &= left - 1)
		if (turn_is_wanted(game, (unsigned)__builtin_ctz(left)))
			return true;
	return false;
}

#endif
