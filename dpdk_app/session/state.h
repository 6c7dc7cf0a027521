// SPDX-License-Identifier: BSD-3-Clause
// session/state.h: what lies where in the session state: the memory file that outlives worker processes.
//
//   header                    shape, cookie secret, what the supervisor issued
//   a region for each worker  sessions of the `plain` profile
//   and if sessions can be issued:
//   player index              player_id to slot
//   issued records            four lines to a slot
//   the supervisor's queues   three words to a slot: when sessions end, which slots rest
//
// The supervisor makes it, a worker process checks that it is what its plan wants. No pointers inside.

#ifndef POLLGATE_SESSION_STATE_H
#define POLLGATE_SESSION_STATE_H

#include "pollgate.h"
#include "session/deadlines.h"
#include "session/issued.h"
#include "session/players.h"
#include "table/table.h"

#define STATE_COOKIE_SECRET_LEN 16

struct state_shape {
	uint32_t capacity;        // of each worker's region
	uint32_t workers;         // regions
	uint32_t issued_capacity; // slots of issued sessions; 0: none
};

/// What the supervisor remembers of the slots. Its alone, but for `used`.
struct issue_desk {
	uint32_t used;     // published: slots from here on were never issued, and their memory never touched
	uint32_t standing; // in the deadlines
	uint32_t resting_first, resting; // ring of slots that were issued and are over, the longest first
};

/// The parts of a state, found.
struct state_parts {
	uint32_t issued_capacity;
	const uint8_t *cookie_secret; // STATE_COOKIE_SECRET_LEN bytes
	struct issue_desk *desk;
	struct player_index *players;
	struct issued *records;
	struct deadlines deadlines;
	uint32_t *resting;
};

/// Is this a state of this shape? A worker process asks before it uses one.
/// @return PG_OK, or PG_ERROR_USAGE
int state_check(const void *state, size_t size, const struct state_shape *shape, struct pg_error *error);

struct session_region *state_region(void *state, uint32_t worker);
struct state_parts state_parts(void *state);

#endif
