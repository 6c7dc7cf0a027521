// SPDX-License-Identifier: BSD-3-Clause
// bus/wait.h: a reader that has nothing to read spins, then sleeps; a writer wakes it, and never waits itself.
//
// A sleeper waits for a word in the writer's memory, a futex: to wake it blocks nobody, whatever the sleeper did to its own
// memory.

#ifndef POLLGATE_BUS_WAIT_H
#define POLLGATE_BUS_WAIT_H

#include "bus/ring.h"

/// Rings that one sleeper can wait for: what futex_waitv(2) takes.
#define RING_WAIT_MAX 128

enum ring_wait_result {
	RING_READY,   // at least one ring has something, or is broken
	RING_NOTHING, // in this time, or a signal came
	RING_NO_WAIT, // the system call failed: errno says why
};

/// How one reader waits.
struct ring_waiting {
	uint64_t spin_ns;  // before it sleeps, which costs tens of microseconds to both sides
	uint64_t sleep_ns; // then; a writer that dies before it wakes is not heard: choose a time after which to look

	// ring_wait()'s own; 0 at first
	uint32_t
		pauses; // between two looks at rings that the writer is just filling: cache lines go to and fro less often
	bool was_there; // something, after the first pause
	uint64_t read;  // bytes, of all rings
};

/// Waits until one of the rings has something.
/// @param readers  `n` of them, at most RING_WAIT_MAX
enum ring_wait_result ring_wait(struct ring_reader *const *readers, unsigned n, struct ring_waiting *waiting);

/// Wakes the reader if it sleeps: after a commit, before the writer does something else for long. A system call only if it
/// sleeps, and one for each time that it fell asleep.
void ring_wake(struct ring_writer *writer);

/// The same for a writer that looks again in microseconds: without a fence, it may see a sleeper the next time only.
void ring_wake_later(struct ring_writer *writer);

// The steps of ring_wait() for one ring.

/// Says that the reader sleeps.
/// @param wakes  out: what to wait for a change of
/// @return false: there is something to read; it does not
bool ring_fall_asleep(struct ring_reader *reader, uint32_t *wakes);
void ring_stay_awake(struct ring_reader *reader);

#endif
