// SPDX-License-Identifier: BSD-3-Clause
// replication/looking.h: a player looks around: who is near takes a slot, who is far gives it back.

#ifndef POLLGATE_REPLICATION_LOOKING_H
#define POLLGATE_REPLICATION_LOOKING_H

#include "replication/replication.h"

/// In every tick in which world_has_turn() says so, after observer_turn().
/// @param rank  the player's own
void look_around(struct replication *replication, struct replica *replica, uint32_t slot, uint32_t rank);

#endif
