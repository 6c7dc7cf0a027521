// SPDX-License-Identifier: BSD-3-Clause
// test_replay.c: the replay window against a set of all counters that were ever seen.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/replay.h"
#include "rig.h"

#define SPAN 4096 // counters around a start that the oracle remembers

/// Every counter that was accepted, one byte each, and the newest.
struct oracle {
	uint32_t base, newest;
	uint8_t seen[SPAN];
};

static bool oracle_fresh(const struct oracle *o, uint32_t counter)
{
	if (counter == 0 || (uint64_t)counter + REPLAY_WINDOW <= o->newest)
		return false;
	return counter > o->newest || !o->seen[counter - o->base];
}

/// Offer one; both must say the same of it.
static void offer(struct replay *replay, struct oracle *o, uint32_t counter)
{
	const bool fresh = oracle_fresh(o, counter);

	if (replay_fresh(replay, counter) != fresh)
		fail_msg("counter %u with newest %u: not %d", counter, o->newest, fresh);
	if (!fresh)
		return;
	if (counter == replay->newest + 1 && counter % 2)
		replay_mark_next(replay, counter); // what replay_mark() makes of it, too
	else
		replay_mark(replay, counter);
	o->seen[counter - o->base] = 1;
	o->newest = counter > o->newest ? counter : o->newest;
	assert_true(replay->newest == o->newest);
	assert_false(replay_fresh(replay, counter));
}

/// Steps forward of up to `step`, and from each some that lie up to `back` behind.
static void walk(uint32_t base, uint32_t step, uint32_t back, uint64_t seed)
{
	struct replay replay = {.newest = base};
	struct oracle *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->base = base;
	o->newest = base;
	o->seen[0] = 1;
	replay.seen[base / 64 % REPLAY_WORDS] = base ? 1ULL << base % 64 : 0;
	while (o->newest - base < SPAN - step - 1) {
		offer(&replay, o, o->newest + 1 + random_below(&seed, step));
		for (unsigned i = random_below(&seed, 8); i > 0; i--) {
			const uint32_t behind = random_below(&seed, back + 1);

			if (behind <= o->newest - base)
				offer(&replay, o, o->newest - behind);
		}
	}
	free(o);
}

static void every_order_is_told_as_by_a_list_of_all_counters(void **state UNUSED)
{
	static const uint32_t steps[] = {1, 2, 63, 64, 65, 127, 128, 129, 200, 255, 256, 257, 300, 1000};

	for (size_t s = 0; s < COUNT(steps); s++)
		for (uint64_t seed = 1; seed <= 20; seed++)
			walk(0, steps[s], 300, seed);
}

static void shuffled_packets_of_one_window_are_all_taken_once(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct replay replay = {0};
		uint32_t order[REPLAY_WINDOW];
		uint64_t random = seed;

		for (unsigned i = 0; i < REPLAY_WINDOW; i++)
			order[i] = i + 1;
		for (unsigned i = REPLAY_WINDOW - 1; i > 0; i--) {
			const unsigned k = random_below(&random, i + 1);
			const uint32_t swap = order[i];

			order[i] = order[k];
			order[k] = swap;
		}
		for (unsigned i = 0; i < REPLAY_WINDOW; i++) {
			assert_true(replay_fresh(&replay, order[i]));
			replay_mark(&replay, order[i]);
		}
		for (unsigned i = 0; i < REPLAY_WINDOW; i++)
			assert_false(replay_fresh(&replay, order[i]));
	}
}

static void counters_are_taken_up_to_the_last(void **state UNUSED)
{
	static const uint32_t starts[] = {(1U << 16) - 2000, (1U << 31) - 2000, UINT32_MAX - SPAN + 1};
	struct replay replay = {.newest = UINT32_MAX - 1};

	for (size_t s = 0; s < COUNT(starts); s++) {
		walk(starts[s], 1, 300, 3);
		walk(starts[s], 100, 300, 5);
	}
	assert_true(replay_fresh(&replay, UINT32_MAX));
	replay_mark(&replay, UINT32_MAX);
	for (uint64_t counter = 0; counter < 1000; counter++)
		assert_false(replay_fresh(&replay, (uint32_t)counter)); // none comes after it
	assert_false(replay_fresh(&replay, UINT32_MAX));
	assert_true(replay_fresh(&replay, UINT32_MAX - 2));
}

static void no_counter_below_one_is_fresh(void **state UNUSED)
{
	struct replay replay = {0};

	assert_false(replay_fresh(&replay, 0));
	replay_mark(&replay, 5);
	assert_false(replay_fresh(&replay, 0));
	assert_true(replay_fresh(&replay, 1));
	replay_mark(&replay, 300);
	assert_false(replay_fresh(&replay, 0));
}

static void looking_marks_nothing(void **state UNUSED)
{
	struct replay replay = {.newest = 300, .seen = {1, 2, 3, 4}};
	const struct replay before = replay;

	for (uint32_t counter = 0; counter < 1000; counter++)
		replay_fresh(&replay, counter);
	assert_memory_equal(&replay, &before, sizeof(replay));
}

static void a_distrusted_window_takes_only_what_is_newer(void **state UNUSED)
{
	struct replay replay = {0};

	replay_mark(&replay, 100);
	replay_distrust(&replay);
	for (uint32_t counter = 0; counter <= 100; counter++)
		assert_false(replay_fresh(&replay, counter));
	assert_true(replay_fresh(&replay, 101));
	replay_mark(&replay, 103);
	assert_true(replay_fresh(&replay, 102));
	assert_false(replay_fresh(&replay, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_is_told_as_by_a_list_of_all_counters),
		cmocka_unit_test(shuffled_packets_of_one_window_are_all_taken_once),
		cmocka_unit_test(counters_are_taken_up_to_the_last),
		cmocka_unit_test(no_counter_below_one_is_fresh),
		cmocka_unit_test(looking_marks_nothing),
		cmocka_unit_test(a_distrusted_window_takes_only_what_is_newer),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
