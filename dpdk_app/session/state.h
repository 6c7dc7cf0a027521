// SPDX-License-Identifier: BSD-3-Clause
// session/state.h: the session state: the memory file that outlives worker processes.
//
//   directory   which sections there are, in which version, and where (sections.h)
//   issuing     the gateway's secret, how many slots were ever issued, how sessions are numbered
//   plain       a region for each worker: sessions of the `plain` profile
//   and if sessions can be issued:
//   players     player_id to slot
//   issued      records, four lines to a slot; behind them half a line to a slot: which messages its client need not say
//               again, though one before them is missing
//   numbers     the visible numbers of connections (visible.h): a line to a slot, and a table of the spares
// and if a listener has profile netcode:
//   netcode         records of clients (table/netcode_record.h), eight lines to a slot
//   netcode-tokens  which address used which connect token
//
// The supervisor makes it, and a worker process takes it over: sections that it knows are kept. No pointers inside. Whoever
// changes how a section is laid out gives it another version in state.c. What the supervisor goes by is not in here but in
// its own memory (issuing.h).

#ifndef POLLGATE_SESSION_STATE_H
#define POLLGATE_SESSION_STATE_H

#include "pollgate.h"
#include "session/number.h"
#include "session/players.h"
#include "session/record.h"
#include "session/sections.h"
#include "session/visible.h"
#include "table/netcode_record.h"
#include "table/table.h"

#define STATE_SECRET_LEN 32

struct state_shape {
	uint32_t capacity;         // of each worker's region
	uint32_t workers;          // regions
	uint32_t issued_capacity;  // slots of issued sessions; 0: none
	uint32_t netcode_capacity; // clients of profile netcode; 0: none
};

/// Section "issuing": written by the supervisor, but for `numbered`.
struct issuing_section {
	uint32_t used;                     // slots from here on were never issued, and their memory never touched
	uint32_t gateway_bits, gateway_id; // of all numbers; for good, once one is issued
	uint8_t secret[STATE_SECRET_LEN];
	uint32_t numbered; // a worker process has taken the numbering over: it can be no other any more
};

/// The parts of a state, found.
struct state_parts {
	uint32_t issued_capacity; // 0: there are no players and records
	struct issuing_section *issuing;
	struct session_numbers numbers;
	struct player_index *players;
	struct session_record *records;
	struct id_bits *seen;
	struct visible_numbers visible;
	struct netcode_record *netcode; // NULL: no listener has profile netcode
	struct netcode_history *netcode_history;
};

/// As pollgate.h says it.
struct state_shape state_shape_of(const struct pg_state_plan *plan);

/// Where everything lies in a state of this shape that this build makes.
void state_lay_out(struct directory *directory, const struct state_shape *shape);

/// What worker processes did not keep of what those of another version left, and the supervisor has not been told: sections
/// that were begun anew, or left alone when this build has none of the name.
struct state_dropped {
	uint32_t count;
	struct dropped_section {
		char name[SECTION_NAME_SIZE];
		uint32_t version; // in which it was found
		uint32_t known;   // in which this build has it; 0: it has none
	} section[SECTIONS_MAX];
};

/// Is this a state of this shape, which a worker process of this build can use? It may be without the section `numbers`: then no
/// spares are given. Writes nothing: as long as it may still fail
/// to start, what another version left is there for a process that knows it. What the workers keep may be of another
/// version. What the supervisor keeps, and goes on writing, may not.
/// @return PG_OK, or PG_ERROR_USAGE
int state_check(void *state, size_t size, const struct state_shape *shape, struct pg_error *error);

/// Take a state over that was checked, before the first worker looks into a section that workers keep; nobody else may use
/// it meanwhile. Sections of another version are begun anew.
/// @param dropped  out: what was not kept, now or by processes before this one. It is noted in the state until
///                 pg_state_told(), so that it is told also when this process ends first
void state_take(void *state, const struct state_shape *shape, struct state_dropped *dropped);

/// Of a state that was made or checked, by whoever may believe its directory: not the supervisor, once there was a worker
/// process.
struct plain_region *state_region(void *state, uint32_t worker);
struct state_parts state_parts(void *state);

#endif
