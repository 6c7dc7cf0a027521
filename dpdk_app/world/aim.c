// SPDX-License-Identifier: BSD-3-Clause
// world/aim.c: see aim.h.
//
// Differences of positions are whole numbers below 2^22, so
// double has 30 bits to spare for fractions of a quantum.

#include "world/aim.h"

#include <math.h>

/// The segment in the middle of a body, seen from where the ray begins: x, y, and z from low to high.
struct middle {
	double x, y, low, high;
};

static double clamped(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

static double length(double x, double y, double z)
{
	return sqrt(x * x + y * y + z * z);
}

static double distance_at(const double d[3], const struct middle *middle, double along)
{
	const double z = along * d[2];

	return length(along * d[0] - middle->x, along * d[1] - middle->y, z - clamped(z, middle->low, middle->high));
}

/// Where a ray is nearest to the segment. The distance is convex in that: least where the ray passes the upright line, or one
/// of the ends, or where it begins.
static double nearest_at(const double d[3], const struct middle *middle)
{
	const double flat = d[0] * d[0] + d[1] * d[1], across = d[0] * middle->x + d[1] * middle->y;
	const double at[] = {flat > 0 ? across / flat : 0, across + d[2] * middle->low, across + d[2] * middle->high};
	double nearest = 0;

	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		if (at[i] > 0 && distance_at(d, middle, at[i]) < distance_at(d, middle, nearest))
			nearest = at[i];
	return nearest;
}

/// Where a ray enters a sphere about a point, if it does not begin inside the body; INFINITY: it does not.
static double enters_sphere(const double d[3], double x, double y, double z, double radius)
{
	const double along = d[0] * x + d[1] * y + d[2] * z;
	const double aside = length(along * d[0] - x, along * d[1] - y, along * d[2] - z);
	const double enters = along - sqrt(fmax((radius - aside) * (radius + aside), 0));

	return aside <= radius ? enters : (double)INFINITY;
}

/// Where a ray enters the side of a body, between its ends.
static double enters_side(const double d[3], const struct middle *middle, double radius)
{
	const double flat = d[0] * d[0] + d[1] * d[1];

	if (flat == 0)
		return (double)INFINITY;

	const double across =
		(d[0] * middle->x + d[1] * middle->y) / flat; // of the ray, where it passes the upright line
	const double aside = length(across * d[0] - middle->x, across * d[1] - middle->y, 0);
	const double enters = across - sqrt(fmax((radius - aside) * (radius + aside) / flat, 0));
	const double z = enters * d[2];

	return aside <= radius && z >= middle->low && z <= middle->high ? enters : (double)INFINITY;
}

struct world_aim world_aim(const struct world_ray *ray, const int32_t position[3])
{
	const struct middle middle = {
		.x = position[0] - ray->from[0],
		.y = position[1] - ray->from[1],
		.low = position[2] - ray->from[2] + ray->body.low,
		.high = position[2] - ray->from[2] + ray->body.high,
	};
	const double *d = ray->direction, radius = ray->body.radius;
	const double nearest = nearest_at(d, &middle);
	struct world_aim aim = {.error = distance_at(d, &middle, nearest)};

	aim.hits = aim.error <= radius;
	if (!aim.hits || distance_at(d, &middle, 0) <= radius)
		return aim;
	// Where it is nearest it is inside: before that, if rounding lets it pass by all surfaces.
	aim.distance = fmin(nearest, enters_side(d, &middle, radius));
	aim.distance = fmin(aim.distance, enters_sphere(d, middle.x, middle.y, middle.low, radius));
	aim.distance = fmin(aim.distance, enters_sphere(d, middle.x, middle.y, middle.high, radius));
	return aim;
}
