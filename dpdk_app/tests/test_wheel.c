// SPDX-License-Identifier: BSD-3-Clause
// test_wheel.c: nothing is early, nothing is more than a tick late, and nothing is forgotten.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "session/wheel.h"

#define SLOTS 512
#define TICK 1024 // cycles: a power of two, so that no rounding hides anything

struct fixture {
	struct wheel wheel;
	struct wheel_link links[SLOTS];
	uint64_t due[SLOTS]; // what the wheel should know; UINT64_MAX: nothing
	uint64_t now;
};

static int setup(void **state)
{
	struct fixture *f = zeroed_lines(sizeof(*f));

	f->now = 5 * TICK;
	memset(f->links, 0xa5, sizeof(f->links)); // any content
	wheel_init(&f->wheel, f->links, TICK, f->now);
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		wheel_link_init(&f->wheel, slot);
		f->due[slot] = UINT64_MAX;
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void schedule(struct fixture *f, uint32_t slot, uint64_t due)
{
	wheel_schedule(&f->wheel, slot, due);
	if (due < f->now) // overdue: as good as now
		due = f->now;
	if (due < f->due[slot])
		f->due[slot] = due;
}

/// Take all that is due; each must be due and known.
static unsigned pop_all(struct fixture *f)
{
	unsigned count = 0;

	for (uint32_t slot = wheel_pop(&f->wheel, f->now); slot != WHEEL_NONE; slot = wheel_pop(&f->wheel, f->now)) {
		assert_true(slot < SLOTS);
		assert_true(f->due[slot] <= f->now);
		f->due[slot] = UINT64_MAX;
		count++;
	}
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		assert_true(f->due[slot] == UINT64_MAX || f->due[slot] + TICK > f->now);
	return count;
}

static void test_nothing_scheduled_is_never_due(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(wheel_next(&f->wheel), UINT64_MAX);
	f->now += 5000 * TICK;
	assert_int_equal(pop_all(f), 0);
}

static void test_slot_is_due_once_and_not_early(void **state)
{
	struct fixture *f = *state;

	schedule(f, 7, f->now + 10 * TICK);
	f->now += 10 * TICK - 1;
	assert_int_equal(pop_all(f), 0);
	f->now += 1 + TICK;
	assert_int_equal(pop_all(f), 1);
	f->now += 3000 * TICK;
	assert_int_equal(pop_all(f), 0);
}

static void test_earlier_time_wins(void **state)
{
	struct fixture *f = *state;

	schedule(f, 1, f->now + 100 * TICK);
	schedule(f, 1, f->now + 20 * TICK);
	schedule(f, 1, f->now + 50 * TICK);
	f->now += 21 * TICK;
	assert_int_equal(pop_all(f), 1);
	f->now += 200 * TICK;
	assert_int_equal(pop_all(f), 0);
}

static void test_cancelled_slot_is_not_due(void **state)
{
	struct fixture *f = *state;

	for (uint32_t slot = 0; slot < 3; slot++)
		schedule(f, slot, f->now + 4 * TICK);
	wheel_cancel(&f->wheel, 1); // from the middle of a list
	wheel_cancel(&f->wheel, 2); // its first
	wheel_cancel(&f->wheel, 2); // not scheduled any more
	f->due[1] = f->due[2] = UINT64_MAX;
	f->now += 6 * TICK;
	assert_int_equal(pop_all(f), 1);
}

static void test_overdue_slot_is_due_when_the_tick_is_over(void **state)
{
	struct fixture *f = *state;

	schedule(f, 3, 0);
	assert_int_equal(pop_all(f), 0);
	f->now += TICK;
	assert_int_equal(pop_all(f), 1);
}

static void test_what_is_hastened_is_due_at_once_in_order(void **state)
{
	struct fixture *f = *state;

	schedule(f, 1, f->now + 3 * TICK);
	for (uint32_t slot = 2; slot < 7; slot++)
		wheel_hasten(&f->wheel, slot);
	wheel_hasten(&f->wheel, 1); // earlier than it was to be
	wheel_hasten(&f->wheel, 2); // is the first already
	wheel_schedule(&f->wheel, 3, f->now);
	wheel_cancel(&f->wheel, 4); // from the middle
	wheel_cancel(&f->wheel, 1); // the last
	wheel_hasten(&f->wheel, 7); // behind what is the last now
	assert_true(wheel_hastens(&f->wheel));
	assert_int_equal(wheel_next(&f->wheel), 0);
	for (uint32_t slot = 2; slot < 8; slot++)
		if (slot != 4)
			assert_int_equal(wheel_pop(&f->wheel, f->now), slot);
	assert_int_equal(wheel_pop(&f->wheel, f->now), WHEEL_NONE);
	assert_false(wheel_hastens(&f->wheel));
	assert_int_equal(wheel_next(&f->wheel), UINT64_MAX);
}

static void test_what_is_hastened_comes_behind_ticks_that_are_over(void **state)
{
	struct fixture *f = *state;

	wheel_schedule(&f->wheel, 1, 0); // overdue, and not hastened
	wheel_hasten(&f->wheel, 2);
	wheel_schedule(&f->wheel, 3, f->now);
	f->now += TICK;
	assert_int_not_equal(wheel_pop(&f->wheel, f->now), 2);
	assert_int_not_equal(wheel_pop(&f->wheel, f->now), 2);
	assert_int_equal(wheel_pop(&f->wheel, f->now), 2);
	assert_int_equal(f->wheel.scheduled, 0);
}

static void test_time_beyond_a_round_is_waited_for(void **state)
{
	struct fixture *f = *state;

	schedule(f, 1, f->now + (2 * WHEEL_TICKS + 3) * TICK);
	schedule(f, 2, f->now + 3 * TICK);
	for (unsigned i = 0; i < 2 * WHEEL_TICKS + 5; i++, f->now += TICK)
		pop_all(f);
	assert_int_equal(f->due[1], UINT64_MAX);
	assert_int_equal(f->due[2], UINT64_MAX);
}

static void test_long_sleep_loses_nothing(void **state)
{
	struct fixture *f = *state;

	for (uint32_t slot = 0; slot < SLOTS; slot++)
		schedule(f, slot, f->now + slot * 7ULL * TICK);
	f->now += 1000000ULL * TICK;
	assert_int_equal(pop_all(f), SLOTS);
}

static void test_slot_popped_in_a_loop_can_be_scheduled_for_now(void **state)
{
	struct fixture *f = *state;

	schedule(f, 1, f->now);
	f->now += 2 * TICK;
	assert_int_equal(wheel_pop(&f->wheel, f->now), 1);
	wheel_schedule(&f->wheel, 1, f->now); // the tick at hand: not again in this turn
	assert_int_equal(wheel_pop(&f->wheel, f->now), WHEEL_NONE);
	assert_int_equal(wheel_pop(&f->wheel, f->now + TICK), 1);
}

static void test_next_is_never_later_than_what_is_due(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 1;

	for (unsigned i = 0; i < 200; i++) {
		const uint64_t due = f->now + random_below(&seed, 3000 * TICK);

		schedule(f, i, due);
		assert_true(wheel_next(&f->wheel) <= due + TICK);
		assert_true(wheel_next(&f->wheel) > f->now);
	}
}

static void test_random_life_matches_a_plain_list(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 42;

	for (unsigned i = 0; i < 200000; i++) {
		const uint32_t slot = random_below(&seed, SLOTS), what = random_below(&seed, 16);

		if (what == 0) {
			wheel_cancel(&f->wheel, slot);
			f->due[slot] = UINT64_MAX;
		} else if (what == 1) {
			f->now += random_below(&seed, 64) == 0 ? 3000 * TICK : random_below(&seed, 3 * TICK);
			pop_all(f);
		} else if (what == 2) {
			wheel_hasten(&f->wheel, slot);
			f->due[slot] = f->now;
		} else {
			schedule(f, slot, f->now - TICK + random_below(&seed, 2000 * TICK));
		}
	}
	f->now += 5000 * TICK;
	pop_all(f);
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		assert_int_equal(f->due[slot], UINT64_MAX);
	assert_int_equal(f->wheel.scheduled, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_scheduled_is_never_due, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slot_is_due_once_and_not_early, setup, teardown),
		cmocka_unit_test_setup_teardown(test_earlier_time_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancelled_slot_is_not_due, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overdue_slot_is_due_when_the_tick_is_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_hastened_is_due_at_once_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_hastened_comes_behind_ticks_that_are_over, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_time_beyond_a_round_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_sleep_loses_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slot_popped_in_a_loop_can_be_scheduled_for_now, setup, teardown),
		cmocka_unit_test_setup_teardown(test_next_is_never_later_than_what_is_due, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random_life_matches_a_plain_list, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
