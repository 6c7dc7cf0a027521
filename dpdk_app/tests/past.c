// SPDX-License-Identifier: BSD-3-Clause
#include "past.h"

#include "unit.h"

#include <stdlib.h>

#define CAPACITY 256

static void come(struct past *past)
{
	const uint32_t number = past->numbers;
	const struct world_place place =
		drawn_place(&past->seed, (const int32_t[]){WALK_SIZE, WALK_SIZE, WALK_SIZE / 4});

	if (number < PAST_PEOPLE && world_part_add(past->part, number, number, WORLD_PLAYER, &place,
						   past->tick * WORLD_TOLD_PER_TICK) != WORLD_NOBODY)
		past->numbers++;
}

struct past *past_make(uint32_t first, uint32_t people, uint64_t seed)
{
	struct past *past = calloc(1, sizeof(*past));
	struct world_part_plan plan = small_plan(CAPACITY);

	assert_non_null(past);
	plan.first = first;
	past->part = make_part(&plan);
	past->seed = seed;
	past->first = past->tick = first;
	past->has[0] = true;
	while (past->numbers < people)
		come(past);
	return past;
}

void past_free(struct past *past)
{
	free(past->part);
	free(past);
}

/// Most walk on as they did; some turn, and a few are put elsewhere.
static void move(struct past *past, uint32_t rank)
{
	uint32_t told;
	struct world_place place = world_part_present(past->part, rank, &told);

	switch (drawn_below(&past->seed, 12)) {
	case 0:
		place = drawn_place(&past->seed, (const int32_t[]){WALK_SIZE, WALK_SIZE, WALK_SIZE / 4});
		break;
	case 1:
	case 2:
	case 3:
		place.vx = (int16_t)((int32_t)drawn_below(&past->seed, 401) - 200);
		place.vy = (int16_t)((int32_t)drawn_below(&past->seed, 401) - 200);
		break;
	default:
		return;
	}
	told = past->tick * WORLD_TOLD_PER_TICK + drawn_below(&past->seed, WORLD_TOLD_PER_TICK);
	world_part_move(past->part, rank, &place, told);
}

static void live(struct past *past)
{
	struct world_part *part = past->part;

	for (uint32_t rank = 0; rank < part->count; rank++) {
		if (part->number[rank] == WORLD_NOBODY)
			continue;
		if (drawn_below(&past->seed, 200) == 0) {
			past->left[part->number[rank]] = true;
			world_part_remove(part, rank);
		} else {
			move(past, rank);
		}
	}
	if (drawn_below(&past->seed, 2) == 0)
		come(past);
}

static void write_down(struct past *past)
{
	const struct world_part *part = past->part;
	const uint32_t line = past->tick - past->first;

	assert_true(line < PAST_TICKS);
	past->has[line] = true;
	for (uint32_t rank = 0; rank < part->count; rank++) {
		const uint32_t number = part->number[rank];

		if (number == WORLD_NOBODY)
			continue;
		if (!past->came[number])
			past->since[number] = past->tick;
		past->came[number] = true;
		past->place[line][number] = world_place_at(world_frame_at(part, past->tick), rank);
	}
}

void past_go_on(struct past *past, uint32_t ticks, bool rerank)
{
	live(past);
	if (rerank && past->part->published - past->part->reranked >= past->part->frames)
		sort_ranks(past->part);
	else
		rerank = false;
	past->tick += ticks;
	publish(past->part, past->tick, rerank);
	write_down(past);
}

/// Is `n` the whole number nearest to then + (later - then) * way / whole, the higher one if there are two?
static bool is_nearest(int64_t n, int64_t then, int64_t later, int64_t way, int64_t whole)
{
	const int64_t beyond = 2 * whole * (n - then) - 2 * (later - then) * way;

	return -whole < beyond && beyond <= whole;
}

enum world_known past_where(const struct past *past, uint32_t number, struct world_moment when,
			    const struct world_place *where, bool *right)
{
	const uint32_t newest = past->tick - past->first, line = when.tick - past->first;
	uint32_t then = line, later;

	if (line > newest || (line == newest && when.parts != 0))
		return line < PAST_TICKS * 2 ? WORLD_AHEAD : WORLD_FORGOTTEN;
	while (!past->has[then])
		then--;
	if (newest - then >= past->part->frames - 1)
		return WORLD_FORGOTTEN;
	if (past->left[number] || !past->came[number] || past->since[number] - past->first > then)
		return WORLD_ABSENT;
	for (later = then; later < line + (when.parts != 0) || !past->has[later]; later++)
		;

	const struct world_place *a = &past->place[then][number], *b = &past->place[later][number];
	const int64_t whole = later == then ? 1 : (int64_t)(later - then) * 256;
	const int64_t way = later == then ? 0 : (int64_t)(line - then) * 256 + when.parts;

	*right = is_nearest(where->x, a->x, b->x, way, whole) && is_nearest(where->y, a->y, b->y, way, whole) &&
		 is_nearest(where->z, a->z, b->z, way, whole);
	return WORLD_KNOWN;
}

struct world_moment past_moment(struct past *past)
{
	struct world_moment when = {past->tick + 2 - drawn_below(&past->seed, 70), 0};

	if (drawn_below(&past->seed, 4) != 0)
		when.parts = drawn_below(&past->seed, WORLD_MOMENT_PARTS);
	return when;
}

struct past_parts past_parts_make(uint32_t first, uint64_t seed)
{
	struct past_parts world = {.parts = {.count = PAST_PARTS}};

	for (unsigned i = 0; i < PAST_PARTS; i++) {
		world.past[i] = past_make(first, 50 + 40 * i, seed + i);
		world.parts.part[i] = world.past[i]->part;
	}
	return world;
}

void past_parts_free(struct past_parts *world)
{
	for (unsigned i = 0; i < PAST_PARTS; i++)
		past_free(world->past[i]);
}
