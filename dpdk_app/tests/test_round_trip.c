// SPDX-License-Identifier: BSD-3-Clause
// test_round_trip.c: which acknowledgements are samples of the round trip, and of how much.

#include "unit.h"

#include "sender.h"

#define UNITS_OF_10_MS 160U // of ack_delay

/// Say something reliable that leaves in a datagram of its own now.
static uint32_t leave(uint64_t now)
{
	assert_int_equal(reliable(0, 10, now), PG_LOSS_NONE);
	fill(now + 5 * TALK_MS);
	return packet.counter;
}

static uint64_t smoothed_ms(void)
{
	return (ingress.c.out.round_trip.smoothed + TALK_MS / 2) / TALK_MS;
}

static void test_what_the_peer_waited_is_no_part_of_the_round_trip(UNUSED void **state)
{
	uint64_t now = T;

	acknowledge_after(leave(now), 0, now + 55 * TALK_MS);
	assert_int_equal(smoothed_ms(), 50);
	for (unsigned waited = 0; waited <= 2; waited++) {
		now += 1000 * TALK_MS;
		acknowledge_after(leave(now), (uint16_t)(waited * UNITS_OF_10_MS), now + (55 + 10 * waited) * TALK_MS);
		assert_int_equal(smoothed_ms(), 50);
	}
}

/// A game looks once in a while: the path is as before, and its acknowledgements come later.
static void test_what_the_peer_waited_longer_than_it_may_is_part_of_the_timeout_alone(UNUSED void **state)
{
	acknowledge_after(leave(T), 0, T + 55 * TALK_MS);
	acknowledge_after(leave(T + 1000 * TALK_MS), 5 * UNITS_OF_10_MS, T + 1105 * TALK_MS);
	assert_int_equal(smoothed_ms(), 53); // 7/8 of 50 and 1/8 of 75
	assert_int_equal(ingress.c.out.round_trip.latest_us / 1000, 50);
}

static void test_what_an_acknowledgement_waited_to_be_read_is_no_part_of_the_round_trip(UNUSED void **state)
{
	ingress.ctx.waited = 30 * TALK_MS;
	acknowledge_after(leave(T), 0, T + 85 * TALK_MS);
	assert_int_equal(smoothed_ms(), 50);
}

static void test_what_may_lie_unread_is_waited_for(UNUSED void **state)
{
	leave(T);
	ingress.ctx.unread_from = T + 204 * TALK_MS; // the timeout is over at 205
	fill(T + 1000 * TALK_MS);
	assert_int_equal(ingress.stats.resent, 0);
	assert_true(delivery_due(&ingress.c) == UINT64_MAX - 1);
	ingress.ctx.unread_from = T + 205 * TALK_MS;
	fill(T + 1000 * TALK_MS);
	assert_int_equal(ingress.stats.resent, 1);
}

static void test_a_delay_that_the_path_leaves_no_room_for_is_not_believed(UNUSED void **state)
{
	acknowledge_after(leave(T), 0, T + 55 * TALK_MS);
	acknowledge_after(leave(T + 1000 * TALK_MS), 20 * UNITS_OF_10_MS, T + 1063 * TALK_MS);
	assert_int_equal(smoothed_ms(), 51); // 7/8 of 50 and 1/8 of 58
}

static void test_a_delay_that_is_not_known_is_no_sample(UNUSED void **state)
{
	acknowledge_after(leave(T), SESSION_ACK_DELAY_UNKNOWN, T + 55 * TALK_MS);
	assert_int_equal(ingress.c.out.round_trip.smoothed, 0);
	assert_true(delivery_quiet(&ingress.c)); // but an acknowledgement
	acknowledge_after(leave(T + 1000 * TALK_MS), 0, T + 1055 * TALK_MS);
	assert_int_equal(smoothed_ms(), 50);
}

static void test_only_the_datagram_that_the_delay_is_of_is_a_sample(UNUSED void **state)
{
	const uint32_t first = leave(T);

	fill(T + 40 * TALK_MS); // nothing but an acknowledgement
	acknowledge(first + 1, 1, T + 80 * TALK_MS);
	assert_int_equal(ingress.c.out.round_trip.smoothed, 0);
	assert_true(delivery_quiet(&ingress.c));
}

static void test_a_datagram_that_was_repeated_too_early_is_a_sample(UNUSED void **state)
{
	const uint32_t first = leave(T);

	fill(T + 205 * TALK_MS); // again
	assert_int_equal(ingress.stats.resent, 1);
	acknowledge(first, 0, T + 305 * TALK_MS);
	assert_int_equal(smoothed_ms(), 300);
}

/// A peer acknowledges datagrams that come together at once, and names the last of them. If that made no sample, a path on which
/// the timeout is too short would never be measured.
static void test_the_last_of_several_that_were_repeated_too_early_is_a_sample(UNUSED void **state)
{
	uint32_t last = 0;

	for (unsigned i = 0; i < 3; i++)
		last = leave(T);
	for (unsigned ms = 205; ms <= 1205; ms += 200)
		fill(T + ms * TALK_MS);
	assert_true(ingress.stats.resent >= 6);
	acknowledge(last, 3, T + 1505 * TALK_MS);
	assert_int_equal(smoothed_ms(), 1500);
}

static void test_what_only_ack_bits_name_is_no_sample_when_it_was_repeated_either(UNUSED void **state)
{
	const uint32_t first = leave(T);

	fill(T + 205 * TALK_MS); // again
	assert_int_equal(ingress.stats.resent, 1);
	fill(T + 210 * TALK_MS); // nothing but an acknowledgement
	acknowledge(packet.counter, 1U << (packet.counter - 1 - first), T + 405 * TALK_MS);
	assert_int_equal(ingress.c.out.round_trip.smoothed, 0);
	assert_true(delivery_quiet(&ingress.c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ingress_test(test_what_the_peer_waited_is_no_part_of_the_round_trip),
		ingress_test(test_what_the_peer_waited_longer_than_it_may_is_part_of_the_timeout_alone),
		ingress_test(test_what_an_acknowledgement_waited_to_be_read_is_no_part_of_the_round_trip),
		ingress_test(test_what_may_lie_unread_is_waited_for),
		ingress_test(test_a_delay_that_the_path_leaves_no_room_for_is_not_believed),
		ingress_test(test_a_delay_that_is_not_known_is_no_sample),
		ingress_test(test_only_the_datagram_that_the_delay_is_of_is_a_sample),
		ingress_test(test_a_datagram_that_was_repeated_too_early_is_a_sample),
		ingress_test(test_the_last_of_several_that_were_repeated_too_early_is_a_sample),
		ingress_test(test_what_only_ack_bits_name_is_no_sample_when_it_was_repeated_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
