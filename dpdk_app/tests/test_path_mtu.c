// SPDX-License-Identifier: BSD-3-Clause
// test_path_mtu.c: how long datagrams are: black holes, searches, what moves.

#include "unit.h"

#include "sender.h"

#define S (1000 * TALK_MS)
#define ROUND_TRIP (20 * TALK_MS)

/// What becomes of datagrams of more than `carries` bytes: nothing. Of others: they are acknowledged, one round trip later.
static uint16_t carries;
static uint16_t longest;
static uint32_t probes;
static uint32_t came[4096]; // counters that wait to be acknowledged
static uint64_t came_at[4096];
static unsigned came_first, came_last;

static uint16_t bytes(void)
{
	return packet.probe != 0 ? packet.probe : (uint16_t)(packet.length + SESSION_DATA_MIN);
}

static void leaves(uint64_t now)
{
	fill(now);
	probes += packet.probe != 0;
	longest = bytes() > longest && packet.probe == 0 ? bytes() : longest;
	if (bytes() > carries || (packet.length == 0 && packet.probe == 0))
		return;
	assert_true(came_last < 4096);
	came[came_last] = packet.counter;
	came_at[came_last++] = now + ROUND_TRIP;
}

static void acknowledge_what_came(uint64_t now)
{
	for (; came_first < came_last && came_at[came_first] <= now; came_first++) {
		const uint32_t newest = came[came_first];
		uint32_t bits = 0;

		for (unsigned i = 0; i < came_first; i++)
			if (newest - came[i] <= 32)
				bits |= 1U << (newest - came[i] - 1);
		acknowledge(newest, bits, now);
	}
}

/// Until then, by milliseconds.
static uint64_t run(uint64_t from, uint64_t until)
{
	for (uint64_t now = from; now < until; now += TALK_MS) {
		acknowledge_what_came(now);
		for (unsigned n = 0; delivery_due(&ingress.c) <= now; n++) {
			assert_true(n < 100);
			leaves(now);
		}
	}
	return until;
}

static int begin(void **state)
{
	carries = 1400;
	longest = 0;
	probes = 0;
	came_first = came_last = 0;
	return open_ingress(state);
}

#define path_test(name) cmocka_unit_test_setup_teardown(name, begin, close_ingress)

static void test_a_bulk_under_way_arrives_where_the_path_begins_to_swallow_long_datagrams(UNUSED void **state)
{
	uint64_t now = T;

	assert_int_equal(reliable(2, 65536, now), PG_LOSS_NONE);
	now = run(now, now + 30 * TALK_MS);
	assert_int_equal(longest, 2 * (458 + 4 + 6) + SESSION_DATA_MIN); // two pieces
	carries = 600;
	(void)run(now, now + 60 * S);
	assert_int_equal(delivery_undelivered(&ingress.c), 0);
	assert_int_equal(delivery_carries(&ingress.c), 508);
}

static void test_a_hole_is_found_while_shorter_ones_are_acknowledged(UNUSED void **state)
{
	uint64_t now = T;
	unsigned lost = 0;

	carries = 600;
	for (unsigned i = 0; delivery_carries(&ingress.c) != 508; i++) {
		assert_true(i < 100);
		if (i % 10 == 0)
			lost += inventory(PRIORITY_URGENT, 1, 900, now) == PG_LOSS_NONE;
		else
			assert_int_equal(reliable(3, 20, now), PG_LOSS_NONE);
		now = run(now, now + 16 * TALK_MS);
	}
	assert_int_equal(lost, 3);
	assert_int_equal(inventory(PRIORITY_URGENT, 1, 900, now), PG_LOSS_TOO_LONG);
}

static void test_losses_that_are_not_in_a_row_are_no_hole(UNUSED void **state)
{
	uint64_t now = T;

	for (unsigned i = 0; i < 100; i++) {
		carries = i % 3 != 2 ? 600 : 1400;
		assert_int_equal(inventory(PRIORITY_URGENT, 1, 900, now), PG_LOSS_NONE);
		now = run(now, now + 30 * TALK_MS);
		carries = 1400;
		assert_int_equal(reliable(3, 20, now), PG_LOSS_NONE);
		now = run(now, now + 30 * TALK_MS);
	}
	assert_int_equal(delivery_carries(&ingress.c), 1400);
}

static void test_losses_of_short_ones_are_no_hole(UNUSED void **state)
{
	uint64_t now = T;

	assert_int_equal(reliable(1, 300, now), PG_LOSS_NONE);
	carries = 0;
	now = run(now, now + 20 * S);
	carries = 1400;
	run(now, now + 5 * S);
	assert_int_equal(delivery_undelivered(&ingress.c), 0);
	assert_int_equal(longest, 300 + 6 + SESSION_DATA_MIN);
	assert_int_equal(delivery_carries(&ingress.c), 1400);
	assert_int_equal(probes, 0);
}

static void test_after_an_outage_the_path_carries_what_it_did(UNUSED void **state)
{
	uint64_t now = T;

	assert_int_equal(reliable(2, 3000, now), PG_LOSS_NONE);
	carries = 0;
	now = run(now, now + 5 * S);
	assert_int_equal(delivery_carries(&ingress.c), 508); // by two timeouts
	carries = 1400;
	run(now, now + 5 * S);
	assert_int_equal(delivery_undelivered(&ingress.c), 0);
	assert_int_equal(delivery_carries(&ingress.c), 1400);
	assert_true(delivery_quiet(&ingress.c));
}

static void test_what_is_not_reliable_and_fits_no_more_is_lost_and_counted(UNUSED void **state)
{
	assert_int_equal(inventory(PRIORITY_NORMAL, 1, 900, T), PG_LOSS_NONE);
	assert_int_equal(inventory(PRIORITY_NORMAL, 2, 100, T), PG_LOSS_NONE);
	delivery_moved(&ingress.ctx, &ingress.c, T);
	assert_int_equal(ingress.stats.lost[PG_LOSS_TOO_LONG], 1);
	run(T, T + S);
	assert_int_equal(longest, 100 + 4 + SESSION_DATA_MIN);
	assert_int_equal(delivery_undelivered(&ingress.c), 0);
}

static void test_after_a_move_the_path_carries_the_least_until_a_search_says_more(UNUSED void **state)
{
	uint64_t now = T;

	carries = 1300;
	assert_int_equal(reliable(2, 20000, now), PG_LOSS_NONE);
	now = run(now, now + 25 * TALK_MS);
	longest = 0;
	delivery_moved(&ingress.ctx, &ingress.c, now);
	now = run(now, now + 2 * S);
	assert_int_equal(delivery_undelivered(&ingress.c), 0);
	assert_int_equal(longest, 468 + SESSION_DATA_MIN);
	assert_int_equal(delivery_carries(&ingress.c), 1232);
	assert_int_equal(reliable(2, 20000, now), PG_LOSS_NONE);
	run(now, now + S);
	assert_in_range(longest, 509, 1232);
}

static void test_probes_leave_three_of_a_size_a_second_apart_and_again_after_ten_minutes(UNUSED void **state)
{
	uint64_t now = T;

	carries = 1100;
	delivery_moved(&ingress.ctx, &ingress.c, now);
	now = run(now, now + 100 * TALK_MS);
	assert_int_equal(delivery_carries(&ingress.c), 1000);
	assert_int_equal(probes, 2);
	now = run(now, now + S);
	assert_int_equal(probes, 3);
	now = run(now, now + S);
	assert_int_equal(probes, 4);
	now = run(now, now + 100 * S);
	assert_int_equal(probes, 4);
	assert_true(delivery_quiet(&ingress.c)); // the fast lane takes its movements
	delivery_search(&ingress.ctx, &ingress.c, now);
	assert_true(delivery_quiet(&ingress.c));
	now += 502 * S;
	delivery_search(&ingress.ctx, &ingress.c, now);
	carries = 1400;
	run(now, now + S);
	assert_int_equal(probes, 6);
	assert_int_equal(delivery_carries(&ingress.c), 1400);
	assert_true(delivery_quiet(&ingress.c));
}

static void test_a_probe_is_not_repeated_at_once_where_the_round_trip_is_longer_than_a_second(UNUSED void **state)
{
	assert_int_equal(reliable(0, 10, T), PG_LOSS_NONE);
	fill(T);
	acknowledge(packet.counter, 0, T + 3 * S);
	delivery_moved(&ingress.ctx, &ingress.c, T + 3 * S);
	assert_int_equal(reliable(0, 10, T + 3 * S), PG_LOSS_NONE);
	fill(T + 3 * S);
	acknowledge(packet.counter, 0, T + 6 * S);
	fill(T + 6 * S);
	assert_int_equal(packet.probe, 1000);
	assert_true(delivery_due(&ingress.c) > T + 9 * S);
	acknowledge(packet.counter, 0, T + 9 * S);
	assert_int_equal(delivery_carries(&ingress.c), 1000);
}

static void test_nothing_that_was_not_probed_is_proved(UNUSED void **state)
{
	delivery_moved(&ingress.ctx, &ingress.c, T);
	fill(T);
	assert_int_equal(packet.probe, 1000);
	acknowledge(packet.counter + 1, 0, T + TALK_MS); // was not sent: says nothing
	acknowledge(0, UINT32_MAX, T + TALK_MS);
	assert_int_equal(delivery_carries(&ingress.c), 508);
	acknowledge(packet.counter, 0, T + TALK_MS);
	acknowledge(packet.counter, 0, T + TALK_MS); // once
	assert_int_equal(delivery_carries(&ingress.c), 1000);
}

static void test_a_probe_of_the_path_before_proves_nothing_of_the_next(UNUSED void **state)
{
	delivery_moved(&ingress.ctx, &ingress.c, T);
	fill(T);
	delivery_moved(&ingress.ctx, &ingress.c, T + TALK_MS);
	acknowledge(packet.counter, 0, T + 2 * TALK_MS);
	assert_int_equal(delivery_carries(&ingress.c), 508);
}

static void test_what_never_is_to_be_longer_is_not_searched_for(UNUSED void **state)
{
	ingress.ctx.datagram_max = 1100;
	delivery_moved(&ingress.ctx, &ingress.c, T);
	run(T, T + S);
	assert_int_equal(delivery_carries(&ingress.c), 1100);
	assert_int_equal(probes, 2); // 1,000 and that
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		path_test(test_a_bulk_under_way_arrives_where_the_path_begins_to_swallow_long_datagrams),
		path_test(test_a_hole_is_found_while_shorter_ones_are_acknowledged),
		path_test(test_losses_that_are_not_in_a_row_are_no_hole),
		path_test(test_losses_of_short_ones_are_no_hole),
		path_test(test_after_an_outage_the_path_carries_what_it_did),
		path_test(test_what_is_not_reliable_and_fits_no_more_is_lost_and_counted),
		path_test(test_after_a_move_the_path_carries_the_least_until_a_search_says_more),
		path_test(test_probes_leave_three_of_a_size_a_second_apart_and_again_after_ten_minutes),
		path_test(test_a_probe_is_not_repeated_at_once_where_the_round_trip_is_longer_than_a_second),
		path_test(test_nothing_that_was_not_probed_is_proved),
		path_test(test_a_probe_of_the_path_before_proves_nothing_of_the_next),
		path_test(test_what_never_is_to_be_longer_is_not_searched_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
