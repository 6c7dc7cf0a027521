// SPDX-License-Identifier: BSD-3-Clause
// net/vector.h: 64 bytes of a frame at once, as sixteen words, in the compiler's vector types: one, two or four registers.

#ifndef POLLGATE_NET_VECTOR_H
#define POLLGATE_NET_VECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

#ifdef __AVX512F__
#include <immintrin.h>
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#define SPAN_BYTES 64
#define SPAN_WORDS (SPAN_BYTES / 4)
#define SPAN_VECTORS (SPAN_BYTES / VECTOR_BYTES)

typedef uint32_t vector32 __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t vector64 __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t longs16 __attribute__((vector_size(16)));
typedef uint8_t bytes16 __attribute__((vector_size(16)));

/// 64 bytes at any alignment.
struct span {
	vector32 part[SPAN_VECTORS];
};

ALWAYS_INLINE struct span span_load(const void *bytes)
{
	struct span span;

	// Not all at once: the compiler would make it a copy of another width, which the next load waits for.
	for (unsigned i = 0; i < SPAN_VECTORS; i++)
		memcpy(&span.part[i], (const uint8_t *)bytes + (size_t)i * VECTOR_BYTES, VECTOR_BYTES);
	return span;
}

ALWAYS_INLINE longs16 halves_add(vector64 v)
{
#ifdef __AVX512F__
	typedef uint64_t longs32 __attribute__((vector_size(32)));
	const longs32 half = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);

	return __builtin_shufflevector(half, half, 0, 1) + __builtin_shufflevector(half, half, 2, 3);
#elif defined(__AVX2__)
	return __builtin_shufflevector(v, v, 0, 1) + __builtin_shufflevector(v, v, 2, 3);
#else
	return v;
#endif
}

#ifdef __AVX512F__
/// Is any bit of `a` under the mask unlike that of `b`, or any word of `c` the same as that of `d`, wherever in the span?
/// Only intrinsics ask a mask register whether it is empty.
ALWAYS_INLINE bool span_any(struct span a, struct span b, struct span mask, struct span c, struct span d)
{
	const __m512i unlike = (__m512i)((a.part[0] ^ b.part[0]) & mask.part[0]);

	return (_mm512_test_epi32_mask(unlike, unlike) |
		_mm512_cmpeq_epi32_mask((__m512i)c.part[0], (__m512i)d.part[0])) != 0;
}
#else
/// Is any bit set?
ALWAYS_INLINE bool vector_any(vector32 vector)
{
	const vector64 v = (vector64)vector;
#ifdef __AVX2__
	const longs16 either = __builtin_shufflevector(v, v, 0, 1) | __builtin_shufflevector(v, v, 2, 3);
#else
	const longs16 either = v;
#endif

	return (either[0] | either[1]) != 0;
}

/// Is any bit of `a` under the mask unlike that of `b`, or any word of `c` the same as that of `d`, wherever in the span?
ALWAYS_INLINE bool span_any(struct span a, struct span b, struct span mask, struct span c, struct span d)
{
	vector32 found = {0};

	for (unsigned i = 0; i < SPAN_VECTORS; i++)
		found |= ((a.part[i] ^ b.part[i]) & mask.part[i]) | (vector32)(c.part[i] == d.part[i]);
	return vector_any(found);
}
#endif

/// Of `a` what its mask lets through, and of as many copies of `b` what the other does.
ALWAYS_INLINE struct span span_select(struct span a, struct span a_mask, uint32_t b, struct span b_mask)
{
	for (unsigned i = 0; i < SPAN_VECTORS; i++)
		a.part[i] = (a.part[i] & a_mask.part[i]) | (b & b_mask.part[i]);
	return a;
}

/// Sum of the words under `mask` and of every second word: 0xffff divides it as if they were halfwords.
ALWAYS_INLINE uint64_t span_sum(struct span span, struct span mask)
{
	vector64 sum = {0};
	longs16 rest;

	for (unsigned i = 0; i < SPAN_VECTORS; i++)
		sum += (vector64)(span.part[i] & mask.part[i]) + ((vector64)span.part[i] >> 32);
	rest = halves_add(sum);
	return rest[0] + rest[1];
}

#endif
