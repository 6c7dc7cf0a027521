// SPDX-License-Identifier: BSD-3-Clause
// test_world_question.c: world/question.h against everybody one by one, by what was written down as it was published.

#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aim_model.h"
#include "past.h"
#include "world/question.h"

#define PEOPLE_MAX (PAST_PARTS * PAST_PEOPLE)
#define EVERYBODY (1U << WORLD_PLAYER | 1U << WORLD_OTHER)

// ---------------------------------------------------------------- a model

struct modelled {
	struct world_answer answer;
	double distance; // not rounded
	bool told;
};

/// On the line between two frames, the nearest quantum, halves up.
static int32_t between(int64_t then, int64_t later, int64_t way, int64_t whole)
{
	const int64_t above = 2 * (later - then) * way + whole + (1LL << 40) * 2 * whole;

	return (int32_t)(then + above / (2 * whole) - (1LL << 40));
}

/// @return false: was not there, or nobody knows
static bool was_at(const struct past *past, uint32_t number, struct world_moment when, int32_t position[3])
{
	uint32_t then = when.tick - past->first, later = then + (when.parts != 0);

	while (!past->has[then])
		then--;
	while (!past->has[later])
		later++;
	if (!past->came[number] || past->left[number] || past->since[number] - past->first > then)
		return false;

	const struct world_place *a = &past->place[then][number], *b = &past->place[later][number];
	const int64_t whole = later == then ? 1 : (int64_t)(later - then) * 256;
	const int64_t way = (int64_t)(when.tick - past->first - then) * 256 + when.parts;

	position[0] = between(a->x, b->x, way, whole);
	position[1] = between(a->y, b->y, way, whole);
	position[2] = between(a->z, b->z, way, whole);
	return true;
}

/// @return false: not in the sphere, or not in the way
static bool is_asked_for(const struct world_question *question, const int32_t position[3], double *distance)
{
	if (question->is_ray) {
		const struct world_aim aim = modelled_aim(&question->of.ray, position);

		*distance = aim.distance;
		return aim.hits && aim.distance <= question->of.ray.length;
	}
	*distance =
		hypot(hypot(position[0] - question->of.sphere.middle[0], position[1] - question->of.sphere.middle[1]),
		      position[2] - question->of.sphere.middle[2]);
	return *distance <= question->of.sphere.radius;
}

static int nearer(const void *a, const void *b)
{
	const double d = ((const struct modelled *)a)->distance, e = ((const struct modelled *)b)->distance;

	return d < e ? -1 : d > e;
}

/// All of them, the nearest first.
static uint32_t model(struct past *const past[PAST_PARTS], const struct world_question *question,
		      struct world_moment when, struct modelled *found)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < PAST_PARTS; i++)
		for (uint32_t number = 0; number < past[i]->numbers; number++) {
			struct modelled *one = &found[count];

			*one = (struct modelled){.answer = {.identity = number}};
			count += (number == 0 || number != question->except) &&
				 was_at(past[i], number, when, one->answer.position) &&
				 is_asked_for(question, one->answer.position, &one->distance);
		}
	qsort(found, count, sizeof(*found), nearer);
	return count;
}

// ---------------------------------------------------------------- asking

/// Of the part that is furthest behind.
static uint32_t newest_of(const struct past_parts *world)
{
	uint32_t newest = world->past[0]->tick;

	for (unsigned i = 1; i < PAST_PARTS; i++)
		newest = (int32_t)(world->past[i]->tick - newest) < 0 ? world->past[i]->tick : newest;
	return newest;
}

/// Has any of the parts forgotten it?
static bool is_forgotten(const struct past_parts *world, struct world_moment when)
{
	for (unsigned i = 0; i < PAST_PARTS; i++) {
		const struct past *past = world->past[i];
		uint32_t then = when.tick - past->first;

		if ((int32_t)then < 0)
			return true;
		while (!past->has[then])
			then--;
		if (past->tick - past->first - then >= past->part->frames - 1)
			return true;
	}
	return false;
}

static struct world_question drawn_question(uint64_t *seed, struct world_moment when)
{
	struct world_question question = {
		.is_ray = drawn_below(seed, 2),
		.now = drawn_below(seed, 8) == 0,
		.when = when,
		.sorts = EVERYBODY,
		.except = drawn_below(seed, 20),
		.most = 1 + drawn_below(seed, drawn_below(seed, 2) ? 4 : WORLD_ANSWERS_MAX),
	};

	if (question.is_ray) {
		question.of.ray = drawn_ray(seed);
		question.of.ray.body.radius *= 4; // few are in the way of a narrow one
		question.of.ray.length *= 2;
	} else {
		question.of.sphere = (struct world_sphere){
			{(int32_t)drawn_below(seed, WALK_SIZE), (int32_t)drawn_below(seed, WALK_SIZE), 4000},
			(int32_t)drawn_below(seed, 12000)};
	}
	return question;
}

/// Each of them is one of the model's, where the model has it, and no nearer one is left out.
static void compare(const struct world_answer *answer, uint32_t count, struct modelled *found)
{
	for (uint32_t i = 0; i < count; i++) {
		const double distance = found[i].distance; // of who is so many places behind the nearest
		bool is_one = false;

		// Of rays, halving is as exact as this.
		assert_true(answer[i].distance == (int32_t)distance || fabs(answer[i].distance - distance) < 1e-3 ||
			    fabs(answer[i].distance + 1 - distance) < 1e-3);
		for (uint32_t k = 0; !is_one; k++) {
			is_one = !found[k].told && found[k].answer.identity == answer[i].identity &&
				 memcmp(found[k].answer.position, answer[i].position, sizeof(answer[i].position)) == 0;
			found[k].told |= is_one;
			assert_true(is_one || k + 1 < PEOPLE_MAX);
		}
		assert_int_equal(answer[i].sort, WORLD_PLAYER);
	}
}

static enum pg_world_search ask(const struct past_parts *world, const struct world_question *question, uint32_t *told)
{
	static struct world_asking asking;
	static struct modelled found[PEOPLE_MAX + 1];
	struct world_answer answer[WORLD_ANSWERS_MAX];
	struct world_moment when = question->when;
	enum pg_world_search became;
	uint32_t count, all;
	bool is_ahead;

	world_ask(&asking, &world->parts, question);
	while (!world_ask_step(&asking, &world->parts, &became))
		;
	assert_int_equal(asking.newest, newest_of(world));
	is_ahead = world_is_ahead(when, newest_of(world));
	if (question->now || is_ahead)
		when = (struct world_moment){newest_of(world), 0};
	assert_int_equal(became == PG_WORLD_SEARCH_CLAMPED, !question->now && is_ahead);
	assert_int_equal(became == PG_WORLD_SEARCH_TOO_OLD, is_forgotten(world, when));
	if (became == PG_WORLD_SEARCH_TOO_OLD)
		return became;
	assert_int_equal(asking.search.when.tick, when.tick);
	assert_int_equal(asking.search.when.parts, when.parts);
	all = model(world->past, question, when, found);
	count = world_ask_answers(&asking, &world->parts, answer);
	assert_int_equal(asking.total, all);
	assert_int_equal(count, all < question->most ? all : question->most);
	compare(answer, count, found);
	*told += count;
	return became;
}

static void answers_are_those_of_the_model(void **state UNUSED)
{
	struct past_parts world = past_parts_make(UINT32_MAX - 130, 31);
	unsigned became[PG_WORLD_SEARCHES] = {0};
	uint64_t seed = 8;
	uint32_t told = 0;

	for (unsigned i = 0; i < 280; i++) {
		const uint32_t ticks = drawn_below(&seed, 8) == 0 ? 2 : 1;
		const bool rerank = drawn_below(&seed, 4) == 0;

		for (unsigned k = 0; k < PAST_PARTS; k++)
			past_go_on(world.past[k], ticks, rerank);
		for (unsigned n = 0; n < 8; n++) {
			const struct world_question question = drawn_question(&seed, past_moment(world.past[0]));

			became[ask(&world, &question, &told)]++;
		}
	}
	assert_true(became[PG_WORLD_SEARCH_ANSWERED] > 500);
	assert_true(became[PG_WORLD_SEARCH_CLAMPED] > 20);
	assert_true(became[PG_WORLD_SEARCH_TOO_OLD] > 200);
	assert_true(told > 3000);
	past_parts_free(&world);
}

static void nobody_is_as_of_another_tick_while_one_part_is_behind(void **state UNUSED)
{
	struct past_parts world = past_parts_make(500, 78);
	uint64_t seed = 3;
	uint32_t told = 0;

	for (unsigned i = 0; i < 10; i++)
		for (unsigned k = 0; k < PAST_PARTS; k++)
			past_go_on(world.past[k], 1, false);
	for (unsigned i = 0; i < 8; i++)
		past_go_on(world.past[1], 1, false);
	for (unsigned n = 0; n < 200; n++) {
		const struct world_question question = drawn_question(
			&seed, (struct world_moment){world.past[0]->tick - 2 + drawn_below(&seed, 12), 128});

		assert_int_not_equal(ask(&world, &question, &told), PG_WORLD_SEARCH_TOO_OLD);
	}
	assert_true(told > 200);
	past_parts_free(&world);
}

// ---------------------------------------------------------------- in steps

#define CROWD 3000

/// Everybody walks along x; who has rank r is r quanta away from the origin, and one more each tick.
static struct world_part *crowd_of(const struct world_part_plan *plan)
{
	struct world_part *part = make_part(plan);

	for (uint32_t i = 0; i < CROWD; i++) {
		const struct world_place place = {.x = (int32_t)i, .vx = 8};

		assert_int_not_equal(world_part_add(part, i, 10000 + i, i % 2 ? WORLD_OTHER : WORLD_PLAYER, &place,
						    plan->first * WORLD_TOLD_PER_TICK),
				     WORLD_NOBODY);
	}
	return part;
}

static const struct world_question first_ones = {.now = true,
						 .of.sphere = {.radius = 2500},
						 .sorts = EVERYBODY,
						 .most = 10};

static void goes_on_to_the_end(struct world_asking *asking, const struct world_parts *parts,
			       enum pg_world_search expected)
{
	enum pg_world_search became;

	while (!world_ask_step(asking, parts, &became))
		;
	assert_int_equal(became, expected);
}

static void when_ranks_change_it_begins_anew_and_as_of_then(void **state UNUSED)
{
	static struct world_asking asking;
	const struct world_part_plan plan = small_plan(4096);
	struct world_part *part = crowd_of(&plan);
	const struct world_parts parts = {.count = 1, .part = {part}};
	struct world_answer answer[WORLD_ANSWERS_MAX];
	enum pg_world_search became;
	uint32_t tick = plan.first;

	while (tick < plan.first + part->frames)
		publish(part, ++tick, false);
	world_ask(&asking, &parts, &first_ones);
	assert_false(world_ask_step(&asking, &parts, &became));
	sort_ranks(part);
	publish(part, ++tick, true);
	goes_on_to_the_end(&asking, &parts, PG_WORLD_SEARCH_ANSWERED);
	assert_int_equal(asking.begun, 2);
	assert_int_equal(asking.search.when.tick, tick);
	assert_int_equal(world_ask_answers(&asking, &parts, answer), first_ones.most);
	for (uint32_t i = 0; i < first_ones.most; i++) {
		struct world_place place = {0};

		assert_int_equal(answer[i].identity, 10000 + i);
		assert_int_equal(answer[i].sort, i % 2 ? WORLD_OTHER : WORLD_PLAYER);
		for (uint32_t rank = 0; rank < part->count; rank++)
			if (part->identity[rank] == 10000 + i)
				place = world_place_at(world_frame_at(part, tick), rank);
		assert_int_equal(answer[i].position[0], place.x);
		assert_int_equal(answer[i].distance, place.x);
	}
	free(part);
}

static void who_is_begun_anew_again_and_again_is_told_so(void **state UNUSED)
{
	static struct world_asking asking;
	const struct world_part_plan plan = small_plan(4096);
	struct world_part *part = crowd_of(&plan);
	const struct world_parts parts = {.count = 1, .part = {part}};
	enum pg_world_search became;
	unsigned steps = 0;
	bool over;

	publish(part, plan.first + 1, false);
	world_ask(&asking, &parts, &first_ones);
	do {
		part->reranked++; // as another order
		over = world_ask_step(&asking, &parts, &became);
		steps++;
	} while (!over);
	assert_int_equal(became, PG_WORLD_SEARCH_BUSY);
	assert_int_equal(steps, WORLD_QUESTION_BEGUN_MAX);
	free(part);
}

static void a_moment_that_is_forgotten_meanwhile_is_too_old(void **state UNUSED)
{
	static struct world_asking asking;
	const struct world_part_plan plan = small_plan(4096);
	struct world_part *part = crowd_of(&plan);
	const struct world_parts parts = {.count = 1, .part = {part}};
	enum pg_world_search became;
	uint32_t tick = plan.first;

	publish(part, ++tick, false);
	world_ask(&asking, &parts, &first_ones);
	assert_false(world_ask_step(&asking, &parts, &became));
	while (tick < plan.first + 1 + part->frames)
		publish(part, ++tick, false);
	goes_on_to_the_end(&asking, &parts, PG_WORLD_SEARCH_TOO_OLD);
	free(part);
}

static void who_leaves_before_the_answer_is_not_in_it(void **state UNUSED)
{
	static struct world_asking asking;
	const struct world_part_plan plan = small_plan(4096);
	struct world_part *part = crowd_of(&plan);
	const struct world_parts parts = {.count = 1, .part = {part}};
	struct world_answer answer[WORLD_ANSWERS_MAX];
	uint32_t total;

	publish(part, plan.first + 1, false);
	world_ask(&asking, &parts, &first_ones);
	goes_on_to_the_end(&asking, &parts, PG_WORLD_SEARCH_ANSWERED);
	total = asking.total;
	world_part_remove(part, 3);
	assert_int_equal(world_ask_answers(&asking, &parts, answer), first_ones.most - 1);
	assert_int_equal(asking.total, total - 1);
	for (uint32_t i = 0; i < first_ones.most - 1; i++)
		assert_int_equal(answer[i].identity, 10000 + i + (i >= 3));
	free(part);
}

static void of_one_sort_alone_the_nearest_are_told_and_counted(void **state UNUSED)
{
	static struct world_asking asking;
	const struct world_part_plan plan = small_plan(4096);
	struct world_part *part = crowd_of(&plan);
	const struct world_parts parts = {.count = 1, .part = {part}};
	struct world_answer answer[WORLD_ANSWERS_MAX];
	struct world_question question = first_ones;

	publish(part, plan.first + 1, false);
	question.sorts = 1U << WORLD_PLAYER;
	question.except = 10004;
	world_ask(&asking, &parts, &question);
	goes_on_to_the_end(&asking, &parts, PG_WORLD_SEARCH_ANSWERED);
	assert_int_equal(world_ask_answers(&asking, &parts, answer), question.most);
	for (uint32_t i = 0; i < question.most; i++)
		assert_int_equal(answer[i].identity, 10000 + 2 * i + (i >= 2 ? 2 : 0));
	assert_int_equal(asking.total, 1249 + (world_frame_at(part, plan.first + 1)->x[2500] <= 2500));
	question.except = 10003; // an entity of that number is no player
	question.sorts = 1U << WORLD_OTHER;
	world_ask(&asking, &parts, &question);
	goes_on_to_the_end(&asking, &parts, PG_WORLD_SEARCH_ANSWERED);
	assert_int_equal(world_ask_answers(&asking, &parts, answer), question.most);
	assert_int_equal(answer[1].identity, 10003);
	free(part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_those_of_the_model),
		cmocka_unit_test(nobody_is_as_of_another_tick_while_one_part_is_behind),
		cmocka_unit_test(when_ranks_change_it_begins_anew_and_as_of_then),
		cmocka_unit_test(who_is_begun_anew_again_and_again_is_told_so),
		cmocka_unit_test(a_moment_that_is_forgotten_meanwhile_is_too_old),
		cmocka_unit_test(who_leaves_before_the_answer_is_not_in_it),
		cmocka_unit_test(of_one_sort_alone_the_nearest_are_told_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
