// SPDX-License-Identifier: BSD-3-Clause
// world/sort.c: clear the counters, count, add up, place: each from where it was left.

#include "world/sort.h"

#include <string.h>

enum step { STEP_CLEAR, STEP_COUNT, STEP_ADD_UP, STEP_PLACE, STEP_DONE };

#define CLEARED_PER_UNIT 16 // counters cost little to clear

void world_pass_begin(struct world_pass *pass)
{
	pass->step = STEP_CLEAR;
	pass->at = 0;
}

ALWAYS_INLINE uint32_t bucket_of(const struct world_pass *pass, uint64_t element, uint64_t mask)
{
	return (uint32_t)(element >> pass->shift & mask);
}

/// Keys that do not fill a power of two are the highest in their elements.
static uint64_t key_mask(const struct world_pass *pass)
{
	return (pass->buckets & (pass->buckets - 1)) == 0 ? pass->buckets - 1 : UINT64_MAX;
}

static void clear(struct world_pass *pass, uint32_t to)
{
	memset(pass->start + pass->at, 0, (to - pass->at) * sizeof(*pass->start));
}

static void count(struct world_pass *pass, uint32_t to)
{
	const uint64_t mask = key_mask(pass);

	for (uint32_t i = pass->at; i < to; i++)
		pass->start[bucket_of(pass, pass->from[i], mask) + 1]++;
}

/// start[b + 1] becomes where bucket b begins; placing its elements moves it on to where b + 1 does. The sum so far is in start[0].
static void add_up(struct world_pass *pass, uint32_t to)
{
	for (uint32_t b = pass->at; b < to; b++) {
		const uint32_t here = pass->start[b + 1];

		pass->start[b + 1] = pass->start[0];
		pass->start[0] += here;
	}
}

static void place(struct world_pass *pass, uint32_t to)
{
	const uint64_t mask = key_mask(pass);

	for (uint32_t i = pass->at; i < to; i++)
		pass->to[pass->start[bucket_of(pass, pass->from[i], mask) + 1]++] = pass->from[i];
}

struct work {
	void (*some)(struct world_pass *, uint32_t to);
	uint32_t end, per_unit;
};

static struct work work_of(const struct world_pass *pass)
{
	switch ((enum step)pass->step) {
	case STEP_CLEAR:
		return (struct work){clear, pass->buckets + 1, CLEARED_PER_UNIT};
	case STEP_COUNT:
		return (struct work){count, pass->count, 1};
	case STEP_ADD_UP:
		return (struct work){add_up, pass->buckets, 1};
	default:
		return (struct work){place, pass->count, 1};
	}
}

static void next_step(struct world_pass *pass)
{
	if (pass->step == STEP_ADD_UP)
		pass->start[0] = 0;
	pass->step++;
	pass->at = 0;
}

bool world_pass_step(struct world_pass *pass, uint32_t *budget)
{
	while (pass->step != STEP_DONE && *budget != 0) {
		const struct work work = work_of(pass);
		const uint32_t left = work.end - pass->at, units = (left + work.per_unit - 1) / work.per_unit;
		const uint32_t spent = units < *budget ? units : *budget;
		const uint32_t to = units <= *budget ? work.end : pass->at + spent * work.per_unit;

		work.some(pass, to);
		pass->at = to;
		*budget -= spent;
		if (to == work.end)
			next_step(pass);
	}
	return pass->step == STEP_DONE;
}
