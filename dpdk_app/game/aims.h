// SPDX-License-Identifier: BSD-3-Clause
// game/aims.h: attacks of players in a world, judged by the moment that the attacker saw, in bounded steps.

#ifndef POLLGATE_GAME_AIMS_H
#define POLLGATE_GAME_AIMS_H

#include "replication/replication.h"
#include "wire/world.h"
#include "world/judge.h"

/// What there is to know of an attack when it comes: the attacker may be elsewhere when it is judged.
struct aim {
	int32_t from[3]; // quanta: where the attacker is, by its own last move
	float direction[3];
	uint32_t target;          // a player; 0: whoever is first in the way
	struct world_moment view; // that the attacker says it saw
	struct world_moment now;
	uint32_t round_trip; // parts of a tick
};

/// An attack that is being judged. There is one of a worker at a time.
struct aimed {
	struct world_judging judging; // unless it is `seeking`
	uint64_t order;               // of the ranks, as it began
	world_reference attacker;
	uint32_t part; // that is looked through for the target, of another worker
	uint32_t rank; // up to which that was done
	bool seeking;
};

enum aim_progress {
	AIM_LOOKS,  // there is more to look at
	AIM_JUDGED, // `judgement` is written
	AIM_VOID,   // ranks mean something else by now: to be begun again
};

/// @param body    of a PLAYER_ATTACK, whole
/// @param length  with what the client says that it saw, or without
struct aim aim_of(const struct replication *replication, const struct replica *replica, uint32_t slot,
		  const uint8_t *body, uint32_t length, uint64_t now);

/// Begin to judge.
/// @param here  the attacker is still who it was when it came
void aim_begin(const struct replication *replication, struct replica *replica, uint32_t slot, bool here,
	       const struct aim *aim, struct aimed *aimed);

/// A few microseconds of it.
/// @param judgement  out, once it is judged
enum aim_progress aim_step(const struct replica *replica, const struct aim *aim, struct aimed *aimed,
			   struct attack_judgement *judgement);

#endif
