// SPDX-License-Identifier: BSD-3-Clause
// load/latency.h: into which bucket does a round trip fall? The layout of HdrHistogram with 3 significant digits.

#ifndef POLLGATE_LOAD_LATENCY_H
#define POLLGATE_LOAD_LATENCY_H

#include <stdint.h>

#include "compiler.h"
#include "pollgate_load.h"

#define LATENCY_EXACT_BITS 11 // values below 2^11 have a bucket each
#define LATENCY_HALF (1U << (LATENCY_EXACT_BITS - 1))
#define LATENCY_DOUBLINGS 31

static_assert((1U << LATENCY_EXACT_BITS) + LATENCY_DOUBLINGS * LATENCY_HALF == PG_LOAD_LATENCY_BUCKETS, "layout");

ALWAYS_INLINE unsigned latency_bucket(uint64_t ns)
{
	const unsigned top = 63U - (unsigned)__builtin_clzll(ns | ((1U << LATENCY_EXACT_BITS) - 1));
	const unsigned doublings = top - (LATENCY_EXACT_BITS - 1);

	if (unlikely(doublings > LATENCY_DOUBLINGS))
		return PG_LOAD_LATENCY_BUCKETS - 1;
	return doublings * LATENCY_HALF + (unsigned)(ns >> doublings);
}

#endif
