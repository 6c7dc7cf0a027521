// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_receipts.c: messages until they are acknowledged, are given up or the connection ends; and who is told.

#include "unit.h"

#include <string.h>

#include "delivery/restart.h"
#include "sender.h"

// ---------------------------------------------------------------- repetition

static void test_what_is_not_acknowledged_is_sent_again_later_and_later_and_never_given_up(UNUSED void **state)
{
	const uint64_t first = T + 5 * TALK_MS;
	uint64_t timeout = 200 * TALK_MS, now = first;

	reliable(0, 10, T);
	fill(now);
	for (uint32_t i = 0; i < 100; i++) {
		const uint64_t most = (now > first + 10000 * TALK_MS ? 2000 : 1000) * TALK_MS;

		timeout = timeout < most ? timeout : most;
		assert_int_equal(delivery_due(&ingress.c), now + timeout);
		fill(delivery_due(&ingress.c) - 1);
		assert_int_equal(packet.length, 0);
		fill(now = delivery_due(&ingress.c));
		assert_int_equal(count(), 1);
		assert_int_equal(ingress.stats.resent, i + 1);
		timeout *= 2;
	}
	assert_true(delivery_holds_messages(&ingress.c));
	delivery_end(&ingress.ctx, &ingress.c, PG_LOSS_UNACKNOWLEDGED);
	assert_int_equal(ingress.stats.lost[PG_LOSS_UNACKNOWLEDGED], 1);
}

static void test_an_acknowledgement_of_any_packet_that_carried_it_ends_it(UNUSED void **state)
{
	for (uint32_t which = 0; which < 4; which++) {
		uint64_t counters[4];
		uint64_t now = T;

		reliable(0, 10, now);
		for (uint32_t i = 0; i < 4; i++) {
			fill(now = delivery_due(&ingress.c));
			assert_int_equal(count(), 1);
			counters[i] = packet.counter;
		}
		for (uint32_t i = 0; i < 3; i++)
			fill(now); // with nothing in it
		acknowledge(ingress.counter, 1U << (ingress.counter - 1 - counters[which]), now);
		assert_true(delivery_quiet(&ingress.c));
		assert_false(delivery_holds_messages(&ingress.c));
	}
}

static void test_what_three_later_ones_overtook_is_sent_again_at_once(UNUSED void **state)
{
	reliable(0, 10, T);
	fill(T); // 1
	for (uint32_t i = 0; i < 3; i++) {
		reliable(1, 10, T);
		fill(T); // 2, 3, 4
	}
	acknowledge(2, 0, T + TALK_MS);
	acknowledge(3, 1, T + TALK_MS);
	assert_true(delivery_due(&ingress.c) > T + TALK_MS);
	acknowledge(4, 3, T + TALK_MS);
	assert_true(delivery_due(&ingress.c) <= T + TALK_MS);
	fill(T + TALK_MS);
	assert_int_equal(count(), 1);
	assert_int_equal(ingress.stats.resent, 1);
	acknowledge(1, 0, T + 2 * TALK_MS); // it was only late
	assert_true(delivery_quiet(&ingress.c));
}

static void test_repetitions_are_packed_anew_with_what_waits(UNUSED void **state)
{
	for (uint32_t i = 0; i < 3; i++) {
		reliable(0, 300, T);
		fill(T); // one each
		assert_int_equal(count(), 1);
	}
	reliable(1, 300, T + 100 * TALK_MS);
	fill(T + 200 * TALK_MS);
	assert_int_equal(count(), 4);
}

/// The datagram was refused, until so many milliseconds later.
static void refused(uint64_t counter, uint8_t reason, uint16_t retry_ms, uint64_t now)
{
	const struct session_busy busy = {.counter = (uint32_t)counter, .reason = reason, .retry_ms = retry_ms};
	struct talk_packet from_peer = {.counter = ingress.replay.newest + 1};

	from_peer.length =
		talk_write(from_peer.body, (struct talk_raw){.type = SESSION_BUSY, .body = &busy, .length = 8});
	assert_true(talk_take(&ingress, &from_peer, now));
	ingress.c.owed = 0;
}

static void test_what_the_peer_refused_goes_again_when_it_says_and_its_channel_waits(UNUSED void **state)
{
	reliable(0, 10, T);
	fill(T); // 1
	refused(1, PG_REFUSED_RATE, 700, T + TALK_MS);
	assert_int_equal(delivery_due(&ingress.c), T + 701 * TALK_MS);
	reliable(0, 10, T + TALK_MS); // behind it
	reliable(1, 10, T + TALK_MS);
	fill(T + 10 * TALK_MS);
	assert_int_equal(count(), 1);
	acknowledge(2, 0, T + 20 * TALK_MS);
	assert_int_equal(delivery_due(&ingress.c), T + 701 * TALK_MS);
	fill(T + 701 * TALK_MS);
	assert_int_equal(count(), 2);
	acknowledge(3, 0, T + 710 * TALK_MS);
	assert_true(delivery_quiet(&ingress.c));
}

static void test_what_the_peer_gave_up_though_it_was_acknowledged_goes_again(UNUSED void **state)
{
	for (uint32_t i = 0; i < 4; i++) {
		reliable(0, 400, T);
		fill(T);
	}
	acknowledge(4, 3, T + TALK_MS); // not 1: the peer keeps three
	fill(T + TALK_MS);
	assert_int_equal(delivery_undelivered(&ingress.c), 4);
	refused(4, PG_REFUSED_FORGOTTEN, 0, T + 6000 * TALK_MS);
	while (delivery_due(&ingress.c) <= T + 6000 * TALK_MS)
		fill(T + 6000 * TALK_MS);
	assert_int_equal(ingress.stats.resent, 1 + 4);
	acknowledge(ingress.counter, UINT32_MAX, T + 6010 * TALK_MS);
	assert_true(delivery_quiet(&ingress.c));
	assert_int_equal(delivery_undelivered(&ingress.c), 0);
}

static void test_acknowledgements_of_other_packets_end_nothing(UNUSED void **state)
{
	reliable(0, 10, T);
	fill(T);
	for (uint32_t i = 0; i < 100; i++)
		fill(T + 1);
	acknowledge(2, 0, T + 2);
	acknowledge(0, UINT32_MAX, T + 2);
	acknowledge(34, UINT32_MAX, T + 2); // reaches back to 2
	acknowledge(33, ~(1U << 31), T + 2);
	assert_false(delivery_quiet(&ingress.c));
	acknowledge(33, 1U << 31, T + 2);
	assert_true(delivery_quiet(&ingress.c));
}

static void test_repetitions_go_before_what_is_new(UNUSED void **state)
{
	reliable(3, 458, T);
	fill(T);
	inventory(PRIORITY_URGENT, 3, 1000, T + 200 * TALK_MS);
	fill(T + 200 * TALK_MS);
	assert_int_equal(count(), 1);
	assert_int_equal(ingress.stats.resent, 1);
	assert_int_equal(delivery_due(&ingress.c), T + 200 * TALK_MS);
}

static void test_what_went_to_where_the_peer_no_longer_is_is_sent_again_at_once(UNUSED void **state)
{
	ingress.ctx.datagram_max = SESSION_DATAGRAM_MIN; // nothing is searched for
	reliable(1, 100, T);
	fill(T);
	reliable(2, 100, T + TALK_MS);
	fill(delivery_due(&ingress.c));
	delivery_moved(&ingress.ctx, &ingress.c, T + 10 * TALK_MS);
	assert_true(delivery_due(&ingress.c) <= T + 10 * TALK_MS);
	fill(T + 10 * TALK_MS);
	assert_int_equal(count(), 2);
	assert_int_equal(delivery_due(&ingress.c), T + 210 * TALK_MS);
	acknowledge(3, 0, T + 30 * TALK_MS);
	assert_true(delivery_quiet(&ingress.c));
}

static void test_what_was_not_sent_to_where_the_peer_is_measures_no_round_trip(UNUSED void **state)
{
	reliable(1, 10, T);
	fill(T);
	ingress.ctx.datagram_max = SESSION_DATAGRAM_MIN;
	delivery_moved(&ingress.ctx, &ingress.c, T);
	acknowledge(1, 0, T + 30 * TALK_MS); // it had arrived
	assert_true(delivery_quiet(&ingress.c));
	assert_int_equal(ingress.c.out.round_trip.smoothed, 0);
}

static void test_who_moves_while_nothing_is_on_its_way_is_sent_nothing(UNUSED void **state)
{
	ingress.ctx.datagram_max = SESSION_DATAGRAM_MIN;
	delivery_moved(&ingress.ctx, &ingress.c, T);
	assert_true(delivery_quiet(&ingress.c));
}

static void test_the_timeout_follows_the_round_trip(UNUSED void **state)
{
	uint64_t now = T;

	// RFC 6298: the first sample R gives R + 4 R/2, and the peer may wait 25 ms
	reliable(0, 10, now);
	fill(now);
	acknowledge(packet.counter, 0, now += 80 * TALK_MS);
	reliable(0, 10, now);
	fill(now);
	assert_int_equal(delivery_due(&ingress.c), now + 265 * TALK_MS);
	// and the second, of the same length, 3/4 of the variance
	acknowledge(packet.counter, 0, now += 80 * TALK_MS);
	reliable(0, 10, now);
	fill(now);
	assert_int_equal(delivery_due(&ingress.c), now + 225 * TALK_MS);
	for (uint32_t i = 0; i < 100; i++) {
		acknowledge(packet.counter, 0, now += 2 * TALK_MS);
		reliable(0, 10, now);
		fill(now);
	}
	assert_uint_in_range(delivery_due(&ingress.c), now + 37 * TALK_MS, now + 38 * TALK_MS); // never less
	acknowledge(packet.counter, 0, now += 2 * TALK_MS);
	ingress.rules.resend_after_min = 100 * TALK_MS;
	reliable(0, 10, now);
	fill(now);
	assert_int_equal(delivery_due(&ingress.c), now + 100 * TALK_MS); // as is configured
}

static void test_a_repetition_that_is_acknowledged_measures_itself(UNUSED void **state)
{
	uint64_t now = T;

	reliable(0, 10, now);
	fill(now);
	fill(now += 200 * TALK_MS);
	assert_int_equal(count(), 1);
	acknowledge(packet.counter, 0, now + 60 * TALK_MS);
	assert_int_equal(ingress.c.out.round_trip.smoothed, 60 * TALK_MS);
}

static void test_a_way_longer_than_the_timeout_is_measured(UNUSED void **state)
{
	uint64_t now = T;
	uint64_t first;

	reliable(0, 10, now);
	fill(now);
	first = packet.counter;
	fill(now += 200 * TALK_MS); // too early: the acknowledgement is on its way
	assert_int_equal(count(), 1);
	acknowledge(first, 0, now + 5 * TALK_MS);
	assert_int_equal(ingress.c.out.round_trip.smoothed, 205 * TALK_MS);
}

static void test_a_fragmented_message_does_not_hold_up_urgent_ones(UNUSED void **state)
{
	talk_say(&ingress,
		 (struct talk_say){.type = SESSION_INVENTORY,
				   .reliable = true,
				   .priority = PRIORITY_BULK,
				   .body = zeros,
				   .length = 10000},
		 T);
	fill(T);
	inventory(PRIORITY_URGENT, 7, 10, T);
	fill(T);
	assert_int_equal(first_byte(0), 7);
}

// ---------------------------------------------------------------- lives

static void test_ids_go_on_where_they_were_after_a_restart(UNUSED void **state)
{
	struct delivery_ids ids;
	struct session_message head;
	uint16_t id;

	for (uint32_t i = 0; i < 3; i++)
		reliable(2, 10, T);
	fill(T);
	acknowledge(packet.counter, 0, T);
	ids = delivery_ids(&ingress.c);
	assert_int_equal(ids.tx[2], 3);
	delivery_end(&ingress.ctx, &ingress.c, PG_LOSS_CLOSED);
	delivery_begin(&ingress.ctx, &ingress.c, 0, ingress.room);
	delivery_resume(&ingress.c, &ids, NULL);
	reliable(2, 10, T);
	fill(T);
	memcpy(&head, packet.body, sizeof(head));
	memcpy(&id, packet.body + sizeof(head), sizeof(id));
	assert_int_equal(head.flags, SESSION_MESSAGE_RELIABLE | 2 << SESSION_MESSAGE_CHANNEL_SHIFT); // urgent
	assert_int_equal(id, 3);
}

struct told {
	uint32_t receipt, times;
	enum pg_loss loss;
};

static void tell(void *context, uint32_t receipt, enum pg_loss loss)
{
	struct told *told = context;

	told->receipt = receipt;
	told->loss = loss;
	told->times++;
}

static void test_a_receipt_is_told_once_when_the_last_piece_arrived(UNUSED void **state)
{
	struct told told = {0};
	uint32_t packets = 0;

	ingress.ctx.settled = tell;
	ingress.ctx.settled_context = &told;
	talk_say(&ingress,
		 (struct talk_say){
			 .type = SESSION_INVENTORY, .reliable = true, .receipt = 77, .body = zeros, .length = 3500},
		 T);
	while (delivery_due(&ingress.c) <= T) {
		fill(T);
		packets++;
	}
	assert_int_equal(packets, 4); // two pieces each
	acknowledge(4, 0x5, T + 1);   // 4, 3 and 1
	assert_int_equal(told.times, 0);
	assert_int_equal(delivery_undelivered(&ingress.c), 1);
	acknowledge(4, 0x7, T + 1);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.receipt, 77);
	assert_int_equal(told.loss, PG_LOSS_NONE);
	assert_int_equal(delivery_undelivered(&ingress.c), 0);
}

static void test_a_receipt_is_told_once_when_the_connection_ends_first(UNUSED void **state)
{
	struct told told = {0};

	ingress.ctx.settled = tell;
	ingress.ctx.settled_context = &told;
	talk_say(&ingress,
		 (struct talk_say){
			 .type = SESSION_INVENTORY, .reliable = true, .receipt = 78, .body = zeros, .length = 5000},
		 T);
	fill(T);
	fill(T);
	acknowledge(2, 0, T + 1);
	delivery_end(&ingress.ctx, &ingress.c, PG_LOSS_CLOSED);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.receipt, 78);
	assert_int_equal(told.loss, PG_LOSS_CLOSED);
	assert_int_equal(ingress.stats.lost[PG_LOSS_CLOSED], 1);
}

/// Two messages in two packets, of which the second is acknowledged first.
static void second_acknowledged(uint8_t channel, struct told *told)
{
	ingress.ctx.settled = tell;
	ingress.ctx.settled_context = told;
	for (uint32_t receipt = 1; receipt <= 2; receipt++) {
		talk_say(&ingress,
			 (struct talk_say){.type = SESSION_INVENTORY,
					   .reliable = true,
					   .channel = channel,
					   .receipt = receipt,
					   .body = zeros,
					   .length = 400},
			 T);
		fill(T);
	}
	acknowledge(2, 0, T + 1);
}

static void test_a_message_is_delivered_when_those_before_it_are(UNUSED void **state)
{
	struct told told = {0};

	second_acknowledged(1, &told);
	assert_int_equal(told.times, 0);
	assert_int_equal(delivery_undelivered(&ingress.c), 2);
	acknowledge(2, 1, T + 2);
	assert_int_equal(told.times, 2);
	assert_int_equal(told.loss, PG_LOSS_NONE);
	assert_int_equal(delivery_undelivered(&ingress.c), 0);
}

static void test_a_message_that_nobody_could_read_yet_is_lost_with_the_connection(UNUSED void **state)
{
	struct told told = {0};

	second_acknowledged(1, &told);
	delivery_end(&ingress.ctx, &ingress.c, PG_LOSS_CLOSED);
	assert_int_equal(told.times, 2);
	assert_int_equal(told.loss, PG_LOSS_CLOSED);
	assert_int_equal(ingress.stats.lost[PG_LOSS_CLOSED], 2);
}

static void test_on_the_channel_without_order_no_message_waits_for_another(UNUSED void **state)
{
	struct told told = {0};

	second_acknowledged(SESSION_CHANNEL_UNORDERED, &told);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.receipt, 2);
	assert_int_equal(delivery_undelivered(&ingress.c), 1);
	acknowledge(2, 1, T + 2);
	assert_int_equal(told.receipt, 1);
	assert_int_equal(told.times, 2);
}

static void test_events_are_counted_by_type_when_they_are_queued(UNUSED void **state)
{
	const uint8_t types[PG_EVENTS] = {
#define RELAYED(NAME, ...) [PG_EVENT_##NAME] = SESSION_##NAME##_EVENT,
#define GIVEN(NAME, ...) [PG_EVENT_##NAME] = SESSION_##NAME,
#define GAME(NAME, ...) [PG_EVENT_##NAME] = SESSION_##NAME##_LAST,
#include "wire/messages.def"
	};

	for (unsigned event = 0; event < PG_EVENTS; event++) {
		for (unsigned i = 0; i <= event; i++)
			talk_say(&ingress, (struct talk_say){.type = types[event], .body = zeros, .length = 8}, T);
	}
	for (unsigned event = 0; event < PG_EVENTS; event++)
		assert_int_equal(ingress.stats.sent[event], event + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ingress_test(test_what_is_not_acknowledged_is_sent_again_later_and_later_and_never_given_up),
		ingress_test(test_an_acknowledgement_of_any_packet_that_carried_it_ends_it),
		ingress_test(test_what_three_later_ones_overtook_is_sent_again_at_once),
		ingress_test(test_repetitions_are_packed_anew_with_what_waits),
		ingress_test(test_what_the_peer_refused_goes_again_when_it_says_and_its_channel_waits),
		ingress_test(test_what_the_peer_gave_up_though_it_was_acknowledged_goes_again),
		ingress_test(test_acknowledgements_of_other_packets_end_nothing),
		ingress_test(test_repetitions_go_before_what_is_new),
		ingress_test(test_what_went_to_where_the_peer_no_longer_is_is_sent_again_at_once),
		ingress_test(test_what_was_not_sent_to_where_the_peer_is_measures_no_round_trip),
		ingress_test(test_who_moves_while_nothing_is_on_its_way_is_sent_nothing),
		ingress_test(test_the_timeout_follows_the_round_trip),
		ingress_test(test_a_repetition_that_is_acknowledged_measures_itself),
		ingress_test(test_a_way_longer_than_the_timeout_is_measured),
		ingress_test(test_a_fragmented_message_does_not_hold_up_urgent_ones),
		ingress_test(test_ids_go_on_where_they_were_after_a_restart),
		ingress_test(test_a_receipt_is_told_once_when_the_last_piece_arrived),
		ingress_test(test_a_receipt_is_told_once_when_the_connection_ends_first),
		ingress_test(test_a_message_is_delivered_when_those_before_it_are),
		ingress_test(test_a_message_that_nobody_could_read_yet_is_lost_with_the_connection),
		ingress_test(test_on_the_channel_without_order_no_message_waits_for_another),
		ingress_test(test_events_are_counted_by_type_when_they_are_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
