// SPDX-License-Identifier: BSD-3-Clause
// load/latency.c: the value that stands for a bucket, for who reads the page.

#include "load/latency.h"

uint64_t pg_load_latency_ns(unsigned bucket)
{
	if (bucket >= PG_LOAD_LATENCY_BUCKETS)
		return UINT64_MAX;
	if (bucket < 2 * LATENCY_HALF)
		return bucket;

	const unsigned doublings = bucket / LATENCY_HALF - 1;
	const uint64_t steps = LATENCY_HALF + bucket % LATENCY_HALF;

	return ((steps + 1) << doublings) - 1;
}

size_t pg_load_page_size(void)
{
	return sizeof(struct pg_load_page);
}
