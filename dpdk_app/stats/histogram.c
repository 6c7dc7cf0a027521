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

static const uint64_t tick_ns[PG_TICK_BUCKETS] = {
	100 * US,   200 * US,   300 * US,    500 * US,    700 * US,   1000 * US,  1500 * US,
	2000 * US,  3000 * US,  5000 * US,   7000 * US,   10000 * US, 15000 * US, 20000 * US,
	30000 * US, 50000 * US, 100000 * US, 250000 * US, UINT64_MAX,
};

// Times of 1 to 31 ticks, at 4 to 128 of them a second.
static const uint64_t unseen_ns[PG_UNSEEN_BUCKETS] = {
	10000 * US,  20000 * US,  35000 * US,  50000 * US,   75000 * US,   100000 * US,  150000 * US,  200000 * US,
	300000 * US, 500000 * US, 750000 * US, 1000000 * US, 2000000 * US, 4000000 * US, 8000000 * US, UINT64_MAX,
};

uint32_t pg_burst_bound(unsigned bucket)
{
	return bucket < PG_BURST_BUCKETS ? burst_bounds[bucket] : UINT32_MAX;
}

uint64_t pg_handling_bound_ns(unsigned bucket)
{
	return bucket < PG_HANDLING_BUCKETS ? handling_ns[bucket] : UINT64_MAX;
}

uint64_t pg_tick_bound_ns(unsigned bucket)
{
	return bucket < PG_TICK_BUCKETS ? tick_ns[bucket] : UINT64_MAX;
}

uint64_t pg_unseen_bound_ns(unsigned bucket)
{
	return bucket < PG_UNSEEN_BUCKETS ? unseen_ns[bucket] : UINT64_MAX;
}

static uint64_t cycles_of(uint64_t ns, uint64_t tsc_hz)
{
	return (uint64_t)((unsigned __int128)ns * tsc_hz / 1000000000U);
}

void handling_bounds_init(struct handling_bounds *bounds, uint64_t tsc_hz)
{
	for (unsigned i = 0; i < PG_HANDLING_BUCKETS - 1; i++)
		bounds->cycles[i] = cycles_of(handling_ns[i], tsc_hz);
}

void tick_bounds_init(struct tick_bounds *bounds, uint64_t tsc_hz)
{
	for (unsigned i = 0; i < PG_TICK_BUCKETS - 1; i++)
		bounds->cycles[i] = cycles_of(tick_ns[i], tsc_hz);
}

unsigned tick_bucket(const struct tick_bounds *bounds, uint64_t cycles)
{
	unsigned bucket = 0;

	while (bucket < PG_TICK_BUCKETS - 1 && cycles > bounds->cycles[bucket])
		bucket++;
	return bucket;
}

unsigned burst_bucket(unsigned packets)
{
	unsigned bucket = 0;

	while (bucket < PG_BURST_BUCKETS - 1 && packets > burst_bounds[bucket])
		bucket++;
	return bucket;
}

unsigned unseen_bucket(uint64_t ns)
{
	unsigned bucket = 0;

	while (ns > unseen_ns[bucket])
		bucket++;
	return bucket;
}
