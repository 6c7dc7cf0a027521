// SPDX-License-Identifier: BSD-3-Clause
// test_rate.c: limit/rate.h against a token bucket that counts tokens.

#include "unit.h"

#include "limit/rate.h"
#include "rig.h"

/// A bucket as one would draw it: `burst` tokens, one more per interval; levels in interval fractions, so exact.
struct bucket {
	uint64_t level; // tokens times interval
	uint64_t at;
};

static bool bucket_admit(struct bucket *b, struct rate rate, uint32_t burst, uint64_t now)
{
	const uint64_t full = burst * rate.interval, grown = b->level + (now - b->at);

	b->level = grown < full ? grown : full;
	b->at = now;
	if (b->level < rate.interval)
		return false;
	b->level -= rate.interval;
	return true;
}

static void compare(uint32_t per_second, uint32_t burst, uint32_t gap_max, uint64_t seed)
{
	const struct rate rate = rate_make(per_second, burst, RIG_HZ);
	struct bucket bucket = {.level = burst * rate.interval, .at = RIG_HZ};
	uint64_t conforms_at = 0, now = RIG_HZ;

	for (unsigned i = 0; i < 100000; i++) {
		now += random_below(&seed, gap_max + 1);
		if (rate_admit(&conforms_at, rate, now) != bucket_admit(&bucket, rate, burst, now))
			fail_msg("%u/s, burst %u, gaps to %u: datagram %u differs", per_second, burst, gap_max, i);
	}
}

static void any_rate_admits_exactly_what_a_token_bucket_admits(void **state UNUSED)
{
	static const uint32_t rates[] = {1, 3, 1000, 1000000, 999999937}, bursts[] = {1, 2, 64, 4096};

	for (size_t r = 0; r < COUNT(rates); r++)
		for (size_t b = 0; b < COUNT(bursts); b++) {
			const uint32_t interval = (uint32_t)(RIG_HZ / rates[r]);

			compare(rates[r], bursts[b], interval / 4 + 1, 11);
			compare(rates[r], bursts[b], interval * 2, 13);
			compare(rates[r], bursts[b], 1, 17);
		}
}

static void a_burst_of_one_admits_one_at_a_time(void **state UNUSED)
{
	const struct rate rate = rate_make(1000, 1, RIG_HZ);
	uint64_t conforms_at = 0;

	assert_true(rate_admit(&conforms_at, rate, RIG_HZ));
	assert_false(rate_admit(&conforms_at, rate, RIG_HZ));
	assert_false(rate_admit(&conforms_at, rate, RIG_HZ + 999999));
	assert_true(rate_admit(&conforms_at, rate, RIG_HZ + 1000000));
}

static void a_full_bucket_admits_its_burst_at_once_and_no_more(void **state UNUSED)
{
	const struct rate rate = rate_make(10, 64, RIG_HZ);
	uint64_t conforms_at = 0;
	unsigned admitted = 0;

	for (unsigned i = 0; i < 1000; i++)
		admitted += rate_admit(&conforms_at, rate, RIG_HZ);
	assert_int_equal(admitted, 64);
}

static void refused_datagrams_cost_nothing(void **state UNUSED)
{
	const struct rate rate = rate_make(1000, 1, RIG_HZ);
	uint64_t conforms_at = 0;

	rate_admit(&conforms_at, rate, RIG_HZ);

	const uint64_t before = conforms_at;

	for (unsigned i = 0; i < 1000; i++)
		assert_false(rate_admit(&conforms_at, rate, RIG_HZ));
	assert_int_equal(conforms_at, before);
}

static void several_at_once_are_all_admitted_or_none(void **state UNUSED)
{
	const struct rate rate = rate_make(10, 8, RIG_HZ);
	uint64_t conforms_at = 0;

	assert_true(rate_charge(&conforms_at, rate, 5, RIG_HZ) <= RIG_HZ);

	const uint64_t before = conforms_at;

	assert_int_equal(rate_charge(&conforms_at, rate, 4, RIG_HZ), RIG_HZ + RIG_HZ / 10); // one of them is too many
	assert_int_equal(conforms_at, before);
	assert_true(rate_charge(&conforms_at, rate, 3, RIG_HZ) <= RIG_HZ);
	assert_false(rate_admit(&conforms_at, rate, RIG_HZ));
	assert_int_equal(rate_burst(rate), 8);
	assert_true(rate_charge(&conforms_at, rate, 8, 10 * RIG_HZ) <= 10 * RIG_HZ); // full: as many as it ever holds
	assert_false(rate_admit(&conforms_at, rate, 10 * RIG_HZ));
	assert_int_equal(rate_charge(&conforms_at, rate, 8, 10 * RIG_HZ), 10 * RIG_HZ + 8 * (RIG_HZ / 10));
}

static void zero_per_second_is_no_limit(void **state UNUSED)
{
	const struct rate rate = rate_make(0, 1, RIG_HZ);
	uint64_t conforms_at = 0;

	for (unsigned i = 0; i < 1000; i++)
		assert_true(rate_admit(&conforms_at, rate, 5));
}

static void a_rate_above_the_clock_still_limits(void **state UNUSED)
{
	const struct rate rate = rate_make(UINT32_MAX, 1, RIG_HZ);
	uint64_t conforms_at = 0;

	assert_int_equal(rate.interval, 1);
	assert_true(rate_admit(&conforms_at, rate, 5));
	assert_false(rate_admit(&conforms_at, rate, 5));
}

static void a_bucket_that_a_stricter_rate_emptied_starts_over(void **state UNUSED)
{
	const struct rate strict = rate_make(1, 64, RIG_HZ), generous = rate_make(1000, 8, RIG_HZ);
	uint64_t conforms_at = 0;
	unsigned admitted = 0;

	for (unsigned i = 0; i < 1000; i++)
		rate_admit(&conforms_at, strict, RIG_HZ);
	for (unsigned i = 0; i < 1000; i++)
		admitted += rate_admit(&conforms_at, generous, RIG_HZ);
	assert_int_equal(admitted, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_rate_admits_exactly_what_a_token_bucket_admits),
		cmocka_unit_test(a_burst_of_one_admits_one_at_a_time),
		cmocka_unit_test(a_full_bucket_admits_its_burst_at_once_and_no_more),
		cmocka_unit_test(refused_datagrams_cost_nothing),
		cmocka_unit_test(several_at_once_are_all_admitted_or_none),
		cmocka_unit_test(zero_per_second_is_no_limit),
		cmocka_unit_test(a_rate_above_the_clock_still_limits),
		cmocka_unit_test(a_bucket_that_a_stricter_rate_emptied_starts_over),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
