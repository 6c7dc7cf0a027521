// SPDX-License-Identifier: BSD-3-Clause
// world/kernels.h: what is done for every entity of a world, and for every player, in every tick; compiled for each level of the
// CPU.

#ifndef POLLGATE_WORLD_KERNELS_H
#define POLLGATE_WORLD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "world/interest.h"
#include "world/observer.h"
#include "world/part.h"

/// Tables of records and frames are written and read in blocks of so many ranks.
#define WORLD_BLOCK 64

/// What a WORLD_STATE came to.
struct world_told {
	uint32_t bytes;
	uint32_t ages; // bit a: records of this age are in it, or would be if there were a table
	uint32_t records, fulls;
	uint32_t misses;   // of the fulls, whoever the client was told of in full before
	uint32_t states;   // of games, of those in slots
	uint32_t left_out; // slots that should be in it, for which it had no room
};

/// Write the body of a WORLD_STATE for a datagram that leaves now; strips may follow (struct world_state, `strips`). After
/// observer_turn() for its tick; a second one in a tick says nothing. Of a part that has not published the frame, nothing is said.
/// @param counter  the datagram's
/// @param room     bytes, BITS_SLACK of which stay free; at least WORLD_STATE_ROOM_MIN
typedef struct world_told world_state_write(struct observer *observer, const struct world_parts *parts,
					    uint32_t counter, uint8_t *at, size_t room);

struct world_kernels {
	const char *isa;

	/// Write what can be told of each entity in frame `tick` to whoever has it in the one `age` before, into the table of
	/// that tick and age. The part's worker. Both frames must be in the ring.
	/// @param from  first rank, a multiple of WORLD_BLOCK
	/// @param to    behind the last; the rest of its block is written, too
	void (*records)(const struct world_part *part, uint32_t tick, uint32_t age, uint32_t from, uint32_t to);

	world_state_write *state;

	/// A turn of an observer.
	/// @return false: the view of a part is in ranks that are not read yet; not before world_interest_begin()
	bool (*choose)(const struct world_interest *interest, const struct world_turn *turn,
		       struct world_choice *choice);
};

/// The header, a FULL, and BITS_SLACK.
#define WORLD_STATE_ROOM_MIN 64

/// @param isa  as of a plan: `auto`, or the name of a level
/// @return NULL: this CPU does not run it
const struct world_kernels *world_kernels_select(const char *isa);

#endif
