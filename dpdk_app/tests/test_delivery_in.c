// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_in.c: what a delivery takes: all of a datagram or nothing, of the right form, within its rates.

#include "unit.h"

#include <math.h>
#include <string.h>

#include "receiver.h"

#define MOVE_BODY ((const float[]){1, 2, 3, 0.5F, -1, 0})
static const uint8_t chat_body[] = {0, 0, 0, 0, 3, 0, 5, 0, 'h', 'e', 'l', 'l', 'o', '!'};
#define CHAT_LENGTH (sizeof(chat_body) - 1) // and one byte behind it

static const struct valid {
	uint8_t type;
	uint32_t length;
	const void *body;
} valid[] = {
	{SESSION_MOVE, 24, zeros},        {SESSION_ATTACK, 20, zeros},       {SESSION_CHAT, CHAT_LENGTH, chat_body},
	{SESSION_HEARTBEAT, 0, zeros},    {SESSION_SKILL, 8, zeros},         {SESSION_BULK, 4, zeros},
	{SESSION_BULK, 1000, zeros},      {SESSION_ATTACK_EVENT, 24, zeros}, {SESSION_SKILL_EVENT, 12, zeros},
	{SESSION_INVENTORY, 0, zeros},    {SESSION_INVENTORY, 77, zeros},    {SESSION_BULK_EVENT, 8, zeros},
	{SESSION_BULK_EVENT, 900, zeros},
};

static struct talk_raw raw_of(const struct valid *v)
{
	return (struct talk_raw){.type = v->type, .body = v->body, .length = v->length};
}

// ---------------------------------------------------------------- form

static void test_every_type_is_delivered_as_it_was_sent(UNUSED void **state)
{
	for (unsigned i = 0; i < COUNT(valid); i++) {
		got.n = 0;
		assert_int_equal(take_one(raw_of(&valid[i])), PG_DROP_NONE);
		assert_int_equal(got.n, 1);
		assert_int_equal(got.type[0], valid[i].type);
		assert_int_equal(got.length[0], valid[i].length);
	}
	assert_int_equal(ingress.stats.received[PG_REQUEST_MOVE], 1);
	assert_int_equal(ingress.stats.received[PG_REQUEST_ATTACK], 1);
	assert_int_equal(ingress.stats.received[PG_REQUEST_CHAT], 1);
	assert_int_equal(ingress.stats.received[PG_REQUEST_HEARTBEAT], 1);
	assert_int_equal(ingress.stats.received[PG_REQUEST_SKILL], 1);
	assert_int_equal(ingress.stats.received[PG_REQUEST_BULK], 2);
}

static void test_a_message_for_the_other_direction_is_refused(UNUSED void **state)
{
	for (unsigned i = 0; i < COUNT(valid); i++) {
		put(raw_of(&valid[i]));
		assert_int_equal(take(valid[i].type < SESSION_EVENT ? &player : &ingress), PG_DROP_MESSAGE_TYPE);
	}
	for (unsigned type = 0; type < 256; type++) {
		bool known = false;

		for (unsigned i = 0; i < COUNT(valid); i++)
			known |= valid[i].type == type;
		if (known || type == SESSION_CHAT_EVENT)
			continue;
		put((struct talk_raw){.type = (uint8_t)type});
		assert_int_equal(take(&ingress), PG_DROP_MESSAGE_TYPE);
		put((struct talk_raw){.type = (uint8_t)type});
		assert_int_equal(take(&player), PG_DROP_MESSAGE_TYPE);
	}
	assert_int_equal(got.n, 0);
}

static void test_a_datagram_that_is_cut_anywhere_is_refused(UNUSED void **state)
{
	for (unsigned i = 0; i < COUNT(valid); i++) {
		for (unsigned reliable = 0; reliable < 2; reliable++) {
			struct talk_raw raw = raw_of(&valid[i]);

			raw.flags = reliable ? SESSION_MESSAGE_RELIABLE : 0;
			raw.id = 200; // ahead: nothing is delivered
			const uint16_t whole = talk_write(datagram.bytes, raw);
			for (uint16_t length = 1; length < whole; length++) {
				datagram.length = length;
				const enum pg_drop drop = take(receiver(raw.type));
				assert_int_equal(drop,
						 length < 4U + 2 * reliable ? PG_DROP_TRUNCATED : PG_DROP_MESSAGE_SIZE);
			}
		}
	}
	assert_int_equal(got.n, 0);
}

static void test_a_length_that_is_one_off_is_refused(UNUSED void **state)
{
	for (unsigned i = 0; i < COUNT(valid); i++) {
		for (int by = -1; by <= 1; by += 2) {
			struct talk_raw raw = raw_of(&valid[i]);
			const bool free_length = raw.type == SESSION_BULK || raw.type == SESSION_INVENTORY ||
						 raw.type == SESSION_BULK_EVENT;
			uint16_t body_len = (uint16_t)(raw.length + (uint32_t)by);

			put(raw); // the field alone
			memcpy(datagram.bytes + 2, &body_len, sizeof(body_len));
			assert_int_not_equal(take(receiver(raw.type)), PG_DROP_NONE);
			if (free_length || body_len == UINT16_MAX)
				continue;
			raw.length = body_len; // field and body
			put(raw);
			assert_int_equal(take(receiver(raw.type)), PG_DROP_MESSAGE_SIZE);
		}
	}
	assert_int_equal(got.n, 0);
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_BULK, .body = zeros, .length = 3}),
			 PG_DROP_MESSAGE_SIZE);
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_BULK_EVENT, .body = zeros, .length = 7}),
			 PG_DROP_MESSAGE_SIZE);
}

static void test_chat_lengths_and_reserved_bytes_are_held_to(UNUSED void **state)
{
	for (int by = -1; by <= 1; by += 2) {
		put((struct talk_raw){.type = SESSION_CHAT, .body = chat_body, .length = CHAT_LENGTH});
		datagram.bytes[4 + 6] = (uint8_t)(datagram.bytes[4 + 6] + by);
		assert_int_equal(take(&ingress), PG_DROP_MESSAGE_SIZE);
	}
	put((struct talk_raw){.type = SESSION_CHAT, .body = chat_body, .length = CHAT_LENGTH});
	datagram.bytes[4 + 5] = 1;
	assert_int_equal(take(&ingress), PG_DROP_MESSAGE_RESERVED);
	put((struct talk_raw){.type = SESSION_CHAT, .body = chat_body, .length = CHAT_LENGTH});
	datagram.bytes[4 + 9] = 0xff;
	assert_int_equal(take(&ingress), PG_DROP_BAD_UTF8);
}

static void test_floats_that_are_not_finite_are_refused(UNUSED void **state)
{
	for (unsigned i = 0; i < 6; i++) {
		float body[6] = {0};

		body[i] = i % 2 ? NAN : -INFINITY;
		assert_int_equal(take_one((struct talk_raw){.type = SESSION_MOVE, .body = body, .length = 24}),
				 PG_DROP_NOT_FINITE);
	}
	for (unsigned i = 2; i < 5; i++) {
		float body[6] = {0};

		body[i] = INFINITY;
		assert_int_equal(take_one((struct talk_raw){.type = SESSION_ATTACK, .body = body, .length = 20}),
				 PG_DROP_NOT_FINITE);
	}
}

static void test_flags_that_mean_nothing_are_refused(UNUSED void **state)
{
	for (unsigned bit = 0; bit < 8; bit++) {
		const uint8_t flag = (uint8_t)(1U << bit);
		enum pg_drop expected = PG_DROP_MESSAGE_RESERVED; // channels are of reliable ones

		if (flag == SESSION_MESSAGE_RELIABLE)
			continue;
		if (flag == SESSION_MESSAGE_COMPRESSED)
			expected = PG_DROP_MESSAGE_COMPRESSION; // never movement
		if (flag == SESSION_MESSAGE_FRAGMENT)
			expected = PG_DROP_MESSAGE_ORDER; // only reliable
		assert_int_equal(take_one((struct talk_raw){
					 .type = SESSION_MOVE, .flags = flag, .body = MOVE_BODY, .length = 24}),
				 expected);
	}
}

static void test_fifty_messages_are_taken_and_fifty_one_are_not(UNUSED void **state)
{
	for (unsigned i = 0; i < 50; i++)
		put((struct talk_raw){.type = SESSION_HEARTBEAT});
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	assert_int_equal(got.n, 50);
	for (unsigned i = 0; i < 51; i++)
		put((struct talk_raw){.type = SESSION_HEARTBEAT});
	assert_int_equal(take(&ingress), PG_DROP_MESSAGE_SIZE);
	assert_int_equal(got.n, 50);
}

static void test_one_bad_message_refuses_its_whole_datagram(UNUSED void **state)
{
	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 100, TALK_HZ);
	put(bulk(0, 0));
	put(bulk(0, 2));
	put(bulk(3, 9));
	put((struct talk_raw){.type = SESSION_HEARTBEAT, .body = zeros, .length = 1});
	assert_int_equal(take(&ingress), PG_DROP_MESSAGE_SIZE);
	assert_int_equal(got.n, 0);
	put(bulk(0, 0));
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	assert_int_equal(got.n, 1);
}

static void test_a_datagram_without_messages_is_good_and_asks_for_nothing(UNUSED void **state)
{
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
}

// ---------------------------------------------------------------- rates

static void test_more_of_a_type_than_its_limit_is_refused_and_costs_nothing(UNUSED void **state)
{
	ingress.rules.message_rate[PG_REQUEST_MOVE] = rate_make(10, 3, TALK_HZ);
	ingress.rules.message_rate[PG_REQUEST_SKILL] = rate_make(10, 2, TALK_HZ);
	put((struct talk_raw){.type = SESSION_SKILL, .body = zeros, .length = 8});
	for (unsigned i = 0; i < 4; i++)
		put((struct talk_raw){.type = SESSION_MOVE, .body = MOVE_BODY, .length = 24});
	assert_int_equal(take(&ingress), PG_DROP_MESSAGE_RATE_LIMITED);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(take_one((struct talk_raw){.type = SESSION_MOVE, .body = MOVE_BODY, .length = 24}),
				 PG_DROP_NONE);
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_MOVE, .body = MOVE_BODY, .length = 24}),
			 PG_DROP_MESSAGE_RATE_LIMITED);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(take_one((struct talk_raw){.type = SESSION_SKILL, .body = zeros, .length = 8}),
				 PG_DROP_NONE);
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_SKILL, .body = zeros, .length = 8}),
			 PG_DROP_MESSAGE_RATE_LIMITED);
}

static void test_repetitions_and_pieces_are_not_charged(UNUSED void **state)
{
	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 3, TALK_HZ);
	for (unsigned again = 0; again < 3; again++) {
		put(bulk(0, 0));
		assert_int_equal(take(&ingress), PG_DROP_NONE);
		for (uint16_t i = 0; i < 10; i++)
			assert_int_equal(take_piece(0, (uint16_t)(1 + i), i, 10, 100), PG_DROP_NONE);
	}
	assert_int_equal(got.n, 2);
	put(bulk(0, 11));
	assert_int_equal(take(&ingress), PG_DROP_NONE);
	put(bulk(0, 12));
	assert_int_equal(take(&ingress), PG_DROP_MESSAGE_RATE_LIMITED);
}

// ---------------------------------------------------------------- the short way

static void test_a_movement_alone_changes_nothing_but_its_rate(UNUSED void **state)
{
	struct delivery before;

	ingress.rules.message_rate[PG_REQUEST_MOVE] = rate_make(10, 3, TALK_HZ);
	delivery_owe(&ingress.ctx, &ingress.c, T); // talk_take() owes one, too
	before = ingress.c;
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_MOVE, .body = MOVE_BODY, .length = 24}),
			 PG_DROP_NONE);
	assert_int_equal(ingress.c.conforms_at[PG_REQUEST_MOVE], T + TALK_HZ / 10);
	before.conforms_at[PG_REQUEST_MOVE] = ingress.c.conforms_at[PG_REQUEST_MOVE];
	before.owing++; // and one more waits to be acknowledged
	assert_memory_equal(&before, &ingress.c, sizeof(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ends_test(test_every_type_is_delivered_as_it_was_sent),
		ends_test(test_a_message_for_the_other_direction_is_refused),
		ends_test(test_a_datagram_that_is_cut_anywhere_is_refused),
		ends_test(test_a_length_that_is_one_off_is_refused),
		ends_test(test_chat_lengths_and_reserved_bytes_are_held_to),
		ends_test(test_floats_that_are_not_finite_are_refused),
		ends_test(test_flags_that_mean_nothing_are_refused),
		ends_test(test_fifty_messages_are_taken_and_fifty_one_are_not),
		ends_test(test_one_bad_message_refuses_its_whole_datagram),
		ends_test(test_a_datagram_without_messages_is_good_and_asks_for_nothing),
		ends_test(test_more_of_a_type_than_its_limit_is_refused_and_costs_nothing),
		ends_test(test_repetitions_and_pieces_are_not_charged),
		ends_test(test_a_movement_alone_changes_nothing_but_its_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
