// SPDX-License-Identifier: BSD-3-Clause
// test_load_pace.c: how many messages a rate makes, and when each is due.

#include "unit.h"

#include "load/pace.h"

#define HZ 1000000000ULL // a cycle is a nanosecond
#define MS 1000000ULL

static void a_steady_rate_makes_exactly_rate_times_duration_messages(void **state UNUSED)
{
	static const struct {
		double pps;
		uint64_t ns, total;
	} known[] = {
		{1000, SECOND_NS, 1000},
		{0.1, 30 * SECOND_NS, 3},
		{300000, SECOND_NS / 10, 30000},
		{2.5, SECOND_NS, 3},
		{1, SECOND_NS / 2, 1},
		{60 * 5000, 60 * SECOND_NS, 18000000},
		{0, SECOND_NS, 0},
		{1e7 / 3, 3 * SECOND_NS, 10000000},
	};

	for (unsigned i = 0; i < COUNT(known); i++) {
		struct pace pace;

		pace_init(&pace, known[i].pps, known[i].pps, known[i].ns, HZ);
		assert_true(pace.total == known[i].total);
	}
}

static void a_steady_rate_sends_at_equal_distances_from_the_first_moment_on(void **state UNUSED)
{
	struct pace pace;

	pace_init(&pace, 1000, 1000, SECOND_NS, HZ);
	for (uint64_t n = 0; n < 1000; n++)
		assert_int_equal(pace_due(&pace, n), n * MS);
}

static void no_error_adds_up_over_an_hour(void **state UNUSED)
{
	struct pace pace;

	pace_init(&pace, 3000000, 3000000, 3600 * SECOND_NS, 2600000000);
	assert_true(pace.total == 10800000000ULL);
	assert_true(pace_due(&pace, pace.total) / 2600 == 3600ULL * 1000000); // µs
}

static void a_ramp_makes_as_many_messages_as_its_mean_rate(void **state UNUSED)
{
	struct pace pace;

	pace_init(&pace, 0, 2000, SECOND_NS, HZ);
	assert_int_equal(pace.total, 1000);
	pace_init(&pace, 5000, 1000, 2 * SECOND_NS, HZ);
	assert_int_equal(pace.total, 6000);
}

/// After a part x of a ramp from a to b over 1 s, a*x + (b-a)*x*x/2 messages were due.
static void check_ramp(double a, double b)
{
	struct pace pace;
	uint64_t last = 0;

	pace_init(&pace, a, b, SECOND_NS, HZ);
	assert_int_equal(pace_due(&pace, 0), 0);
	for (uint64_t n = 1; n < pace.total; n++) {
		const uint64_t due = pace_due(&pace, n);
		const double x = (double)due / (double)SECOND_NS, messages = a * x + (b - a) * x * x / 2;

		assert_true(due >= last && due < SECOND_NS);
		assert_true(messages > (double)n - 0.01 && messages < (double)n + 0.01);
		last = due;
	}
}

static void messages_of_a_ramp_are_due_when_the_integral_of_the_rate_says(void **state UNUSED)
{
	check_ramp(0, 10000);
	check_ramp(10000, 0);
	check_ramp(1000, 50000);
	check_ramp(50000, 49999);
}

static void within_a_millisecond_only_what_is_due_in_it(void **state UNUSED)
{
	struct pace pace;
	uint64_t n = 0;

	pace_init(&pace, 64000, 64000, SECOND_NS, HZ);
	for (uint64_t ms = 0; ms < 1000; ms++) {
		const uint64_t before = n;

		while (n < pace.total && pace_due(&pace, n) < (ms + 1) * MS)
			n++;
		assert_int_equal(n - before, 64);
	}
	assert_true(n == pace.total);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_rate_makes_exactly_rate_times_duration_messages),
		cmocka_unit_test(a_steady_rate_sends_at_equal_distances_from_the_first_moment_on),
		cmocka_unit_test(no_error_adds_up_over_an_hour),
		cmocka_unit_test(a_ramp_makes_as_many_messages_as_its_mean_rate),
		cmocka_unit_test(messages_of_a_ramp_are_due_when_the_integral_of_the_rate_says),
		cmocka_unit_test(within_a_millisecond_only_what_is_due_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
