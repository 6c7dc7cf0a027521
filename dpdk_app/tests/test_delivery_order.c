// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_order.c: reliable messages that a delivery takes: each once, in order, whole.

#include "unit.h"

#include <string.h>

#include "receiver.h"

// ---------------------------------------------------------------- once, in order

static void test_channels_in_order_wait_and_the_other_does_not(UNUSED void **state)
{
	for (uint8_t channel = 0; channel < SESSION_CHANNELS; channel++) {
		const uint16_t ids[] = {2, 1, 3, 0};
		const uint8_t unordered[] = {2, 1, 3, 0}, ordered[] = {0, 1, 2, 3};

		got.n = 0;
		for (unsigned i = 0; i < COUNT(ids); i++) {
			assert_int_equal(got.n, channel == SESSION_CHANNEL_UNORDERED ? i : 0);
			put(bulk(channel, ids[i]));
			assert_int_equal(take(&ingress), PG_DROP_NONE);
			assert_int_equal(delivery_holds_messages(&ingress.c), i != 3);
		}
		assert_int_equal(got.n, 4);
		assert_memory_equal(got.first, channel == SESSION_CHANNEL_UNORDERED ? unordered : ordered, 4);
	}
	assert_int_equal(ingress.ctx.pool->used, 0);
}

static void test_what_was_delivered_is_not_delivered_again(UNUSED void **state)
{
	for (uint8_t channel = 0; channel < SESSION_CHANNELS; channel++) {
		got.n = 0;
		ingress.stats.duplicates = 0;
		for (uint16_t id = 0; id < 300; id++) {
			put(bulk(channel, id));
			put(bulk(channel, id));
			put(bulk(channel, 0));
			assert_int_equal(take(&ingress), PG_DROP_NONE);
		}
		assert_int_equal(got.n, 300);
		assert_int_equal(ingress.stats.duplicates, 2 * 300);
	}
}

static void test_what_waits_is_kept_once(UNUSED void **state)
{
	put(bulk(1, 5));
	put(bulk(1, 5));
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	put(bulk(1, 5));
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	assert_int_equal(ingress.stats.duplicates, 2);
	assert_int_equal(ingress.ctx.pool->used, 2); // the message, and the page that names it
}

static void test_an_id_more_than_255_ahead_is_refused(UNUSED void **state)
{
	for (uint8_t channel = 0; channel < SESSION_CHANNELS; channel++) {
		put(bulk(channel, 256));
		assert_int_equal(take(&ingress), PG_DROP_MESSAGE_ORDER);
		put(bulk(channel, 0x7fff));
		assert_int_equal(take(&ingress), PG_DROP_MESSAGE_ORDER);
		put(bulk(channel, 255));
		assert_int_equal(take(&ingress), PG_DROP_NONE);
		put(bulk(channel, 0x8000)); // long ago
		assert_int_equal(take(&ingress), PG_DROP_NONE);
		put(bulk(channel, 0));
		assert_int_equal(take(&ingress), PG_DROP_NONE);
		put(bulk(channel, 256));
		assert_int_equal(take(&ingress), PG_DROP_NONE);
		put(bulk(channel, 257));
		assert_int_equal(take(&ingress), PG_DROP_MESSAGE_ORDER);
	}
}

static void test_a_whole_window_that_waits_is_delivered_when_its_first_comes(UNUSED void **state)
{
	for (uint16_t id = 255; id > 0; id--) {
		put(bulk(2, id));
		assert_int_equal(take(&ingress), PG_DROP_NONE);
	}
	assert_int_equal(got.n, 0);
	put(bulk(2, 0));
	put(bulk(1, 0)); // behind it in the datagram
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	assert_int_equal(got.n, 257);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(got.first[i], i);
	assert_int_equal(ingress.ctx.pool->used, 0);
}

static void test_ids_go_on_where_they_were_after_a_restart(UNUSED void **state)
{
	uint16_t tx[SESSION_CHANNELS], rx[SESSION_CHANNELS];

	for (uint16_t id = 0; id < 3; id++)
		put(bulk(1, id));
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	delivery_ids(&ingress.c, tx, rx);
	assert_int_equal(rx[1], 3);
	delivery_begin(&ingress.ctx, &ingress.c, 0, ingress.room);
	delivery_resume(&ingress.c, tx, rx);
	put(bulk(1, 2));
	put(bulk(1, 3));
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	assert_int_equal(got.n, 4);
	assert_int_equal(ingress.stats.duplicates, 1);
}

static void test_what_has_no_room_to_wait_is_refused_and_what_it_waits_for_is_not(UNUSED void **state)
{
	ingress.rules.queue_bytes = 20 * POOL_BLOCK;
	uint16_t id = 1;

	for (;; id++) {
		put(bulk(0, id));
		if (take(&ingress) == PG_DROP_NO_ROOM)
			break;
	}
	assert_int_equal(id, 20); // a block each, and one that names them
	put(bulk(0, 0));
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	assert_int_equal(got.n, 20);
	put(bulk(0, 20));
	assert_int_equal(take(&ingress), PG_DROP_NONE);
}

static void test_memory_that_others_use_is_not_promised(UNUSED void **state)
{
	ingress.rules.queue_bytes = UINT32_MAX;
	while (talk_say(&ingress, (struct talk_say){.body = zeros, .length = 4}, T) == PG_LOSS_NONE)
		;
	put(bulk(0, 1));
	assert_int_equal(take(&ingress), PG_DROP_NO_ROOM);
	assert_int_equal(take_piece(0, 0, 0, 2, 100), PG_DROP_NO_ROOM);
	put(bulk(0, 0)); // needs none
	assert_int_equal(take(&ingress), PG_DROP_NONE);
}

static void test_a_promise_holds_while_messages_of_the_datagram_are_relayed(UNUSED void **state)
{
	const uint32_t room = 10;
	struct talk_packet packet = {.counter = 1};
	struct intake intake;
	struct delivered message;

	ingress.rules.queue_bytes = UINT32_MAX;
	while (ingress.ctx.pool->blocks - ingress.ctx.pool->used > room)
		assert_int_equal(talk_say(&ingress, (struct talk_say){.body = zeros, .length = 4}, T), PG_LOSS_NONE);
	put(bulk(0, 0)); // delivered, and while it is, all memory is asked for
	put(bulk(0, 2));
	memcpy(packet.body, datagram.bytes, datagram.length);
	assert_int_equal(delivery_admit(&ingress.ctx, &ingress.c, packet.body, datagram.length, T), PG_DROP_NONE);
	intake_begin(&intake, packet.body, datagram.length);
	assert_true(intake_next(&ingress.ctx, &ingress.c, &intake, &message));
	for (uint32_t i = 0; i < room - 2; i++)
		assert_int_equal(talk_say(&ingress, (struct talk_say){.body = zeros, .length = 4}, T), PG_LOSS_NONE);
	assert_int_equal(talk_say(&ingress, (struct talk_say){.body = zeros, .length = 4}, T), PG_LOSS_NO_MEMORY);
	assert_false(intake_next(&ingress.ctx, &ingress.c, &intake, &message));
	assert_false(intake.violation);
	assert_int_equal(message_pool_free_bytes(ingress.ctx.pool), 0);
	datagram.length = 0;
}

// ---------------------------------------------------------------- fragments

static void test_pieces_in_any_order_make_the_whole_once(UNUSED void **state)
{
	for (uint8_t channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++) {
		const uint16_t order[] = {3, 0, 2, 2, 1};

		got.n = 0;
		for (unsigned i = 0; i < COUNT(order); i++)
			assert_int_equal(take_piece(channel, order[i], order[i], 4, 500), PG_DROP_NONE);
		assert_int_equal(got.n, 1);
		assert_int_equal(got.length[0], 2000);
		assert_false(ingress.violation);
		assert_false(delivery_holds_messages(&ingress.c));
	}
	assert_int_equal(ingress.ctx.pool->used, 0);
}

static void test_a_piece_that_cannot_be_is_refused(UNUSED void **state)
{
	const struct {
		uint16_t index, count;
	} impossible[] = {{0, 0}, {0, 1}, {2, 2}, {3, 2}, {0, 161}, {160, 160}, {65535, 160}, {0, 65535}};

	for (unsigned i = 0; i < COUNT(impossible); i++)
		assert_int_equal(take_piece(0, 0, impossible[i].index, impossible[i].count, 10), PG_DROP_MESSAGE_ORDER);
	assert_int_equal(take_piece(SESSION_CHANNEL_UNORDERED, 0, 0, 2, 10), PG_DROP_MESSAGE_ORDER);
	for (uint32_t length = 0; length < 4; length++) {
		put((struct talk_raw){.type = SESSION_BULK,
				      .flags = SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT,
				      .body = zeros,
				      .length = length});
		assert_int_equal(take(&ingress), PG_DROP_MESSAGE_SIZE);
	}
}

/// A first piece of three came; then this one, which must be a violation.
static void offends(struct talk_raw raw, uint16_t index, uint16_t count)
{
	uint8_t body[64] = {0};

	assert_int_equal(take_piece(0, 0, 0, 3, 10), PG_DROP_NONE);
	assert_false(ingress.violation);
	memcpy(body, &index, sizeof(index));
	memcpy(body + 2, &count, sizeof(count));
	raw.flags |= SESSION_MESSAGE_RELIABLE;
	raw.id = 1;
	raw.body = body;
	raw.length = 30;
	put(raw);
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	assert_true(ingress.violation);
	assert_int_equal(got.n, 0);
	delivery_end(&ingress.ctx, &ingress.c, PG_LOSS_CLOSED);
	delivery_begin(&ingress.ctx, &ingress.c, 0, ingress.room);
	ingress.violation = false;
}

static void test_a_piece_that_does_not_follow_is_an_violation(UNUSED void **state)
{
	const uint8_t flags = SESSION_MESSAGE_FRAGMENT;

	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags}, 0, 3); // begins again
	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags}, 2, 3); // one is missing
	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags}, 1, 4); // the count changes
	offends((struct talk_raw){.type = SESSION_CHAT, .flags = flags}, 1, 3); // the type changes
	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags | SESSION_MESSAGE_COMPRESSED}, 1, 3);
	offends((struct talk_raw){.type = SESSION_BULK}, 0, 0); // no piece at all
}

static void test_a_middle_without_a_beginning_is_an_violation(UNUSED void **state)
{
	assert_int_equal(take_piece(0, 0, 1, 3, 10), PG_DROP_NONE);
	assert_true(ingress.violation);
}

static void test_pieces_that_are_longer_than_a_body_may_be_are_an_violation(UNUSED void **state)
{
	uint16_t id = 0;

	for (; id < 65532 / 1000; id++)
		assert_int_equal(take_piece(0, id, id, 160, 1000), PG_DROP_NONE);
	assert_false(ingress.violation);
	assert_int_equal(take_piece(0, id, id, 160, 536), PG_DROP_NONE);
	assert_false(ingress.violation);
	id++;
	assert_int_equal(take_piece(0, id, id, 160, 1), PG_DROP_NONE);
	assert_true(ingress.violation);
	assert_uint_in_range(ingress.ctx.pool->used * POOL_BLOCK, 65536, 65536 * 110 / 100);
}

static void test_a_whole_that_is_not_what_its_type_says_is_an_violation(UNUSED void **state)
{
	for (uint16_t i = 0; i < 2; i++) {
		put((struct talk_raw){.type = SESSION_MOVE,
				      .flags = SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT,
				      .id = i,
				      .body = (const uint16_t[]){i, 2, 0, 0, 0, 0},
				      .length = 12});
		assert_int_equal(take(&ingress), PG_DROP_NONE);
	}
	assert_true(ingress.violation);
	assert_int_equal(got.n, 0);
}

static void test_channels_join_each_their_own(UNUSED void **state)
{
	for (uint16_t i = 0; i < 3; i++) {
		for (uint8_t channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
			put_piece(channel, i, i, 3, 100U + channel);
	}
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	assert_int_equal(got.n, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(got.length[i], 3 * (100 + i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ends_test(test_channels_in_order_wait_and_the_other_does_not),
		ends_test(test_what_was_delivered_is_not_delivered_again),
		ends_test(test_what_waits_is_kept_once),
		ends_test(test_an_id_more_than_255_ahead_is_refused),
		ends_test(test_a_whole_window_that_waits_is_delivered_when_its_first_comes),
		ends_test(test_ids_go_on_where_they_were_after_a_restart),
		ends_test(test_what_has_no_room_to_wait_is_refused_and_what_it_waits_for_is_not),
		ends_test(test_memory_that_others_use_is_not_promised),
		ends_test(test_a_promise_holds_while_messages_of_the_datagram_are_relayed),
		ends_test(test_pieces_in_any_order_make_the_whole_once),
		ends_test(test_a_piece_that_cannot_be_is_refused),
		ends_test(test_a_piece_that_does_not_follow_is_an_violation),
		ends_test(test_a_middle_without_a_beginning_is_an_violation),
		ends_test(test_pieces_that_are_longer_than_a_body_may_be_are_an_violation),
		ends_test(test_a_whole_that_is_not_what_its_type_says_is_an_violation),
		ends_test(test_channels_join_each_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
