// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_in.c: what a delivery takes, message by message: of the right form, within its limits; what it skips, and what it refuses.

#include "unit.h"

#include <math.h>
#include <string.h>

#include "message/session_check.h"
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
	{SESSION_BULK_EVENT, 900, zeros}, {SESSION_CORRECTION, 24, zeros},   {SESSION_GAME, 0, zeros},
	{SESSION_GAME_LAST, 300, zeros},
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
		assert_int_equal(take_one(raw_of(&valid[i])), TAKEN);
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
	assert_int_equal(ingress.stats.received[PG_REQUEST_GAME], 2);
}

static bool is_control(unsigned type)
{
	return type >= SESSION_LIMITS && type <= SESSION_PONG;
}

static void test_a_message_of_the_other_direction_or_of_no_known_type_is_skipped(UNUSED void **state)
{
	for (unsigned i = 0; i < COUNT(valid); i++) {
		if (session_is_game(valid[i].type))
			continue;
		put(raw_of(&valid[i]));
		assert_int_equal(take(valid[i].type < SESSION_EVENT ? &player : &ingress), SKIPPED);
	}
	for (unsigned type = 0; type < 256; type++) {
		bool known = is_control(type) || session_is_game((uint8_t)type);

		for (unsigned i = 0; i < COUNT(valid); i++)
			known |= valid[i].type == type;
		if (known || type == SESSION_CHAT_EVENT)
			continue;
		put((struct talk_raw){.type = (uint8_t)type});
		assert_int_equal(take(&ingress), SKIPPED);
		put((struct talk_raw){.type = (uint8_t)type});
		assert_int_equal(take(&player), SKIPPED);
	}
	assert_int_equal(got.n, 0);
}

static void test_what_is_said_about_the_connection_itself_is_for_clients_but_busy_ping_and_pong(UNUSED void **state)
{
	static const struct {
		uint8_t type;
		uint32_t length;
	} control[] = {{SESSION_LIMITS, 12}, {SESSION_RESTARTED, 50}, {SESSION_NUMBER, 12}};

	for (unsigned i = 0; i < COUNT(control); i++) {
		put((struct talk_raw){.type = control[i].type, .body = zeros, .length = control[i].length});
		assert_int_equal(take(&ingress), SKIPPED);
		put((struct talk_raw){.type = control[i].type, .body = zeros, .length = control[i].length});
		assert_int_equal(take(&player), TAKEN);
	}
	assert_int_equal(got.n, COUNT(control));
	for (unsigned i = 0; i < 2; i++) {
		put((struct talk_raw){.type = SESSION_BUSY, .body = zeros, .length = 8});
		put((struct talk_raw){.type = SESSION_PONG, .body = zeros, .length = 4});
		assert_int_equal(take(i == 0 ? &ingress : &player), TAKEN);
	}
	assert_int_equal(got.n, COUNT(control) + 1); // a client hears its PONG
}

static void test_a_ping_is_answered_at_once_with_its_token(UNUSED void **state)
{
	struct talk_packet packet;
	const uint32_t token = 0xfeed1234;
	struct session_message head;

	for (unsigned i = 0; i < 2; i++) {
		struct talk_end *end = i == 0 ? &ingress : &player;

		put((struct talk_raw){.type = SESSION_PING, .body = &token, .length = 4});
		assert_int_equal(take(end), TAKEN);
		assert_int_equal(delivery_due(&end->c), T);
		talk_fill(end, &packet, T);
		memcpy(&head, packet.body, sizeof(head));
		assert_int_equal(head.type, SESSION_PONG);
		assert_int_equal(packet.length, sizeof(head) + 4);
		assert_memory_equal(packet.body + sizeof(head), &token, 4);
	}
	assert_int_equal(got.n, 0);
}

/// A connection that was closed begins again.
static void begin_again(struct talk_end *end)
{
	delivery_end(&end->ctx, &end->c, PG_LOSS_CLOSED);
	delivery_begin(&end->ctx, &end->c, 0, end->room);
	end->violation = false;
}

static void test_a_datagram_that_is_cut_anywhere_closes(UNUSED void **state)
{
	for (unsigned i = 0; i < COUNT(valid); i++) {
		for (unsigned reliable = 0; reliable < 2; reliable++) {
			struct talk_raw raw = raw_of(&valid[i]);

			raw.flags = reliable ? SESSION_MESSAGE_RELIABLE : 0;
			raw.id = 200; // ahead: nothing is delivered
			const uint16_t whole = talk_write(datagram.bytes, raw);
			for (uint16_t length = 1; length < whole; length++) {
				datagram.length = length;
				assert_int_equal(take(receiver(raw.type)), CLOSES);
				begin_again(receiver(raw.type));
			}
		}
	}
	datagram.length = 0;
	assert_int_equal(got.n, 0);
}

static void test_a_body_of_another_length_than_its_type_has_is_skipped(UNUSED void **state)
{
	for (unsigned i = 0; i < COUNT(valid); i++) {
		for (int by = -1; by <= 1; by += 2) {
			struct talk_raw raw = raw_of(&valid[i]);
			const bool free_length = raw.type == SESSION_BULK || raw.type == SESSION_INVENTORY ||
						 raw.type == SESSION_BULK_EVENT || session_is_game(raw.type);

			raw.length += (uint32_t)by;
			if (free_length || raw.length == UINT32_MAX)
				continue;
			put(raw);
			assert_int_equal(take(receiver(raw.type)), SKIPPED);
		}
	}
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_BULK, .body = zeros, .length = 3}), SKIPPED);
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_BULK_EVENT, .body = zeros, .length = 7}), SKIPPED);
	assert_int_equal(got.n, 0);
}

static void test_chat_lengths_reserved_bytes_and_text_are_held_to(UNUSED void **state)
{
	for (int by = -1; by <= 1; by += 2) {
		put((struct talk_raw){.type = SESSION_CHAT, .body = chat_body, .length = CHAT_LENGTH});
		datagram.bytes[4 + 6] = (uint8_t)(datagram.bytes[4 + 6] + by);
		assert_int_equal(take(&ingress), SKIPPED);
	}
	put((struct talk_raw){.type = SESSION_CHAT, .body = chat_body, .length = CHAT_LENGTH});
	datagram.bytes[4 + 5] = 1;
	assert_int_equal(take(&ingress), SKIPPED);
	put((struct talk_raw){.type = SESSION_CHAT, .body = chat_body, .length = CHAT_LENGTH});
	datagram.bytes[4 + 9] = 0xff;
	assert_int_equal(take(&ingress), SKIPPED);
}

static void test_floats_that_are_not_finite_are_skipped(UNUSED void **state)
{
	for (unsigned i = 0; i < 6; i++) {
		float body[6] = {0};

		body[i] = i % 2 ? NAN : -INFINITY;
		assert_int_equal(take_one((struct talk_raw){.type = SESSION_MOVE, .body = body, .length = 24}),
				 SKIPPED);
	}
	for (unsigned i = 2; i < 5; i++) {
		float body[6] = {0};

		body[i] = INFINITY;
		assert_int_equal(take_one((struct talk_raw){.type = SESSION_ATTACK, .body = body, .length = 20}),
				 SKIPPED);
	}
}

static void test_flags_that_cannot_be_close_and_the_bits_of_priority_say_it(UNUSED void **state)
{
	for (unsigned bit = 0; bit < 8; bit++) {
		const uint8_t flag = (uint8_t)(1U << bit);
		enum fate expected = CLOSES; // a channel or a piece that is not reliable, bit 3

		if (flag == SESSION_MESSAGE_RELIABLE)
			continue;
		if (flag == SESSION_MESSAGE_COMPRESSED)
			expected = SKIPPED; // never movement
		if (flag >> SESSION_MESSAGE_PRIORITY_SHIFT != 0)
			expected = TAKEN;
		assert_int_equal(take_one((struct talk_raw){
					 .type = SESSION_MOVE, .flags = flag, .body = MOVE_BODY, .length = 24}),
				 expected);
		begin_again(&ingress);
	}
}

static void test_fifty_messages_are_taken_and_fifty_one_close(UNUSED void **state)
{
	for (unsigned i = 0; i < 50; i++)
		put((struct talk_raw){.type = SESSION_HEARTBEAT});
	assert_int_equal(take(&ingress), TAKEN);
	assert_int_equal(got.n, 50);
	for (unsigned i = 0; i < 51; i++)
		put((struct talk_raw){.type = SESSION_HEARTBEAT});
	assert_int_equal(take(&ingress), CLOSES);
}

static void test_what_is_not_understood_leaves_the_others_of_its_datagram_alone(UNUSED void **state)
{
	put(bulk(0, 0));
	put((struct talk_raw){.type = 63, .body = zeros, .length = 77});
	put((struct talk_raw){.type = SESSION_HEARTBEAT, .body = zeros, .length = 1});
	put(bulk(0, 1));
	assert_int_equal(take(&ingress), SKIPPED);
	assert_int_equal(got.n, 2);
	assert_int_equal(ingress.stats.skipped, 2);
}

static void test_a_reliable_one_that_is_not_understood_uses_up_its_id(UNUSED void **state)
{
	for (uint8_t channel = 0; channel < SESSION_CHANNELS; channel++) {
		struct talk_raw unknown = bulk(channel, 1);

		got.n = 0;
		unknown.type = 60;
		put(unknown); // before its turn
		put(bulk(channel, 2));
		assert_int_equal(take(&ingress), SKIPPED);
		put(bulk(channel, 0));
		assert_int_equal(take(&ingress), TAKEN);
		assert_int_equal(got.n, 2);
		put(unknown);
		assert_int_equal(take(&ingress), TAKEN); // again: it was taken
		assert_int_equal(ingress.stats.skipped, channel + 1);
	}
	assert_int_equal(ingress.ctx.pool->used, 0);
}

static void test_a_datagram_without_messages_is_good_and_asks_for_nothing(UNUSED void **state)
{
	assert_int_equal(take(&ingress), TAKEN);
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
}

// ---------------------------------------------------------------- limits

static void test_more_of_a_type_than_its_limit_is_lost_alone_where_it_is_not_reliable(UNUSED void **state)
{
	ingress.rules.message_rate[PG_REQUEST_MOVE] = rate_make(10, 3, TALK_HZ);
	ingress.rules.message_rate[PG_REQUEST_SKILL] = rate_make(10, 2, TALK_HZ);
	for (unsigned i = 0; i < 5; i++)
		put((struct talk_raw){.type = SESSION_MOVE, .body = MOVE_BODY, .length = 24});
	put((struct talk_raw){.type = SESSION_SKILL, .body = zeros, .length = 8});
	assert_int_equal(take(&ingress), OVER_LIMIT);
	assert_int_equal(got.n, 4);
	assert_int_equal(ingress.stats.over_limit, 2);
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_MOVE, .body = MOVE_BODY, .length = 24}),
			 OVER_LIMIT);
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_SKILL, .body = zeros, .length = 8}), TAKEN);
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_SKILL, .body = zeros, .length = 8}), OVER_LIMIT);
}

/// What a BUSY that is due says.
static struct session_busy busy_of(struct talk_end *end)
{
	struct talk_packet packet;
	struct session_message head;
	struct session_busy busy;

	assert_true(delivery_due(&end->c) <= now_of_takes);
	talk_fill(end, &packet, now_of_takes);
	memcpy(&head, packet.body, sizeof(head));
	assert_int_equal(head.type, SESSION_BUSY);
	memcpy(&busy, packet.body + sizeof(head), sizeof(busy));
	return busy;
}

static void
test_a_reliable_one_over_its_limit_is_refused_with_what_follows_on_its_channel_and_nothing_else(UNUSED void **state)
{
	struct session_busy busy;

	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(10, 2, TALK_HZ);
	for (uint16_t id = 0; id < 4; id++)
		put(bulk(1, id));
	put((struct talk_raw){.type = SESSION_SKILL, .flags = SESSION_MESSAGE_RELIABLE, .body = zeros, .length = 8});
	put((struct talk_raw){.type = SESSION_SKILL,
			      .flags = SESSION_MESSAGE_RELIABLE | 1 << SESSION_MESSAGE_CHANNEL_SHIFT,
			      .id = 4,
			      .body = zeros,
			      .length = 8});
	assert_int_equal(take(&ingress), REFUSED);
	assert_int_equal(got.n, 3); // two of them, and the skill of the other channel
	assert_int_equal(ingress.stats.refused[PG_REFUSED_RATE], 3);
	busy = busy_of(&ingress);
	assert_int_equal(busy.counter, ingress.replay.newest);
	assert_int_equal(busy.reason, PG_REFUSED_RATE);
	assert_int_equal(busy.type, SESSION_BULK);
	assert_uint_in_range(busy.retry_ms, 100, 102); // one of them conforms then
}

static void test_what_was_refused_is_taken_when_it_comes_again_in_time(UNUSED void **state)
{
	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(10, 2, TALK_HZ);
	for (uint16_t id = 0; id < 33; id++)
		put(bulk(1, id));
	assert_int_equal(take(&ingress), REFUSED);
	for (unsigned again = 0; again < 31; again++) {
		now_of_takes += 100 * TALK_MS;
		for (uint16_t id = 0; id < 33; id++)
			put(bulk(1, id));
		assert_int_equal(take(&ingress), again < 30 ? REFUSED : TAKEN);
		assert_int_equal(got.n, again + 3);
	}
	assert_int_equal(got.n, 33);
}

static void test_busy_is_said_ten_times_a_second_at_most(UNUSED void **state)
{
	unsigned said = 0;

	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 1, TALK_HZ);
	put(bulk(0, 0));
	assert_int_equal(take(&ingress), TAKEN);
	for (unsigned i = 0; i < 500; i++, now_of_takes += TALK_MS) {
		put(bulk(0, 1));
		assert_int_equal(take(&ingress), REFUSED);
		if (delivery_due(&ingress.c) <= now_of_takes && ingress.c.busy.reason != 0) {
			busy_of(&ingress);
			said++;
		}
	}
	assert_int_equal(said, 5);
}

static void test_a_repetition_of_what_was_taken_is_free(UNUSED void **state)
{
	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 3, TALK_HZ);
	for (unsigned again = 0; again < 20; again++) {
		put(bulk(0, 0));
		put(bulk(0, 2)); // waits
		assert_int_equal(take(&ingress), TAKEN);
	}
	put(bulk(0, 1));
	assert_int_equal(take(&ingress), TAKEN);
	put(bulk(0, 3));
	assert_int_equal(take(&ingress), REFUSED);
}

/// What is left of a burst of 100 after these bytes came, as they say.
static unsigned left_after(uint32_t bytes, bool in_pieces)
{
	unsigned left = 0;
	uint16_t id = 0;

	got.n = 0;
	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 100, TALK_HZ);
	if (in_pieces) {
		const uint16_t count = (uint16_t)((bytes + PIECE - 1) / PIECE);

		for (; id < count; id++)
			assert_int_equal(take_piece(0, id, id, count, id + 1 < count ? PIECE : bytes - id * PIECE),
					 TAKEN);
	} else {
		put((struct talk_raw){
			.type = SESSION_BULK, .flags = SESSION_MESSAGE_RELIABLE, .body = zeros, .length = bytes});
		assert_int_equal(take(&ingress), TAKEN);
		id = 1;
	}
	for (;; left++) {
		put(bulk(0, id++));
		if (take(&ingress) == REFUSED)
			break;
	}
	begin_again(&ingress);
	return left;
}

static void test_a_message_costs_the_same_alone_and_in_pieces_one_for_each_1400_bytes(UNUSED void **state)
{
	const uint32_t lengths[] = {459, 916, 1399, 1400, 1401, 2799, 2800, 2801, 4000, 30000, 65532};

	assert_int_equal(left_after(100, false), 99);
	assert_int_equal(left_after(1300, false), 99);
	for (unsigned i = 0; i < COUNT(lengths); i++)
		assert_int_equal(left_after(lengths[i], true), 100 - (lengths[i] + 1399) / 1400);
}

static void test_a_message_costs_no_more_than_its_burst(UNUSED void **state)
{
	const uint16_t count = 144;

	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 3, TALK_HZ);
	for (uint16_t i = 0; i < count; i++)
		assert_int_equal(take_piece(0, i, i, count, i + 1 < count ? PIECE : 38), TAKEN);
	assert_int_equal(got.n, 1);
	put(bulk(0, count));
	assert_int_equal(take(&ingress), REFUSED);
}

// ---------------------------------------------------------------- the short way

static void test_a_movement_alone_changes_nothing_but_its_rate(UNUSED void **state)
{
	struct delivery before;

	ingress.rules.message_rate[PG_REQUEST_MOVE] = rate_make(10, 3, TALK_HZ);
	delivery_owe(&ingress.ctx, &ingress.c, T); // talk_take() owes one, too
	before = ingress.c;
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_MOVE, .body = MOVE_BODY, .length = 24}), TAKEN);
	assert_int_equal(ingress.c.conforms_at[PG_REQUEST_MOVE], T + TALK_HZ / 10);
	before.conforms_at[PG_REQUEST_MOVE] = ingress.c.conforms_at[PG_REQUEST_MOVE];
	before.owing++; // and one more waits to be acknowledged
	assert_memory_equal(&before, &ingress.c, sizeof(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ends_test(test_every_type_is_delivered_as_it_was_sent),
		ends_test(test_a_message_of_the_other_direction_or_of_no_known_type_is_skipped),
		ends_test(test_what_is_said_about_the_connection_itself_is_for_clients_but_busy_ping_and_pong),
		ends_test(test_a_ping_is_answered_at_once_with_its_token),
		ends_test(test_a_datagram_that_is_cut_anywhere_closes),
		ends_test(test_a_body_of_another_length_than_its_type_has_is_skipped),
		ends_test(test_chat_lengths_reserved_bytes_and_text_are_held_to),
		ends_test(test_floats_that_are_not_finite_are_skipped),
		ends_test(test_flags_that_cannot_be_close_and_the_bits_of_priority_say_it),
		ends_test(test_fifty_messages_are_taken_and_fifty_one_close),
		ends_test(test_what_is_not_understood_leaves_the_others_of_its_datagram_alone),
		ends_test(test_a_reliable_one_that_is_not_understood_uses_up_its_id),
		ends_test(test_a_datagram_without_messages_is_good_and_asks_for_nothing),
		ends_test(test_more_of_a_type_than_its_limit_is_lost_alone_where_it_is_not_reliable),
		ends_test(
			test_a_reliable_one_over_its_limit_is_refused_with_what_follows_on_its_channel_and_nothing_else),
		ends_test(test_what_was_refused_is_taken_when_it_comes_again_in_time),
		ends_test(test_busy_is_said_ten_times_a_second_at_most),
		ends_test(test_a_repetition_of_what_was_taken_is_free),
		ends_test(test_a_message_costs_the_same_alone_and_in_pieces_one_for_each_1400_bytes),
		ends_test(test_a_message_costs_no_more_than_its_burst),
		ends_test(test_a_movement_alone_changes_nothing_but_its_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
