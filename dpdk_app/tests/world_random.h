// SPDX-License-Identifier: BSD-3-Clause
// world_random.h: numbers for random walks, the same in every run.

#ifndef POLLGATE_TESTS_WORLD_RANDOM_H
#define POLLGATE_TESTS_WORLD_RANDOM_H

#include <stdint.h>

/// xorshift64*; `state` is not 0.
static inline uint64_t drawn(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

/// 0 <= it < n
static inline uint32_t drawn_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((drawn(state) >> 32) * n) >> 32);
}

/// low <= it < high
static inline double drawn_between(uint64_t *state, double low, double high)
{
	return low + (high - low) * ((double)(drawn(state) >> 11) * 0x1p-53);
}

#endif
