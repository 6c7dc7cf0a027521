// SPDX-License-Identifier: BSD-3-Clause
// stats/off_cpu.c: see off_cpu.h.

#include "stats/off_cpu.h"

#include <time.h>

#include "pollgate.h"

#define NS_PER_S 1000000000U
/// A full burst takes a few microseconds, of a socket some tens; a time slice of the kernel's is milliseconds.
#define ASK_AFTER_NS 50000U
#define SKIP_AFTER_NS 1000000U

static uint64_t in_cycles(uint64_t ns, uint64_t tsc_hz)
{
	return (uint64_t)((unsigned __int128)ns * tsc_hz / NS_PER_S);
}

/// @return cycles that the thread did not have its CPU since it was last asked
static uint64_t kept_from_cpu(struct off_cpu *o)
{
	const uint64_t then = o->asked_at, then_ns = o->asked_ns;
	struct timespec had;
	uint64_t ran;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &had) != 0) // forbidden: nothing is known, and it is not asked again
		o->ask_after = UINT64_MAX;
	else
		o->asked_ns = (uint64_t)had.tv_sec * NS_PER_S + (uint64_t)had.tv_nsec;
	o->asked_at = pg_tsc();
	ran = in_cycles(o->asked_ns - then_ns, o->tsc_hz);
	if (o->ask_after == UINT64_MAX || o->asked_at - then <= ran)
		return 0;
	return o->asked_at - then - ran;
}

void off_cpu_begin(struct off_cpu *o, uint64_t tsc_hz)
{
	*o = (struct off_cpu){
		.ask_after = in_cycles(ASK_AFTER_NS, tsc_hz),
		.skip_after = in_cycles(SKIP_AFTER_NS, tsc_hz),
		.tsc_hz = tsc_hz,
	};
	off_cpu_skip(o);
}

COLD void off_cpu_ask(struct off_cpu *o)
{
	o->total += kept_from_cpu(o);
}

COLD void off_cpu_skip(struct off_cpu *o)
{
	kept_from_cpu(o);
	o->skipped_at = o->asked_at;
}
