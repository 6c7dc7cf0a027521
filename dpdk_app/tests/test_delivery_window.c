// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_window.c: how much is on its way at once, and how soon after each other datagrams leave.

#include "unit.h"

#include "sender.h"

/// Fill and acknowledge until nothing more leaves.
/// @return messages that left
static uint32_t run_out(uint64_t now)
{
	uint32_t sent = 0;

	while (delivery_due(&ingress.c) <= now) {
		fill(now);
		sent += count();
		assert_uint_in_range(packet.length, 1, ingress.room);
	}
	return sent;
}

static void test_at_most_256_ids_of_a_channel_are_on_their_way(UNUSED void **state)
{
	for (uint32_t i = 0; i < 300; i++)
		assert_int_equal(reliable(2, 4, T), PG_LOSS_NONE);
	assert_int_equal(run_out(T), 4 * 50);
	acknowledge(4, 0x3, T);                // not the first
	assert_int_equal(run_out(T), 50 + 56); // up to 255, and what was overtaken
	acknowledge(ingress.counter, UINT32_MAX, T);
	assert_int_equal(run_out(T), 44);
}

static void test_at_first_four_datagrams_are_on_their_way(UNUSED void **state)
{
	for (uint32_t i = 0; i < 40; i++)
		reliable((uint8_t)(i % 3), 458, T);
	assert_int_equal(run_out(T), 8);
	inventory(PRIORITY_URGENT, 7, 10, T); // is not held up
	assert_int_equal(run_out(T), 1);
	acknowledge(4, 0x7, T + 10 * TALK_MS);
	assert_int_equal(run_out(T + 10 * TALK_MS), 8); // four at once, of eight
	assert_int_equal(run_out(T + 20 * TALK_MS), 8); // and the others within the round trip
}

/// A window of 32 in a round trip of 40 ms: one leaves each millisecond.
static uint64_t open_window(void)
{
	uint64_t now = T;

	for (unsigned round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < 80; i++)
			reliable((uint8_t)(i % 3), 458, now);
		while (delivery_due(&ingress.c) <= now + 39 * TALK_MS) {
			const uint64_t due = delivery_due(&ingress.c);

			run_out(due > now ? due : now);
		}
		now += 40 * TALK_MS;
		acknowledge(ingress.counter - 32, UINT32_MAX, now);
		acknowledge(ingress.counter, UINT32_MAX, now);
	}
	return now;
}

static void test_what_would_have_left_since_the_sender_looked_leaves_at_once_ten_datagrams_at_most(UNUSED void **state)
{
	const uint64_t now = open_window();

	run_out(now);
	assert_int_equal(congestion_window(&ingress.c.out.congestion), CONGESTION_MOST);
	for (uint32_t i = 0; i < 80; i++)
		reliable((uint8_t)(i % 3), 458, now);
	assert_int_equal(run_out(now + 10 * TALK_MS), 2 * CONGESTION_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ingress_test(test_at_most_256_ids_of_a_channel_are_on_their_way),
		ingress_test(test_at_first_four_datagrams_are_on_their_way),
		ingress_test(test_what_would_have_left_since_the_sender_looked_leaves_at_once_ten_datagrams_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
