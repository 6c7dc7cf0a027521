// SPDX-License-Identifier: BSD-3-Clause
// world/rules.h: what a world allows, as configured, and in the units in which it is obeyed.
//
// The rules never change once they are made: whoever has another plan makes other rules.

#ifndef POLLGATE_WORLD_RULES_H
#define POLLGATE_WORLD_RULES_H

#include <stdint.h>

#include "pollgate.h"
#include "world/aim.h"

/// As configured. Quantum and lowest corner are floats because players are told them as floats (WORLD): both ends then
/// compute the same.
struct world_plan {
	float low_m[3], high_m[3]; // corners
	float quantum_m;
	uint32_t tick_hz;
	float max_speed_mps;
	float max_acceleration_mps2; // 0: any
	uint32_t jitter_ms;          // how late a move may arrive, and the interval to the next
	uint32_t settle_ms; // what a player said is on its way for so long at most; a correction is told once in it

	// of attacks; all 0: nobody reaches anybody
	uint32_t rewind_ms;        // the farthest that is looked back
	uint32_t interpolation_ms; // clients show what was so long ago, and what the way took on top
	float reach_m;
	float body_radius_m, body_height_m;
	float eye_m; // where a ray begins, above where its attacker is
};

#define WORLD_TICK_HZ_MIN 4
#define WORLD_TICK_HZ_MAX 128
#define WORLD_JITTER_MS_MAX 5000
#define WORLD_SETTLE_MS_MAX 10000
#define WORLD_REWIND_MS_MAX 1000
#define WORLD_INTERPOLATION_MS_MAX 500

/// Until a frame is sent, and until the next one comes: so many a player's view is behind besides.
#define WORLD_VIEW_TICKS 2

/// A velocity between those of struct world_place: fine, so that rounding adds nothing to changes of it.
#define WORLD_VELOCITY_UNIT_BITS 12

/// Clocks differ, and floats are rounded: a player may be faster than configured by this share.
#define WORLD_SPEED_MARGIN (1.0 / 256)

struct world_rules {
	// how metres become units, and units metres
	double low[3];          // m
	double units_per_metre; // of positions
	double metres_per_unit;
	double velocity_per_mps; // in units of velocities
	double mps_per_velocity;
	int32_t end[3]; // units of positions are below it

	// what is allowed
	double speed2;              // square, in units of velocities
	double cycles_per_unit;     // of way: what it takes at the greatest speed
	double cycles_per_velocity; // of a change of velocity: at the greatest acceleration; 0: any
	uint64_t jitter;            // cycles
	uint64_t settle;            // cycles

	// of attacks
	double parts_per_cycle;         // of a tick
	uint32_t rewind, interpolation; // parts of a tick
	uint32_t frames;                // of the ring of each part: a power of two
	int32_t reach, eye;             // quanta
	struct world_body body;
};

/// @param name  of the world, for the sentence
/// @return 0, or PG_ERROR_USAGE: the plan cannot be; nothing is written but the error
int world_rules_make(struct world_rules *rules, const struct world_plan *plan, const char *name, uint64_t tsc_hz,
		     struct pg_error *error);

#endif
