// SPDX-License-Identifier: BSD-3-Clause
// session/issuing.h: what the supervisor goes by when it issues sessions, in its own memory.
//
// A worker process parses what strangers send, and can write to all of the session state. So nothing in the state tells the
// supervisor where something is or how much there is of it: that is known from the making of the state, and kept here, as is
// which slots are in use. The supervisor writes to the state what workers need, and reads of it only records and places of
// the players' index, whose content is never an address.

#ifndef POLLGATE_SESSION_ISSUING_H
#define POLLGATE_SESSION_ISSUING_H

#include "session/deadlines.h"
#include "session/number.h"
#include "session/players.h"
#include "session/state.h"

/// Which slots are free.
struct slot_allocator {
	uint32_t used;                   // slots from here on were never issued, and their memory never touched
	uint32_t retired_first, retired; // ring of slots that were issued and are over, the longest first
	uint32_t *ring;
};

struct issuing {
	uint32_t capacity; // slots; 0: there are no players, records, deadlines and resting slots
	struct session_numbers numbers;
	struct issuing_section *section; // what workers know of it
	struct session_record *records;
	struct visible_numbers visible; // where it lies; what is in it is workers', and is compared with numbers only
	struct slot_allocator allocator;
	struct player_writer players;
	struct deadlines deadlines;
};

/// Of a state that this process made, at the address at which it made it.
/// @return NULL: it is none
struct issuing *issuing_of(const void *state);

#endif
