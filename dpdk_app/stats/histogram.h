// SPDX-License-Identifier: BSD-3-Clause
// stats/histogram.h: into which bucket does a burst, a handling time, or the time of a tick, fall?

#ifndef POLLGATE_STATS_HISTOGRAM_H
#define POLLGATE_STATS_HISTOGRAM_H

#include <stdint.h>

#include "compiler.h"
#include "pollgate.h"

/// Bounds of the handling histogram in TSC cycles, computed once; the last bucket has none.
struct handling_bounds {
	uint64_t cycles[PG_HANDLING_BUCKETS - 1];
};

void handling_bounds_init(struct handling_bounds *bounds, uint64_t tsc_hz);

/// Find the bucket by counting up from the first: few bursts take long, so the loop is short and predictable.
ALWAYS_INLINE unsigned handling_bucket(const struct handling_bounds *bounds, uint64_t cycles)
{
	unsigned bucket = 0;

	while (bucket < PG_HANDLING_BUCKETS - 1 && cycles > bounds->cycles[bucket])
		bucket++;
	return bucket;
}

/// Bounds of the histogram of a world's ticks, likewise.
struct tick_bounds {
	uint64_t cycles[PG_TICK_BUCKETS - 1];
};

void tick_bounds_init(struct tick_bounds *bounds, uint64_t tsc_hz);

unsigned tick_bucket(const struct tick_bounds *bounds, uint64_t cycles);

unsigned unseen_bucket(uint64_t ns);

/// @param packets  1 … 64
unsigned burst_bucket(unsigned packets);

#endif
