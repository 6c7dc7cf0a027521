// SPDX-License-Identifier: BSD-3-Clause
// test_world_history.c: world/history.h against what the frames said when they were published.

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "past.h"
#include "world/history.h"

struct tally {
	unsigned of[4]; // by enum world_known
	unsigned before_rerank;
};

/// Everybody, at a moment.
static void compare(struct past *past, struct world_moment when, struct tally *tally)
{
	const struct world_part *part = past->part;

	for (uint32_t rank = 0; rank < part->count; rank++) {
		const uint32_t number = part->number[rank];
		struct world_place where = {0};
		const enum world_known known = world_history_where(part, rank, when, &where);
		bool right = true;

		if (number == WORLD_NOBODY) {
			assert_int_not_equal(known, WORLD_KNOWN);
			continue;
		}
		assert_int_equal(known, past_where(past, number, when, &where, &right));
		if (!right)
			fail_msg("number %u, tick %u (newest %u), parts %u: %d %d %d", number, when.tick, past->tick,
				 when.parts, where.x, where.y, where.z);
		tally->of[known]++;
		tally->before_rerank += known == WORLD_KNOWN && (int32_t)(when.tick - part->reranked) < 0;
	}
}

static void live_through(uint32_t first, unsigned frames, bool leaves_out_ticks, uint64_t seed)
{
	struct past *past = past_make(first, 60, seed);
	struct tally tally = {0};

	for (unsigned i = 0; i < frames; i++) {
		const uint32_t ticks =
			leaves_out_ticks && drawn_below(&past->seed, 4) == 0 ? 1 + drawn_below(&past->seed, 4) : 1;

		past_go_on(past, ticks, drawn_below(&past->seed, 10) == 0);
		for (unsigned n = 0; n < 6; n++)
			compare(past, past_moment(past), &tally);
		compare(past, (struct world_moment){past->tick, 0}, &tally);
		compare(past, (struct world_moment){past->tick, 1}, &tally);
		compare(past, (struct world_moment){past->tick - 1, 255}, &tally);
	}
	for (unsigned known = 0; known < 4; known++)
		assert_true(tally.of[known] > 100);
	assert_true(tally.before_rerank > 1000);
	past_free(past);
}

static void everybody_is_where_they_were_to_the_quantum(void **state UNUSED)
{
	live_through(1000, 400, false, 1);
	live_through(1000, 400, false, 2);
}

static void ticks_wrap(void **state UNUSED)
{
	live_through(UINT32_MAX - 150, 400, false, 3);
	live_through(UINT32_MAX - 250, 240, true, 4);
	live_through((1U << 31) - 150, 400, false, 5);
}

static void a_tick_without_a_frame_is_between_its_neighbours(void **state UNUSED)
{
	live_through(7000, 240, true, 6);
}

/// One who is put 256 times `pace` quanta on with each tick, so that each part of a tick has a place of its own.
static struct world_part *straight_on(uint32_t first, uint32_t ticks, int32_t pace)
{
	struct world_part_plan plan = small_plan(64);
	struct world_place place = {.y = 7};
	struct world_part *part;

	plan.first = first;
	plan.size[0] = 1 << 20;
	part = make_part(&plan);
	world_part_add(part, 5, 5, WORLD_PLAYER, &place, first * WORLD_TOLD_PER_TICK);
	for (uint32_t i = 1; i <= ticks; i++) {
		place.x = (int32_t)i * 256 * pace;
		world_part_move(part, 0, &place, (first + i) * WORLD_TOLD_PER_TICK);
		publish(part, first + i, false);
	}
	return part;
}

static void no_moment_is_off_by_a_tick_or_a_part_of_one(void **state UNUSED)
{
	const uint32_t first = UINT32_MAX - 20;
	struct world_part *part = straight_on(first, 40, 3);

	for (uint32_t i = 1; i <= 40; i++)
		for (uint32_t parts = 0; parts < (i == 40 ? 1 : 256); parts++) {
			const struct world_moment when = {first + i, parts};
			struct world_place place;

			assert_int_equal(world_history_where(part, 0, when, &place), WORLD_KNOWN);
			assert_int_equal(place.x, (i * 256 + parts) * 3);
			assert_int_equal(place.y, 7);
		}
	free(part);
}

static void nobody_is_there_before_they_come_or_after_they_left(void **state UNUSED)
{
	struct world_part *part = straight_on(100, 20, 1);
	const struct world_place place = {.x = 1000, .y = 8};
	struct world_place where;

	assert_int_equal(world_part_add(part, 9, 9, WORLD_PLAYER, &place, 121 * WORLD_TOLD_PER_TICK), 1);
	publish(part, 121, false);
	publish(part, 122, false);
	assert_int_equal(world_history_where(part, 1, (struct world_moment){120, 255}, &where), WORLD_ABSENT);
	assert_int_equal(world_history_where(part, 1, (struct world_moment){121, 0}, &where), WORLD_KNOWN);
	assert_int_equal(where.x, 1000);
	world_part_remove(part, 0);
	publish(part, 123, false);
	assert_int_equal(world_history_where(part, 0, (struct world_moment){121, 0}, &where), WORLD_ABSENT);
	assert_int_equal(world_history_where(part, 1, (struct world_moment){121, 0}, &where), WORLD_KNOWN);
	free(part);
}

static void what_the_ring_may_lose_at_any_moment_is_forgotten(void **state UNUSED)
{
	struct world_part *part = straight_on(100, 100, 1);
	const uint32_t oldest = 200 - (part->frames - 2);
	struct world_place where;

	assert_int_equal(world_history_where(part, 0, (struct world_moment){oldest, 0}, &where), WORLD_KNOWN);
	assert_int_equal(world_history_where(part, 0, (struct world_moment){oldest - 1, 255}, &where), WORLD_FORGOTTEN);
	assert_int_equal(world_history_where(part, 0, (struct world_moment){90, 0}, &where), WORLD_FORGOTTEN);
	assert_int_equal(world_history_where(part, 0, (struct world_moment){200, 1}, &where), WORLD_AHEAD);
	world_part_begin(part, 201, false); // over the frame of tick 137
	assert_int_equal(world_history_where(part, 0, (struct world_moment){oldest, 0}, &where), WORLD_KNOWN);
	free(part);
}

static void who_reads_for_too_long_learns_that_the_frames_are_gone(void **state UNUSED)
{
	struct world_part *part = straight_on(100, 100, 1);
	struct world_span about;

	assert_true(world_history_frames(part, (struct world_moment){200 - (part->frames - 2), 5}, 200, &about));
	assert_true(world_history_holds(part, &about));
	world_part_begin(part, 201, false);
	assert_true(world_history_holds(part, &about));
	while (!world_part_step(part, 64))
		;
	assert_false(world_history_holds(part, &about)); // the next to be begun lies there
	free(part);
}

// ---------------------------------------------------------------- while it is written

#define READS 200000

struct written {
	struct world_part *part;
	atomic_bool enough;
};

static int32_t x_in(uint32_t tick)
{
	return (int32_t)(tick % 1024) * 1000;
}

/// Frames as fast as they can be written: they are overwritten under the eyes of whoever reads them.
static void *write_on(void *argument)
{
	struct written *written = argument;

	for (uint32_t tick = world_published(written->part) + 1; !atomic_load(&written->enough); tick++) {
		for (uint32_t rank = 0; rank < 64; rank++) {
			const struct world_place place = {.x = x_in(tick), .y = x_in(tick), .z = (int32_t)rank};

			world_part_move(written->part, rank, &place, tick * WORLD_TOLD_PER_TICK);
		}
		publish(written->part, tick, false);
	}
	return NULL;
}

static void what_is_known_is_right_while_another_thread_writes(void **state UNUSED)
{
	struct world_part_plan plan = small_plan(64);
	const struct world_place place = {.x = 0};
	struct written written = {0};
	pthread_t writer;
	uint64_t seed = 3;
	unsigned known = 0;

	plan.frames = 32;
	plan.size[0] = plan.size[1] = 1 << 20;
	written.part = make_part(&plan);
	for (uint32_t i = 0; i < 64; i++)
		world_part_add(written.part, i, i, WORLD_PLAYER, &place, plan.first * WORLD_TOLD_PER_TICK);
	publish(written.part, plan.first + 1, false);
	assert_int_equal(pthread_create(&writer, NULL, write_on, &written), 0);
	for (unsigned i = 0; i < READS || known < 10; i++) {
		const uint32_t back = drawn_below(&seed, 4) == 0 ? drawn_below(&seed, 30) : 30;
		const struct world_moment when = {world_published(written.part) - back, 0};
		const uint32_t rank = drawn_below(&seed, 64);
		struct world_place where;

		if (world_history_where(written.part, rank, when, &where) != WORLD_KNOWN || when.tick < plan.first + 2)
			continue;
		known++;
		if (where.x != x_in(when.tick) || where.y != where.x || where.z != (int32_t)rank)
			fail_msg("tick %u: %d instead of %d", when.tick, where.x, x_in(when.tick));
	}
	atomic_store(&written.enough, true);
	pthread_join(writer, NULL);
	free(written.part);
}

static void moments_are_counted_in_parts(void **state UNUSED)
{
	uint64_t seed = 1;

	for (unsigned i = 0; i < 100000; i++) {
		const struct world_moment a = {drawn(&seed), drawn_below(&seed, 256)};
		const uint32_t parts = drawn_below(&seed, 1 << 20);
		const struct world_moment b = world_moment_before(a, parts);

		assert_true(b.parts < 256);
		assert_true(world_moment_since(a, b) == parts);
		assert_true(world_moment_since(b, a) == -(int64_t)parts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_is_where_they_were_to_the_quantum),
		cmocka_unit_test(ticks_wrap),
		cmocka_unit_test(a_tick_without_a_frame_is_between_its_neighbours),
		cmocka_unit_test(no_moment_is_off_by_a_tick_or_a_part_of_one),
		cmocka_unit_test(nobody_is_there_before_they_come_or_after_they_left),
		cmocka_unit_test(what_the_ring_may_lose_at_any_moment_is_forgotten),
		cmocka_unit_test(who_reads_for_too_long_learns_that_the_frames_are_gone),
		cmocka_unit_test(what_is_known_is_right_while_another_thread_writes),
		cmocka_unit_test(moments_are_counted_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
