// SPDX-License-Identifier: BSD-3-Clause
// world/rules.c: see rules.h.

#include "world/rules.h"

#include <math.h>

#include "stats/error.h"
#include "world/history.h"

#define POSITION_MAX ((1 << WORLD_POSITION_BITS) - 1)
#define VELOCITY_MAX INT16_MAX
#define SPEED_MIN 16 // quanta a second: slower steps are so small that rounding makes them longer
#define MS_PER_S 1000

static const char axis_name[3] = {'x', 'y', 'z'};

/// The highest position along an axis, in quanta. With a little more, because 20,000 m is not quite 2,000,000 times the float
/// next to 0.01 m.
static double highest(const struct world_plan *plan, unsigned axis)
{
	const double size = (double)plan->high_m[axis] - (double)plan->low_m[axis];

	return floor(size / (double)plan->quantum_m * (1 + 1e-7));
}

static int check_bounds(const struct world_plan *plan, const char *name, struct pg_error *error)
{
	if (!(isfinite(plan->quantum_m) && plan->quantum_m > 0))
		return error_set(error, PG_ERROR_USAGE, "world %s: quantum_m is %g; it must be more than 0", name,
				 (double)plan->quantum_m);
	for (unsigned axis = 0; axis < 3; axis++) {
		const double low = (double)plan->low_m[axis], high = (double)plan->high_m[axis];

		if (!(isfinite(low) && isfinite(high) && low < high))
			return error_set(error, PG_ERROR_USAGE,
					 "world %s: bounds along %c are %.9g to %.9g m; from lower to higher", name,
					 axis_name[axis], low, high);
		if (highest(plan, axis) < 1)
			return error_set(error, PG_ERROR_USAGE, "world %s: %.9g m along %c are less than quantum_m, %g",
					 name, high - low, axis_name[axis], (double)plan->quantum_m);
		if (highest(plan, axis) > POSITION_MAX)
			return error_set(error, PG_ERROR_USAGE,
					 "world %s: %.9g m along %c are %.0f times quantum_m, %g; at most %d times",
					 name, high - low, axis_name[axis], highest(plan, axis),
					 (double)plan->quantum_m, POSITION_MAX);
	}
	return 0;
}

/// A metre per second, in velocities of struct world_place.
static double velocity_per_mps(const struct world_plan *plan)
{
	return (WORLD_VELOCITY_PARTS >> world_velocity_shift(plan->tick_hz)) /
	       ((double)plan->quantum_m * plan->tick_hz);
}

static int check_speed(const struct world_plan *plan, const char *name, struct pg_error *error)
{
	const double speed = (double)plan->max_speed_mps, acceleration = (double)plan->max_acceleration_mps2;
	const double quantum = (double)plan->quantum_m, fastest = (VELOCITY_MAX - 1) / velocity_per_mps(plan);

	if (!(isfinite(speed) && speed >= SPEED_MIN * quantum))
		return error_set(error, PG_ERROR_USAGE,
				 "world %s: max_speed_mps is %g; it must be at least %d times quantum_m, %g", name,
				 speed, SPEED_MIN, quantum);
	if (speed * (1 + WORLD_SPEED_MARGIN) > fastest)
		return error_set(error, PG_ERROR_USAGE,
				 "world %s: max_speed_mps is %g; with quantum_m %g and tick_hz %u it is at most %.6g",
				 name, speed, quantum, plan->tick_hz, floor(fastest / (1 + WORLD_SPEED_MARGIN)));
	if (!(isfinite(acceleration) && (acceleration == 0 || acceleration >= quantum)))
		return error_set(error, PG_ERROR_USAGE,
				 "world %s: max_acceleration_mps2 is %g; 0 for any, or at least quantum_m, %g", name,
				 acceleration, quantum);
	return 0;
}

static int check_times(const struct world_plan *plan, const char *name, struct pg_error *error)
{
	const struct {
		const char *key;
		uint32_t value, min, max;
	} times[] = {
		{"tick_hz", plan->tick_hz, WORLD_TICK_HZ_MIN, WORLD_TICK_HZ_MAX},
		{"jitter_ms", plan->jitter_ms, MS_PER_S / WORLD_TICK_HZ_MAX, WORLD_JITTER_MS_MAX},
		{"settle_ms", plan->settle_ms, 0, WORLD_SETTLE_MS_MAX},
		{"rewind_ms", plan->rewind_ms, 0, WORLD_REWIND_MS_MAX},
		{"interpolation_ms", plan->interpolation_ms, 0, WORLD_INTERPOLATION_MS_MAX},
	};

	for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i].value < times[i].min || times[i].value > times[i].max)
			return error_set(error, PG_ERROR_USAGE, "world %s: %s is %u; it must be %u to %u", name,
					 times[i].key, times[i].value, times[i].min, times[i].max);
	return 0;
}

/// With the lag of those with the shortest way: what they see must be within the rewind.
static int check_view(const struct world_plan *plan, const char *name, struct pg_error *error)
{
	const uint32_t ticks_ms = (WORLD_VIEW_TICKS * MS_PER_S + plan->tick_hz - 1) / plan->tick_hz;

	if (plan->reach_m > 0 && plan->rewind_ms < plan->interpolation_ms + ticks_ms)
		return error_set(error, PG_ERROR_USAGE,
				 "world %s: rewind_ms is %u; with interpolation_ms %u and tick_hz %u it is at least %u",
				 name, plan->rewind_ms, plan->interpolation_ms, plan->tick_hz,
				 plan->interpolation_ms + ticks_ms);
	return 0;
}

static int check_attacks(const struct world_plan *plan, const char *name, struct pg_error *error)
{
	const double most = POSITION_MAX * (double)plan->quantum_m;
	const struct {
		const char *key;
		double value;
	} lengths[] = {
		{"reach_m", (double)plan->reach_m},
		{"body_radius_m", (double)plan->body_radius_m},
		{"body_height_m", (double)plan->body_height_m},
		{"eye_m", (double)plan->eye_m},
	};

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		if (!(lengths[i].value >= 0 && lengths[i].value <= most))
			return error_set(error, PG_ERROR_USAGE, "world %s: %s is %.9g; it must be 0 to %.9g", name,
					 lengths[i].key, lengths[i].value, most);
	return check_view(plan, name, error);
}

static int32_t quanta(float metres, const struct world_plan *plan)
{
	return (int32_t)((double)metres / (double)plan->quantum_m + 0.5);
}

/// A capsule as high as the body; of one that is not higher than wide, a ball in the middle.
static struct world_body body_of(const struct world_plan *plan)
{
	const int32_t radius = quanta(plan->body_radius_m, plan), height = quanta(plan->body_height_m, plan);

	if (height <= 2 * radius)
		return (struct world_body){radius, height / 2, height / 2};
	return (struct world_body){radius, radius, height - radius};
}

static uint32_t parts_of_ms(uint32_t ms, uint32_t tick_hz)
{
	return ms * tick_hz * WORLD_MOMENT_PARTS / MS_PER_S;
}

/// So many that whatever may be asked for is still there, and can be read before it is overwritten.
static uint32_t frames_of(uint32_t rewind)
{
	const uint32_t needed = rewind / WORLD_MOMENT_PARTS + 4;
	uint32_t frames = WORLD_AGES;

	while (frames < needed)
		frames *= 2;
	return frames;
}

static void add_attacks(struct world_rules *rules, const struct world_plan *plan)
{
	rules->rewind = parts_of_ms(plan->rewind_ms, plan->tick_hz);
	rules->interpolation = parts_of_ms(plan->interpolation_ms, plan->tick_hz);
	rules->frames = frames_of(rules->rewind);
	rules->reach = quanta(plan->reach_m, plan);
	rules->eye = quanta(plan->eye_m, plan);
	rules->body = body_of(plan);
}

static uint64_t cycles_of_ms(uint32_t ms, uint64_t tsc_hz)
{
	return tsc_hz * ms / MS_PER_S;
}

int world_rules_make(struct world_rules *rules, const struct world_plan *plan, const char *name, uint64_t tsc_hz,
		     struct pg_error *error)
{
	int code;

	if ((code = check_bounds(plan, name, error)) != 0 || (code = check_times(plan, name, error)) != 0 ||
	    (code = check_speed(plan, name, error)) != 0 || (code = check_attacks(plan, name, error)) != 0)
		return code;

	const double hz = (double)tsc_hz, units = (1 << WORLD_UNIT_BITS) / (double)plan->quantum_m;
	const double velocities = velocity_per_mps(plan) * (1 << WORLD_VELOCITY_UNIT_BITS);
	const double speed = (double)plan->max_speed_mps * (1 + WORLD_SPEED_MARGIN);
	const double acceleration = (double)plan->max_acceleration_mps2 * (1 + WORLD_SPEED_MARGIN);

	*rules = (struct world_rules){
		.low = {(double)plan->low_m[0], (double)plan->low_m[1], (double)plan->low_m[2]},
		.units_per_metre = units,
		.metres_per_unit = 1 / units,
		.velocity_per_mps = velocities,
		.mps_per_velocity = 1 / velocities,
		.speed2 = speed * velocities * speed * velocities,
		.cycles_per_unit = hz / (speed * units),
		.cycles_per_velocity = acceleration > 0 ? hz / (acceleration * velocities) : 0,
		.jitter = cycles_of_ms(plan->jitter_ms, tsc_hz),
		.settle = cycles_of_ms(plan->settle_ms, tsc_hz),
		.parts_per_cycle = (double)WORLD_MOMENT_PARTS * plan->tick_hz / hz,
	};
	for (unsigned axis = 0; axis < 3; axis++)
		rules->end[axis] = ((int32_t)highest(plan, axis) + 1) << WORLD_UNIT_BITS;
	add_attacks(rules, plan);
	return 0;
}
