// SPDX-License-Identifier: BSD-3-Clause
// rules_fixture.h: a town's plan, its rules, and who moves by them.

#ifndef POLLGATE_RULES_FIXTURE_H
#define POLLGATE_RULES_FIXTURE_H

#include "world/motion.h"
#include "world/rules.h"

#define HZ 2600000000ULL
#define START (1000 * HZ)

extern const struct world_plan town;

/// The plan is one that can be.
struct world_rules rules_at(const struct world_plan *plan, uint64_t tsc_hz);
struct world_rules rules_of(const struct world_plan *plan);

struct motion motion_of(double x, double y, double z, double vx, double vy, double vz);

/// Somebody who has just come to a place that there is.
struct world_mover entered(const struct world_rules *rules, struct motion motion, uint64_t now);

#endif
