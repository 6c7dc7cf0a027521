// SPDX-License-Identifier: BSD-3-Clause
// test_conversation_out.c: what a conversation sends: which messages share a packet, when they leave, what happens when they do not arrive.

#include <string.h>

#include "talk.h"
#include "unit.h"

#define T 1000000U // a moment

static struct talk_end gate;
static struct talk_packet packet;

static int open_gate(UNUSED void **state)
{
	talk_open(&gate, true, 1 << 20, 1400);
	return 0;
}

static int close_gate(UNUSED void **state)
{
	conversation_end(&gate.hall, &gate.c, PG_LOSS_CLOSED);
	assert_int_equal(message_pool_free_bytes(gate.hall.pool), 1 << 20);
	talk_close(&gate);
	return 0;
}

static const uint8_t zeros[SESSION_MESSAGE_MAX];

static enum pg_loss inventory(enum priority priority, uint8_t first, uint32_t length, uint64_t now)
{
	uint8_t body[2000] = {first};

	return talk_say(
		&gate,
		(struct talk_say){.type = SESSION_INVENTORY, .priority = priority, .body = body, .length = length},
		now);
}

static enum pg_loss reliable(uint8_t channel, uint32_t length, uint64_t now)
{
	return talk_say(&gate,
			(struct talk_say){.type = SESSION_INVENTORY,
					  .reliable = true,
					  .channel = channel,
					  .body = zeros,
					  .length = length},
			now);
}

/// Messages in the packet.
static uint32_t count(void)
{
	uint32_t n = 0;

	for (uint32_t at = 0; at < packet.length; n++) {
		struct session_message head;

		memcpy(&head, packet.body + at, sizeof(head));
		at += (uint32_t)sizeof(head) + (head.flags & SESSION_MESSAGE_RELIABLE ? 2 : 0) + head.body_len;
		assert_in_range(at, 0, packet.length);
	}
	return n;
}

/// First byte of the body of message n of unreliable ones.
static uint8_t first_byte(uint32_t n)
{
	uint32_t at = 0;

	while (n-- > 0) {
		struct session_message head;

		memcpy(&head, packet.body + at, sizeof(head));
		at += (uint32_t)sizeof(head) + head.body_len;
	}
	return packet.body[at + sizeof(struct session_message)];
}

static void fill(uint64_t now)
{
	talk_fill(&gate, &packet, now);
}

static void acknowledge(uint64_t newest, uint32_t bits, uint64_t now)
{
	conversation_acknowledged(&gate.hall, &gate.c, newest, bits, now);
}

// ---------------------------------------------------------------- batches

static void test_nothing_is_due_in_a_conversation_that_is_all_zero(UNUSED void **state)
{
	static const struct conversation nothing;

	assert_true(conversation_due(&nothing) == UINT64_MAX);
	assert_true(conversation_quiet(&nothing));
	assert_false(conversation_holds_messages(&nothing));
	assert_false(conversation_gave_up(&nothing));
	assert_int_equal(conversation_size() % CACHE_LINE, 0);
}

static void test_an_urgent_message_is_due_at_once(UNUSED void **state)
{
	inventory(PRIORITY_URGENT, 1, 10, T);
	assert_int_equal(conversation_due(&gate.c), T);
}

static void test_others_wait_for_company_until_the_flush(UNUSED void **state)
{
	inventory(PRIORITY_NORMAL, 1, 10, T);
	assert_int_equal(conversation_due(&gate.c), T + 5 * TALK_MS);
	inventory(PRIORITY_BULK, 2, 10, T + 1000);
	assert_int_equal(conversation_due(&gate.c), T + 5 * TALK_MS);
	inventory(PRIORITY_URGENT, 3, 10, T + 2000);
	assert_int_equal(conversation_due(&gate.c), T + 2000);
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
	assert_true(conversation_due(&gate.c) == UINT64_MAX);
}

static void test_a_packet_carries_fifty_messages_and_the_rest_follows_at_once(UNUSED void **state)
{
	for (uint8_t i = 0; i < 60; i++)
		inventory(PRIORITY_NORMAL, i, 1, T);
	assert_int_equal(conversation_due(&gate.c), T); // waiting would fill the packet no better
	fill(T + 5);
	assert_int_equal(count(), SESSION_MESSAGES_MAX);
	assert_int_equal(conversation_due(&gate.c), T + 5);
	fill(T + 6);
	assert_int_equal(count(), 10);
	assert_true(conversation_due(&gate.c) == UINT64_MAX);
}

static void test_messages_that_fit_one_packet_leave_in_one(UNUSED void **state)
{
	uint64_t seed = 5;

	for (uint32_t round = 0; round < 3000; round++) {
		const uint32_t n = 1 + (uint32_t)(talk_random(&seed) % SESSION_MESSAGES_MAX);
		uint32_t room = gate.room;

		for (uint32_t i = 0; i < n; i++) {
			const bool is_reliable = talk_random(&seed) % 2;
			const uint32_t head = is_reliable ? 6 : 4, rest = room / (n - i);
			const uint32_t length =
				i + 1 == n ? room - head : (uint32_t)(talk_random(&seed) % (rest - head + 1));

			assert_int_equal(
				talk_say(&gate,
					 (struct talk_say){.type = SESSION_INVENTORY,
							   .reliable = is_reliable,
							   .channel =
								   is_reliable ? (uint8_t)(talk_random(&seed) % 4) : 0,
							   .priority = (enum priority)(talk_random(&seed) % PRIORITIES),
							   .body = zeros,
							   .length = length},
					 T),
				PG_LOSS_NONE);
			room -= head + length;
		}
		fill(T);
		assert_int_equal(count(), n);
		assert_int_equal(packet.length, gate.room);
		acknowledge(packet.counter, 0, T);
		assert_true(conversation_due(&gate.c) == UINT64_MAX);
	}
}

static void test_more_than_a_packet_leaves_without_waiting(UNUSED void **state)
{
	for (uint8_t i = 0; i < 3; i++)
		inventory(PRIORITY_NORMAL, i, 600, T);
	assert_int_equal(conversation_due(&gate.c), T);
	fill(T);
	assert_int_equal(count(), 2);
	assert_int_equal(conversation_due(&gate.c), T);
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
	conversation_owe(&gate.hall, &gate.c, T);
	conversation_owe(&gate.hall, &gate.c, T + 1000);
	assert_int_equal(conversation_due(&gate.c), T + 25 * TALK_MS);
	assert_true(conversation_quiet(&gate.c));
	inventory(PRIORITY_NORMAL, 1, 10, T + 1000);
	assert_int_equal(conversation_due(&gate.c), T + 1000 + 5 * TALK_MS);
	fill(T + 6000);
	assert_true(conversation_due(&gate.c) == UINT64_MAX);
	conversation_owe(&gate.hall, &gate.c, T + 9000);
	fill(T + 9001);
	assert_int_equal(packet.length, 0);
	assert_true(conversation_due(&gate.c) == UINT64_MAX);
}

static void test_sixteen_datagrams_do_not_wait_for_their_acknowledgement(UNUSED void **state)
{
	for (unsigned i = 1; i < CONVERSATION_OWING_MAX; i++)
		conversation_owe(&gate.hall, &gate.c, T + i);
	assert_int_equal(conversation_due(&gate.c), T + 1 + 25 * TALK_MS);
	conversation_owe(&gate.hall, &gate.c, T + 100);
	assert_int_equal(conversation_due(&gate.c), T + 100);
	fill(T + 100);
	assert_true(conversation_due(&gate.c) == UINT64_MAX);
	conversation_owe(&gate.hall, &gate.c, T + 200);
	assert_int_equal(conversation_due(&gate.c), T + 200 + 25 * TALK_MS);
}

// ---------------------------------------------------------------- repetition

static void test_what_is_not_acknowledged_is_sent_again_later_and_later_and_then_given_up(UNUSED void **state)
{
	uint64_t now = T;

	reliable(0, 10, now);
	fill(now += 5 * TALK_MS);
	for (uint32_t i = 0; i < gate.rules.resends; i++) {
		assert_int_equal(conversation_due(&gate.c), now + (100 * TALK_MS << i));
		fill(conversation_due(&gate.c) - 1);
		assert_int_equal(packet.length, 0);
		fill(now = conversation_due(&gate.c));
		assert_int_equal(count(), 1);
		assert_int_equal(gate.stats.resent, i + 1);
		assert_false(conversation_gave_up(&gate.c));
	}
	assert_int_equal(conversation_due(&gate.c), now + (100 * TALK_MS << gate.rules.resends));
	fill(conversation_due(&gate.c));
	assert_int_equal(packet.length, 0);
	assert_true(conversation_gave_up(&gate.c));
	assert_true(conversation_holds_messages(&gate.c));
	conversation_end(&gate.hall, &gate.c, PG_LOSS_UNACKNOWLEDGED);
	assert_int_equal(gate.stats.lost[PG_LOSS_UNACKNOWLEDGED], 1);
	assert_false(conversation_gave_up(&gate.c));
}

static void test_an_acknowledgement_of_any_packet_that_carried_it_ends_it(UNUSED void **state)
{
	for (uint32_t which = 0; which < 4; which++) {
		uint64_t counters[4];
		uint64_t now = T;

		reliable(0, 10, now);
		for (uint32_t i = 0; i < 4; i++) {
			fill(now = conversation_due(&gate.c));
			assert_int_equal(count(), 1);
			counters[i] = packet.counter;
		}
		acknowledge(gate.counter + 3, 1U << (gate.counter + 2 - counters[which]), now);
		assert_true(conversation_quiet(&gate.c));
		assert_false(conversation_holds_messages(&gate.c));
	}
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
	assert_false(conversation_quiet(&gate.c));
	acknowledge(33, 1U << 31, T + 2);
	assert_true(conversation_quiet(&gate.c));
}

static void test_repetitions_go_before_what_is_new(UNUSED void **state)
{
	reliable(1, 700, T);
	fill(T);
	inventory(PRIORITY_URGENT, 3, 800, T + 100 * TALK_MS);
	fill(T + 100 * TALK_MS);
	assert_int_equal(count(), 1);
	assert_int_equal(gate.stats.resent, 1);
	assert_int_equal(conversation_due(&gate.c), T + 100 * TALK_MS);
}

static void test_what_went_to_where_the_peer_no_longer_is_is_sent_again_at_once(UNUSED void **state)
{
	reliable(1, 700, T);
	fill(T);
	reliable(2, 800, T + TALK_MS);
	fill(conversation_due(&gate.c));
	conversation_moved(&gate.hall, &gate.c);
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(conversation_due(&gate.c) <= T + 10 * TALK_MS);
		fill(T + 10 * TALK_MS);
	}
	assert_int_equal(gate.stats.resent, 2);
	acknowledge(3, 0, T + 30 * TALK_MS);
	assert_int_equal(conversation_due(&gate.c), T + 10 * TALK_MS + (100 * TALK_MS << 1));
	acknowledge(4, 0, T + 30 * TALK_MS);
	assert_true(conversation_quiet(&gate.c));
}

static void test_what_was_not_sent_to_where_the_peer_is_measures_no_round_trip(UNUSED void **state)
{
	reliable(1, 10, T);
	fill(T);
	gate.c.out.timed = 0;
	conversation_moved(&gate.hall, &gate.c);
	acknowledge(1, 0, T + 30 * TALK_MS); // it had arrived
	assert_true(conversation_quiet(&gate.c));
	assert_int_equal(gate.c.out.round_trip.smoothed, 0);
}

static void test_who_moves_again_and_again_is_sent_nothing_more_often(UNUSED void **state)
{
	uint64_t now = T;

	reliable(0, 10, now);
	fill(now);
	for (uint32_t i = 0; i < gate.rules.resends; i++) {
		conversation_moved(&gate.hall, &gate.c);
		fill(now += TALK_MS);
		assert_int_equal(count(), 1);
	}
	conversation_moved(&gate.hall, &gate.c);
	assert_int_equal(conversation_due(&gate.c), now + (100 * TALK_MS << gate.rules.resends));
	fill(now + TALK_MS);
	assert_int_equal(count(), 0);
	assert_false(conversation_gave_up(&gate.c));
}

static void test_who_moves_while_nothing_is_on_its_way_is_sent_nothing(UNUSED void **state)
{
	conversation_moved(&gate.hall, &gate.c);
	assert_true(conversation_quiet(&gate.c));
}

static void test_the_timeout_follows_the_round_trip(UNUSED void **state)
{
	uint64_t now = T;

	// RFC 6298: the first sample R gives R + 4 R/2
	reliable(0, 10, now);
	fill(now);
	acknowledge(packet.counter, 0, now += 80 * TALK_MS);
	reliable(0, 10, now);
	fill(now);
	assert_int_equal(conversation_due(&gate.c), now + 240 * TALK_MS);
	// and the second, of the same length, 3/4 of the variance
	acknowledge(packet.counter, 0, now += 80 * TALK_MS);
	reliable(0, 10, now);
	fill(now);
	assert_int_equal(conversation_due(&gate.c), now + 200 * TALK_MS);
	for (uint32_t i = 0; i < 50; i++) {
		acknowledge(packet.counter, 0, now += 10 * TALK_MS);
		reliable(0, 10, now);
		fill(now);
	}
	assert_int_equal(conversation_due(&gate.c), now + 100 * TALK_MS); // never less
}

static void test_a_repetition_that_is_acknowledged_measures_itself(UNUSED void **state)
{
	uint64_t now = T;

	reliable(0, 10, now);
	fill(now);
	fill(now += 100 * TALK_MS);
	assert_int_equal(count(), 1);
	acknowledge(packet.counter, 0, now += 60 * TALK_MS);
	reliable(0, 10, now);
	fill(now);
	assert_int_equal(conversation_due(&gate.c), now + 180 * TALK_MS);
}

static void test_a_way_longer_than_the_least_timeout_is_measured(UNUSED void **state)
{
	uint64_t now = T;
	uint64_t first;

	reliable(0, 10, now);
	fill(now);
	first = packet.counter;
	fill(now += 100 * TALK_MS); // too early: the acknowledgement is on its way
	assert_int_equal(count(), 1);
	acknowledge(first, 0, now += 5 * TALK_MS);
	acknowledge(packet.counter, 1, now + 100 * TALK_MS);
	now += 200 * TALK_MS;
	reliable(0, 10, now);
	fill(now);
	assert_int_equal(conversation_due(&gate.c), now + 315 * TALK_MS);
}

static void test_at_most_256_ids_of_a_channel_are_on_their_way(UNUSED void **state)
{
	uint32_t sent = 0;

	for (uint32_t i = 0; i < 300; i++)
		assert_int_equal(reliable(2, 4, T), PG_LOSS_NONE);
	reliable(1, 4, T); // another channel goes on
	while (conversation_due(&gate.c) <= T + 5 * TALK_MS) {
		fill(T + 5 * TALK_MS);
		sent += count();
		assert_in_range(packet.length, 1, gate.room);
	}
	assert_int_equal(sent, 256 + 1);
	acknowledge(2, 0, T + 5 * TALK_MS); // not the oldest: the window stands
	assert_true(conversation_due(&gate.c) > T + 5 * TALK_MS);
	acknowledge(1, 0, T + 5 * TALK_MS);
	fill(T + 5 * TALK_MS);
	assert_int_equal(count(), 44);
}

static void test_a_fragmented_message_does_not_hold_up_urgent_ones(UNUSED void **state)
{
	talk_say(&gate,
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

// ---------------------------------------------------------------- bounds

static void test_a_slow_player_loses_what_his_queue_has_no_room_for(UNUSED void **state)
{
	uint32_t queued = 0;

	gate.rules.queue_bytes = 10 * POOL_BLOCK;
	while (reliable(0, 20, T) == PG_LOSS_NONE)
		queued++;
	assert_int_equal(queued, 10);
	assert_int_equal(reliable(0, 20, T), PG_LOSS_QUEUE_FULL);
	assert_int_equal(gate.stats.lost[PG_LOSS_QUEUE_FULL], 2);
	assert_int_equal(gate.stats.sent[PG_EVENT_INVENTORY], 10);
	assert_int_equal(gate.stats.memory_used, 10 * POOL_BLOCK);
	fill(T);
	assert_int_equal(reliable(0, 20, T), PG_LOSS_QUEUE_FULL); // sent is not delivered
	acknowledge(packet.counter, 0, T);
	assert_int_equal(reliable(0, 20, T), PG_LOSS_NONE);
	assert_int_equal(conversation_undelivered(&gate.c), 1);
}

static void test_one_message_of_any_length_fits_the_smallest_queue(UNUSED void **state)
{
	gate.rules.queue_bytes = 1000;
	assert_int_equal(reliable(0, SESSION_MESSAGE_MAX, T), PG_LOSS_NONE);
	assert_int_equal(reliable(0, 1, T), PG_LOSS_QUEUE_FULL);
}

static void test_all_players_together_have_so_much_memory(UNUSED void **state)
{
	struct talk_end other = gate;
	uint32_t queued = 0;

	gate.rules.queue_bytes = UINT32_MAX;
	while (inventory(PRIORITY_BULK, 1, 1300, T) == PG_LOSS_NONE)
		queued++;
	assert_in_range(queued, 600, (1 << 20) / 1300);
	assert_int_equal(gate.stats.lost[PG_LOSS_NO_MEMORY], 1);
	assert_int_equal(talk_say(&other, (struct talk_say){.body = zeros, .length = 1300}, T), PG_LOSS_NO_MEMORY);
}

static void test_what_cannot_be_sent_whole_is_refused_as_too_long(UNUSED void **state)
{
	const uint32_t fits = gate.room - (uint32_t)sizeof(struct session_message);

	assert_int_equal(inventory(PRIORITY_BULK, 0, fits, T), PG_LOSS_NONE);
	assert_int_equal(inventory(PRIORITY_BULK, 0, fits + 1, T), PG_LOSS_TOO_LONG);
	assert_int_equal(reliable(SESSION_CHANNEL_UNORDERED, fits - 2, T), PG_LOSS_NONE);
	assert_int_equal(reliable(SESSION_CHANNEL_UNORDERED, fits - 1, T), PG_LOSS_TOO_LONG);
	assert_int_equal(reliable(0, SESSION_MESSAGE_MAX + 1, T), PG_LOSS_TOO_LONG);
	assert_int_equal(talk_say(&gate,
				  (struct talk_say){.reliable = true, .body = zeros, .length = SESSION_MESSAGE_MAX - 3},
				  T),
			 PG_LOSS_TOO_LONG); // the sender goes before it
	assert_int_equal(gate.stats.lost[PG_LOSS_TOO_LONG], 4);
	assert_int_equal(talk_say(&gate,
				  (struct talk_say){.reliable = true, .body = zeros, .length = SESSION_MESSAGE_MAX - 4},
				  T),
			 PG_LOSS_NONE);
}

// ---------------------------------------------------------------- lives

static void test_ids_go_on_where_they_were_after_a_restart(UNUSED void **state)
{
	uint16_t tx[SESSION_CHANNELS], rx[SESSION_CHANNELS];
	struct session_message head;
	uint16_t id;

	for (uint32_t i = 0; i < 3; i++)
		reliable(2, 10, T);
	fill(T);
	acknowledge(packet.counter, 0, T);
	conversation_ids(&gate.c, tx, rx);
	assert_int_equal(tx[2], 3);
	conversation_end(&gate.hall, &gate.c, PG_LOSS_CLOSED);
	conversation_begin(&gate.c, gate.room);
	conversation_resume(&gate.c, tx, rx);
	reliable(2, 10, T);
	fill(T);
	memcpy(&head, packet.body, sizeof(head));
	memcpy(&id, packet.body + sizeof(head), sizeof(id));
	assert_int_equal(head.flags, SESSION_MESSAGE_RELIABLE | 2 << SESSION_MESSAGE_CHANNEL_SHIFT);
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

	gate.hall.settled = tell;
	gate.hall.settled_context = &told;
	talk_say(&gate,
		 (struct talk_say){
			 .type = SESSION_INVENTORY, .reliable = true, .receipt = 77, .body = zeros, .length = 5000},
		 T);
	while (conversation_due(&gate.c) <= T) {
		fill(T);
		packets++;
	}
	assert_int_equal(packets, 4);
	acknowledge(4, 0x5, T + 1); // 4, 3 and 1
	assert_int_equal(told.times, 0);
	assert_int_equal(conversation_undelivered(&gate.c), 1);
	acknowledge(4, 0x7, T + 1);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.receipt, 77);
	assert_int_equal(told.loss, PG_LOSS_NONE);
	assert_int_equal(conversation_undelivered(&gate.c), 0);
}

static void test_a_receipt_is_told_once_when_the_connection_ends_first(UNUSED void **state)
{
	struct told told = {0};

	gate.hall.settled = tell;
	gate.hall.settled_context = &told;
	talk_say(&gate,
		 (struct talk_say){
			 .type = SESSION_INVENTORY, .reliable = true, .receipt = 78, .body = zeros, .length = 5000},
		 T);
	fill(T);
	fill(T);
	acknowledge(2, 0, T + 1);
	conversation_end(&gate.hall, &gate.c, PG_LOSS_CLOSED);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.receipt, 78);
	assert_int_equal(told.loss, PG_LOSS_CLOSED);
	assert_int_equal(gate.stats.lost[PG_LOSS_CLOSED], 1);
}

/// Two messages in two packets, of which the second is acknowledged first.
static void second_acknowledged(uint8_t channel, struct told *told)
{
	gate.hall.settled = tell;
	gate.hall.settled_context = told;
	for (uint32_t receipt = 1; receipt <= 2; receipt++) {
		talk_say(&gate,
			 (struct talk_say){.type = SESSION_INVENTORY,
					   .reliable = true,
					   .channel = channel,
					   .receipt = receipt,
					   .body = zeros,
					   .length = 1000},
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
	assert_int_equal(conversation_undelivered(&gate.c), 2);
	acknowledge(2, 1, T + 2);
	assert_int_equal(told.times, 2);
	assert_int_equal(told.loss, PG_LOSS_NONE);
	assert_int_equal(conversation_undelivered(&gate.c), 0);
}

static void test_a_message_that_nobody_could_read_yet_is_lost_with_the_connection(UNUSED void **state)
{
	struct told told = {0};

	second_acknowledged(1, &told);
	conversation_end(&gate.hall, &gate.c, PG_LOSS_CLOSED);
	assert_int_equal(told.times, 2);
	assert_int_equal(told.loss, PG_LOSS_CLOSED);
	assert_int_equal(gate.stats.lost[PG_LOSS_CLOSED], 2);
}

static void test_on_the_channel_without_order_no_message_waits_for_another(UNUSED void **state)
{
	struct told told = {0};

	second_acknowledged(SESSION_CHANNEL_UNORDERED, &told);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.receipt, 2);
	assert_int_equal(conversation_undelivered(&gate.c), 1);
	acknowledge(2, 1, T + 2);
	assert_int_equal(told.receipt, 1);
	assert_int_equal(told.times, 2);
}

static void test_events_are_counted_by_type_when_they_are_queued(UNUSED void **state)
{
	const uint8_t types[PG_EVENTS] = {
		[PG_EVENT_ATTACK] = SESSION_ATTACK_EVENT, [PG_EVENT_CHAT] = SESSION_CHAT_EVENT,
		[PG_EVENT_SKILL] = SESSION_SKILL_EVENT,   [PG_EVENT_INVENTORY] = SESSION_INVENTORY,
		[PG_EVENT_BULK] = SESSION_BULK_EVENT,
	};

	for (unsigned event = 0; event < PG_EVENTS; event++) {
		for (unsigned i = 0; i <= event; i++)
			talk_say(&gate, (struct talk_say){.type = types[event], .body = zeros, .length = 8}, T);
	}
	for (unsigned event = 0; event < PG_EVENTS; event++)
		assert_int_equal(gate.stats.sent[event], event + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_due_in_a_conversation_that_is_all_zero),
		TEST(test_an_urgent_message_is_due_at_once),
		TEST(test_others_wait_for_company_until_the_flush),
		TEST(test_urgent_before_normal_before_bulk_each_in_its_order),
		TEST(test_a_packet_carries_fifty_messages_and_the_rest_follows_at_once),
		TEST(test_messages_that_fit_one_packet_leave_in_one),
		TEST(test_more_than_a_packet_leaves_without_waiting),
		TEST(test_a_packet_that_leaves_anyway_takes_what_waits),
		TEST(test_a_short_message_fills_the_rest_behind_a_long_one_that_does_not_fit),
		TEST(test_a_long_message_holds_up_only_its_own_queue),
		TEST(test_an_acknowledgement_is_due_in_time_and_leaves_with_any_packet),
		TEST(test_sixteen_datagrams_do_not_wait_for_their_acknowledgement),
		TEST(test_what_is_not_acknowledged_is_sent_again_later_and_later_and_then_given_up),
		TEST(test_an_acknowledgement_of_any_packet_that_carried_it_ends_it),
		TEST(test_acknowledgements_of_other_packets_end_nothing),
		TEST(test_repetitions_go_before_what_is_new),
		TEST(test_what_went_to_where_the_peer_no_longer_is_is_sent_again_at_once),
		TEST(test_what_was_not_sent_to_where_the_peer_is_measures_no_round_trip),
		TEST(test_who_moves_again_and_again_is_sent_nothing_more_often),
		TEST(test_who_moves_while_nothing_is_on_its_way_is_sent_nothing),
		TEST(test_the_timeout_follows_the_round_trip),
		TEST(test_a_way_longer_than_the_least_timeout_is_measured),
		TEST(test_a_repetition_that_is_acknowledged_measures_itself),
		TEST(test_at_most_256_ids_of_a_channel_are_on_their_way),
		TEST(test_a_fragmented_message_does_not_hold_up_urgent_ones),
		TEST(test_a_slow_player_loses_what_his_queue_has_no_room_for),
		TEST(test_one_message_of_any_length_fits_the_smallest_queue),
		TEST(test_all_players_together_have_so_much_memory),
		TEST(test_what_cannot_be_sent_whole_is_refused_as_too_long),
		TEST(test_ids_go_on_where_they_were_after_a_restart),
		TEST(test_a_receipt_is_told_once_when_the_last_piece_arrived),
		TEST(test_a_receipt_is_told_once_when_the_connection_ends_first),
		TEST(test_a_message_is_delivered_when_those_before_it_are),
		TEST(test_a_message_that_nobody_could_read_yet_is_lost_with_the_connection),
		TEST(test_on_the_channel_without_order_no_message_waits_for_another),
		TEST(test_events_are_counted_by_type_when_they_are_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
