// SPDX-License-Identifier: BSD-3-Clause
#include "part_fixture.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

/// G. L. Steele, D. Lea, C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014.
uint32_t drawn(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(z ^ z >> 31);
}

uint32_t drawn_below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)((uint64_t)drawn(state) * bound >> 32);
}

double drawn_between(uint64_t *state, double low, double high)
{
	return low + (high - low) * (drawn(state) * 0x1p-32);
}

void *world_memory(size_t bytes)
{
	void *memory = aligned_alloc(CACHE_LINE, whole_lines(bytes));

	assert_non_null(memory);
	memset(memory, 0, whole_lines(bytes));
	return memory;
}

struct world_part_plan small_plan(uint32_t capacity)
{
	return (struct world_part_plan){
		.capacity = capacity,
		.frames = 64,
		.first = 1000,
		.size = {WALK_SIZE, WALK_SIZE, WALK_SIZE / 4},
		.late_max = 8 * WORLD_TOLD_PER_TICK,
	};
}

struct world_part *make_part(const struct world_part_plan *plan)
{
	return world_part_init(world_memory(world_part_bytes(plan)), plan);
}

void publish(struct world_part *part, uint32_t tick, bool rerank)
{
	world_part_begin(part, tick, rerank);
	for (unsigned steps = 0; !world_part_step(part, 37); steps++)
		assert_true(steps <= 2 * part->capacity / 37 + 4);
}

void sort_ranks(struct world_part *part)
{
	assert_true(world_rerank_begin(part));
	for (unsigned steps = 0; !world_rerank_step(part, 101); steps++)
		assert_true(steps <= 3 * part->capacity / 101 + 200);
}

struct world_place drawn_place(uint64_t *state, const int32_t size[3])
{
	return (struct world_place){
		.x = (int32_t)drawn_below(state, (uint32_t)size[0]),
		.y = (int32_t)drawn_below(state, (uint32_t)size[1]),
		.z = (int32_t)drawn_below(state, (uint32_t)size[2]),
		.vx = (int16_t)((int32_t)drawn_below(state, 161) - 80),
		.vy = (int16_t)((int32_t)drawn_below(state, 161) - 80),
		.vz = (int16_t)((int32_t)drawn_below(state, 41) - 20),
	};
}
