// SPDX-License-Identifier: BSD-3-Clause
#include "interest_fixture.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const char *const levels[] = {"v2", "v3", "v4"};

void open_world(struct fixture *f, uint32_t parts, uint32_t neighbours)
{
	f->count = parts;
	f->neighbours = neighbours;
	f->parts.count = parts;
	for (uint32_t i = 0; i < parts; i++) {
		struct world_part_plan plan = small_plan(CAPACITY);

		plan.size[2] = 1 << 18;
		f->part[i] = make_part(&plan);
		f->tick = plan.first;
		f->parts.part[i] = f->part[i];
		const struct world_grid_plan grid_plan = {
			.part = f->part[i], .size = {WALK_SIZE, WALK_SIZE}, .shift = SHIFT, .drift_max = DRIFT_MAX};

		f->grid[i] = world_grid_init(world_memory(world_grid_bytes(&grid_plan)), &grid_plan);
	}

	const struct world_interest_plan plan = {
		.parts = &f->parts,
		.grid = (const struct world_grid *const *)f->grid,
		.neighbours = neighbours,
		.radius = RADIUS,
		.leave_radius = LEAVE_RADIUS,
		.hysteresis = HYSTERESIS,
	};

	f->interest = world_interest_init(world_memory(world_interest_bytes(&plan)), &plan);
}

void close_world(struct fixture *f)
{
	for (uint32_t i = 0; i < f->count; i++) {
		free(f->grid[i]);
		free(f->part[i]);
	}
	free(f->interest);
}

uint32_t add_at(struct fixture *f, uint32_t part, const struct world_place *place)
{
	return world_part_add(f->part[part], f->given++, 0, WORLD_PLAYER, place, f->tick * WORLD_TOLD_PER_TICK);
}

/// Somewhere in a square of the middle.
uint32_t add_within(struct fixture *f, uint32_t part, uint32_t side)
{
	const int32_t low = (WALK_SIZE - (int32_t)side) / 2;
	const struct world_place place = {
		.x = low + (int32_t)drawn_below(&f->random, side),
		.y = low + (int32_t)drawn_below(&f->random, side),
		.z = (int32_t)drawn_below(&f->random, side / 4 + 1),
	};

	return add_at(f, part, &place);
}

void next_tick(struct fixture *f, bool rerank)
{
	f->tick++;
	for (uint32_t i = 0; i < f->count; i++) {
		publish(f->part[i], f->tick, rerank);
		world_grid_begin(f->grid[i]);
		while (!world_grid_step(f->grid[i], 1000))
			;
		world_grid_sort(f->grid[i], world_grid_sort_units(f->grid[i]));
	}
	world_interest_begin(f->interest);
}

/// Until all who came at once are in cells: more than the loose slots take are found after the next sort.
void settle(struct fixture *f)
{
	for (unsigned i = 0; i < 12; i++)
		next_tick(f, false);
	for (uint32_t part = 0; part < f->count; part++)
		assert_int_equal(world_view(f->grid[part])->loose, 0);
}

/// Everybody goes up to `reach` along each axis, but not out of the world.
void walk(struct fixture *f, uint32_t part, int32_t reach)
{
	for (uint32_t rank = 0; rank < f->part[part]->count; rank++) {
		uint32_t told;
		struct world_place place = world_part_present(f->part[part], rank, &told);

		if (f->part[part]->number[rank] == WORLD_NOBODY)
			continue;
		place.x += (int32_t)drawn_below(&f->random, 2 * (uint32_t)reach + 1) - reach;
		place.y += (int32_t)drawn_below(&f->random, 2 * (uint32_t)reach + 1) - reach;
		place.x = place.x < 0 ? 0 : place.x < WALK_SIZE ? place.x : WALK_SIZE - 1;
		place.y = place.y < 0 ? 0 : place.y < WALK_SIZE ? place.y : WALK_SIZE - 1;
		world_part_move(f->part[part], rank, &place, 0);
	}
}

struct world_place place_of(const struct fixture *f, world_reference who)
{
	return world_place_at(world_frame_at(f->part[world_part_of(who)], f->tick), world_rank_of(who));
}

int64_t distance2(const struct world_place *a, const struct world_place *b)
{
	const int64_t dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;

	return dx * dx + dy * dy + dz * dz;
}

// ---------------------------------------------------------------- the oracle

struct candidate {
	int64_t weighed, distance2;
	world_reference who;
	int slot; // -1: not seen so far
};

static int by_weight(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->weighed > y->weighed) - (x->weighed < y->weighed);
}

int slot_of(const struct onlooker *o, world_reference who)
{
	for (int slot = 0; slot < WORLD_SLOTS_MAX; slot++)
		if (o->has >> slot & 1 && o->who[slot] == who)
			return slot;
	return -1;
}

/// Everybody who could be seen, the nearest first.
static uint32_t look_at_everybody(const struct fixture *f, const struct onlooker *o, struct candidate *candidates)
{
	const struct world_place here = place_of(f, o->self);
	uint32_t count = 0;

	for (uint32_t part = 0; part < f->count; part++)
		for (uint32_t rank = 0; rank < f->part[part]->count; rank++) {
			const world_reference who = world_refer(part, rank);
			const struct world_place there = place_of(f, who);
			const int slot = slot_of(o, who);
			const int64_t limit = slot < 0 ? RADIUS : LEAVE_RADIUS, d2 = distance2(&here, &there);

			if (who == o->self || there.x == WORLD_FAR || d2 > limit * limit)
				continue;
			candidates[count++] = (struct candidate){
				.weighed = slot < 0 ? d2 : d2 * f->interest->weight[1] >> 16,
				.distance2 = d2,
				.who = who,
				.slot = slot,
			};
		}
	qsort(candidates, count, sizeof(*candidates), by_weight);
	return count;
}

/// Whoever weighs less than the last of the nearest must be seen, whoever weighs more must not.
static void check_choice(const struct fixture *f, const struct onlooker *o, const struct world_choice *choice)
{
	static struct candidate candidates[PARTS_MAX * CAPACITY];
	const uint32_t count = look_at_everybody(f, o, candidates);
	const uint32_t wanted = count < f->neighbours ? count : f->neighbours;
	const int64_t most = wanted == 0 ? 0 : candidates[wanted - 1].weighed;
	uint32_t stays = 0, entered = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct candidate *it = &candidates[i];
		bool seen = it->slot >= 0 && !(choice->leaves >> it->slot & 1);

		if (seen) {
			stays |= 1U << it->slot;
			assert_int_equal(choice->distance2[it->slot], it->distance2);
		}
		for (uint32_t j = 0; j < choice->enters; j++)
			if (choice->enter[j] == it->who) {
				assert_true(it->slot < 0);
				assert_int_equal(choice->enter_distance2[j], it->distance2);
				seen = true;
				entered++;
			}
		assert_true(seen || it->weighed >= most);
		assert_true(!seen || it->weighed <= most);
	}
	assert_int_equal(entered, choice->enters);
	assert_int_equal(choice->leaves, o->has & ~stays);
	assert_int_equal(choice->enters + (uint32_t)__builtin_popcount(stays), wanted);
	for (uint32_t j = 1; j < choice->enters; j++)
		assert_true(choice->enter_distance2[j - 1] <= choice->enter_distance2[j]);
	assert_true(choice->more ? count >= f->neighbours : count <= f->neighbours);
	assert_false(choice->cut);
	assert_true(choice->reach > 0 && choice->reach <= LEAVE_RADIUS);
}

// ---------------------------------------------------------------- turns

void choose(const struct fixture *f, const struct onlooker *o, struct world_choice *choice)
{
	const struct world_place here = place_of(f, o->self);
	const struct world_turn turn = {.x = here.x,
					.y = here.y,
					.z = here.z,
					.self = o->self,
					.has = o->has,
					.who = o->who,
					.reach = o->reach};
	bool first = true;

	for (unsigned i = 0; i < COUNT(levels); i++) {
		const struct world_kernels *kernels = world_kernels_select(levels[i]);
		struct world_choice other;

		if (kernels == NULL)
			continue;
		memset(&other, 0, sizeof(other));
		assert_true(kernels->choose(f->interest, &turn, &other));
		if (!first)
			assert_memory_equal(choice, &other, sizeof(other)); // all levels choose alike
		*choice = other;
		first = false;
	}
	assert_false(first);
	for (uint32_t part = 0; part < f->count; part++) // nothing is left of a turn
		for (uint32_t rank = 0; rank < f->part[part]->capacity; rank++)
			assert_int_equal(f->interest->mark[part][rank], 0);
}

void take_choice(struct onlooker *o, const struct world_choice *choice)
{
	o->has &= ~choice->leaves;
	for (uint32_t i = 0; i < choice->enters; i++) {
		const unsigned slot = (unsigned)__builtin_ctz(~o->has);

		o->who[slot] = choice->enter[i];
		o->has |= 1U << slot;
	}
	o->reach = choice->reach;
}

void turn(const struct fixture *f, struct onlooker *o)
{
	struct world_choice choice = {0};

	choose(f, o, &choice);
	check_choice(f, o, &choice);
	take_choice(o, &choice);
}
