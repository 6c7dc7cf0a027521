// SPDX-License-Identifier: BSD-3-Clause
// world/aim.h: does a ray hit a body, where, and by how much does it miss?

#ifndef POLLGATE_WORLD_AIM_H
#define POLLGATE_WORLD_AIM_H

#include <stdbool.h>
#include <stdint.h>

/// What of everybody can be hit: a capsule that stands upright, all that is within `radius` of its middle, the line from `low` to
/// `high` above their position. Quanta; low <= high.
struct world_body {
	int32_t radius, low, high;
};

struct world_ray {
	int32_t from[3];
	double direction[3]; // of length 1
	int32_t length;      // quanta
	struct world_body body;
};

/// What a ray, however long, makes of a body.
struct world_aim {
	bool hits;
	double distance; // to where it enters the body, if it hits; 0: it begins inside
	double error;    // the least between the ray and the middle of the body
};

/// @param position  of whose body it is
struct world_aim world_aim(const struct world_ray *ray, const int32_t position[3]);

#endif
