// SPDX-License-Identifier: BSD-3-Clause
// world/motion.h: a player's moves, held to the rules of a world, and where the player is by them.
//
// What a player may do is a budget of time (limit/rate.h): a way costs the time that it takes at the greatest speed, a change
// of velocity the time that it takes at the greatest acceleration. Each may run ahead of the clock by the jitter of the rules
// and no further. So, whenever the moves arrive, however many there are, and whatever was refused between them: over any
// interval of time, the ways between the places that were taken, added up, are at most
//
//     greatest speed * (1 + WORLD_SPEED_MARGIN) * (length of the interval + jitter)
//
// and likewise the changes of velocity, with the greatest acceleration. Who was silent for longer than the jitter has no more
// than that. The velocity is always the player's own: differences of positions that arrive unevenly would be noise.
//
// Only the player's worker touches a mover.

#ifndef POLLGATE_WORLD_MOTION_H
#define POLLGATE_WORLD_MOTION_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/plain.h"
#include "world/place.h"
#include "world/rules.h"

struct world_mover {
	int32_t position[3]; // units (rules.h), of the last move that was taken
	int32_t velocity[3];
	uint64_t way_until;     // TSC: until then the time is spent on ways
	uint64_t turning_until; // TSC: until then it is spent on changes of velocity
	uint64_t settled;       // TSC: from then on a refused move is answered by a correction
};

/// Somebody enters the world, or is put elsewhere: whatever a player or the rules say of speed.
/// @return false: no such place or velocity in this world, or not finite; nothing is changed
bool world_mover_enter(struct world_mover *mover, const struct world_rules *rules, const struct motion *motion,
		       uint64_t now);

/// As world_mover_enter(), for one who is in: the player's budget stays what it is, and what is refused within the time to
/// settle is stale. The player is told by world_mover_says().
bool world_mover_place(struct world_mover *mover, const struct world_rules *rules, const struct motion *motion,
		       uint64_t now);

/// A player's move is taken, or refused. What is refused changes no position. With a reason it stops the player, who is to
/// be told by a CORRECTION of what world_mover_says(); stale moves are not answered.
/// @param now  TSC, when it arrived
enum pg_world_move world_mover_move(struct world_mover *mover, const struct world_rules *rules,
				    const struct motion *motion, uint64_t now);

/// Where the last move that was taken left the player, in metres: what a correction says.
void world_mover_says(const struct world_mover *mover, const struct world_rules *rules, struct motion *motion);

/// The same as an entity of the world has it.
struct world_place world_mover_where(const struct world_mover *mover);

#endif
