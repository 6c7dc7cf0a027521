// SPDX-License-Identifier: BSD-3-Clause
// test_world_search.c: world/search.h against everybody one by one, and rays against intervals that are halved.

#include "unit.h"

#include <math.h>
#include <stdlib.h>

#include "aim_model.h"
#include "past.h"
#include "world/search.h"

#define WORLD_METRE 100 // quanta

// ---------------------------------------------------------------- rays

static void a_ray_enters_a_body_where_it_does(void **state UNUSED)
{
	unsigned hits = 0, inside = 0;
	uint64_t seed = 5;

	for (unsigned i = 0; i < 20000; i++) {
		const struct world_ray ray = drawn_ray(&seed);
		int32_t position[3];

		drawn_target(&seed, &ray, position);

		const struct world_aim aim = world_aim(&ray, position), model = modelled_aim(&ray, position);

		assert_true(fabs(aim.error - model.error) < 1e-5);
		if (fabs(model.error - ray.body.radius) < 1e-5)
			continue;
		assert_int_equal(aim.hits, model.hits);
		if (!aim.hits)
			continue;
		assert_true(fabs(aim.distance - model.distance) < 1e-3);
		hits++;
		inside += aim.distance == 0;
	}
	assert_true(hits > 2000);
	assert_true(inside > 100);
}

static void a_ray_that_touches_a_body_hits_it(void **state UNUSED)
{
	struct world_ray ray = {.length = 1000, .body = {.radius = 50, .low = 50, .high = 150}};
	struct world_aim aim;

	point_ray(&ray, 1, 0, 0);
	aim = world_aim(&ray, (const int32_t[]){400, 50, -100});
	assert_true(aim.hits);
	assert_true(aim.distance == 400);
	assert_true(aim.error == 50);
	assert_false(world_aim(&ray, (const int32_t[]){400, 51, -100}).hits);
	assert_true(world_aim(&ray, (const int32_t[]){400, 0, 0}).hits); // its lowest end
	assert_false(world_aim(&ray, (const int32_t[]){400, 0, 1}).hits);
	assert_true(world_aim(&ray, (const int32_t[]){400, 0, -200}).hits);
	assert_false(world_aim(&ray, (const int32_t[]){400, 0, -201}).hits);
	assert_false(world_aim(&ray, (const int32_t[]){-51, 0, -100}).hits); // behind it
	aim = world_aim(&ray, (const int32_t[]){-50, 0, -100});
	assert_true(aim.hits && aim.distance == 0 && aim.error == 50);
	point_ray(&ray, 0, 0, -1);
	aim = world_aim(&ray, (const int32_t[]){0, 0, -500});
	assert_true(aim.hits && aim.distance == 300 && aim.error == 0);
}

// ---------------------------------------------------------------- searches

/// One part may be a tick behind the others.
static void go_on(struct past_parts *world, uint64_t *seed)
{
	const uint32_t ticks = drawn_below(seed, 8) == 0 ? 2 : 1;
	const bool rerank = drawn_below(seed, 4) == 0;

	for (unsigned i = 0; i < PAST_PARTS; i++)
		past_go_on(world->past[i], ticks, rerank);
}

/// As searches see somebody: not later than the part has come.
static bool where(const struct world_part *part, uint32_t rank, struct world_moment when, int32_t position[3])
{
	struct world_place place;

	if (world_is_ahead(when, world_published(part)))
		when = (struct world_moment){world_published(part), 0};
	if (world_history_where(part, rank, when, &place) != WORLD_KNOWN)
		return false;
	position[0] = place.x;
	position[1] = place.y;
	position[2] = place.z;
	return true;
}

static double apart(const int32_t a[3], const int32_t b[3])
{
	return hypot(hypot(a[0] - b[0], a[1] - b[1]), a[2] - b[2]);
}

static uint32_t count_inside(const struct world_parts *parts, struct world_moment when,
			     const struct world_sphere *sphere, const struct world_crowd *crowd)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < parts->count; i++)
		for (uint32_t rank = 0; rank < parts->part[i]->count; rank++) {
			int32_t position[3];

			if (!where(parts->part[i], rank, when, position) ||
			    apart(position, sphere->middle) > sphere->radius)
				continue;
			if (count < crowd->room) {
				assert_int_equal(crowd->inside[count].who, world_refer(i, rank));
				assert_int_equal(crowd->inside[count].distance, (int)apart(position, sphere->middle));
			}
			count++;
		}
	return count;
}

/// Parts that know nothing of then: of somebody who is there, too.
static uint32_t count_forgotten(const struct past_parts *world, struct world_moment when)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < PAST_PARTS; i++) {
		const struct world_part *part = world->parts.part[i];
		struct world_place place;
		uint32_t rank = 0;

		while (part->number[rank] == WORLD_NOBODY)
			rank++;
		count += world_history_where(part, rank, when, &place) == WORLD_FORGOTTEN;
	}
	return count;
}

static uint32_t look_around(const struct past_parts *world, struct world_moment when, uint64_t *seed)
{
	struct world_inside inside[64];
	struct world_crowd crowd = {.room = drawn_below(seed, COUNT(inside) + 1), .inside = inside};
	struct world_search search = {.when = when};
	const struct world_sphere sphere = {
		.middle = {(int32_t)drawn_below(seed, WALK_SIZE), (int32_t)drawn_below(seed, WALK_SIZE), 4000},
		.radius = (int32_t)drawn_below(seed, 120 * WORLD_METRE),
	};

	while (!world_search_sphere(&world->parts, &search, &sphere, 1 + drawn_below(seed, 200), &crowd))
		;
	assert_int_equal(crowd.count, count_inside(&world->parts, when, &sphere, &crowd));
	assert_int_equal(search.forgotten, count_forgotten(world, when));
	return crowd.count;
}

static void who_was_in_a_sphere_is_found(void **state UNUSED)
{
	struct past_parts world = past_parts_make(UINT32_MAX - 130, 31);
	uint64_t seed = 8;
	uint32_t found = 0;

	for (unsigned i = 0; i < 280; i++) {
		go_on(&world, &seed);
		for (unsigned n = 0; n < 10; n++)
			found += look_around(&world, past_moment(world.past[0]), &seed);
	}
	assert_true(found > 10000);
	past_parts_free(&world);
}

static struct world_hit first_of(const struct world_parts *parts, struct world_moment when, const struct world_ray *ray,
				 world_reference except)
{
	struct world_hit first = {.who = WORLD_NOBODY};

	for (uint32_t i = 0; i < parts->count; i++)
		for (uint32_t rank = 0; rank < parts->part[i]->count; rank++) {
			int32_t position[3];

			if (world_refer(i, rank) == except || !where(parts->part[i], rank, when, position))
				continue;

			const struct world_aim aim = modelled_aim(ray, position);

			if (aim.hits && aim.distance <= ray->length &&
			    (first.who == WORLD_NOBODY || aim.distance < first.aim.distance))
				first = (struct world_hit){.who = world_refer(i, rank), .aim = aim};
		}
	return first;
}

static bool shoot(const struct past_parts *world, struct world_moment when, uint64_t *seed)
{
	struct world_hit first = {.who = WORLD_NOBODY}, model;
	struct world_ray ray = drawn_ray(seed);
	world_reference except = WORLD_NOBODY;

	ray.body.radius *= 4; // few are in the way of a narrow one

	for (unsigned i = 0; i < 3; i++) {
		struct world_search search = {.when = when};

		first = (struct world_hit){.who = WORLD_NOBODY};
		while (!world_search_ray(&world->parts, &search, &ray, except, 1 + drawn_below(seed, 200), &first))
			;
		model = first_of(&world->parts, when, &ray, except);
		if (first.who != model.who && first.who != WORLD_NOBODY && model.who != WORLD_NOBODY)
			assert_true(fabs(first.aim.distance - model.aim.distance) < 1e-3); // both
		else
			assert_int_equal(first.who, model.who);
		if (first.who == WORLD_NOBODY)
			return i > 0;
		assert_int_equal(first.number,
				 world->parts.part[world_part_of(first.who)]->number[world_rank_of(first.who)]);
		except = first.who;
	}
	return true;
}

static void who_was_first_in_the_way_of_a_ray_is_hit(void **state UNUSED)
{
	struct past_parts world = past_parts_make(500, 77);
	uint64_t seed = 3;
	uint32_t hits = 0;

	for (unsigned i = 0; i < 200; i++) {
		go_on(&world, &seed);
		hits += shoot(&world, past_moment(world.past[0]), &seed);
	}
	assert_uint_in_range(hits, 40, 160);
	past_parts_free(&world);
}

static void a_part_that_has_not_come_so_far_is_searched_as_of_its_newest_frame(void **state UNUSED)
{
	struct past_parts world = past_parts_make(500, 78);
	uint64_t seed = 3;

	go_on(&world, &seed);
	past_go_on(world.past[0], 20, false);
	for (unsigned n = 0; n < 100; n++)
		look_around(&world, (struct world_moment){world.past[0]->tick - 1, 128}, &seed);
	past_parts_free(&world);
}

static void of_several_at_once_the_lowest_number_is_hit(void **state UNUSED)
{
	const struct world_part_plan plan = small_plan(256);
	const struct world_place place = {.x = 500, .y = 500, .z = 500};
	struct world_part *part = make_part(&plan);
	const struct world_parts parts = {.count = 1, .part = {part}};
	struct world_search search = {.when = {plan.first + 1, 0}};
	struct world_ray ray = {.from = {100, 510, 500}, .length = 400, .body = {.radius = 30}};
	struct world_hit first = {.who = WORLD_NOBODY};

	for (uint32_t i = 0; i < 200; i++)
		world_part_add(part, (i + 90) % 200, 0, WORLD_PLAYER, &place, plan.first * WORLD_TOLD_PER_TICK);
	publish(part, plan.first + 1, false);
	point_ray(&ray, 1, 0, 0);
	assert_true(world_search_ray(&parts, &search, &ray, WORLD_NOBODY, 1000, &first));
	assert_int_equal(first.number, 0);
	assert_int_equal(first.who, 110);
	assert_int_equal((int)first.aim.distance, 371);
	assert_int_equal((int)first.aim.error, 10);
	assert_int_equal(first.when.tick, plan.first + 1);

	// 371.7 quanta away, and no nearer.
	ray.length = 371;
	search = (struct world_search){.when = search.when};
	first = (struct world_hit){.who = WORLD_NOBODY};
	assert_true(world_search_ray(&parts, &search, &ray, WORLD_NOBODY, 1000, &first));
	assert_int_equal(first.who, WORLD_NOBODY);
	free(part);
}

static void the_nearest_come_first_and_nobody_is_lost(void **state UNUSED)
{
	uint64_t seed = 11;

	for (unsigned round = 0; round < 20000; round++) {
		struct world_inside inside[70];
		const uint32_t count = drawn_below(&seed, 71), wanted = drawn_below(&seed, 76);
		const uint32_t spread = round % 2 ? 10 : 1000000; // many at the same distance, or none
		uint64_t sum = 0;
		int32_t farthest = -1;

		for (uint32_t i = 0; i < count; i++) {
			inside[i] = (struct world_inside){.who = i, .distance = (int32_t)drawn_below(&seed, spread)};
			sum += 1ULL << i % 60;
		}
		world_crowd_nearest(inside, count, wanted);
		for (uint32_t i = 0; i < count; i++) {
			sum -= 1ULL << inside[i].who % 60;
			if (i < wanted && inside[i].distance > farthest)
				farthest = inside[i].distance;
			assert_true(i < wanted || inside[i].distance >= farthest);
		}
		assert_int_equal(sum, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ray_enters_a_body_where_it_does),
		cmocka_unit_test(a_ray_that_touches_a_body_hits_it),
		cmocka_unit_test(who_was_in_a_sphere_is_found),
		cmocka_unit_test(who_was_first_in_the_way_of_a_ray_is_hit),
		cmocka_unit_test(a_part_that_has_not_come_so_far_is_searched_as_of_its_newest_frame),
		cmocka_unit_test(of_several_at_once_the_lowest_number_is_hit),
		cmocka_unit_test(the_nearest_come_first_and_nobody_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
