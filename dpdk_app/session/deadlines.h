// SPDX-License-Identifier: BSD-3-Clause
// session/deadlines.h: which issued session ends next? The supervisor's alone, in its own memory.
//
// A binary heap of slots by their records' expires_at, and where in it each slot is, so that one can be taken out early.
// Workers can write to the records: whatever is there, a slot and a place are always of this memory.

#ifndef POLLGATE_SESSION_DEADLINES_H
#define POLLGATE_SESSION_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

#include "session/record.h"

#define DEADLINES_NONE UINT32_MAX

struct deadlines {
	uint32_t count;
	uint32_t *heap;  // slots, in the order of a heap
	uint32_t *place; // by slot: where it is in the heap, if it is in it
	const struct session_record *records;
};

/// @param slot  that is not there yet
void deadlines_add(struct deadlines *deadlines, uint32_t slot);

/// @return false: it was not there
bool deadlines_remove(struct deadlines *deadlines, uint32_t slot);

/// @return a slot whose session is over at `now`, or DEADLINES_NONE
uint32_t deadlines_over(const struct deadlines *deadlines, uint64_t now);

/// How many are over at `now`?
uint32_t deadlines_count_over(const struct deadlines *deadlines, uint64_t now);

#endif
