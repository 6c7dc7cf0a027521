// SPDX-License-Identifier: BSD-3-Clause
// game/clients.h: players of the `netcode` profile: what game processes hear of them, and what is done to them.
//
// A process calls one by record.player. In groups and listings, their slots come behind those of sessions.

#ifndef POLLGATE_GAME_CLIENTS_H
#define POLLGATE_GAME_CLIENTS_H

#include "game/game.h"

extern const struct netcode_watcher game_client_watcher;

/// Tells a process of a client, if there is one in this slot whom it is to hear of.
/// @return false: there is no room for it now
bool clients_list(struct game *game, unsigned process, uint32_t slot);

/// @return its slot, if it is connected and ours; NETCODE_NONE: it is not, or a player of another profile
uint32_t clients_find(const struct game *game, uint32_t player);

/// The same for whom it cannot be: by far the most are no clients of netcode.
ALWAYS_INLINE uint32_t client_of(const struct game *game, uint32_t player)
{
	return likely(!(player & NETCODE_PLAYERS)) ? NETCODE_NONE : clients_find(game, player);
}

/// Send a client of ours what a process says.
enum pg_order_refusal clients_send(const struct game *game, uint32_t slot, const struct outgoing *message,
				   uint64_t now);

/// The same, unless it is this one.
enum pg_order_refusal clients_send_but(const struct game *game, uint32_t slot, uint32_t except,
				       const struct outgoing *message, uint64_t now);

void clients_kick(const struct game *game, uint32_t slot, uint64_t now);

#endif
