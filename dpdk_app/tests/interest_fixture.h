// SPDX-License-Identifier: BSD-3-Clause
// interest_fixture.h: worlds of several parts, observers in them, and who should be chosen: everybody looked at one by one.

#ifndef POLLGATE_TESTS_INTEREST_FIXTURE_H
#define POLLGATE_TESTS_INTEREST_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "part_fixture.h"
#include "world/interest.h"
#include "world/kernels.h"

#define PARTS_MAX 3
#define SHIFT 10
#define DRIFT_MAX 300
#define CAPACITY 6144
#define RADIUS 3000
#define LEAVE_RADIUS 3400
#define HYSTERESIS_PERCENT 110
#define HYSTERESIS (HYSTERESIS_PERCENT * WORLD_HYSTERESIS_ONE / 100)

/// What an observer keeps from one turn to the next.
struct onlooker {
	world_reference self;
	uint32_t has;
	world_reference who[WORLD_SLOTS_MAX];
	uint32_t reach;
};

struct fixture {
	uint32_t count;
	struct world_part *part[PARTS_MAX];
	struct world_grid *grid[PARTS_MAX];
	struct world_parts parts;
	struct world_interest *interest;
	uint32_t neighbours;
	uint64_t random;
	uint32_t tick;
	uint32_t given;
};

/// Parts of one world, whose observers see so many.
void open_world(struct fixture *f, uint32_t parts, uint32_t neighbours);

void close_world(struct fixture *f);

/// @return their rank
uint32_t add_at(struct fixture *f, uint32_t part, const struct world_place *place);

/// Somewhere in a square of the middle.
uint32_t add_within(struct fixture *f, uint32_t part, uint32_t side);

/// Frames, views and a part of a sort.
void next_tick(struct fixture *f, bool rerank);

/// Until all who came at once are in cells: more than the loose slots take are found after the next sort.
void settle(struct fixture *f);

/// Everybody goes up to `reach` along each axis, but not out of the world.
void walk(struct fixture *f, uint32_t part, int32_t reach);

struct world_place place_of(const struct fixture *f, world_reference who);

int64_t distance2(const struct world_place *a, const struct world_place *b);

/// @return -1: is not seen
int slot_of(const struct onlooker *o, world_reference who);

/// On every level of the CPU that there is, which must choose alike.
void choose(const struct fixture *f, const struct onlooker *o, struct world_choice *choice);

void take_choice(struct onlooker *o, const struct world_choice *choice);

/// Choose, check that against everybody looked at one by one, and take it.
void turn(const struct fixture *f, struct onlooker *o);

#endif
