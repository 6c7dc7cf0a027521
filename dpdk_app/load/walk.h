// SPDX-License-Identifier: BSD-3-Clause
// load/walk.h: how players of a world walk: in curves, at a steady speed, over hills, each in a region of its own.
//
// Everybody walks at one speed or stands. A new heading is chosen now and then, 1.5 s after the last on average, and turned to
// by half a turn a second at most. Whoever leaves its region turns back.

#ifndef POLLGATE_LOAD_WALK_H
#define POLLGATE_LOAD_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "load/random.h"
#include "pollgate_load.h"

struct walk {
	double position[2];
	float velocity[3]; // metres per second
	float heading, wanted;
	bool stands;
	uint64_t at;      // TSC, of the position; 0: it has not begun
	uint64_t decides; // TSC of the next heading
	float region[2];  // its middle
	float reach;      // half of its side; of a crowd, its radius
	bool round;
};

struct walks {
	struct walk *walk; // of each player
	uint32_t players;
	struct pg_load_world rules;
	struct random random;
	uint64_t tsc_hz;
};

/// False: out of memory.
bool walks_open(struct walks *walks, const struct pg_load_plan *plan);
void walks_close(struct walks *walks);

/// Go on until now. A player who did not walk for long walks on from where it was: it does not jump.
/// @param motion  out: position and velocity, as a movement says them
void walks_step(struct walks *walks, uint32_t player, uint64_t now, float motion[6]);

/// The gateway has put a player elsewhere.
void walks_put(struct walks *walks, uint32_t player, const float position[3]);

/// Fastest that a player is on the ground and up, in metres per second.
float walks_speed(const struct walks *walks, uint32_t player);

#endif
