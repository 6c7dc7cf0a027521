// SPDX-License-Identifier: BSD-3-Clause
// load/rebinding.h: which player goes on from another UDP port when: in turns, each as often as the others.

#ifndef POLLGATE_LOAD_REBINDING_H
#define POLLGATE_LOAD_REBINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/// All zero: nobody, never.
struct rebinding {
	uint32_t players, next;
	uint64_t interval; // TSC cycles from one player's turn to the next
	uint64_t due;
};

/// @param each  cycles from one turn of a player to its next; 0: never
ALWAYS_INLINE void rebinding_begin(struct rebinding *rebinding, uint32_t players, uint64_t each, uint64_t now)
{
	*rebinding = (struct rebinding){.players = players, .interval = each / players, .due = now + each / players};
}

/// @param player  out: whose turn it is
ALWAYS_INLINE bool rebinding_turn(struct rebinding *rebinding, uint64_t now, uint32_t *player)
{
	if (likely(rebinding->interval == 0 || rebinding->due > now))
		return false;
	rebinding->due += rebinding->interval;
	*player = rebinding->next;
	rebinding->next = rebinding->next + 1 < rebinding->players ? rebinding->next + 1 : 0;
	return true;
}

#endif
