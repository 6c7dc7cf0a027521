// SPDX-License-Identifier: BSD-3-Clause
// game/orders.h: what game processes have a worker do. Whatever a process writes, the next order
// waits for the next turn when those before it have taken their time; one is carried out whole.

#ifndef POLLGATE_GAME_ORDERS_H
#define POLLGATE_GAME_ORDERS_H

#include "game/game.h"

/// Does what a process says, as far as the time of a turn goes. A process that writes what cannot be is given up.
/// @return orders
unsigned game_obey(struct game *game, unsigned process, uint64_t now);

/// Has one of them said something?
ALWAYS_INLINE bool game_hears_orders(const struct game *game)
{
	for (uint32_t left = game->linked; left != 0; left &= left - 1)
		if (ring_is_ready(&game->link[__builtin_ctz(left)]->in))
			return true;
	return false;
}

#endif
