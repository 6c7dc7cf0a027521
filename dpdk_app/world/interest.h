// SPDX-License-Identifier: BSD-3-Clause
// world/interest.h: whom does somebody see? The nearest of those within a radius, over all parts of a world.
//
// Who is seen already counts as nearer than they are, by a factor (hysteresis), so that two who walk side by side do not change places
// all the time, and stays up to a leave radius. So it is no mistake that one of the nearest is not seen: nobody who is missing is nearer
// than the farthest who is seen, divided by that factor, less what both walked since the observer's turn.
//
// Every observer has a turn every WORLD_TURN_TICKS ticks. An observer's worker asks; of the parts of others it reads what is published.

#ifndef POLLGATE_WORLD_INTEREST_H
#define POLLGATE_WORLD_INTEREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "world/grid.h"
#include "world/part.h"

#define WORLD_TURN_TICKS 8
#define WORLD_TURN_RANKS 64           // neighbours in rank have their turns together
#define WORLD_RADIUS_MAX 32767        // quanta: three squares fit into 32 bits
#define WORLD_HYSTERESIS_ONE (1 << 8) // a hysteresis of 1
#define WORLD_LOOKED_AT_MAX 16384 // slots of a turn: a crowd in one point is not looked through for each who is in it

struct world_interest {
	const struct world_parts *parts;
	const struct world_grid *grid[WORLD_PARTS_MAX]; // of each part
	const struct world_view *view[WORLD_PARTS_MAX]; // of each part, as of world_interest_begin()
	uint32_t as_of[WORLD_PARTS_MAX];                // tick of the re-rank of whose ranks all references are

	// set when it is made
	uint32_t neighbours;                  // at most; up to WORLD_SLOTS_MAX
	uint32_t radius, leave_radius;        // in quanta, up to WORLD_RADIUS_MAX
	uint32_t within[WORLD_SLOTS_MAX + 2]; // by mark: distance^2 from which on they are not seen
	uint32_t weight[WORLD_SLOTS_MAX + 2]; // by mark: what distance^2 counts, in 65536ths
	uint32_t unweight;                    // 65536 by the weight of who is seen, in 65536ths
	uint8_t *mark[WORLD_PARTS_MAX];       // by rank: of the observer whose turn it is; 0 between turns
};

struct world_interest_plan {
	const struct world_parts *parts;
	const struct world_grid *const *grid; // of each part
	uint32_t neighbours;
	uint32_t radius, leave_radius;
	uint32_t hysteresis; // in WORLD_HYSTERESIS_ONEs: how many times as near who is seen counts, up to 4
};

/// Somebody whose turn it is.
struct world_turn {
	int32_t x, y, z;
	world_reference self;
	uint32_t has;               // bit s: somebody is in slot s
	const world_reference *who; // by slot; in ranks of now
	uint32_t reach;             // of the choice before; 0: there was none
};

/// Whom they see from now on.
struct world_choice {
	uint32_t leaves;                        // bit s: who is in slot s is not seen any longer
	uint32_t enters;                        // how many are new
	world_reference enter[WORLD_SLOTS_MAX]; // the nearest first
	uint32_t enter_distance2[WORLD_SLOTS_MAX];
	uint32_t distance2[WORLD_SLOTS_MAX]; // by slot: of who stays
	uint32_t reach;                      // how far one must look for all of these
	uint32_t looked_at;                  // slots
	bool more; // as many as can be are seen, and more are within the radius, or were not looked for
	bool cut;  // not everybody within the reach was looked at
};

size_t world_interest_bytes(const struct world_interest_plan *plan);

/// @param memory  world_interest_bytes() of it, at a cache line, zeroed
struct world_interest *world_interest_init(void *memory, const struct world_interest_plan *plan);

/// Before the turns of a tick, after world_read(): from here on references are in the ranks of now (`as_of`).
void world_interest_begin(struct world_interest *interest);

/// Has somebody of this rank their turn?
ALWAYS_INLINE bool world_has_turn(uint32_t rank, uint32_t tick)
{
	return (rank / WORLD_TURN_RANKS + tick) % WORLD_TURN_TICKS == 0;
}

#endif
