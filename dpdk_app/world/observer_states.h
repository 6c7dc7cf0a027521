// SPDX-License-Identifier: BSD-3-Clause
// world/observer_states.h: which of the game's own states a client is told, and which it has.
//
// A slot is unsure from when somebody comes into it, or any state of the world changes, until the client has acknowledged the
// newest. In a world without states none ever is.

#ifndef POLLGATE_WORLD_OBSERVER_STATES_H
#define POLLGATE_WORLD_OBSERVER_STATES_H

#include "world/bits.h"
#include "world/observer.h"

#define OBSERVER_STATES_MAX 8 // in a WORLD_STATE

/// Of one slot.
struct told_game_state {
	uint8_t slot;
	struct world_game_said said;
};

/// What a WORLD_STATE tells.
struct told_game_states {
	uint32_t slots;
	unsigned n;
	struct told_game_state of[OBSERVER_STATES_MAX];
};

/// Somebody else, or nobody, is in the slot.
ALWAYS_INLINE void observer_forget_state(struct observer *observer, unsigned slot)
{
	observer->unsure &= ~(1U << slot);
	observer->state_heard &= ~(1U << slot);
	observer->state_age[slot] = AGE_NONE;
	observer->state_version[slot] = 0;
}

/// What is to be told: of who comes, beside that, and of whom the client is known to have.
/// @param can   slots that anything can be told of
/// @param full  slots that are told in full
COLD void observer_choose_states(struct observer *observer, const struct world_parts *parts, uint32_t can,
				 uint32_t full, struct told_game_states *told);

/// Bits of one of them, as an exception.
unsigned observer_state_bits(const struct told_game_state *told);

/// Strike those that there is no room for, or who are not told in full and are not known.
/// @param full  slots that are told in full
/// @return bits of those that are left
COLD unsigned observer_fit_states(const struct observer *observer, uint32_t full, unsigned room,
				  struct told_game_states *told);

COLD void observer_put_states(const struct told_game_states *told, struct bit_writer *writer);

/// They leave now.
COLD void observer_remember_states(struct observer *observer, const struct told_game_states *told);

#endif
