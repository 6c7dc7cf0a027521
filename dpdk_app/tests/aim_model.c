// SPDX-License-Identifier: BSD-3-Clause
#include "aim_model.h"

#include "unit.h"

#include <math.h>

#include "part_fixture.h"

static long double clamped(long double value, long double low, long double high)
{
	return fminl(fmaxl(value, low), high);
}

static long double distance_at(const struct world_ray *ray, const int32_t position[3], long double along)
{
	const long double x = position[0] - ray->from[0] - along * ray->direction[0];
	const long double y = position[1] - ray->from[1] - along * ray->direction[1];
	const long double z = ray->from[2] + along * ray->direction[2] - position[2];

	return sqrtl(x * x + y * y + powl(z - clamped(z, ray->body.low, ray->body.high), 2));
}

/// The distance from the middle of a body is convex along a ray: thirds are left out until one point is left.
static long double nearest_at(const struct world_ray *ray, const int32_t position[3])
{
	long double low = 0, high = 1 << 23;

	for (unsigned i = 0; i < 200; i++) {
		const long double a = low + (high - low) / 3, b = high - (high - low) / 3;

		if (distance_at(ray, position, a) <= distance_at(ray, position, b))
			high = b;
		else
			low = a;
	}
	return low;
}

struct world_aim modelled_aim(const struct world_ray *ray, const int32_t position[3])
{
	const long double nearest = nearest_at(ray, position), error = distance_at(ray, position, nearest);
	long double out = 0, in = nearest;

	if (distance_at(ray, position, 0) <= ray->body.radius)
		in = 0;
	for (unsigned i = 0; i < 100 && in > 0; i++)
		*(distance_at(ray, position, (out + in) / 2) <= ray->body.radius ? &in : &out) = (out + in) / 2;
	return (struct world_aim){error <= ray->body.radius, (double)in, (double)error};
}

void point_ray(struct world_ray *ray, double x, double y, double z)
{
	const double length = sqrt(x * x + y * y + z * z);

	ray->direction[0] = x / length;
	ray->direction[1] = y / length;
	ray->direction[2] = z / length;
}

struct world_ray drawn_ray(uint64_t *seed)
{
	struct world_ray ray = {
		.from = {(int32_t)drawn_below(seed, WALK_SIZE), (int32_t)drawn_below(seed, WALK_SIZE),
			 (int32_t)drawn_below(seed, WALK_SIZE / 4)},
		.length = (int32_t)drawn_below(seed, WALK_SIZE),
		.body = {.radius = 1 + (int32_t)drawn_below(seed, 500), .low = (int32_t)drawn_below(seed, 100) - 50},
	};
	static const double axes[][3] = {{1, 0, 0}, {0, -1, 0}, {0, 0, 1}, {0, 0, -1}, {1, 1, 0}};

	ray.body.high = ray.body.low + (int32_t)drawn_below(seed, 2) * (int32_t)drawn_below(seed, 300);
	if (drawn_below(seed, 10) == 0) {
		const double *axis = axes[drawn_below(seed, COUNT(axes))];

		point_ray(&ray, axis[0], axis[1], axis[2]);
	} else {
		point_ray(&ray, (int32_t)drawn_below(seed, 2001) - 1000.5, (int32_t)drawn_below(seed, 2001) - 1000.5,
			  (int32_t)drawn_below(seed, 2001) - 1000.5);
	}
	return ray;
}

void drawn_target(uint64_t *seed, const struct world_ray *ray, int32_t position[3])
{
	const double along = (int32_t)drawn_below(seed, 3000) - 800.0, far = drawn_below(seed, 10) == 0 ? 1000 : 1;

	for (unsigned axis = 0; axis < 3; axis++)
		position[axis] = ray->from[axis] + (int32_t)(ray->direction[axis] * along * far) +
				 (int32_t)drawn_below(seed, 1200) - 600;
}
