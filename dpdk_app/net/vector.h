// SPDX-License-Identifier: BSD-3-Clause
// net/vector.h: 64 bytes of a frame at once, as sixteen words, in the compiler's vector types: two or four registers.
//
// One register of AVX-512 would save one cycle in a hundred of the whole loop, and would need intrinsics: only they ask
// a mask register whether it is empty.

#ifndef POLLGATE_NET_VECTOR_H
#define POLLGATE_NET_VECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

#ifdef __AVX2__
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

/// 64 bytes, wherever they lie.
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
#ifdef __AVX2__
	return __builtin_shufflevector(v, v, 0, 1) + __builtin_shufflevector(v, v, 2, 3);
#else
	return v;
#endif
}

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

/// Bits of `a` under the mask that are unlike those of `b`, wherever in the span.
ALWAYS_INLINE vector32 span_differences(struct span a, struct span b, struct span mask)
{
	vector32 found = {0};

	for (unsigned i = 0; i < SPAN_VECTORS; i++)
		found |= (a.part[i] ^ b.part[i]) & mask.part[i];
	return found;
}

/// All bits of words in which `a` and `b` are the same, wherever in the span.
ALWAYS_INLINE vector32 span_matches(struct span a, struct span b)
{
	vector32 found = {0};

	for (unsigned i = 0; i < SPAN_VECTORS; i++)
		found |= (vector32)(a.part[i] == b.part[i]);
	return found;
}

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
