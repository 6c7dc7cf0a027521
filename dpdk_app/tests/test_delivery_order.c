// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_order.c: reliable messages that a delivery takes: each once, in order, whole.

#include "unit.h"

#include <string.h>

#include "delivery/restart.h"
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
			assert_int_equal(take(&ingress), TAKEN);
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
			assert_int_equal(take(&ingress), TAKEN);
		}
		assert_int_equal(got.n, 300);
		assert_int_equal(ingress.stats.duplicates, 2 * 300);
	}
}

static void test_what_waits_is_kept_once(UNUSED void **state)
{
	put(bulk(1, 5));
	put(bulk(1, 5));
	assert_int_equal(take(&ingress), TAKEN);
	put(bulk(1, 5));
	assert_int_equal(take(&ingress), TAKEN);
	assert_int_equal(ingress.stats.duplicates, 2);
	assert_int_equal(ingress.ctx.pool->used, 3); // the message, the page that names it, and what names that
}

static void test_an_id_more_than_255_ahead_is_refused(UNUSED void **state)
{
	for (uint8_t channel = 0; channel < SESSION_CHANNELS; channel++) {
		put(bulk(channel, 256));
		assert_int_equal(take(&ingress), REFUSED);
		put(bulk(channel, 0x7fff));
		assert_int_equal(take(&ingress), REFUSED);
		put(bulk(channel, 255));
		assert_int_equal(take(&ingress), TAKEN);
		put(bulk(channel, 0x8000)); // long ago
		assert_int_equal(take(&ingress), TAKEN);
		put(bulk(channel, 0));
		assert_int_equal(take(&ingress), TAKEN);
		put(bulk(channel, 256));
		assert_int_equal(take(&ingress), TAKEN);
		put(bulk(channel, 257));
		assert_int_equal(take(&ingress), REFUSED);
	}
}

static void test_a_whole_window_that_waits_is_delivered_when_its_first_comes(UNUSED void **state)
{
	for (uint16_t id = 255; id > 0; id--) {
		put(bulk(2, id));
		assert_int_equal(take(&ingress), TAKEN);
	}
	assert_int_equal(got.n, 0);
	put(bulk(2, 0));
	put(bulk(1, 0)); // behind it in the datagram
	assert_int_equal(take(&ingress), TAKEN);
	assert_int_equal(got.n, 257);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(got.first[i], i);
	assert_int_equal(ingress.ctx.pool->used, 0);
}

static void test_ids_go_on_where_they_were_after_a_restart(UNUSED void **state)
{
	struct delivery_ids ids;

	for (uint16_t id = 0; id < 3; id++)
		put(bulk(1, id));
	assert_int_equal(take(&ingress), TAKEN);
	ids = delivery_ids(&ingress.c);
	assert_int_equal(ids.rx[1], 3);
	delivery_begin(&ingress.ctx, &ingress.c, 0, ingress.room);
	delivery_resume(&ingress.c, &ids, NULL);
	put(bulk(1, 2));
	put(bulk(1, 3));
	assert_int_equal(take(&ingress), TAKEN);
	assert_int_equal(got.n, 4);
	assert_int_equal(ingress.stats.duplicates, 1);
}

static void test_what_has_no_room_to_wait_is_refused_and_what_it_waits_for_is_not(UNUSED void **state)
{
	ingress.rules.queue_bytes = 20 * POOL_BLOCK;
	uint16_t id = 1;

	for (;; id++) {
		put(bulk(0, id));
		if (take(&ingress) == REFUSED)
			break;
	}
	assert_int_equal(ingress.intake.refused, PG_REFUSED_SESSION_MEMORY);
	assert_uint_in_range(id, 17, 20); // a block each, and those that name them
	put(bulk(0, 0));
	assert_int_equal(take(&ingress), TAKEN);
	assert_int_equal(got.n, id);
	put(bulk(0, id));
	assert_int_equal(take(&ingress), TAKEN);
}

static void test_where_there_is_no_memory_what_is_next_and_whole_is_taken(UNUSED void **state)
{
	ingress.rules.queue_bytes = UINT32_MAX;
	while (talk_say(&ingress, (struct talk_say){.body = zeros, .length = 4}, T) == PG_LOSS_NONE)
		;
	put(bulk(0, 1));
	assert_int_equal(take(&ingress), REFUSED);
	assert_int_equal(ingress.intake.refused, PG_REFUSED_MEMORY);
	assert_int_equal(take_piece(0, 0, 0, 2, PIECE), REFUSED);
	put(bulk(0, 0)); // needs none
	assert_int_equal(take(&ingress), TAKEN);
}

// ---------------------------------------------------------------- fragments

static void test_pieces_in_any_order_make_the_whole_once(UNUSED void **state)
{
	for (uint8_t channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++) {
		const uint16_t order[] = {3, 0, 2, 2, 1};

		got.n = 0;
		for (unsigned i = 0; i < COUNT(order); i++)
			assert_int_equal(take_piece(channel, order[i], order[i], 4, order[i] < 3 ? PIECE : 100), TAKEN);
		assert_int_equal(got.n, 1);
		assert_int_equal(got.length[0], 3 * PIECE + 100);
		assert_false(ingress.violation);
		assert_false(delivery_holds_messages(&ingress.c));
	}
	assert_int_equal(ingress.ctx.pool->used, 0);
}

static void test_a_piece_that_cannot_be_closes(UNUSED void **state)
{
	const struct {
		uint16_t index, count;
		uint32_t length;
	} impossible[] = {{0, 0, 10},        {0, 1, 10},       {2, 2, 10},        {3, 2, 10},        {0, 145, PIECE},
			  {144, 144, 10},    {65535, 144, 10}, {0, 65535, PIECE}, {0, 2, PIECE - 1}, {0, 2, PIECE + 1},
			  {1, 2, PIECE + 1}, {1, 2, 0},        {143, 144, 43}};

	for (unsigned i = 0; i < COUNT(impossible); i++)
		assert_int_equal(take_piece(0, 0, impossible[i].index, impossible[i].count, impossible[i].length),
				 CLOSES);
	assert_int_equal(take_piece(0, 143, 143, 144, 42), TAKEN); // the last of the longest
	assert_int_equal(take_piece(SESSION_CHANNEL_UNORDERED, 0, 0, 2, PIECE), CLOSES);
	for (uint32_t length = 0; length < 4; length++) {
		put((struct talk_raw){.type = SESSION_BULK,
				      .flags = SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT,
				      .body = zeros,
				      .length = length});
		assert_int_equal(take(&ingress), CLOSES);
	}
}

/// A first piece of three came; then this one, which must be a violation.
static void offends(struct talk_raw raw, uint16_t index, uint16_t count)
{
	uint8_t body[4 + PIECE] = {0};

	assert_int_equal(take_piece(0, 0, 0, 3, PIECE), TAKEN);
	assert_false(ingress.violation);
	memcpy(body, &index, sizeof(index));
	memcpy(body + 2, &count, sizeof(count));
	raw.flags |= SESSION_MESSAGE_RELIABLE;
	raw.id = 1;
	raw.body = body;
	raw.length = index + 1 < count ? sizeof(body) : 30;
	put(raw);
	assert_int_equal(take(&ingress), CLOSES);
	assert_int_equal(got.n, 0);
	delivery_end(&ingress.ctx, &ingress.c, PG_LOSS_CLOSED);
	delivery_begin(&ingress.ctx, &ingress.c, 0, ingress.room);
	ingress.violation = false;
}

static void test_a_piece_that_does_not_follow_closes(UNUSED void **state)
{
	const uint8_t flags = SESSION_MESSAGE_FRAGMENT;

	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags}, 0, 3); // begins again
	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags}, 2, 3); // one is missing
	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags}, 1, 4); // the count changes
	offends((struct talk_raw){.type = SESSION_CHAT, .flags = flags}, 1, 3); // the type changes
	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags | SESSION_MESSAGE_COMPRESSED}, 1, 3);
	offends((struct talk_raw){.type = SESSION_BULK}, 0, 0); // no piece at all
}

static void test_a_middle_without_a_beginning_closes(UNUSED void **state)
{
	assert_int_equal(take_piece(0, 0, 1, 3, PIECE), CLOSES);
}

static void test_a_whole_that_is_not_what_its_type_says_is_skipped(UNUSED void **state)
{
	uint8_t piece[4 + PIECE] = {0};

	for (uint16_t i = 0; i < 2; i++) {
		memcpy(piece, (const uint16_t[]){i, 2}, 4);
		put((struct talk_raw){.type = SESSION_MOVE,
				      .flags = SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT,
				      .id = i,
				      .body = piece,
				      .length = i == 0 ? sizeof(piece) : 12});
		assert_int_equal(take(&ingress), i == 0 ? TAKEN : SKIPPED);
	}
	assert_int_equal(got.n, 0);
	assert_int_equal(ingress.ctx.pool->used, 0);
	put(bulk(0, 2)); // and the channel goes on
	assert_int_equal(take(&ingress), TAKEN);
	assert_int_equal(got.n, 1);
}

static void test_channels_join_each_their_own(UNUSED void **state)
{
	for (uint16_t i = 0; i < 3; i++) {
		for (uint8_t channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
			put_piece(channel, i, i, 3, i < 2 ? PIECE : 100U + channel);
		assert_int_equal(take(&ingress), TAKEN);
	}
	assert_int_equal(got.n, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(got.length[i], 2 * PIECE + 100 + i);
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
		ends_test(test_where_there_is_no_memory_what_is_next_and_whole_is_taken),
		ends_test(test_pieces_in_any_order_make_the_whole_once),
		ends_test(test_a_piece_that_cannot_be_closes),
		ends_test(test_a_piece_that_does_not_follow_closes),
		ends_test(test_a_middle_without_a_beginning_closes),
		ends_test(test_a_whole_that_is_not_what_its_type_says_is_skipped),
		ends_test(test_channels_join_each_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
