// SPDX-License-Identifier: BSD-3-Clause
// game/entities.h: what game processes have in worlds: orders about it, and its end when a process is gone.

#ifndef POLLGATE_GAME_ENTITIES_H
#define POLLGATE_GAME_ENTITIES_H

#include "bus/ring.h"
#include "game/game.h"
#include "game/slice.h"

/// @return PG_ORDER_REFUSED_NONE, or why the last of those is not done that could not be: the process is told of each
enum pg_order_refusal entities_obey(struct game *game, unsigned process, const struct ring_message *order,
				    struct slice *slice, uint64_t now);

/// The process is gone: what it has in worlds goes.
void entities_end(struct game *game, unsigned process);

/// Some of it.
COLD void entities_end_some(struct game *game);

#endif
