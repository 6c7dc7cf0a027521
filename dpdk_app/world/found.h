// SPDX-License-Identifier: BSD-3-Clause
// world/found.h: who is within a distance, of a range of a grid's slots. In vectors of the level that it is compiled for.

#ifndef POLLGATE_WORLD_FOUND_H
#define POLLGATE_WORLD_FOUND_H

#include <stdbool.h>
#include <stdint.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "compiler.h"
#include "world/grid.h"

#define FOUND_MAX 512
#define FOUND_PAST 16                            // behind the last that can be written
#define LISTED_MAX (FOUND_MAX + WORLD_SLOTS_MAX) // who was found, and who is seen already

/// Who was found, in the order of slots.
struct found {
	uint32_t count;
	uint32_t distance2[FOUND_MAX + FOUND_PAST] CACHE_ALIGNED;
	world_reference who[FOUND_MAX + FOUND_PAST] CACHE_ALIGNED;
};

/// Those of who was found that count.
struct listed {
	uint32_t count;
	uint32_t weighed[LISTED_MAX + FOUND_PAST] CACHE_ALIGNED;
	uint32_t distance2[LISTED_MAX + FOUND_PAST] CACHE_ALIGNED;
	world_reference who[LISTED_MAX + FOUND_PAST] CACHE_ALIGNED;
	uint32_t mark[LISTED_MAX + FOUND_PAST] CACHE_ALIGNED;
};

/// Where somebody stands and how far they look.
struct look {
	int32_t x, y, z;
	uint32_t radius;    // along each axis, at most WORLD_RADIUS_MAX
	uint32_t distance2; // at most
};

// Where one axis alone is too far, the sum of squares does not fit into 32 bits: so that is asked, too.

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)

#define FOUND_LANES 16

/// Distances^2 of 16 slots.
/// @return bit i: that one is near enough
ALWAYS_INLINE __mmask16 measure(const struct look *look, const struct world_view *view, uint32_t slot,
				__m512i *distance2)
{
	const __m512i dx =
		_mm512_abs_epi32(_mm512_sub_epi32(_mm512_loadu_si512(view->x + slot), _mm512_set1_epi32(look->x)));
	const __m512i dy =
		_mm512_abs_epi32(_mm512_sub_epi32(_mm512_loadu_si512(view->y + slot), _mm512_set1_epi32(look->y)));
	const __m512i dz =
		_mm512_abs_epi32(_mm512_sub_epi32(_mm512_loadu_si512(view->z + slot), _mm512_set1_epi32(look->z)));
	const __m512i most = _mm512_max_epi32(_mm512_max_epi32(dx, dy), dz);
	const __m512i xy = _mm512_add_epi32(_mm512_mullo_epi32(dx, dx), _mm512_mullo_epi32(dy, dy));

	*distance2 = _mm512_add_epi32(xy, _mm512_mullo_epi32(dz, dz));
	return _mm512_cmple_epu32_mask(most, _mm512_set1_epi32((int)look->radius)) &
	       _mm512_cmple_epu32_mask(*distance2, _mm512_set1_epi32((int)look->distance2));
}

/// Compressed in a register and stored whole: to compress into memory takes fifteen times as long.
ALWAYS_INLINE void find(const struct look *look, const struct world_view *view, world_reference part, uint32_t from,
			uint32_t to, struct found *found)
{
	for (uint32_t slot = from; slot < to; slot += FOUND_LANES) {
		const __mmask16 there = to - slot < FOUND_LANES ? (__mmask16)((1U << (to - slot)) - 1) : 0xffff;
		__m512i distance2;
		const __mmask16 near = measure(look, view, slot, &distance2) & there;
		const __m512i who =
			_mm512_or_si512(_mm512_loadu_si512(view->rank + slot), _mm512_set1_epi32((int)part));

		_mm512_storeu_si512(found->distance2 + found->count, _mm512_maskz_compress_epi32(near, distance2));
		_mm512_storeu_si512(found->who + found->count, _mm512_maskz_compress_epi32(near, who));
		found->count += (uint32_t)__builtin_popcount(near);
	}
}

/// How many weigh no more than that; FOUND_PAST beyond the last weigh more.
ALWAYS_INLINE uint32_t count_up_to(const struct listed *listed, uint32_t most)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < listed->count; i += FOUND_LANES)
		n += (uint32_t)__builtin_popcount(
			_mm512_cmple_epu32_mask(_mm512_load_si512(listed->weighed + i), _mm512_set1_epi32((int)most)));
	return n;
}

ALWAYS_INLINE void keep_some(uint32_t *of, uint32_t from, uint32_t to, __mmask16 kept)
{
	_mm512_storeu_si512(of + to, _mm512_maskz_compress_epi32(kept, _mm512_load_si512(of + from)));
}

/// Nobody else is on the list from then on.
ALWAYS_INLINE void keep_up_to(struct listed *listed, uint32_t most)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < listed->count; i += FOUND_LANES) {
		const __mmask16 near =
			_mm512_cmple_epu32_mask(_mm512_load_si512(listed->weighed + i), _mm512_set1_epi32((int)most));

		keep_some(listed->weighed, i, kept, near);
		keep_some(listed->distance2, i, kept, near);
		keep_some(listed->who, i, kept, near);
		keep_some(listed->mark, i, kept, near);
		kept += (uint32_t)__builtin_popcount(near);
	}
	listed->count = kept;
}

#elif defined(__AVX2__)

#define FOUND_LANES 8

ALWAYS_INLINE __m256i at_most(__m256i a, __m256i b)
{
	return _mm256_cmpeq_epi32(_mm256_min_epu32(a, b), a);
}

ALWAYS_INLINE uint32_t measure(const struct look *look, const struct world_view *view, uint32_t slot,
			       __m256i *distance2)
{
	const __m256i x = _mm256_loadu_si256((const __m256i *)(view->x + slot));
	const __m256i y = _mm256_loadu_si256((const __m256i *)(view->y + slot));
	const __m256i z = _mm256_loadu_si256((const __m256i *)(view->z + slot));
	const __m256i dx = _mm256_abs_epi32(_mm256_sub_epi32(x, _mm256_set1_epi32(look->x)));
	const __m256i dy = _mm256_abs_epi32(_mm256_sub_epi32(y, _mm256_set1_epi32(look->y)));
	const __m256i dz = _mm256_abs_epi32(_mm256_sub_epi32(z, _mm256_set1_epi32(look->z)));
	const __m256i most = _mm256_max_epi32(_mm256_max_epi32(dx, dy), dz);
	const __m256i xy = _mm256_add_epi32(_mm256_mullo_epi32(dx, dx), _mm256_mullo_epi32(dy, dy));

	*distance2 = _mm256_add_epi32(xy, _mm256_mullo_epi32(dz, dz));

	const __m256i near = _mm256_and_si256(at_most(most, _mm256_set1_epi32((int)look->radius)),
					      at_most(*distance2, _mm256_set1_epi32((int)look->distance2)));

	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(near));
}

/// The lanes of a mask, the lowest first.
ALWAYS_INLINE __m256i lanes_of(uint32_t mask)
{
	const uint64_t whole = _pdep_u64(mask, 0x0101010101010101) * 0xff;

	return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)_pext_u64(0x0706050403020100, whole)));
}

ALWAYS_INLINE void find(const struct look *look, const struct world_view *view, world_reference part, uint32_t from,
			uint32_t to, struct found *found)
{
	for (uint32_t slot = from; slot < to; slot += FOUND_LANES) {
		const uint32_t there = to - slot < FOUND_LANES ? (1U << (to - slot)) - 1 : 0xff;
		__m256i distance2;
		const uint32_t near = measure(look, view, slot, &distance2) & there;
		const __m256i rank = _mm256_loadu_si256((const __m256i *)(view->rank + slot));
		const __m256i who = _mm256_or_si256(rank, _mm256_set1_epi32((int)part));
		const __m256i order = lanes_of(near);

		_mm256_storeu_si256((__m256i *)(found->distance2 + found->count),
				    _mm256_permutevar8x32_epi32(distance2, order));
		_mm256_storeu_si256((__m256i *)(found->who + found->count), _mm256_permutevar8x32_epi32(who, order));
		found->count += (uint32_t)__builtin_popcount(near);
	}
}

ALWAYS_INLINE uint32_t up_to(const uint32_t *weighed, uint32_t most)
{
	const __m256i near = at_most(_mm256_load_si256((const __m256i *)weighed), _mm256_set1_epi32((int)most));

	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(near));
}

ALWAYS_INLINE uint32_t count_up_to(const struct listed *listed, uint32_t most)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < listed->count; i += FOUND_LANES)
		n += (uint32_t)__builtin_popcount(up_to(listed->weighed + i, most));
	return n;
}

ALWAYS_INLINE void keep_some(uint32_t *of, uint32_t from, uint32_t to, __m256i order)
{
	const __m256i some = _mm256_load_si256((const __m256i *)(of + from));

	_mm256_storeu_si256((__m256i *)(of + to), _mm256_permutevar8x32_epi32(some, order));
}

ALWAYS_INLINE void keep_up_to(struct listed *listed, uint32_t most)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < listed->count; i += FOUND_LANES) {
		const uint32_t near = up_to(listed->weighed + i, most);
		const __m256i order = lanes_of(near);

		keep_some(listed->weighed, i, kept, order);
		keep_some(listed->distance2, i, kept, order);
		keep_some(listed->who, i, kept, order);
		keep_some(listed->mark, i, kept, order);
		kept += (uint32_t)__builtin_popcount(near);
	}
	listed->count = kept;
}

#else

ALWAYS_INLINE uint32_t along(int32_t a, int32_t b)
{
	return (uint32_t)(a < b ? b - a : a - b);
}

/// Without a branch: whether somebody is near enough is a coin's toss.
ALWAYS_INLINE void find(const struct look *look, const struct world_view *view, world_reference part, uint32_t from,
			uint32_t to, struct found *found)
{
	for (uint32_t slot = from; slot < to; slot++) {
		const uint32_t dx = along(view->x[slot], look->x), dy = along(view->y[slot], look->y);
		const uint32_t dz = along(view->z[slot], look->z);
		const uint32_t distance2 = dx * dx + dy * dy + dz * dz;

		found->distance2[found->count] = distance2;
		found->who[found->count] = view->rank[slot] | part;
		found->count += (dx <= look->radius) & (dy <= look->radius) & (dz <= look->radius) &
				(distance2 <= look->distance2);
	}
}

ALWAYS_INLINE uint32_t count_up_to(const struct listed *listed, uint32_t most)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < listed->count; i++)
		n += listed->weighed[i] <= most;
	return n;
}

ALWAYS_INLINE void keep_up_to(struct listed *listed, uint32_t most)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < listed->count; i++) {
		const bool near = listed->weighed[i] <= most;

		listed->weighed[kept] = listed->weighed[i];
		listed->distance2[kept] = listed->distance2[i];
		listed->who[kept] = listed->who[i];
		listed->mark[kept] = listed->mark[i];
		kept += near;
	}
	listed->count = kept;
}

#endif

#endif
