// SPDX-License-Identifier: BSD-3-Clause
// aim_model.h: rays, drawn, and where they enter bodies: by intervals that are halved, in long double.

#ifndef POLLGATE_TESTS_AIM_MODEL_H
#define POLLGATE_TESTS_AIM_MODEL_H

#include "world/aim.h"

void point_ray(struct world_ray *ray, double x, double y, double z);
struct world_ray drawn_ray(uint64_t *seed);

/// Somewhere near it, before or behind where it begins, or in the distance.
void drawn_target(uint64_t *seed, const struct world_ray *ray, int32_t position[3]);

/// As world_aim().
struct world_aim modelled_aim(const struct world_ray *ray, const int32_t position[3]);

#endif
