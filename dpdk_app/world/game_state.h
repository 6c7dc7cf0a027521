// SPDX-License-Identifier: BSD-3-Clause
// world/game_state.h: what a game says of each entity of a part beside where it is: up to WORLD_STATE_BYTES_MAX bytes, which change
// rarely.
//
// By number, so that a re-rank changes nothing. The part's worker writes, every worker reads: a state that is written meanwhile
// is read again in the next tick, and one of somebody else, who has the number by now, is none.
//
// Source: sequence locks, C. Lameter, Effective synchronization on Linux/NUMA systems, Gelato Conference 2005.

#ifndef POLLGATE_WORLD_GAME_STATE_H
#define POLLGATE_WORLD_GAME_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "wire/world.h"

struct world_part;

#define WORLD_STATE_WORDS (WORLD_STATE_BYTES_MAX / 8)

/// Of one number. Pages of the table exist once touched.
struct world_game_state {
	uint32_t sequence; // odd while it is written; half of it is the version
	uint32_t identity; // whose it is
	uint64_t length;
	uint64_t word[WORLD_STATE_WORDS];
};

/// Of a part. Constant, but for `of`.
struct world_game_states {
	uint32_t first, count; // numbers
	struct world_game_state *of;
};

/// A state as it was read.
struct world_game_said {
	uint32_t version; // another one with every change; 0: no number's has ever been set
	uint8_t length;
	uint64_t word[WORLD_STATE_WORDS];
};

/// The part's worker. Readers learn of it by `part->stated`.
/// @param length  at most WORLD_STATE_BYTES_MAX
void world_game_state_set(struct world_part *part, uint32_t number, uint32_t identity, const uint8_t *bytes,
			  uint8_t length);

/// Who had the number leaves: whoever has it next has no state.
void world_game_state_clear(struct world_part *part, uint32_t number);

/// @param part  as it was read (world/reading.h), or one's own
/// @return false: it is just being written, or is somebody else's by now
bool world_game_state_read(const struct world_part *part, uint32_t number, uint32_t identity,
			   struct world_game_said *said);

#endif
