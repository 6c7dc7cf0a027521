// SPDX-License-Identifier: BSD-3-Clause
// bench/world_clock.h: the clock of a benchmark of a world, which goes on by what the worker's work takes and by nothing else.

#ifndef POLLGATE_BENCH_WORLD_CLOCK_H
#define POLLGATE_BENCH_WORLD_CLOCK_H

#include <rte_cycles.h>

#include "bench/world.h"

static inline void begin(struct world_bench *b)
{
	b->harness = 0;
	b->mark = rte_rdtsc();
}

/// So many cycles, on the clock.
static inline uint64_t on_clock(const struct world_bench *b, uint64_t cycles)
{
	return cycles / b->plan->times_as_fast;
}

/// Cycles of the worker since begin(), without the harness's.
static inline uint64_t spent(const struct world_bench *b, uint64_t until)
{
	const uint64_t took = until - b->mark;

	return took > b->harness ? took - b->harness : 0;
}

/// The worker's work is done: the clock goes on.
static inline void spend(struct world_bench *b, enum bench_stage stage)
{
	const uint64_t took = spent(b, rte_rdtsc());
	const uint64_t counted = took < b->theft ? took : b->theft;

	b->now += on_clock(b, counted);
	b->cycles[stage] += counted;
	if (b->measures)
		samples_add(&b->step[stage], (double)counted);
}

static inline uint64_t begins_at(const struct world_bench *b, uint32_t tick)
{
	return b->replica->begins + tick * b->replica->tick_cycles;
}

#endif
