// SPDX-License-Identifier: BSD-3-Clause
// tests/world_fixture.h: a part of a world whose entities walk about, for tests and benchmarks.

#ifndef POLLGATE_TESTS_WORLD_FIXTURE_H
#define POLLGATE_TESTS_WORLD_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "world/kernels.h"
#include "world/part.h"

#define WALKERS_NUMBERS 1000 // that those of one part take in turn

/// Somebody who walks at 6 m/s and turns; in quanta of 1 cm, at 60 ticks a second.
struct walker {
	double x, y, heading, wanted;
	uint32_t number; // WORLD_NOBODY: not there
	bool stands;
};

struct walkers {
	struct world_part part;
	struct walker *of; // by rank
	struct world_game_states states;
	uint32_t first_number, next_number;
	uint64_t random;
	bool restless; // nobody stands
};

/// @param seed  of what is drawn; those of 16 in a row have other numbers
struct walkers *walkers_make(uint32_t capacity, uint32_t count, uint32_t first, uint64_t seed);
void walkers_free(struct walkers *walkers);

uint64_t walkers_random(struct walkers *walkers);

/// Somebody new, at the end.
uint32_t walkers_add(struct walkers *walkers);
/// The game's own state of somebody is another one.
void walkers_say(struct walkers *walkers, uint32_t rank, const void *state, uint8_t length);
/// A hole until the next re-rank.
void walkers_remove(struct walkers *walkers, uint32_t rank);
/// Before the frame of that tick is written: all in another order, without holes.
void walkers_rerank(struct walkers *walkers, uint32_t tick);
/// One tick on, and its frame is published; tables of records are void.
void walkers_publish(struct walkers *walkers, uint32_t tick);
/// Tables of the newest frame, for ages of this mask.
void walkers_tell(struct walkers *walkers, const struct world_kernels *kernels, uint32_t ages);

#endif
