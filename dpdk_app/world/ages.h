// SPDX-License-Identifier: BSD-3-Clause
// world/ages.h: how many ticks something is past, of each slot of an observer: a byte each, all of them at once.
//
// They stop at AGE_NONE and never come round, however long nothing happens.

#ifndef POLLGATE_WORLD_AGES_H
#define POLLGATE_WORLD_AGES_H

#include <emmintrin.h>
#include <stdint.h>

#include "compiler.h"
#include "wire/world.h"

/// As good as never. No baseline is so old, though five bits could say it: its frame may be overwritten at any moment.
#define AGE_NONE (WORLD_AGES - 1)

static_assert(WORLD_SLOTS_MAX == 32, "two vectors of bytes, and a bit of 32 each");

/// Of 16 slots, a byte each: all bits or none.
ALWAYS_INLINE __m128i ages_bytes(uint32_t slots, unsigned half)
{
	const __m128i bits = _mm_set1_epi64x((int64_t)0x8040201008040201);
	const __m128i twice = _mm_unpacklo_epi8(_mm_cvtsi32_si128((int)(slots >> 16 * half)), _mm_setzero_si128());
	const __m128i spread = _mm_shufflelo_epi16(twice, 0x50); // bytes 0, 0, 1, 1 as 16 bits each
	const __m128i wide = _mm_unpacklo_epi16(spread, spread); // four of each
	const __m128i eight = _mm_packus_epi16(_mm_unpacklo_epi32(wide, wide), _mm_unpackhi_epi32(wide, wide));

	return _mm_cmpeq_epi8(_mm_and_si128(eight, bits), bits);
}

ALWAYS_INLINE __m128i ages_load(const uint8_t *ages, unsigned half)
{
	return _mm_load_si128((const __m128i *)(const void *)ages + half);
}

ALWAYS_INLINE void ages_store(uint8_t *ages, unsigned half, __m128i value)
{
	_mm_store_si128((__m128i *)(void *)ages + half, value);
}

ALWAYS_INLINE uint32_t ages_mask(__m128i low, __m128i high)
{
	return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
}

/// @return slots with exactly this age
ALWAYS_INLINE uint32_t ages_equal(const uint8_t *ages, unsigned age)
{
	const __m128i all = _mm_set1_epi8((char)age);

	return ages_mask(_mm_cmpeq_epi8(ages_load(ages, 0), all), _mm_cmpeq_epi8(ages_load(ages, 1), all));
}

/// @return slots with at most this age
ALWAYS_INLINE uint32_t ages_at_most(const uint8_t *ages, unsigned age)
{
	const __m128i all = _mm_set1_epi8((char)age), low = ages_load(ages, 0), high = ages_load(ages, 1);

	return ages_mask(_mm_cmpeq_epi8(_mm_min_epu8(low, all), low), _mm_cmpeq_epi8(_mm_min_epu8(high, all), high));
}

/// Ticks pass.
ALWAYS_INLINE void ages_pass(uint8_t *ages, uint32_t ticks)
{
	const __m128i passed = _mm_set1_epi8((char)(ticks < AGE_NONE ? ticks : AGE_NONE)),
		      none = _mm_set1_epi8(AGE_NONE);

	for (unsigned half = 0; half < 2; half++)
		ages_store(ages, half, _mm_min_epu8(_mm_add_epi8(ages_load(ages, half), passed), none));
}

/// These slots have at most this age from now on.
ALWAYS_INLINE void ages_lower(uint8_t *ages, uint32_t slots, unsigned age)
{
	const __m128i all = _mm_set1_epi8((char)age);

	for (unsigned half = 0; half < 2; half++) {
		const __m128i others = _mm_xor_si128(ages_bytes(slots, half), _mm_set1_epi8(-1));

		ages_store(ages, half, _mm_min_epu8(ages_load(ages, half), _mm_or_si128(others, all)));
	}
}

#endif
