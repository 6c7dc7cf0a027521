// SPDX-License-Identifier: BSD-3-Clause
// world/observer.c: who comes into a player's sight and leaves it.

#include "world/observer.h"

#include <string.h>

#include "world/observer_states.h"

void observer_begin(struct observer *observer, uint8_t epoch, uint32_t tick)
{
	memset(observer, 0, sizeof(*observer));
	memset(observer->base, AGE_NONE, sizeof(observer->base));
	memset(observer->full, AGE_NONE, sizeof(observer->full));
	memset(observer->state_age, AGE_NONE, sizeof(observer->state_age));
	observer->epoch = epoch;
	observer->tick = tick;
}

/// What was told of the slot before was of somebody else: no acknowledgement of it counts.
static void forget(struct observer *observer, unsigned slot)
{
	for (unsigned i = 0; i < OBSERVER_TICKS; i++) {
		observer->said[i].told &= ~(1U << slot);
		observer->said[i].supposed &= ~(1U << slot);
	}
	for (unsigned i = 0; i < OBSERVER_PACES; i++)
		observer->pace[i] &= ~(1U << slot);
	observer->introduced &= ~(1U << slot);
	observer->base[slot] = observer->full[slot] = AGE_NONE;
	observer_forget_state(observer, slot);
}

void observer_enter(struct observer *observer, const struct world_parts *parts, unsigned slot, world_reference who)
{
	forget(observer, slot);
	observer->who[slot] = who;
	observer->ranked[slot] = parts->part[world_part_of(who)]->reranked;
	observer->occupied |= 1U << slot;
	observer->leaving &= ~(1U << slot);
	if (parts->part[world_part_of(who)]->stated != 0)
		observer->unsure |= 1U << slot;
	observer_pace(observer, slot, 0, 0);
}

void observer_leave(struct observer *observer, unsigned slot)
{
	forget(observer, slot);
	observer->occupied &= ~(1U << slot);
	observer->leaving |= 1U << slot;
}

void observer_has_full(struct observer *observer, uint32_t slots, unsigned age, uint32_t newest)
{
	while (age-- > 0) {
		const unsigned at = observer_at(observer->tick - age);
		const bool is_newer = (int16_t)(observer->counter[at] - (uint16_t)newest) > 0;

		if (observer->sent >> at & 1 && is_newer)
			observer->said[at].told |= observer->said[at].supposed & slots;
	}
}

static void take_new_rank(struct observer *observer, const struct world_parts *parts, unsigned slot)
{
	const uint32_t part = world_part_of(observer->who[slot]);
	const uint32_t rank =
		world_rank_now(parts->part[part], world_rank_of(observer->who[slot]), &observer->ranked[slot]);

	if (rank == WORLD_NOBODY) {
		observer_leave(observer, slot);
		return;
	}
	observer->who[slot] = world_refer(part, rank);
}

static void take_new_ranks(struct observer *observer, const struct world_parts *parts)
{
	for (uint32_t slots = observer->occupied; slots != 0; slots &= slots - 1)
		take_new_rank(observer, parts, (unsigned)__builtin_ctz(slots));
}

/// Only if a part was re-ranked, or has another state of somebody.
static void take_news(struct observer *observer, const struct world_parts *parts)
{
	uint32_t ranks = 0, stated = 0;

	for (uint32_t i = 0; i < parts->count; i++) {
		ranks += parts->part[i]->reranked;
		stated += parts->part[i]->stated;
	}
	if (unlikely(ranks != observer->ranks)) {
		observer->ranks = ranks;
		take_new_ranks(observer, parts);
	}
	if (unlikely(stated != observer->stated)) {
		observer->stated = stated;
		observer->unsure |= observer->occupied;
	}
}

void observer_turn(struct observer *observer, const struct world_parts *parts, uint32_t tick)
{
	const uint32_t passed = tick - observer->tick;

	take_news(observer, parts);
	if (passed == 0)
		return;

	// The positions of the ticks that passed, the last of them at the highest bit before they are turned.
	const uint32_t highest = passed < OBSERVER_TICKS ? ~(UINT32_MAX >> passed) : UINT32_MAX;
	const unsigned by = (tick + 1) % OBSERVER_TICKS;
	const uint32_t gone = highest << by | highest >> (OBSERVER_TICKS - by) % OBSERVER_TICKS;

	observer->sent &= ~gone;
	observer->heard &= ~gone;
	ages_pass(observer->base, passed);
	ages_pass(observer->full, passed);
	if (unlikely(observer->unsure != 0))
		ages_pass(observer->state_age, passed);
	observer->tick = tick;
}
