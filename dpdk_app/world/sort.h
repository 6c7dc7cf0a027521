// SPDX-License-Identifier: BSD-3-Clause
// world/sort.h: one pass of a radix sort, which can be left at any element and taken up again.
//
// Elements are 64 bits wide: a rank in the lowest WORLD_RANK_BITS, keys above it. A pass is stable, so that several of them, the least
// significant key first, sort by all.
//
// Source: H. H. Seward, Information Sorting in the Application of Electronic Digital Computers to Business Operations, MIT, 1954.

#ifndef POLLGATE_WORLD_SORT_H
#define POLLGATE_WORLD_SORT_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "world/place.h"

#define WORLD_RANK_BITS WORLD_NUMBER_BITS

struct world_pass {
	const uint64_t *from;
	uint64_t *to;
	uint32_t count;
	uint32_t *start; // [buckets + 1]: once it is done, where each begins in `to`
	uint32_t buckets;
	uint8_t shift; // where the key is in an element: all bits from there up, or those of a power of two of buckets
	uint8_t step;
	uint32_t at;
};

ALWAYS_INLINE uint64_t world_element(uint32_t rank, uint64_t key)
{
	return key << WORLD_RANK_BITS | rank;
}

ALWAYS_INLINE uint32_t world_element_rank(uint64_t element)
{
	return (uint32_t)element & (WORLD_RANKS_MAX - 1);
}

/// @param pass  `from`, `to`, `count`, `start`, `buckets`, `shift` are set
void world_pass_begin(struct world_pass *pass);

/// Do so many elements or buckets more, and take what was done off `*budget`.
/// @return it is done
bool world_pass_step(struct world_pass *pass, uint32_t *budget);

#endif
