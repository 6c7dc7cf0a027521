// SPDX-License-Identifier: BSD-3-Clause
// past.h: a part of a world, and all that its frames said, written down beside it as they were published.

#ifndef POLLGATE_TESTS_PAST_H
#define POLLGATE_TESTS_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "part_fixture.h"
#include "world/history.h"

#define PAST_TICKS 512
#define PAST_PEOPLE 768

struct past {
	struct world_part *part;
	uint64_t seed;
	uint32_t first, tick; // of the newest frame
	uint32_t numbers;     // dealt out; nobody's twice
	bool came[PAST_PEOPLE], left[PAST_PEOPLE];
	uint32_t since[PAST_PEOPLE]; // tick of the first frame of who came
	bool has[PAST_TICKS];
	struct world_place place[PAST_TICKS][PAST_PEOPLE]; // by number
};

struct past *past_make(uint32_t first, uint32_t people, uint64_t seed);
void past_free(struct past *past);

/// A frame is published, `ticks` after the last. Before it, everybody moves, some leave and some come.
/// @param rerank  if that is possible
void past_go_on(struct past *past, uint32_t ticks, bool rerank);

/// Is this where somebody was, to the quantum?
/// @param where  what is to be judged; if it is known where they were
enum world_known past_where(const struct past *past, uint32_t number, struct world_moment when,
			    const struct world_place *where, bool *right);

/// The parts of a world, of which each has a past of its own.
#define PAST_PARTS 3

struct past_parts {
	struct past *past[PAST_PARTS];
	struct world_parts parts;
};

struct past_parts past_parts_make(uint32_t first, uint64_t seed);
void past_parts_free(struct past_parts *world);

/// A moment of the past: some of those have been forgotten, and some are still to come.
struct world_moment past_moment(struct past *past);

#endif
