// SPDX-License-Identifier: BSD-3-Clause
// load/world_sight.h: what a player of profile plain is told when it asks what it sees (PROTOCOL.md 19).

#ifndef POLLGATE_LOAD_WORLD_SIGHT_H
#define POLLGATE_LOAD_WORLD_SIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "world_view.h" // the client's

/// An answer. All times are TSC.
struct world_sight {
	uint64_t asked, came;
	bool is_there;
	float motion[6];               // of the player, as the gateway has it
	uint32_t most;                 // of those who are near, so many are told at least
	const struct world_view *view; // what the answer tells, and nothing else; NULL: nothing could be told
};

/// @param asked_bytes  of the question
/// @param view         holds what is told until the next answer is read
/// @return false: no gateway answers so
bool world_sight_read(const uint8_t *answer, size_t length, size_t asked_bytes, struct world_view *view,
		      struct world_sight *sight);

#endif
