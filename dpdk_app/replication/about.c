// SPDX-License-Identifier: BSD-3-Clause
// replication/about.c: see about.h.

#include "replication/about.h"

#include <string.h>

#define MILLIMETRES_PER_MICROMETRE 1000

static size_t name_length(const struct replica *replica)
{
	return strnlen(replica->plan->name, WORLD_NAME_MAX);
}

size_t about_bytes(const struct replica *replica)
{
	return sizeof(struct world_about) + name_length(replica);
}

size_t about_write(const struct replica *replica, uint8_t epoch, uint8_t *at)
{
	const struct pg_world_plan *plan = replica->plan;
	const size_t name = name_length(replica);
	struct world_about about = {
		.epoch = epoch,
		.tick_hz = (uint8_t)plan->tick_hz,
		.cell_shift = replica->glimpse_shift,
		.slots = (uint8_t)plan->neighbours,
		.quantum_um = (uint32_t)plan->quantum_um,
		.radius = replica->radius,
		.leave_radius = replica->leave_radius,
		.tick = replica->tick,
		.name_len = (uint16_t)name,
	};

	for (unsigned axis = 0; axis < 3; axis++)
		about.low_mm[axis] = (int32_t)(plan->low_um[axis] / MILLIMETRES_PER_MICROMETRE);
	memcpy(at, &about, sizeof(about));
	memcpy(at + sizeof(about), plan->name, name);
	return sizeof(about) + name;
}
