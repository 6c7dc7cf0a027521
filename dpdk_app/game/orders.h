// SPDX-License-Identifier: BSD-3-Clause
// game/orders.h: what a game process has a worker do.

#ifndef POLLGATE_GAME_ORDERS_H
#define POLLGATE_GAME_ORDERS_H

#include "game/game.h"

/// @param order  a message of a process's ring
/// @return PG_ORDER_REFUSED_NONE: it is done; PG_ORDER_REFUSALS: it is unfinished, see many.h; or why it is not done, or not for
///         everybody
enum pg_order_refusal order_obey(struct game *game, unsigned process, const struct ring_message *order,
				 struct slice *slice, uint64_t now);

#endif
