// SPDX-License-Identifier: BSD-3-Clause
// test_kernel_drops.c: what the kernel's texts say about full buffers, and which of a socket's drops are put down to them.

#include <stdio.h>
#include <string.h>

#include "engine/socket/kernel_drops.h"
#include "unit.h"

static uint64_t parsed(uint64_t (*parse)(FILE *file), const char *text)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	uint64_t overflows;

	assert_non_null(file);
	overflows = parse(file);
	fclose(file);
	return overflows;
}

static void test_values_stand_below_their_names(UNUSED void **state)
{
	const char *text =
		"Ip: Forwarding DefaultTTL\nIp: 2 64\n"
		"Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors MemErrors\n"
		"Udp: 1 2 3 4 50 6 7 800\n"
		"UdpLite: InDatagrams RcvbufErrors\nUdpLite: 9 9\n";

	assert_int_equal(parsed(snmp_overflows, text), 850);
	assert_int_equal(parsed(snmp_overflows, "Udp: InDatagrams RcvbufErrors\nUdp: 1 4294967299\n"), 4294967299);
	assert_int_equal(parsed(snmp_overflows, "Udp: InDatagrams RcvbufErrors\nUdp: 1\n"), 0);
	assert_int_equal(parsed(snmp_overflows, "Udp: InDatagrams\n"), 0);
	assert_int_equal(parsed(snmp_overflows, "nothing\n"), 0);
}

static void test_values_of_the_other_family_stand_beside_their_names(UNUSED void **state)
{
	const char *text = "Udp6InDatagrams                 \t1\nUdp6RcvbufErrors                \t20\n"
			   "UdpLite6RcvbufErrors            \t300\nUdp6MemErrors                   \t4000\n";

	assert_int_equal(parsed(snmp6_overflows, text), 4020);
	assert_int_equal(parsed(snmp6_overflows, "Udp6RcvbufErrors\n"), 0);
}

static void test_no_more_drops_than_overflows_are_claimed(UNUSED void **state)
{
	struct overflow overflow = {.fresh = 5, .unclaimed = 5};

	assert_int_equal(kernel_drops_claim(&overflow, 3), 3);
	assert_int_equal(kernel_drops_claim(&overflow, 3), 2);
	assert_int_equal(kernel_drops_claim(&overflow, 3), 0);
}

static void test_an_overflow_that_nobody_claims_is_forgotten_after_the_next_round(UNUSED void **state)
{
	struct overflow overflow = {.seen = 100};

	overflow_advance(&overflow, 104);
	assert_int_equal(overflow.unclaimed, 4);
	overflow_advance(&overflow, 105);
	assert_int_equal(overflow.unclaimed, 5);
	overflow_advance(&overflow, 105);
	assert_int_equal(overflow.unclaimed, 1);
	overflow_advance(&overflow, 105);
	assert_int_equal(overflow.unclaimed, 0);
}

static void test_a_count_that_goes_back_adds_nothing(UNUSED void **state)
{
	struct overflow overflow = {.seen = 100};

	overflow_advance(&overflow, 7);
	assert_int_equal(overflow.unclaimed, 0);
	overflow_advance(&overflow, 9);
	assert_int_equal(overflow.unclaimed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_stand_below_their_names),
		cmocka_unit_test(test_values_of_the_other_family_stand_beside_their_names),
		cmocka_unit_test(test_no_more_drops_than_overflows_are_claimed),
		cmocka_unit_test(test_an_overflow_that_nobody_claims_is_forgotten_after_the_next_round),
		cmocka_unit_test(test_a_count_that_goes_back_adds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
