// SPDX-License-Identifier: BSD-3-Clause
// stats/histogram.c: see histogram.h.

#include "stats/histogram.h"

static const uint32_t burst_bounds[PG_BURST_BUCKETS] = {1, 2, 4, 8, 16, 24, 32, 48, 64};

#define US 1000ULL
static const uint64_t handling_ns[PG_HANDLING_BUCKETS] = {
	250,      500,      1 * US,   3 * US / 2, 2 * US,    3 * US,    4 * US,     6 * US,     8 * US,
	10 * US,  15 * US,  20 * US,  30 * US,    40 * US,   60 * US,   80 * US,    100 * US,   150 * US,
	200 * US, 300 * US, 500 * US, 1000 * US,  2000 * US, 5000 * US, 10000 * US, UINT64_MAX,
};

uint32_t pg_burst_bound(unsigned bucket)
{
	return bucket < PG_BURST_BUCKETS ? burst_bounds[bucket] : UINT32_MAX;
}

uint64_t pg_handling_bound_ns(unsigned bucket)
{
	return bucket < PG_HANDLING_BUCKETS ? handling_ns[bucket] : UINT64_MAX;
}

void handling_bounds_init(struct handling_bounds *bounds, uint64_t tsc_hz)
{
	for (unsigned i = 0; i < PG_HANDLING_BUCKETS - 1; i++)
		bounds->cycles[i] = (uint64_t)((unsigned __int128)handling_ns[i] * tsc_hz / 1000000000U);
}

unsigned burst_bucket(unsigned packets)
{
	unsigned bucket = 0;

	while (bucket < PG_BURST_BUCKETS - 1 && packets > burst_bounds[bucket])
		bucket++;
	return bucket;
}
