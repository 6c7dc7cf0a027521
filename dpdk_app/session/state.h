// SPDX-License-Identifier: BSD-3-Clause
// session/state.h: the session state: the memory file that outlives worker processes.
//
//   directory   which sections there are, in which version, and where (sections.h)
//   issuing     cookie secret, what the supervisor remembers of slots, how sessions are numbered
//   plain       a region for each worker: sessions of the `plain` profile
//   and if sessions can be issued:
//   players     player_id to slot
//   issued      records, four lines to a slot
//   queues      three words to a slot: when sessions end, which slots rest
//
// The supervisor makes it, and a worker process adopts it: sections that it knows are kept. No pointers inside. Whoever
// changes how a section is laid out gives it another version in state.c.

#ifndef POLLGATE_SESSION_STATE_H
#define POLLGATE_SESSION_STATE_H

#include "pollgate.h"
#include "session/deadlines.h"
#include "session/number.h"
#include "session/players.h"
#include "session/record.h"
#include "session/sections.h"
#include "table/table.h"

#define STATE_COOKIE_SECRET_LEN 16

struct state_shape {
	uint32_t capacity;        // of each worker's region
	uint32_t workers;         // regions
	uint32_t issued_capacity; // slots of issued sessions; 0: none
};

/// What the supervisor remembers of the slots. Its alone, but for `used`.
struct slot_allocator {
	uint32_t used;     // published: slots from here on were never issued, and their memory never touched
	uint32_t standing; // in the deadlines
	uint32_t retired_first, retired; // ring of slots that were issued and are over, the longest first
};

/// The parts of a state, found.
struct state_parts {
	uint32_t issued_capacity;     // 0: there are no players, records, deadlines and resting slots
	const uint8_t *cookie_secret; // STATE_COOKIE_SECRET_LEN bytes
	struct slot_allocator *allocator;
	struct session_numbers numbers;
	struct player_index *players;
	struct session_record *records;
	struct deadlines deadlines;
	uint32_t *retired;
};

/// Sections that a worker process of another version left and that this one does not know: begun anew, or left alone when
/// this build has none of the name.
struct state_dropped {
	uint32_t count;
	struct dropped_section {
		char name[SECTION_NAME_SIZE];
		uint32_t
			version; // in which it was found; SECTION_DROPPED: whoever began it anew did not come to an end
		uint32_t known;  // in which this build has it; 0: it has none
	} section[SECTIONS_MAX];
};

/// Is this a state of this shape? A worker process asks before it uses one, and nobody may use it meanwhile. What the
/// workers keep is dropped where it is of another version. What the supervisor keeps, and goes on writing, cannot be.
/// @return PG_OK, or PG_ERROR_USAGE: then nothing was changed
int state_adopt(void *state, size_t size, const struct state_shape *shape, struct state_dropped *dropped,
		struct pg_error *error);

/// Of a state that was made or adopted.
struct plain_region *state_region(void *state, uint32_t worker);
struct state_parts state_parts(void *state);

#endif
