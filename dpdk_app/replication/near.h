// SPDX-License-Identifier: BSD-3-Clause
// replication/near.h: who is near a player, looked for in bounded steps.

#ifndef POLLGATE_REPLICATION_NEAR_H
#define POLLGATE_REPLICATION_NEAR_H

#include "replication/replication.h"
#include "world/search.h"

/// A search that is under way. There is one of a worker at a time: whom it finds lies in replication->crowd.
struct near {
	struct world_search search;
	struct world_sphere sphere;
	world_reference self;
	uint64_t order; // of the ranks, as it began
	uint32_t found;
	uint32_t most; // of those, the nearest so many are wanted
};

enum near_progress {
	NEAR_LOOKS, // there is more to look at
	NEAR_FOUND, // replication->crowd has `found` of them
	NEAR_VOID,  // ranks mean something else by now: to be begun again
};

/// Begin to look for the players whom the world's radius reaches from where a player of ours is, by the newest frames; of more
/// than the configuration allows, for the nearest.
/// @return false: the player is nowhere in this world
bool near_begin(struct replication *replication, struct replica *replica, uint32_t slot, struct near *near);

/// Look on, a few microseconds.
enum near_progress near_step(struct replication *replication, const struct replica *replica, struct near *near);

/// Of those who were found.
ALWAYS_INLINE uint32_t near_player(const struct replication *replication, uint32_t index)
{
	return replication->crowd[index].who; // as near_step() leaves it
}

#endif
