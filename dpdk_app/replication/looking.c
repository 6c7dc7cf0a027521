// SPDX-License-Identifier: BSD-3-Clause
// replication/looking.c: see looking.h.

#include "replication/looking.h"

#include <string.h>

/// What is farther is left out first when there is no room: so much is told of a distance.
static uint8_t told_distance(const struct replica *replica, uint32_t distance2)
{
	const uint64_t told = distance2 * replica->told_per_distance2 >> 32;

	return told < UINT8_MAX ? (uint8_t)told : UINT8_MAX;
}

/// How often who is so far away is told of.
static unsigned pace_at(const struct replica *replica, uint32_t distance2)
{
	unsigned pace = 0;

	for (uint32_t i = 0; i < replica->tiers && distance2 >= replica->tier[i].distance2; i++)
		pace = replica->tier[i].pace;
	return pace;
}

static void tell(const struct replica *replica, struct observer *observer, const uint32_t distance2[WORLD_SLOTS_MAX])
{
	uint32_t paces[OBSERVER_PACES] = {0};

	for (uint32_t left = observer->occupied; left != 0; left &= left - 1) {
		const unsigned slot = (unsigned)__builtin_ctz(left);

		paces[pace_at(replica, distance2[slot])] |= 1U << slot;
		observer->distance[slot] = told_distance(replica, distance2[slot]);
	}
	memcpy(observer->pace, paces, sizeof(paces));
}

static bool is_gone(const struct replica *replica, world_reference who)
{
	return world_number(replica->parts->part[world_part_of(who)], world_rank_of(who)) == WORLD_NOBODY;
}

/// Who has left since the newest frame of its part, which may be behind ours: a player who comes again on another worker left its
/// part before it came.
static uint32_t gone(const struct replica *replica, const struct observer *observer)
{
	uint32_t slots = 0;

	for (uint32_t left = observer->occupied; left != 0; left &= left - 1) {
		const unsigned slot = (unsigned)__builtin_ctz(left);

		slots |= (uint32_t)is_gone(replica, observer->who[slot]) << slot;
	}
	return slots;
}

static void take(const struct replica *replica, struct observer *observer, struct world_choice *choice)
{
	if (choice->enters != 0 && replica->parts->count > 1)
		choice->leaves |= gone(replica, observer);
	for (uint32_t left = choice->leaves; left != 0; left &= left - 1)
		observer_leave(observer, (unsigned)__builtin_ctz(left));
	for (uint32_t i = 0; i < choice->enters; i++) {
		const unsigned slot = (unsigned)__builtin_ctz(~observer->occupied);

		if (is_gone(replica, choice->enter[i]))
			continue;
		observer_enter(observer, replica->parts, slot, choice->enter[i]);
		choice->distance2[slot] = choice->enter_distance2[i];
	}
	tell(replica, observer, choice->distance2);
}

/// Since when those in the slots are in no state, as sent.
static void count_unseen(const struct replica *replica, const struct observer *observer)
{
	struct pg_world_counts *counts = replica->counts;
	uint32_t left = observer->occupied;
	uint64_t ticks = 0;

	for (unsigned age = 1; left != 0 && age < OBSERVER_TICKS; age++) {
		const uint32_t told = left & observer_told(observer, age);
		const uint64_t number = (uint64_t)__builtin_popcount(told);

		if (told == 0)
			continue;
		counter_add(&counts->unseen[replica->unseen_bucket[age]], number);
		ticks += number * age;
		left &= ~told;
	}
	if (left != 0) {
		counter_add(&counts->unseen[PG_UNSEEN_BUCKETS - 1], (uint64_t)__builtin_popcount(left));
		ticks += (uint64_t)__builtin_popcount(left) * OBSERVER_TICKS;
	}
	counter_add(&counts->unseen_cycles, ticks * replica->tick_cycles);
}

void look_around(struct replication *replication, struct replica *replica, uint32_t slot, uint32_t rank)
{
	const struct world_frame *frame = world_frame_at(replica->part, replica->tick);
	struct observer *observer = &replication->observers[slot];
	struct member *member = &replication->members[slot];
	const struct world_turn turn = {
		.x = frame->x[rank],
		.y = frame->y[rank],
		.z = frame->z[rank],
		.self = world_refer(replica->own, rank),
		.has = observer->occupied,
		.who = observer->who,
		.reach = member->reach,
	};
	struct world_choice choice;

	if (!replication->kernels->choose(replica->interest, &turn, &choice))
		return; // ranks are just becoming others: in its next turn
	count_unseen(replica, observer);
	take(replica, observer, &choice);
	member->reach = choice.reach;
	counter_add(&replica->counts->looks, 1);
	counter_add(&replica->counts->looks_capped, choice.more);
	counter_add(&replica->counts->looks_cut, choice.cut);
}
