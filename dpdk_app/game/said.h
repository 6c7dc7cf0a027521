// SPDX-License-Identifier: BSD-3-Clause
// game/said.h: what a game process says to players, as the worker reads it in the process's memory.
//
// A process can change its memory while it is read. So each number is copied once, and what is copied is checked; a body that
// is looked into is copied first. A body of the game's own is bytes to us, whatever they are.

#ifndef POLLGATE_GAME_SAID_H
#define POLLGATE_GAME_SAID_H

#include "game/game.h"

/// @param body  where it lies in the ring
/// @param out   its body lies there, or in game->scratch
/// @return PG_ORDER_REFUSED_NONE, or why it cannot be
enum pg_order_refusal said_open(const struct game *game, const struct game_outgoing *head, const uint8_t *body,
				uint32_t length, struct outgoing *out);

/// @return what becomes of it, as far as that is known
enum pg_order_refusal said_send(struct game *game, uint32_t player, const struct outgoing *message, uint64_t now);

/// A player's session, if it is ours and connected.
struct session_record *said_player(const struct game *game, uint32_t player, uint32_t *slot);

/// A world by its name.
/// @param world  out: 1 and its index; 0: none, as all zeros say
/// @return false: there is no such world
bool said_world(const struct game *game, const char name[GAME_WORLD_NAME], uint8_t *world);

#endif
