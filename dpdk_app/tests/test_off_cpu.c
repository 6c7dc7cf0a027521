// SPDX-License-Identifier: BSD-3-Clause
// Time that a thread did not have its CPU is told from time in which it worked.

#include "unit.h"

#include <time.h>

#include "pollgate.h"
#include "stats/off_cpu.h"

#define MS 1000000ULL

static uint64_t cycles_of_ms(uint64_t ms)
{
	return ms * (pg_tsc_hz() / 1000);
}

/// Work until the thread had so much CPU time, however long that takes.
static void work(uint64_t ms)
{
	struct timespec had;
	uint64_t until = 0;

	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &had);
		if (until == 0)
			until = (uint64_t)had.tv_sec * 1000 * MS + (uint64_t)had.tv_nsec + ms * MS;
	} while ((uint64_t)had.tv_sec * 1000 * MS + (uint64_t)had.tv_nsec < until);
}

/// To be kept from the CPU is, to the clock of a thread, the same as to sleep.
static void be_kept(uint64_t ms)
{
	const struct timespec pause = {.tv_nsec = (long)(ms * MS)};

	nanosleep(&pause, NULL);
}

static void work_is_no_absence(void **state)
{
	struct off_cpu o;
	uint64_t began, took;

	(void)state;
	off_cpu_begin(&o, pg_tsc_hz());
	began = pg_tsc();
	work(20);
	took = pg_tsc() - began;
	// However busy the machine is: what is left is the work, not more and not less.
	took -= off_cpu_part(&o, 0, took);
	assert_uint_in_range(took, cycles_of_ms(19), cycles_of_ms(25));
}

static void absence_is_taken_from_a_turn_with_work(void **state)
{
	struct off_cpu o;
	uint64_t began, took, off;

	(void)state;
	off_cpu_begin(&o, pg_tsc_hz());
	began = pg_tsc();
	work(5);
	be_kept(50);
	work(5);
	took = pg_tsc() - began;
	off = off_cpu_part(&o, o.turn_mark, took);
	assert_true(off >= cycles_of_ms(49));
	assert_uint_in_range(took - off, cycles_of_ms(9), cycles_of_ms(15));
}

static void a_short_turn_is_not_asked_about(void **state)
{
	struct off_cpu o;
	uint64_t asked_at;

	(void)state;
	off_cpu_begin(&o, pg_tsc_hz());
	asked_at = o.asked_at;
	assert_int_equal(off_cpu_part(&o, 0, o.ask_after), 0);
	assert_int_equal(o.asked_at, asked_at);
}

static void a_turn_is_charged_with_no_more_than_itself(void **state)
{
	struct off_cpu o;

	(void)state;
	off_cpu_begin(&o, pg_tsc_hz());
	be_kept(20); // in turns that were too short to be asked about
	assert_int_equal(off_cpu_part(&o, o.turn_mark, o.ask_after + 1), o.ask_after + 1);
}

static void a_sleep_of_its_own_is_not_taken_from_what_follows(void **state)
{
	struct off_cpu o;
	uint64_t began, took;

	(void)state;
	off_cpu_begin(&o, pg_tsc_hz());
	be_kept(50);
	off_cpu_skip(&o);
	began = pg_tsc();
	work(20);
	took = pg_tsc() - began;
	took -= off_cpu_part(&o, 0, took);
	assert_uint_in_range(took, cycles_of_ms(19), cycles_of_ms(25));
}

static void a_sleep_after_many_short_ones_is_told_from_work_as_well(void **state)
{
	const struct timespec pause = {.tv_nsec = 60000};
	struct off_cpu o;
	uint64_t began, took;

	(void)state;
	off_cpu_begin(&o, pg_tsc_hz());
	for (unsigned i = 0; i < 1000; i++) {
		began = pg_tsc();
		nanosleep(&pause, NULL);
		off_cpu_slept(&o, pg_tsc() - began, pg_tsc());
	}
	began = pg_tsc();
	work(5);
	be_kept(50);
	took = pg_tsc() - began;
	took -= off_cpu_part(&o, o.total, took);
	assert_uint_in_range(took, cycles_of_ms(4), cycles_of_ms(9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_is_no_absence),
		cmocka_unit_test(absence_is_taken_from_a_turn_with_work),
		cmocka_unit_test(a_short_turn_is_not_asked_about),
		cmocka_unit_test(a_turn_is_charged_with_no_more_than_itself),
		cmocka_unit_test(a_sleep_of_its_own_is_not_taken_from_what_follows),
		cmocka_unit_test(a_sleep_after_many_short_ones_is_told_from_work_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
