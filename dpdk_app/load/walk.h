// SPDX-License-Identifier: BSD-3-Clause
// load/walk.h: how players of a world walk: in curves, at a steady speed, over hills, each in a region of its own.
//
// Everybody walks at one speed or stands. A new heading is chosen now and then, 1.5 s after the last on average, and turned to
// by half a turn a second at most. Whoever leaves its region turns back. Between two steps everybody goes straight, so where
// somebody is follows from its last step.

#ifndef POLLGATE_LOAD_WALK_H
#define POLLGATE_LOAD_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "load/random.h"

/// Everywhere on the ground; four of five in a twentieth of it; all in a disc.
enum walk_place { WALK_SPREAD, WALK_TOWN, WALK_CROWD };

struct walk_rules {
	enum walk_place place;
	float middle_m[3];
	float ground_m; // side of the square that it is
	float crowd_m;  // radius of the disc
	float speed_mps;
	float standing; // share of players who do not walk
};

struct walk {
	double position[3];
	float velocity[3]; // metres per second
	float heading, wanted;
	float decides_s; // until the next heading
	float reach;     // half of the side of its region; of a crowd, its radius
	bool stands;
	uint64_t at; // TSC, of the position; 0: it has not begun
};

struct walks {
	struct walk *walk; // of each player
	uint32_t players;
	struct walk_rules rules;
	struct random random;
};

/// False: out of memory.
bool walks_open(struct walks *walks, const struct walk_rules *rules, uint32_t players, uint64_t seed);
void walks_close(struct walks *walks);

/// Players who are near each other are neighbours in number.
void walks_order(struct walks *walks);

/// The player goes on for so long, then chooses its way.
void walks_step(struct walks *walks, uint32_t player, double passed_s);

/// Likewise until now. A player who did not walk for long walks on from where it was: it does not jump.
void walks_step_until(struct walks *walks, uint32_t player, uint64_t now, double tsc_hz);

/// The gateway has put a player elsewhere.
void walks_put(struct walks *walks, uint32_t player, const float position[3]);

/// Fastest that a player is on the ground and up, in metres per second.
float walks_speed(const struct walks *walks, uint32_t player);

#endif
