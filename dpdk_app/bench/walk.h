// SPDX-License-Identifier: BSD-3-Clause
// bench/walk.h: how the players of a benchmark move: 6 m/s, another heading every 1.5 s, over hills.
//
// A player goes straight from one of its movements to the next one, so where it is at a tick follows from the last.

#ifndef POLLGATE_BENCH_WALK_H
#define POLLGATE_BENCH_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "pollgate_bench.h"

/// Around where players walk: they turn round outside.
#define WALK_MARGIN_M 64

struct walker {
	double position[3]; // metres
	float velocity[3];  // metres a second
	float heading, wanted;
	bool stands, in_town;
};

struct walk {
	enum pg_bench_place place;
	uint32_t count;
	double side_m; // of the square in which players walk; the world has WALK_MARGIN_M around it
	double step_s; // between two movements
	uint64_t random;
	struct walker *walker;
};

/// @param walk  place, count, side_m, step_s and random are set
/// @return false: no memory
bool walk_make(struct walk *walk, uint32_t standing_percent, bool ordered);
void walk_free(struct walk *walk);

/// On to the player's next movement.
void walk_step(struct walk *walk, uint32_t player);

/// A number from 0 on.
uint32_t walk_draw(struct walk *walk, uint32_t below);

#endif
