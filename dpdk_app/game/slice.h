// SPDX-License-Identifier: BSD-3-Clause
// game/slice.h: how long a game process may have a worker do things at a time.

#ifndef POLLGATE_GAME_SLICE_H
#define POLLGATE_GAME_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/wait.h"
#include "compiler.h"
#include "pollgate.h"

#define SLICE_UNIT_BYTES 1024U
#define SLICE_UNITS_PER_LOOK 16 // at the clock, which costs about as much as one of them

struct slice {
	uint64_t began;
	uint64_t budget; // TSC
	uint64_t took;   // when the clock was last looked at
	uint64_t units;  // an order is one, or a gap; and so is each of its receivers, and each KiB
	uint64_t look_at;
};

ALWAYS_INLINE struct slice slice_of(uint64_t budget)
{
	return (struct slice){.began = pg_tsc(), .budget = budget, .look_at = SLICE_UNITS_PER_LOOK};
}

/// So much was done, or is about to be.
ALWAYS_INLINE void slice_spend(struct slice *slice, uint32_t units)
{
	slice->units += units;
	if (likely(slice->units < slice->look_at))
		return;
	slice->took = pg_tsc() - slice->began;
	slice->look_at = slice->units + SLICE_UNITS_PER_LOOK;
}

ALWAYS_INLINE bool slice_is_over(const struct slice *slice)
{
	return slice->took > slice->budget;
}

#endif
