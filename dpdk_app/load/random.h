// SPDX-License-Identifier: BSD-3-Clause
// load/random.h: small and fast random numbers, the same for the same seed: xoshiro256** (Blackman and Vigna, 2018).

#ifndef POLLGATE_LOAD_RANDOM_H
#define POLLGATE_LOAD_RANDOM_H

#include <stdint.h>

#include "compiler.h"

struct random {
	uint64_t state[4];
};

/// The state from one word by SplitMix64, as its authors advise: it is never all zeros.
static inline void random_seed(struct random *r, uint64_t seed)
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
		r->state[i] = z ^ (z >> 31);
	}
}

ALWAYS_INLINE uint64_t rotate_left(uint64_t word, unsigned by)
{
	return word << by | word >> (64 - by);
}

ALWAYS_INLINE uint64_t random_word(struct random *r)
{
	uint64_t *s = r->state;
	const uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

/// 0 … n-1, by the high bits and without a division (Lemire, 2016).
ALWAYS_INLINE uint32_t random_to(struct random *r, uint32_t n)
{
	return (uint32_t)(((random_word(r) >> 32) * n) >> 32);
}

/// 0 … 1, 1 excluded.
ALWAYS_INLINE float random_fraction(struct random *r)
{
	return (float)(random_word(r) >> 40) * 0x1p-24F;
}

#endif
