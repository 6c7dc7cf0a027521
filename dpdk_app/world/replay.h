// SPDX-License-Identifier: BSD-3-Clause
// world/replay.h: do again what a journal says was done to the parts of a worker's worlds, by the same code, and compare the
// frames that come out.
//
// A journal comes from a file: nothing that it says is trusted. What cannot have been done ends the replay.

#ifndef POLLGATE_WORLD_REPLAY_H
#define POLLGATE_WORLD_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pollgate.h"
#include "world/game_state.h"
#include "world/part.h"

enum replay_step {
	REPLAY_FRAME,  // a frame is published, and all that it is made of is known
	REPLAY_END,    // of what there is
	REPLAY_BROKEN, // the journal says what cannot have been done
	REPLAY_MEMORY, // there is not enough for the part that it names
};

/// A part, as far as it is done again.
struct replay_part {
	struct world_part *part;         // NULL: nothing is known of it
	void *memory;                    // to be freed
	struct world_game_states states; // its own; of NULL: nobody has any
	size_t bytes;                    // of both
	uint64_t at_us;                  // of the frame that is being written, as struct journal_begin has it
	bool whole;                      // all of its entities are known
	uint32_t slice_at;               // until then: rank of the next entity
	uint32_t slices;                 // and of so many they come
	bool adds;                       // somebody comes, and the next entry says where
	uint32_t number;                 // who
	uint32_t identity;
	enum world_sort sort;
	bool compared; // the frame that is being written was begun when all were known
	bool differs;
	uint32_t differs_from; // rank
};

struct world_replay {
	const uint8_t *bytes;
	size_t length;
	size_t at;
	size_t memory_left; // that parts may still take
	struct replay_part parts[PG_WORLDS_MAX];
};

struct replay_frame {
	uint8_t world;
	uint32_t tick;
	uint64_t at_us;        // since 1970
	bool differs;          // from what was published
	uint32_t differs_from; // then: the first rank of a slice that does
};

/// @param bytes   of a ring, from the beginning of its oldest block on; the caller's, longer than the replay is used
/// @param memory_max  bytes that the parts may take
void replay_begin(struct world_replay *replay, const void *bytes, size_t length, size_t memory_max);

/// Go on up to the next frame.
enum replay_step replay_next(struct world_replay *replay, struct replay_frame *frame);

void replay_end(struct world_replay *replay);

#endif
