// SPDX-License-Identifier: BSD-3-Clause
// rules_fixture.c: see rules_fixture.h.

#include "unit.h"

#include "rules_fixture.h"

const struct world_plan town = {
	.low_m = {-8000, -8000, -100},
	.high_m = {12000, 12000, 500},
	.quantum_m = 0.01F,
	.tick_hz = 60,
	.max_speed_mps = 6,
	.max_acceleration_mps2 = 40,
	.jitter_ms = 250,
	.settle_ms = 500,
	.rewind_ms = 500, // 30 ticks
	.interpolation_ms = 100,
	.reach_m = 100,
	.body_radius_m = 0.3F,
	.body_height_m = 1.8F,
	.eye_m = 1.6F,
};

struct world_rules rules_at(const struct world_plan *plan, uint64_t tsc_hz)
{
	struct world_rules rules;
	struct pg_error error;

	if (world_rules_make(&rules, plan, "town", tsc_hz, &error) != 0)
		fail_msg("%s", error.message);
	return rules;
}

struct world_rules rules_of(const struct world_plan *plan)
{
	return rules_at(plan, HZ);
}

struct motion motion_of(double x, double y, double z, double vx, double vy, double vz)
{
	return (struct motion){{(float)x, (float)y, (float)z}, {(float)vx, (float)vy, (float)vz}};
}

struct world_mover entered(const struct world_rules *rules, struct motion motion, uint64_t now)
{
	struct world_mover mover;

	assert_true(world_mover_enter(&mover, rules, &motion, now));
	return mover;
}
