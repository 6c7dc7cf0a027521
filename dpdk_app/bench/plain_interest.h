// SPDX-License-Identifier: BSD-3-Clause
// bench/plain_interest.h: whom does everybody see, without anything remembered: the nearest of those within a radius, by brute force and
// by a grid that is made anew. What the world's interest (world/interest.h) is measured against.

#ifndef POLLGATE_BENCH_PLAIN_INTEREST_H
#define POLLGATE_BENCH_PLAIN_INTEREST_H

#include <stdbool.h>
#include <stdint.h>

#include "world/part.h"

#define PLAIN_NOBODY UINT32_MAX

/// Where everybody is. `who` of the n-th: in places that are sorted by cell.
struct plain_places {
	float *x, *y, *z;
	uint32_t *who;
};

struct plain_interest {
	uint32_t count, neighbours;
	float radius;
	struct plain_places now, sorted;
	uint32_t columns, rows, *cell, *start;

	// of a query
	uint32_t near;
	float *distance2;
	uint32_t *who;
	uint64_t *found;
};

/// @param size  of the ground; everybody is from 0 to there
bool plain_interest_make(struct plain_interest *plain, uint32_t count, const int32_t size[2], uint32_t radius,
			 uint32_t neighbours);
void plain_interest_free(struct plain_interest *plain);

/// Everybody is where they are in this frame, by rank; there are no holes.
void plain_interest_take(struct plain_interest *plain, const struct world_frame *frame);

/// @param nearest  out: for each, `neighbours` of the others, in no order, and PLAIN_NOBODY behind them
void plain_interest_brute(struct plain_interest *plain, uint32_t *nearest);
void plain_interest_grid(struct plain_interest *plain, uint32_t *nearest);

#endif
