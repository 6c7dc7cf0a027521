// SPDX-License-Identifier: BSD-3-Clause
// part_fixture.h: parts of a world with people who walk about in them.

#ifndef POLLGATE_TESTS_PART_FIXTURE_H
#define POLLGATE_TESTS_PART_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "world/part.h"

#define WALK_SIZE 30000 // of the tests' worlds, in quanta

/// Drawn numbers, the same in every run.
uint32_t drawn(uint64_t *state);

/// @return below `bound`
uint32_t drawn_below(uint64_t *state, uint32_t bound);

/// low <= it < high
double drawn_between(uint64_t *state, double low, double high);

/// Zeroed, at a cache line; free() it.
void *world_memory(size_t bytes);

struct world_part_plan small_plan(uint32_t capacity);

struct world_part *make_part(const struct world_part_plan *plan);

/// Publish the frame of a tick.
void publish(struct world_part *part, uint32_t tick, bool rerank);

/// Sort for a re-rank, to the end.
void sort_ranks(struct world_part *part);

/// Somewhere, on the way somewhere.
struct world_place drawn_place(uint64_t *state, const int32_t size[3]);

#endif
