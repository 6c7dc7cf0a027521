// SPDX-License-Identifier: BSD-3-Clause
// world/question.h: who was where at a moment: in a sphere, or in the way of a ray, the nearest first. In bounded steps.
//
// The moment is the same for everybody: a newer one than the last that all parts have published becomes that one. Who is told
// was there, to the quantum, by the frames of history.h; who has left before the answer is written is not told.

#ifndef POLLGATE_WORLD_QUESTION_H
#define POLLGATE_WORLD_QUESTION_H

#include <stdbool.h>
#include <stdint.h>

#include "pollgate_stats.h"
#include "wire/world.h"
#include "world/search.h"

#define WORLD_ANSWERS_MAX 128
#define WORLD_QUESTION_RANKS 1024 // that a step looks at, about
#define WORLD_QUESTION_BEGUN_MAX 16

struct world_question {
	bool is_ray; // else it is a sphere
	bool now;    // as of the newest moment
	struct world_moment when;
	union {
		struct world_sphere sphere;
		struct world_ray ray;
	} of;
	uint32_t sorts;  // bit s: those of enum world_sort s are told
	uint32_t except; // this player is not; 0: nobody is left out
	uint32_t most;   // at most WORLD_ANSWERS_MAX
};

struct world_answer {
	uint32_t identity;
	uint8_t sort;        // enum world_sort
	int32_t position[3]; // quanta
	int32_t distance;    // from the middle, or to where a ray enters the body; quanta, rounded down
};

struct world_asking {
	struct world_question question;
	struct world_search search;
	bool clamped;         // to the newest moment
	uint32_t newest;      // tick that all parts have published, as it began
	uint64_t order;       // of the ranks, likewise
	uint32_t begun;       // so many times
	uint32_t total, kept; // of those who were found; of these the nearest are kept
	struct world_inside inside[WORLD_ANSWERS_MAX + WORLD_QUESTION_RANKS + 64];
};

void world_ask(struct world_asking *asking, const struct world_parts *parts, const struct world_question *question);

/// Look on, a few microseconds.
/// @param became  out, once it is over
/// @return it is over
bool world_ask_step(struct world_asking *asking, const struct world_parts *parts, enum pg_world_search *became);

/// What was found, after the last step and before anything else.
/// @param answer  room for as many as are asked for
/// @return how many
uint32_t world_ask_answers(struct world_asking *asking, const struct world_parts *parts, struct world_answer *answer);

#endif
