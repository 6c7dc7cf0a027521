// SPDX-License-Identifier: BSD-3-Clause
// session/wheel.h: when which session is due: a hashed timing wheel (Varghese and Lauck, 1987, scheme 6).
//
// A tick is about a millisecond. Links lie in one array by slot, so scheduling touches one line and nothing is allocated.

#ifndef POLLGATE_SESSION_WHEEL_H
#define POLLGATE_SESSION_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

#define WHEEL_TICKS 1024
#define WHEEL_NONE UINT32_MAX
#define WHEEL_AT_ONCE WHEEL_TICKS // the list of what waits for no tick

struct wheel_link {
	uint32_t next, previous; // slots; of the first in a list, the list
	uint64_t due;            // TSC; UINT64_MAX: not scheduled
};

struct wheel {
	struct wheel_link *links;        // by slot; of the slots that are this worker's
	uint32_t first[WHEEL_TICKS + 1]; // slots by tick modulo WHEEL_TICKS; WHEEL_AT_ONCE
	uint32_t last_at_once;           // of that list, whose order is kept
	uint32_t scheduled;              // how many slots
	uint32_t tick_shift;             // a tick has 2^this cycles
	uint64_t tick;                   // ticks before this one are empty
};

/// @param links        any content; made unscheduled by wheel_link_init() at a connection's beginning
/// @param tick_cycles  rounded down to a power of two
void wheel_init(struct wheel *wheel, struct wheel_link *links, uint64_t tick_cycles, uint64_t now);
void wheel_link_init(struct wheel *wheel, uint32_t slot);

/// Be due at `due`, or earlier if it is already scheduled so.
void wheel_schedule(struct wheel *wheel, uint32_t slot, uint64_t due);
void wheel_cancel(struct wheel *wheel, uint32_t slot);

/// Be due now, whatever of the tick is left: behind what ticks that are over have, and those that were to be so before it.
void wheel_hasten(struct wheel *wheel, uint32_t slot);

ALWAYS_INLINE bool wheel_hastens(const struct wheel *wheel)
{
	return wheel->first[WHEEL_AT_ONCE] != WHEEL_NONE;
}

/// The time from which on a slot may be due. Only wheel_pop() advances it.
ALWAYS_INLINE uint64_t wheel_turns(const struct wheel *wheel)
{
	return (wheel->tick + 1) << wheel->tick_shift;
}

/// @return a slot that is due at `now`, not scheduled any more; or WHEEL_NONE. Up to a tick late but for those that wait for none;
/// never early.
uint32_t wheel_pop(struct wheel *wheel, uint64_t now);

/// Earliest time at which something may be due: for loops that sleep. 0: at once. UINT64_MAX: nothing is scheduled.
uint64_t wheel_next(const struct wheel *wheel);

#endif
