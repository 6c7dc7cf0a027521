// SPDX-License-Identifier: BSD-3-Clause
// replication/near.h: what a player says to everyone near.

#ifndef POLLGATE_REPLICATION_NEAR_H
#define POLLGATE_REPLICATION_NEAR_H

#include "replication/replication.h"

/// Give an event of a player of ours to all players whom the world's radius reaches from where the player is, by the newest
/// frames; of more than the configuration allows, to the nearest. What becomes of it with each of them is counted as of any
/// message to a player.
/// @return false: the player is nowhere in a world
bool near_tell(struct replication *replication, uint32_t slot, const struct outgoing *event, uint64_t now);

#endif
