// SPDX-License-Identifier: BSD-3-Clause
// stats/off_cpu.h: how long a worker was kept from its CPU, so that this is not taken for work.
//
// A loop tells time by the TSC, which runs on while another thread has the CPU: a packet that came meanwhile seems to have
// been handled for all of that time. The kernel knows how long the thread waited, but asking costs a system call. So the
// kernel is asked only after a turn that took longer than any burst does, and after a sleep. Its answer is of all the time
// since it was last asked; the turn that took long is charged with no more than its own length.

#ifndef POLLGATE_STATS_OFF_CPU_H
#define POLLGATE_STATS_OFF_CPU_H

#include <stdint.h>

#include "compiler.h"

/// All times are in TSC cycles, but where a name says otherwise. Only the worker's thread uses it.
struct off_cpu {
	uint64_t ask_after; // what takes longer is asked about; UINT64_MAX: the kernel does not tell
	uint64_t tsc_hz;
	uint64_t asked_at; // when, sleeps since then left out, and how much CPU time the thread had had by then
	uint64_t asked_ns;
	uint64_t skip_after;    // of sleeps the kernel is asked no more often
	uint64_t skipped_at;    // when it was, the last time
	uint64_t total;         // that it was kept from its CPU, as far as that is known
	uint64_t turn_mark;     // total when the turn began
	uint64_t handling_mark; // total when the packets in hand were received
};

/// Called by the worker's thread, before its first turn.
void off_cpu_begin(struct off_cpu *o, uint64_t tsc_hz);

/// Ask the kernel: `total` grows by the time off the CPU since the last call.
void off_cpu_ask(struct off_cpu *o);

/// Ask the kernel, and forget the answer: the thread slept by its own choice.
void off_cpu_skip(struct off_cpu *o);

/// The thread slept by its own choice, for so long. A worker on kernel sockets sleeps between any two packets, and to ask takes
/// as long as to open and seal one: in between sleeps are left out by the clock. What the system call itself takes then counts as
/// work that nobody saw, ten microseconds at most.
ALWAYS_INLINE void off_cpu_slept(struct off_cpu *o, uint64_t slept, uint64_t now)
{
	if (likely(now - o->skipped_at < o->skip_after)) {
		o->asked_at += slept;
		return;
	}
	off_cpu_skip(o);
}

/// From here on packets are received.
ALWAYS_INLINE void off_cpu_mark_handling(struct off_cpu *o)
{
	o->handling_mark = o->total;
}

/// How much of the last `took` cycles the thread was kept from its CPU, when that was noted at `mark`.
ALWAYS_INLINE uint64_t off_cpu_part(struct off_cpu *o, uint64_t mark, uint64_t took)
{
	if (likely(took <= o->ask_after))
		return 0;
	off_cpu_ask(o);
	return o->total - mark < took ? o->total - mark : took;
}

#endif
