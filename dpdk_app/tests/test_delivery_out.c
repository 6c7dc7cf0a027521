// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_out.c: what a delivery sends: which messages share a packet, when they leave, how much may wait.

#include "unit.h"

#include "sender.h"

// ---------------------------------------------------------------- batches

static void test_nothing_is_due_in_a_delivery_that_is_all_zero(UNUSED void **state)
{
	static const struct delivery nothing;

	assert_true(delivery_due(&nothing) == UINT64_MAX);
	assert_true(delivery_quiet(&nothing));
	assert_false(delivery_holds_messages(&nothing));
	assert_int_equal(delivery_size() % CACHE_LINE, 0);
}

static void test_an_urgent_message_is_due_at_once(UNUSED void **state)
{
	inventory(PRIORITY_URGENT, 1, 10, T);
	assert_int_equal(delivery_due(&ingress.c), T);
}

static void test_others_wait_for_company_until_the_flush(UNUSED void **state)
{
	inventory(PRIORITY_NORMAL, 1, 10, T);
	assert_int_equal(delivery_due(&ingress.c), T + 5 * TALK_MS);
	inventory(PRIORITY_BULK, 2, 10, T + 1000);
	assert_int_equal(delivery_due(&ingress.c), T + 5 * TALK_MS);
	inventory(PRIORITY_URGENT, 3, 10, T + 2000);
	assert_int_equal(delivery_due(&ingress.c), T + 2000);
}

static void test_urgent_before_normal_before_bulk_each_in_its_order(UNUSED void **state)
{
	const enum priority priority[] = {PRIORITY_BULK,   PRIORITY_NORMAL, PRIORITY_URGENT,
					  PRIORITY_URGENT, PRIORITY_BULK,   PRIORITY_NORMAL};
	const uint8_t expected[] = {2, 3, 1, 5, 0, 4};

	for (unsigned i = 0; i < COUNT(priority); i++)
		inventory(priority[i], (uint8_t)i, 10, T);
	fill(T);
	assert_int_equal(count(), COUNT(priority));
	for (unsigned i = 0; i < COUNT(priority); i++)
		assert_int_equal(first_byte(i), expected[i]);
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
}

static void test_a_packet_carries_fifty_messages_and_the_rest_follows_at_once(UNUSED void **state)
{
	for (uint8_t i = 0; i < 60; i++)
		inventory(PRIORITY_NORMAL, i, 1, T);
	assert_int_equal(delivery_due(&ingress.c), T); // waiting would fill the packet no better
	fill(T + 5);
	assert_int_equal(count(), SESSION_MESSAGES_MAX);
	assert_int_equal(delivery_due(&ingress.c), T + 5);
	fill(T + 6);
	assert_int_equal(count(), 10);
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
}

static void test_messages_that_fit_one_packet_leave_in_one(UNUSED void **state)
{
	uint64_t seed = 5;

	for (uint32_t round = 0; round < 3000; round++) {
		const uint32_t n = 1 + (uint32_t)(talk_random(&seed) % SESSION_MESSAGES_MAX);
		const uint64_t now = T + round * 1000ULL * TALK_MS; // bulk has a pace
		uint32_t room = ingress.room;

		for (uint32_t i = 0; i < n; i++) {
			const uint32_t rest = room / (n - i);
			const bool is_reliable = talk_random(&seed) % 2 && rest <= SESSION_PIECE;
			const uint32_t head = is_reliable ? 6 : 4;
			const uint32_t length =
				i + 1 == n ? room - head : (uint32_t)(talk_random(&seed) % (rest - head + 1));

			assert_int_equal(
				talk_say(&ingress,
					 (struct talk_say){.type = SESSION_INVENTORY,
							   .reliable = is_reliable,
							   .channel =
								   is_reliable ? (uint8_t)(talk_random(&seed) % 4) : 0,
							   .priority = (enum priority)(talk_random(&seed) % PRIORITIES),
							   .body = zeros,
							   .length = length},
					 now),
				PG_LOSS_NONE);
			room -= head + length;
		}
		fill(now);
		assert_int_equal(count(), n);
		assert_int_equal(packet.length, ingress.room);
		acknowledge(packet.counter, 0, now);
		assert_true(delivery_due(&ingress.c) == UINT64_MAX);
	}
}

static void test_more_than_a_packet_leaves_without_waiting(UNUSED void **state)
{
	for (uint8_t i = 0; i < 3; i++)
		inventory(PRIORITY_NORMAL, i, 600, T);
	assert_int_equal(delivery_due(&ingress.c), T);
	fill(T);
	assert_int_equal(count(), 2);
	assert_int_equal(delivery_due(&ingress.c), T);
	fill(T);
	assert_int_equal(count(), 1);
	assert_int_equal(first_byte(0), 2);
}

static void test_a_packet_that_leaves_anyway_takes_what_waits(UNUSED void **state)
{
	inventory(PRIORITY_BULK, 9, 10, T);
	fill(T + 1);
	assert_int_equal(count(), 1);
}

static void test_a_short_message_fills_the_rest_behind_a_long_one_that_does_not_fit(UNUSED void **state)
{
	inventory(PRIORITY_URGENT, 0, 1000, T);
	inventory(PRIORITY_NORMAL, 1, 1000, T);
	inventory(PRIORITY_BULK, 2, 10, T);
	fill(T);
	assert_int_equal(count(), 2);
	assert_int_equal(first_byte(1), 2);
}

static void test_a_long_message_holds_up_only_its_own_queue(UNUSED void **state)
{
	inventory(PRIORITY_URGENT, 0, 1000, T);
	inventory(PRIORITY_URGENT, 1, 1000, T);
	reliable(1, 10, T);
	inventory(PRIORITY_URGENT, 2, 10, T); // behind the long one, in its order
	fill(T);
	assert_int_equal(count(), 2);
	fill(T);
	assert_int_equal(count(), 2);
	assert_int_equal(first_byte(0), 1);
	assert_int_equal(first_byte(1), 2);
}

// ---------------------------------------------------------------- acknowledgements that are owed

static void test_an_acknowledgement_is_due_in_time_and_leaves_with_any_packet(UNUSED void **state)
{
	delivery_owe(&ingress.ctx, &ingress.c, T);
	delivery_owe(&ingress.ctx, &ingress.c, T + 1000);
	assert_int_equal(delivery_due(&ingress.c), T + 25 * TALK_MS);
	assert_true(delivery_quiet(&ingress.c));
	inventory(PRIORITY_NORMAL, 1, 10, T + 1000);
	assert_int_equal(delivery_due(&ingress.c), T + 1000 + 5 * TALK_MS);
	fill(T + 6000);
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
	delivery_owe(&ingress.ctx, &ingress.c, T + 9000);
	fill(T + 9001);
	assert_int_equal(packet.length, 0);
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
}

static void test_sixteen_datagrams_do_not_wait_for_their_acknowledgement(UNUSED void **state)
{
	for (unsigned i = 1; i < DELIVERY_OWING_MAX; i++)
		delivery_owe(&ingress.ctx, &ingress.c, T + i);
	assert_int_equal(delivery_due(&ingress.c), T + 1 + 25 * TALK_MS);
	delivery_owe(&ingress.ctx, &ingress.c, T + 100);
	assert_int_equal(delivery_due(&ingress.c), T + 100);
	fill(T + 100);
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
	delivery_owe(&ingress.ctx, &ingress.c, T + 200);
	assert_int_equal(delivery_due(&ingress.c), T + 200 + 25 * TALK_MS);
}

/// The peer did not take this datagram.
static void refuse(uint32_t counter, uint16_t retry_ms, uint64_t now)
{
	const struct session_message head = {.type = SESSION_BUSY, .body_len = sizeof(struct session_busy)};
	const struct session_busy busy = {.counter = counter, .reason = PG_REFUSED_RATE, .retry_ms = retry_ms};
	uint8_t body[sizeof(head) + sizeof(busy)];

	memcpy(body, &head, sizeof(head));
	memcpy(body + sizeof(head), &busy, sizeof(busy));
	delivery_heed_busy(&ingress.ctx, &ingress.c, body, sizeof(body), now);
}

static void test_a_channel_goes_on_when_what_was_refused_had_come_before(UNUSED void **state)
{
	const uint64_t again = T + 5 * TALK_MS + 200 * TALK_MS;
	uint32_t first;

	reliable(0, 20, T);
	fill(T + 5 * TALK_MS);
	first = packet.counter;
	fill(again);
	assert_int_equal(ingress.stats.resent, 1);
	refuse(packet.counter, 1000, again + TALK_MS);
	reliable(0, 20, again + TALK_MS);
	acknowledge(first, 0, again + 2 * TALK_MS);
	assert_true(delivery_due(&ingress.c) <= again + 100 * TALK_MS);
	fill(again + 100 * TALK_MS);
	assert_int_equal(count(), 1);
}

// ---------------------------------------------------------------- bounds

/// A thousand datagrams a second, each with fifty BUSYs: what is kept is said again 20 times, not 50,000.
static void test_a_peer_that_says_busy_all_the_time_is_heeded_ten_times_a_second(UNUSED void **state)
{
	static uint8_t body[50 * (sizeof(struct session_message) + sizeof(struct session_busy))];
	const struct session_message head = {.type = SESSION_BUSY, .body_len = sizeof(struct session_busy)};
	const struct session_busy busy = {.reason = PG_REFUSED_FORGOTTEN};
	uint64_t now = T;

	for (size_t at = 0; at < sizeof(body); at += sizeof(head) + sizeof(busy)) {
		memcpy(body + at, &head, sizeof(head));
		memcpy(body + at + sizeof(head), &busy, sizeof(busy));
	}
	reliable(0, 20, now);
	fill(now += 5 * TALK_MS);
	for (unsigned ms = 0; ms < 1000; ms++) {
		delivery_heed_busy(&ingress.ctx, &ingress.c, body, sizeof(body), now);
		while (delivery_due(&ingress.c) <= now)
			fill(now);
		now += TALK_MS;
	}
	assert_uint_in_range(ingress.stats.resent, 10, 20);
}

static void test_a_slow_player_loses_what_his_queue_has_no_room_for(UNUSED void **state)
{
	uint32_t queued = 0;

	ingress.rules.queue_bytes = 10 * POOL_BLOCK;
	while (reliable(0, 20, T) == PG_LOSS_NONE)
		queued++;
	assert_int_equal(queued, 10);
	assert_int_equal(reliable(0, 20, T), PG_LOSS_QUEUE_FULL);
	assert_int_equal(ingress.stats.lost[PG_LOSS_QUEUE_FULL], 2);
	assert_int_equal(ingress.stats.sent[PG_EVENT_INVENTORY], 10);
	assert_int_equal(ingress.stats.memory_used, (10 + 1) * POOL_BLOCK); // and their lists
	fill(T);
	assert_int_equal(reliable(0, 20, T), PG_LOSS_QUEUE_FULL); // sent is not delivered
	acknowledge(packet.counter, 0, T);
	assert_int_equal(reliable(0, 20, T), PG_LOSS_NONE);
	assert_int_equal(delivery_undelivered(&ingress.c), 1);
}

static void test_one_message_of_any_length_fits_the_smallest_queue(UNUSED void **state)
{
	ingress.rules.queue_bytes = 1000;
	assert_int_equal(reliable(0, SESSION_MESSAGE_MAX, T), PG_LOSS_NONE);
	assert_int_equal(reliable(0, 1, T), PG_LOSS_QUEUE_FULL);
}

static void test_all_players_together_have_so_much_memory(UNUSED void **state)
{
	struct talk_end other = ingress;
	uint32_t queued = 0;

	ingress.rules.queue_bytes = UINT32_MAX;
	while (inventory(PRIORITY_BULK, 1, 1300, T) == PG_LOSS_NONE)
		queued++;
	assert_uint_in_range(queued, 600, (1 << 20) / 1300);
	assert_int_equal(ingress.stats.lost[PG_LOSS_NO_MEMORY], 1);
	assert_int_equal(talk_say(&other, (struct talk_say){.body = zeros, .length = 1300}, T), PG_LOSS_NO_MEMORY);
}

static void test_what_cannot_be_sent_whole_is_refused_as_too_long(UNUSED void **state)
{
	const uint32_t fits = ingress.room - (uint32_t)sizeof(struct session_message);

	assert_int_equal(inventory(PRIORITY_BULK, 0, fits, T), PG_LOSS_NONE);
	assert_int_equal(inventory(PRIORITY_BULK, 0, fits + 1, T), PG_LOSS_TOO_LONG);
	assert_int_equal(reliable(SESSION_CHANNEL_UNORDERED, SESSION_PIECE, T), PG_LOSS_NONE); // on any path
	assert_int_equal(reliable(SESSION_CHANNEL_UNORDERED, SESSION_PIECE + 1, T), PG_LOSS_TOO_LONG);
	assert_int_equal(reliable(0, SESSION_MESSAGE_MAX + 1, T), PG_LOSS_TOO_LONG);
	assert_int_equal(talk_say(&ingress,
				  (struct talk_say){.reliable = true, .body = zeros, .length = SESSION_MESSAGE_MAX - 3},
				  T),
			 PG_LOSS_TOO_LONG); // the sender goes before it
	assert_int_equal(ingress.stats.lost[PG_LOSS_TOO_LONG], 4);
	assert_int_equal(talk_say(&ingress,
				  (struct talk_say){.reliable = true, .body = zeros, .length = SESSION_MESSAGE_MAX - 4},
				  T),
			 PG_LOSS_NONE);
}

/// Its limit became less than what a message that waits would have cost of it.
static void test_a_message_costs_no_more_than_the_burst_of_a_limit_that_changed(UNUSED void **state)
{
	static struct pace pace;
	const enum pg_request request = PG_REQUEST_BULK;
	struct talk_end client;
	struct talk_packet sent;

	pace = (struct pace){.rate[PG_REQUEST_BULK] = rate_make(1, 100, TALK_HZ)};
	talk_open(&client, false, 1 << 20, 1400);
	client.ctx.pace = &pace;
	client.rules.compress_min[PG_COMPRESS_BULK] = 100;
	assert_int_equal(
		talk_say(&client, (struct talk_say){.reliable = true, .body = zeros, .length = 65532}, T), // costs 47
		PG_LOSS_NONE);
	pace.rate[request] = rate_make(1, 2, TALK_HZ);
	delivery_limits_changed(&client.ctx, &client.c, T);
	assert_true(delivery_due(&client.c) <= T + 5 * TALK_MS);
	talk_fill(&client, &sent, T + 5 * TALK_MS);
	assert_true(sent.length > 0);
	delivery_end(&client.ctx, &client.c, PG_LOSS_CLOSED);
	talk_close(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ingress_test(test_nothing_is_due_in_a_delivery_that_is_all_zero),
		ingress_test(test_an_urgent_message_is_due_at_once),
		ingress_test(test_others_wait_for_company_until_the_flush),
		ingress_test(test_urgent_before_normal_before_bulk_each_in_its_order),
		ingress_test(test_a_packet_carries_fifty_messages_and_the_rest_follows_at_once),
		ingress_test(test_messages_that_fit_one_packet_leave_in_one),
		ingress_test(test_more_than_a_packet_leaves_without_waiting),
		ingress_test(test_a_packet_that_leaves_anyway_takes_what_waits),
		ingress_test(test_a_short_message_fills_the_rest_behind_a_long_one_that_does_not_fit),
		ingress_test(test_a_long_message_holds_up_only_its_own_queue),
		ingress_test(test_an_acknowledgement_is_due_in_time_and_leaves_with_any_packet),
		ingress_test(test_sixteen_datagrams_do_not_wait_for_their_acknowledgement),
		ingress_test(test_a_channel_goes_on_when_what_was_refused_had_come_before),
		ingress_test(test_a_peer_that_says_busy_all_the_time_is_heeded_ten_times_a_second),
		ingress_test(test_a_slow_player_loses_what_his_queue_has_no_room_for),
		ingress_test(test_one_message_of_any_length_fits_the_smallest_queue),
		ingress_test(test_all_players_together_have_so_much_memory),
		ingress_test(test_what_cannot_be_sent_whole_is_refused_as_too_long),
		ingress_test(test_a_message_costs_no_more_than_the_burst_of_a_limit_that_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
