// SPDX-License-Identifier: BSD-3-Clause
// world/interest.c: what is set when interest is made; world/choose.c is what is done in a turn.

#include "world/interest.h"

#include "world/lay_out.h"
#include "world/mark.h"

static void take_marks(struct lay_out *room, struct world_interest *interest, const struct world_parts *parts)
{
	for (uint32_t part = 0; part < parts->count; part++)
		interest->mark[part] = take(room, parts->part[part]->capacity);
}

size_t world_interest_bytes(const struct world_interest_plan *plan)
{
	struct lay_out room = {0};
	struct world_interest interest;

	take(&room, sizeof(interest));
	take_marks(&room, &interest, plan->parts);
	return room.at;
}

struct world_interest *world_interest_init(void *memory, const struct world_interest_plan *plan)
{
	struct lay_out room = {(uintptr_t)memory};
	struct world_interest *interest = take(&room, sizeof(*interest));
	const uint32_t one = WORLD_HYSTERESIS_ONE, h = plan->hysteresis;

	take_marks(&room, interest, plan->parts);
	interest->parts = plan->parts;
	for (uint32_t part = 0; part < plan->parts->count; part++)
		interest->grid[part] = plan->grid[part];
	interest->neighbours = plan->neighbours;
	interest->radius = plan->radius;
	interest->leave_radius = plan->leave_radius;
	for (unsigned mark = 1; mark <= WORLD_SLOTS_MAX; mark++) {
		interest->within[mark] = plan->leave_radius * plan->leave_radius + 1;
		interest->weight[mark] = (uint32_t)((uint64_t)MARK_WEIGHT_ONE * one * one / (h * h));
	}
	interest->within[MARK_NEW] = plan->radius * plan->radius + 1;
	interest->weight[MARK_NEW] = MARK_WEIGHT_ONE;
	world_interest_begin(interest);
	interest->unweight = (uint32_t)((uint64_t)MARK_WEIGHT_ONE * MARK_WEIGHT_ONE / interest->weight[1] + 1);
	return interest;
}

void world_interest_begin(struct world_interest *interest)
{
	for (uint32_t part = 0; part < interest->parts->count; part++) {
		interest->as_of[part] = interest->parts->part[part]->reranked;
		interest->view[part] = world_view(interest->grid[part]);
	}
}
