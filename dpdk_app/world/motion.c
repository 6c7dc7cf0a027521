// SPDX-License-Identifier: BSD-3-Clause
// world/motion.c: see motion.h.
//
// Floats become whole numbers first, and what is decided is decided by those.

#include "world/motion.h"

#include <math.h>
#include <string.h>

#define HALF_QUANTUM (1 << (WORLD_UNIT_BITS - 1))
#define HALF_VELOCITY (1 << (WORLD_VELOCITY_UNIT_BITS - 1))
#define VELOCITY_END ((double)INT16_MAX * (1 << WORLD_VELOCITY_UNIT_BITS))

/// A motion in units, not whole yet.
struct scaled {
	double position[3], velocity[3];
};

ALWAYS_INLINE struct scaled scale(const struct motion *motion, const struct world_rules *rules)
{
	struct scaled scaled;

	for (unsigned axis = 0; axis < 3; axis++) {
		scaled.position[axis] = ((double)motion->position[axis] - rules->low[axis]) * rules->units_per_metre;
		scaled.position[axis] += HALF_QUANTUM;
		scaled.velocity[axis] = (double)motion->velocity[axis] * rules->velocity_per_mps;
	}
	return scaled;
}

/// What is no number is nowhere.
ALWAYS_INLINE bool is_inside(const struct scaled *scaled, const struct world_rules *rules)
{
	bool inside = true;

	for (unsigned axis = 0; axis < 3; axis++)
		inside &= scaled->position[axis] >= 0 && scaled->position[axis] < rules->end[axis];
	return inside;
}

ALWAYS_INLINE double speed2(const struct scaled *scaled)
{
	return scaled->velocity[0] * scaled->velocity[0] + scaled->velocity[1] * scaled->velocity[1] +
	       scaled->velocity[2] * scaled->velocity[2];
}

/// The whole number below; conversion rounds to zero, so it is asked of a positive one.
ALWAYS_INLINE int32_t whole(double value)
{
	const int32_t above = 1 << 30;

	return (int32_t)(value + above) - above;
}

ALWAYS_INLINE void round_down(const struct scaled *scaled, int32_t position[3], int32_t velocity[3])
{
	for (unsigned axis = 0; axis < 3; axis++) {
		position[axis] = (int32_t)scaled->position[axis]; // not negative
		velocity[axis] = whole(scaled->velocity[axis]);
	}
}

/// The time that it takes from one to the other, in cycles, rounded up.
ALWAYS_INLINE uint64_t cost(const int32_t from[3], const int32_t to[3], double cycles_per_unit)
{
	uint64_t square = 0;

	for (unsigned axis = 0; axis < 3; axis++) {
		const int64_t difference = (int64_t)to[axis] - from[axis];

		square += (uint64_t)(difference * difference);
	}
	return (uint64_t)(int64_t)(sqrt((double)(int64_t)square) * cycles_per_unit) + (square != 0);
}

/// Until when the time is spent, with this spent, too.
ALWAYS_INLINE uint64_t spend(uint64_t until, uint64_t cycles, uint64_t now)
{
	return (until > now ? until : now) + cycles;
}

/// The player stands until a move is taken again, and is told so, but not time and again: what it has said is on its way.
static COLD enum pg_world_move refuse(struct world_mover *mover, const struct world_rules *rules,
				      enum pg_world_move reason, uint64_t now)
{
	if (now < mover->settled)
		return PG_WORLD_MOVE_STALE;
	memset(mover->velocity, 0, sizeof(mover->velocity));
	mover->settled = now + rules->settle;
	return reason;
}

enum pg_world_move world_mover_move(struct world_mover *mover, const struct world_rules *rules,
				    const struct motion *motion, uint64_t now)
{
	const struct scaled scaled = scale(motion, rules);
	int32_t position[3], velocity[3];

	if (unlikely(!is_inside(&scaled, rules)))
		return refuse(mover, rules, PG_WORLD_MOVE_BOUNDS, now);
	if (unlikely(!(speed2(&scaled) <= rules->speed2)))
		return refuse(mover, rules, PG_WORLD_MOVE_SPEED, now);
	round_down(&scaled, position, velocity);

	const uint64_t way = cost(mover->position, position, rules->cycles_per_unit);
	const uint64_t turning = cost(mover->velocity, velocity, rules->cycles_per_velocity);
	const uint64_t way_until = spend(mover->way_until, way, now);
	const uint64_t turning_until = spend(mover->turning_until, turning, now);

	if (unlikely(way_until > now + rules->jitter))
		return refuse(mover, rules, PG_WORLD_MOVE_SPEED, now);
	if (unlikely(turning_until > now + rules->jitter))
		return refuse(mover, rules, PG_WORLD_MOVE_ACCELERATION, now);
	memcpy(mover->position, position, sizeof(position));
	memcpy(mover->velocity, velocity, sizeof(velocity));
	mover->way_until = way_until;
	mover->turning_until = turning_until;
	return PG_WORLD_MOVE_TAKEN;
}

/// Has each velocity 16 bits?
static bool is_told(const struct scaled *scaled)
{
	bool told = true;

	for (unsigned axis = 0; axis < 3; axis++)
		told &= scaled->velocity[axis] >= -VELOCITY_END && scaled->velocity[axis] <= VELOCITY_END;
	return told;
}

bool world_mover_place(struct world_mover *mover, const struct world_rules *rules, const struct motion *motion,
		       uint64_t now)
{
	const struct scaled scaled = scale(motion, rules);

	if (!is_inside(&scaled, rules) || !is_told(&scaled))
		return false;
	round_down(&scaled, mover->position, mover->velocity);
	mover->settled = now + rules->settle;
	return true;
}

bool world_mover_enter(struct world_mover *mover, const struct world_rules *rules, const struct motion *motion,
		       uint64_t now)
{
	struct world_mover entering = {0};

	if (!world_mover_place(&entering, rules, motion, now))
		return false;
	*mover = entering;
	return true;
}

void world_mover_says(const struct world_mover *mover, const struct world_rules *rules, struct motion *motion)
{
	for (unsigned axis = 0; axis < 3; axis++) {
		const double position = (mover->position[axis] - HALF_QUANTUM) * rules->metres_per_unit;

		motion->position[axis] = (float)(position + rules->low[axis]);
		motion->velocity[axis] = (float)(mover->velocity[axis] * rules->mps_per_velocity);
	}
}

struct world_place world_mover_where(const struct world_mover *mover)
{
	return (struct world_place){
		.x = mover->position[0] >> WORLD_UNIT_BITS,
		.y = mover->position[1] >> WORLD_UNIT_BITS,
		.z = mover->position[2] >> WORLD_UNIT_BITS,
		.vx = (int16_t)((mover->velocity[0] + HALF_VELOCITY) >> WORLD_VELOCITY_UNIT_BITS),
		.vy = (int16_t)((mover->velocity[1] + HALF_VELOCITY) >> WORLD_VELOCITY_UNIT_BITS),
		.vz = (int16_t)((mover->velocity[2] + HALF_VELOCITY) >> WORLD_VELOCITY_UNIT_BITS),
		.beyond = {world_beyond(mover->position[0]), world_beyond(mover->position[1]),
			   world_beyond(mover->position[2])},
	};
}
