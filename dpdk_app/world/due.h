// SPDX-License-Identifier: BSD-3-Clause
// world/due.h: which slots of an observer a WORLD_STATE tells of. Inlined in each of its kernels.

#ifndef POLLGATE_WORLD_DUE_H
#define POLLGATE_WORLD_DUE_H

#include "world/observer.h"

/// The lowest of some slots is taken out of them.
ALWAYS_INLINE bool next_slot(uint32_t *slots, uint32_t *slot)
{
	if (*slots == 0)
		return false;
	*slot = (uint32_t)__builtin_ctz(*slots);
	*slots &= *slots - 1;
	return true;
}

/// Slots whose part has published the frame.
ALWAYS_INLINE uint32_t ready(const struct observer *observer, const struct world_parts *parts, uint32_t tick)
{
	uint64_t late = 0;
	uint32_t slots = observer->occupied;

	for (uint32_t i = 0; i < parts->count; i++)
		if (unlikely(!world_has_frame(parts->part[i], tick)))
			late |= 1ULL << i;
	if (likely(late == 0))
		return slots;
	for (uint32_t left = observer->occupied, slot = 0; next_slot(&left, &slot);)
		slots &= ~((uint32_t)(late >> world_part_of(observer->who[slot]) & 1) << slot);
	return slots;
}

/// Slots whose turn it is: every 2^n-th slot, the first of them another one in each tick.
ALWAYS_INLINE uint32_t due(const struct observer *observer, uint32_t tick)
{
	static const uint32_t pattern[OBSERVER_PACES] = {UINT32_MAX, 0x55555555, 0x11111111, 0x01010101};
	uint32_t slots = observer->pace[0];

	for (unsigned pace = 1; pace < OBSERVER_PACES; pace++)
		slots |= observer->pace[pace] & pattern[pace] << (0 - tick) % (1U << pace);
	return slots;
}

/// Slots whose FULL or EMPTY can still be on its way, and its acknowledgement too: nothing that was sent well after it is
/// acknowledged.
ALWAYS_INLINE uint32_t flying(const struct observer *observer)
{
	const unsigned overdue = observer_newest(observer) + 3;

	return ages_at_most(observer->full, (overdue < AGE_NONE ? overdue : AGE_NONE) - 1);
}

#endif
