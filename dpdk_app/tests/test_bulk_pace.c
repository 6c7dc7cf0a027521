// SPDX-License-Identifier: BSD-3-Clause
// test_bulk_pace.c: how soon after each other datagrams with bulk leave, by the queue that they see.

#include "unit.h"

#include "delivery/bulk_pace.h"

#define MS 1000U // of the clock here, in its cycles
#define T (1000000ULL * MS)
#define FREE_MS 50 // the round trip while no queue stands

struct path {
	struct round_trip round_trip;
	struct bulk_pace bulk;
	uint64_t now;
};

/// A datagram with bulk leaves, and its round trip takes so long.
static void sample(struct path *path, unsigned ms)
{
	const uint64_t sent = path->now;

	bulk_leaves(&path->bulk, &path->round_trip, sent, sent, MS);
	path->now += (uint64_t)ms * MS;
	round_trip_sample(&path->round_trip, (uint64_t)ms * MS, 0, MS, path->now);
	bulk_sample(&path->bulk, &path->round_trip, sent, path->now, MS);
}

static uint64_t interval_ms(const struct path *path)
{
	return bulk_interval_us(&path->bulk, &path->round_trip) / 1000;
}

static unsigned grown(unsigned pace)
{
	return pace + 2 + pace / 32;
}

/// So many parts in a round trip, by a path that has seen a queue.
static struct path steady(uint16_t pace)
{
	struct path path = {.now = T};

	sample(&path, FREE_MS);
	path.bulk.pace = pace;
	path.bulk.steady = true;
	return path;
}

static void test_nothing_that_left_is_waited_for_at_first(UNUSED void **state)
{
	const struct path path = {.now = T};

	assert_int_equal(bulk_leaves_from(&path.bulk, &path.round_trip, MS), 0);
}

static void test_while_nothing_is_measured_one_leaves_each_200_ms(UNUSED void **state)
{
	struct path path = {.bulk.left = T};

	assert_int_equal(bulk_leaves_from(&path.bulk, &path.round_trip, MS), T + 200 * MS);
}

static void test_the_pace_doubles_until_a_queue_is_seen(UNUSED void **state)
{
	struct path path = {.now = T};

	for (unsigned i = 1; i <= 5; i++) {
		sample(&path, FREE_MS);
		if (i > 1) // the first one to see the pace left too early to see all of it
			sample(&path, FREE_MS);
		assert_int_equal(path.bulk.pace, BULK_FIRST << i);
	}
	assert_int_equal(interval_ms(&path), FREE_MS / 8);
	sample(&path, FREE_MS + 11);
	assert_int_equal(path.bulk.pace, grown(BULK_FIRST << 5));
	sample(&path, FREE_MS);
	assert_int_equal(path.bulk.pace, grown(grown(BULK_FIRST << 5)));
}

static void test_a_loss_ends_the_doubling(UNUSED void **state)
{
	struct path path = {.now = T};

	bulk_lost(&path.bulk);
	sample(&path, FREE_MS);
	assert_int_equal(path.bulk.pace, grown(BULK_FIRST));
}

static void test_the_pace_is_halved_by_an_excess_twice_in_a_row_or_once_by_twice_as_much(UNUSED void **state)
{
	struct path path = steady(BULK_PARTS);

	sample(&path, FREE_MS + 21);
	assert_int_equal(path.bulk.pace, BULK_PARTS);
	sample(&path, FREE_MS + 21);
	assert_int_equal(path.bulk.pace, BULK_PARTS / 2);
	sample(&path, FREE_MS + 41);
	assert_int_equal(path.bulk.pace, BULK_PARTS / 4);
}

static void test_an_excess_that_is_over_is_forgotten(UNUSED void **state)
{
	struct path path = steady(BULK_PARTS);

	sample(&path, FREE_MS + 21);
	sample(&path, FREE_MS);
	sample(&path, FREE_MS + 21);
	assert_int_equal(path.bulk.pace, grown(BULK_PARTS));
}

static void test_what_left_before_the_pace_was_halved_says_nothing_of_it(UNUSED void **state)
{
	struct path path = steady(BULK_PARTS);
	const uint64_t sent = path.now;

	sample(&path, FREE_MS + 41);
	round_trip_sample(&path.round_trip, 100 * MS, 0, MS, path.now);
	bulk_sample(&path.bulk, &path.round_trip, sent, path.now, MS);
	assert_int_equal(path.bulk.pace, BULK_PARTS / 2);
}

/// Of several that left at once, one makes the pace grow; that it was too fast already the last ones show.
static void test_what_left_before_the_pace_grew_makes_it_grow_no_more_but_may_halve_it(UNUSED void **state)
{
	struct path path = steady(BULK_PARTS);
	const uint64_t sent = path.now;

	sample(&path, FREE_MS);
	bulk_sample(&path.bulk, &path.round_trip, sent, path.now, MS);
	assert_int_equal(path.bulk.pace, grown(BULK_PARTS));
	round_trip_sample(&path.round_trip, (FREE_MS + 41) * MS, 0, MS, path.now);
	bulk_sample(&path.bulk, &path.round_trip, sent, path.now, MS);
	assert_int_equal(path.bulk.pace, grown(BULK_PARTS) / 2);
	bulk_sample(&path.bulk, &path.round_trip, sent, path.now, MS);
	assert_int_equal(path.bulk.pace, grown(BULK_PARTS) / 2);
}

/// Of a sender that looks so long after the last one left, with all that it may send waiting.
static unsigned leave_at_once(struct path *path, unsigned ms)
{
	unsigned left = 0;

	path->now += (uint64_t)ms * MS;
	for (uint64_t from; (from = bulk_leaves_from(&path->bulk, &path->round_trip, MS)) <= path->now; left++)
		bulk_leaves(&path->bulk, &path->round_trip, from, path->now, MS);
	return left;
}

static void test_what_was_due_since_the_sender_looked_leaves_at_once_ten_at_most(UNUSED void **state)
{
	struct path path = steady(10 * BULK_PARTS); // one each 5 ms

	leave_at_once(&path, 1000);
	assert_int_equal(leave_at_once(&path, 4), 0);
	assert_int_equal(leave_at_once(&path, 1), 1);
	assert_int_equal(leave_at_once(&path, 17), 3);
	assert_int_equal(leave_at_once(&path, 3), 1); // and what is left of 17 counts
	assert_int_equal(leave_at_once(&path, 500), CONGESTION_BURST);
}

static void test_what_was_due_longer_ago_leaves_as_if_it_were_new(UNUSED void **state)
{
	struct path path = steady(BULK_PARTS * 5 / 2); // one each 20 ms

	leave_at_once(&path, 1000);
	assert_int_equal(leave_at_once(&path, 500), 3); // of the last 50 ms
}

static void test_what_begins_to_wait_leaves_at_the_pace(UNUSED void **state)
{
	struct path path = steady(10 * BULK_PARTS);

	path.now += 500 * MS;
	bulk_leaves(&path.bulk, &path.round_trip, path.now, path.now, MS); // due since now
	assert_int_equal(leave_at_once(&path, 4), 0);
}

static void test_a_pace_that_is_not_used_does_not_grow(UNUSED void **state)
{
	struct path path = steady(BULK_PARTS);

	sample(&path, FREE_MS);
	path.now += 100 * MS;
	bulk_sample(&path.bulk, &path.round_trip, path.now, path.now, MS);
	assert_int_equal(path.bulk.pace, grown(BULK_PARTS));
}

static void test_the_pace_has_a_least_and_a_most(UNUSED void **state)
{
	struct path path = steady(2);

	for (unsigned i = 0; i < 5; i++)
		sample(&path, FREE_MS + 41);
	assert_int_equal(path.bulk.pace, 1);
	for (unsigned i = 0; i < 200; i++)
		sample(&path, FREE_MS);
	assert_int_equal(path.bulk.pace, BULK_MOST);
}

static void test_no_interval_is_longer_than_four_round_trips_within_200_ms_and_a_second(UNUSED void **state)
{
	static const struct {
		uint32_t round_trip_ms;
		uint64_t interval_ms;
	} cases[] = {{1, 64}, {10, 200}, {50, 200}, {100, 400}, {250, 1000}, {3000, 1000}};

	for (unsigned i = 0; i < COUNT(cases); i++) {
		const struct path path = {.round_trip.latest_us = cases[i].round_trip_ms * 1000, .bulk.pace = 1};

		assert_int_equal(interval_ms(&path), cases[i].interval_ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_that_left_is_waited_for_at_first),
		cmocka_unit_test(test_while_nothing_is_measured_one_leaves_each_200_ms),
		cmocka_unit_test(test_the_pace_doubles_until_a_queue_is_seen),
		cmocka_unit_test(test_a_loss_ends_the_doubling),
		cmocka_unit_test(test_the_pace_is_halved_by_an_excess_twice_in_a_row_or_once_by_twice_as_much),
		cmocka_unit_test(test_an_excess_that_is_over_is_forgotten),
		cmocka_unit_test(test_what_left_before_the_pace_was_halved_says_nothing_of_it),
		cmocka_unit_test(test_what_left_before_the_pace_grew_makes_it_grow_no_more_but_may_halve_it),
		cmocka_unit_test(test_what_was_due_since_the_sender_looked_leaves_at_once_ten_at_most),
		cmocka_unit_test(test_what_was_due_longer_ago_leaves_as_if_it_were_new),
		cmocka_unit_test(test_what_begins_to_wait_leaves_at_the_pace),
		cmocka_unit_test(test_a_pace_that_is_not_used_does_not_grow),
		cmocka_unit_test(test_the_pace_has_a_least_and_a_most),
		cmocka_unit_test(test_no_interval_is_longer_than_four_round_trips_within_200_ms_and_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
