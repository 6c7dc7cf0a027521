// SPDX-License-Identifier: BSD-3-Clause
// session/state.h: the session state: the memory file that outlives worker processes.
//
//   directory   which sections there are, in which version, and where (sections.h)
//   issuing     cookie secret, how many slots were ever issued, how sessions are numbered
//   plain       a region for each worker: sessions of the `plain` profile
//   and if sessions can be issued:
//   players     player_id to slot
//   issued      records, four lines to a slot
//
// The supervisor makes it, and a worker process adopts it: sections that it knows are kept. No pointers inside. Whoever
// changes how a section is laid out gives it another version in state.c. What the supervisor goes by is not in here but in
// its own memory (issuing.h).

#ifndef POLLGATE_SESSION_STATE_H
#define POLLGATE_SESSION_STATE_H

#include "pollgate.h"
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

/// Section "issuing": written by the supervisor.
struct issuing_section {
	uint32_t used;                     // slots from here on were never issued, and their memory never touched
	uint32_t gateway_bits, gateway_id; // of all numbers; for good, once one is issued
	uint8_t cookie_secret[STATE_COOKIE_SECRET_LEN];
};

/// The parts of a state, found.
struct state_parts {
	uint32_t issued_capacity; // 0: there are no players and records
	struct issuing_section *issuing;
	struct session_numbers numbers;
	struct player_index *players;
	struct session_record *records;
};

/// Where everything lies in a state of this shape that this build makes.
void state_lay_out(struct directory *directory, const struct state_shape *shape);

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

/// Of a state that was made or adopted, by whoever may believe its directory: not the supervisor, once there was a worker
/// process.
struct plain_region *state_region(void *state, uint32_t worker);
struct state_parts state_parts(void *state);

#endif
