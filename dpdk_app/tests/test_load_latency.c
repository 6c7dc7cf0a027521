// SPDX-License-Identifier: BSD-3-Clause
// test_load_latency.c: round trips fall into the buckets of an HdrHistogram with 3 significant digits.

#include "unit.h"

#include "load/latency.h"

static void known_values_have_the_buckets_that_hdrhistogram_gives_them(void **state UNUSED)
{
	// Value, its bucket, and the highest value that is counted there.
	static const uint64_t known[][3] = {
		{0, 0, 0},
		{1, 1, 1},
		{2047, 2047, 2047},
		{2048, 2048, 2049},
		{2049, 2048, 2049},
		{4095, 3071, 4095},
		{4096, 3072, 4099},
		{1000000, 11169, 1000447},
		{123456789, 18267, 123469823},
		{3600000000000, 33420, 3601330077695},
		{4398046511103, 33791, 4398046511103},
	};

	for (unsigned i = 0; i < COUNT(known); i++) {
		assert_int_equal(latency_bucket(known[i][0]), known[i][1]);
		assert_true(pg_load_latency_ns((unsigned)known[i][1]) == known[i][2]);
	}
}

static void every_bucket_ends_where_the_next_begins(void **state UNUSED)
{
	for (unsigned i = 0; i < PG_LOAD_LATENCY_BUCKETS - 1; i++) {
		assert_int_equal(latency_bucket(pg_load_latency_ns(i)), i);
		assert_int_equal(latency_bucket(pg_load_latency_ns(i) + 1), i + 1);
	}
}

static void what_is_too_long_falls_into_the_last_bucket(void **state UNUSED)
{
	assert_int_equal(latency_bucket(4398046511104), PG_LOAD_LATENCY_BUCKETS - 1);
	assert_int_equal(latency_bucket(UINT64_MAX), PG_LOAD_LATENCY_BUCKETS - 1);
	assert_true(pg_load_latency_ns(PG_LOAD_LATENCY_BUCKETS) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values_have_the_buckets_that_hdrhistogram_gives_them),
		cmocka_unit_test(every_bucket_ends_where_the_next_begins),
		cmocka_unit_test(what_is_too_long_falls_into_the_last_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
