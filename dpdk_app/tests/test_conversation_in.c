// SPDX-License-Identifier: BSD-3-Clause
// test_conversation_in.c: what a conversation takes: all of a datagram or nothing, each message once, in order, whole.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "talk.h"
#include "unit.h"

#define T 1000000U // a moment
#define DELIVERED_MAX 400

static struct talk_end gate, player;
static struct {
	uint32_t n;
	uint8_t type[DELIVERED_MAX];
	uint8_t first[DELIVERED_MAX];
	uint32_t length[DELIVERED_MAX];
} got;

static void note(UNUSED void *context, UNUSED struct talk_end *end, const struct delivered *message)
{
	assert_true(got.n < DELIVERED_MAX);
	got.type[got.n] = message->type;
	got.first[got.n] = message->length != 0 ? message->body[message->length - 1] : 0;
	got.length[got.n++] = message->length;
}

static int open_ends(UNUSED void **state)
{
	talk_open(&gate, true, 1 << 20, 1400);
	talk_open(&player, false, 1 << 20, 1400);
	gate.deliver = player.deliver = note;
	memset(&got, 0, sizeof(got));
	return 0;
}

static void close_end(struct talk_end *end)
{
	conversation_end(&end->hall, &end->c, PG_LOSS_CLOSED);
	assert_int_equal(message_pool_free_bytes(end->hall.pool), 1 << 20);
	talk_close(end);
}

static int close_ends(UNUSED void **state)
{
	close_end(&gate);
	close_end(&player);
	return 0;
}

/// A datagram in hand.
static struct {
	uint8_t bytes[4096];
	uint16_t length;
} datagram;

static void put(struct talk_raw raw)
{
	datagram.length += talk_write(datagram.bytes + datagram.length, raw);
}

#define MOVE_BODY ((const float[]){1, 2, 3, 0.5F, -1, 0})
static const uint8_t chat_body[] = {0, 0, 0, 0, 3, 0, 5, 0, 'h', 'e', 'l', 'l', 'o', '!'};
#define CHAT_LENGTH (sizeof(chat_body) - 1) // and one byte behind it
static const uint8_t zeros[SESSION_MESSAGE_MAX];

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

static struct talk_end *receiver(uint8_t type)
{
	return type < SESSION_EVENT ? &gate : &player;
}

/// What becomes of the datagram in hand, as the next packet.
static enum pg_drop take(struct talk_end *end)
{
	const size_t size = offsetof(struct talk_packet, body) + datagram.length;
	struct talk_packet *packet = malloc(size); // no longer: who reads behind it is found
	const struct conversation before = end->c;
	const uint32_t used = end->hall.pool->used;

	memset(packet, 0, offsetof(struct talk_packet, body));
	packet->counter = end->replay.newest + 1;
	packet->length = datagram.length;
	memcpy(packet->body, datagram.bytes, datagram.length);
	if (!talk_take(end, packet, T)) {
		assert_memory_equal(&before, &end->c, sizeof(before));
		assert_int_equal(used, end->hall.pool->used);
		assert_int_equal(end->hall.pool->reserved, 0);
	}
	free(packet);
	datagram.length = 0;
	return end->drop;
}

static enum pg_drop take_one(struct talk_raw raw)
{
	put(raw);
	return take(receiver(raw.type));
}

static struct talk_raw raw_of(const struct valid *v)
{
	return (struct talk_raw){.type = v->type, .body = v->body, .length = v->length};
}

static struct talk_raw bulk(uint8_t channel, uint16_t id)
{
	static uint8_t body[5];

	body[4] = (uint8_t)id;
	return (struct talk_raw){.type = SESSION_BULK,
				 .flags =
					 (uint8_t)(SESSION_MESSAGE_RELIABLE | channel << SESSION_MESSAGE_CHANNEL_SHIFT),
				 .id = id,
				 .body = body,
				 .length = sizeof(body)};
}

static void put_piece(uint8_t channel, uint16_t id, uint16_t index, uint16_t count, uint32_t length)
{
	static uint8_t body[1400];

	memcpy(body, &index, sizeof(index));
	memcpy(body + 2, &count, sizeof(count));
	put((struct talk_raw){.type = SESSION_BULK,
			      .flags = (uint8_t)(SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT |
						 channel << SESSION_MESSAGE_CHANNEL_SHIFT),
			      .id = id,
			      .body = body,
			      .length = 4 + length});
}

static enum pg_drop take_piece(uint8_t channel, uint16_t id, uint16_t index, uint16_t count, uint32_t length)
{
	put_piece(channel, id, index, count, length);
	return take(&gate);
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
	assert_int_equal(gate.stats.received[PG_REQUEST_MOVE], 1);
	assert_int_equal(gate.stats.received[PG_REQUEST_ATTACK], 1);
	assert_int_equal(gate.stats.received[PG_REQUEST_CHAT], 1);
	assert_int_equal(gate.stats.received[PG_REQUEST_HEARTBEAT], 1);
	assert_int_equal(gate.stats.received[PG_REQUEST_SKILL], 1);
	assert_int_equal(gate.stats.received[PG_REQUEST_BULK], 2);
}

static void test_a_message_for_the_other_direction_is_refused(UNUSED void **state)
{
	for (unsigned i = 0; i < COUNT(valid); i++) {
		put(raw_of(&valid[i]));
		assert_int_equal(take(valid[i].type < SESSION_EVENT ? &player : &gate), PG_DROP_MESSAGE_TYPE);
	}
	for (unsigned type = 0; type < 256; type++) {
		bool known = false;

		for (unsigned i = 0; i < COUNT(valid); i++)
			known |= valid[i].type == type;
		if (known || type == SESSION_CHAT_EVENT)
			continue;
		put((struct talk_raw){.type = (uint8_t)type});
		assert_int_equal(take(&gate), PG_DROP_MESSAGE_TYPE);
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
		assert_int_equal(take(&gate), PG_DROP_MESSAGE_SIZE);
	}
	put((struct talk_raw){.type = SESSION_CHAT, .body = chat_body, .length = CHAT_LENGTH});
	datagram.bytes[4 + 5] = 1;
	assert_int_equal(take(&gate), PG_DROP_MESSAGE_RESERVED);
	put((struct talk_raw){.type = SESSION_CHAT, .body = chat_body, .length = CHAT_LENGTH});
	datagram.bytes[4 + 9] = 0xff;
	assert_int_equal(take(&gate), PG_DROP_BAD_UTF8);
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
	assert_int_equal(take(&gate), PG_DROP_NONE);
	assert_int_equal(got.n, 50);
	for (unsigned i = 0; i < 51; i++)
		put((struct talk_raw){.type = SESSION_HEARTBEAT});
	assert_int_equal(take(&gate), PG_DROP_MESSAGE_SIZE);
	assert_int_equal(got.n, 50);
}

static void test_one_bad_message_refuses_its_whole_datagram(UNUSED void **state)
{
	gate.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 100, TALK_HZ);
	put(bulk(0, 0));
	put(bulk(0, 2));
	put(bulk(3, 9));
	put((struct talk_raw){.type = SESSION_HEARTBEAT, .body = zeros, .length = 1});
	assert_int_equal(take(&gate), PG_DROP_MESSAGE_SIZE);
	assert_int_equal(got.n, 0);
	put(bulk(0, 0));
	assert_int_equal(take(&gate), PG_DROP_NONE);
	assert_int_equal(got.n, 1);
}

static void test_a_datagram_without_messages_is_good_and_asks_for_nothing(UNUSED void **state)
{
	assert_int_equal(take(&gate), PG_DROP_NONE);
	assert_true(conversation_due(&gate.c) == UINT64_MAX);
}

// ---------------------------------------------------------------- rates

static void test_more_of_a_type_than_its_limit_is_refused_and_costs_nothing(UNUSED void **state)
{
	gate.rules.message_rate[PG_REQUEST_MOVE] = rate_make(10, 3, TALK_HZ);
	gate.rules.message_rate[PG_REQUEST_SKILL] = rate_make(10, 2, TALK_HZ);
	put((struct talk_raw){.type = SESSION_SKILL, .body = zeros, .length = 8});
	for (unsigned i = 0; i < 4; i++)
		put((struct talk_raw){.type = SESSION_MOVE, .body = MOVE_BODY, .length = 24});
	assert_int_equal(take(&gate), PG_DROP_MESSAGE_RATE_LIMITED);
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
	gate.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 3, TALK_HZ);
	for (unsigned again = 0; again < 3; again++) {
		put(bulk(0, 0));
		assert_int_equal(take(&gate), PG_DROP_NONE);
		for (uint16_t i = 0; i < 10; i++)
			assert_int_equal(take_piece(0, (uint16_t)(1 + i), i, 10, 100), PG_DROP_NONE);
	}
	assert_int_equal(got.n, 2);
	put(bulk(0, 11));
	assert_int_equal(take(&gate), PG_DROP_NONE);
	put(bulk(0, 12));
	assert_int_equal(take(&gate), PG_DROP_MESSAGE_RATE_LIMITED);
}

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
			assert_int_equal(take(&gate), PG_DROP_NONE);
			assert_int_equal(conversation_holds_messages(&gate.c), i != 3);
		}
		assert_int_equal(got.n, 4);
		assert_memory_equal(got.first, channel == SESSION_CHANNEL_UNORDERED ? unordered : ordered, 4);
	}
	assert_int_equal(gate.hall.pool->used, 0);
}

static void test_what_was_delivered_is_not_delivered_again(UNUSED void **state)
{
	for (uint8_t channel = 0; channel < SESSION_CHANNELS; channel++) {
		got.n = 0;
		gate.stats.duplicates = 0;
		for (uint16_t id = 0; id < 300; id++) {
			put(bulk(channel, id));
			put(bulk(channel, id));
			put(bulk(channel, 0));
			assert_int_equal(take(&gate), PG_DROP_NONE);
		}
		assert_int_equal(got.n, 300);
		assert_int_equal(gate.stats.duplicates, 2 * 300);
	}
}

static void test_what_waits_is_kept_once(UNUSED void **state)
{
	put(bulk(1, 5));
	put(bulk(1, 5));
	assert_int_equal(take(&gate), PG_DROP_NONE);
	put(bulk(1, 5));
	assert_int_equal(take(&gate), PG_DROP_NONE);
	assert_int_equal(gate.stats.duplicates, 2);
	assert_int_equal(gate.hall.pool->used, 2); // the message, and the page that names it
}

static void test_an_id_more_than_255_ahead_is_refused(UNUSED void **state)
{
	for (uint8_t channel = 0; channel < SESSION_CHANNELS; channel++) {
		put(bulk(channel, 256));
		assert_int_equal(take(&gate), PG_DROP_MESSAGE_ORDER);
		put(bulk(channel, 0x7fff));
		assert_int_equal(take(&gate), PG_DROP_MESSAGE_ORDER);
		put(bulk(channel, 255));
		assert_int_equal(take(&gate), PG_DROP_NONE);
		put(bulk(channel, 0x8000)); // long ago
		assert_int_equal(take(&gate), PG_DROP_NONE);
		put(bulk(channel, 0));
		assert_int_equal(take(&gate), PG_DROP_NONE);
		put(bulk(channel, 256));
		assert_int_equal(take(&gate), PG_DROP_NONE);
		put(bulk(channel, 257));
		assert_int_equal(take(&gate), PG_DROP_MESSAGE_ORDER);
	}
}

static void test_a_whole_window_that_waits_is_delivered_when_its_first_comes(UNUSED void **state)
{
	for (uint16_t id = 255; id > 0; id--) {
		put(bulk(2, id));
		assert_int_equal(take(&gate), PG_DROP_NONE);
	}
	assert_int_equal(got.n, 0);
	put(bulk(2, 0));
	put(bulk(1, 0)); // behind it in the datagram
	assert_int_equal(take(&gate), PG_DROP_NONE);
	assert_int_equal(got.n, 257);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(got.first[i], i);
	assert_int_equal(gate.hall.pool->used, 0);
}

static void test_ids_go_on_where_they_were_after_a_restart(UNUSED void **state)
{
	uint16_t tx[SESSION_CHANNELS], rx[SESSION_CHANNELS];

	for (uint16_t id = 0; id < 3; id++)
		put(bulk(1, id));
	assert_int_equal(take(&gate), PG_DROP_NONE);
	conversation_ids(&gate.c, tx, rx);
	assert_int_equal(rx[1], 3);
	conversation_begin(&gate.c, gate.room);
	conversation_resume(&gate.c, tx, rx);
	put(bulk(1, 2));
	put(bulk(1, 3));
	assert_int_equal(take(&gate), PG_DROP_NONE);
	assert_int_equal(got.n, 4);
	assert_int_equal(gate.stats.duplicates, 1);
}

static void test_what_has_no_room_to_wait_is_refused_and_what_it_waits_for_is_not(UNUSED void **state)
{
	gate.rules.queue_bytes = 20 * POOL_BLOCK;
	uint16_t id = 1;

	for (;; id++) {
		put(bulk(0, id));
		if (take(&gate) == PG_DROP_NO_ROOM)
			break;
	}
	assert_int_equal(id, 20); // a block each, and one that names them
	put(bulk(0, 0));
	assert_int_equal(take(&gate), PG_DROP_NONE);
	assert_int_equal(got.n, 20);
	put(bulk(0, 20));
	assert_int_equal(take(&gate), PG_DROP_NONE);
}

static void test_memory_that_others_use_is_not_promised(UNUSED void **state)
{
	gate.rules.queue_bytes = UINT32_MAX;
	while (talk_say(&gate, (struct talk_say){.body = zeros, .length = 4}, T) == PG_LOSS_NONE)
		;
	put(bulk(0, 1));
	assert_int_equal(take(&gate), PG_DROP_NO_ROOM);
	assert_int_equal(take_piece(0, 0, 0, 2, 100), PG_DROP_NO_ROOM);
	put(bulk(0, 0)); // needs none
	assert_int_equal(take(&gate), PG_DROP_NONE);
}

static void test_a_promise_holds_while_messages_of_the_datagram_are_relayed(UNUSED void **state)
{
	const uint32_t room = 10;
	struct talk_packet packet = {.counter = 1};
	struct intake intake;
	struct delivered message;

	gate.rules.queue_bytes = UINT32_MAX;
	while (gate.hall.pool->blocks - gate.hall.pool->used > room)
		assert_int_equal(talk_say(&gate, (struct talk_say){.body = zeros, .length = 4}, T), PG_LOSS_NONE);
	put(bulk(0, 0)); // delivered, and while it is, all memory is asked for
	put(bulk(0, 2));
	memcpy(packet.body, datagram.bytes, datagram.length);
	assert_int_equal(conversation_admit(&gate.hall, &gate.c, packet.body, datagram.length, T), PG_DROP_NONE);
	intake_begin(&intake, packet.body, datagram.length);
	assert_true(intake_next(&gate.hall, &gate.c, &intake, &message));
	for (uint32_t i = 0; i < room - 2; i++)
		assert_int_equal(talk_say(&gate, (struct talk_say){.body = zeros, .length = 4}, T), PG_LOSS_NONE);
	assert_int_equal(talk_say(&gate, (struct talk_say){.body = zeros, .length = 4}, T), PG_LOSS_NO_MEMORY);
	assert_false(intake_next(&gate.hall, &gate.c, &intake, &message));
	assert_false(intake.offence);
	assert_int_equal(message_pool_free_bytes(gate.hall.pool), 0);
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
		assert_false(gate.offence);
		assert_false(conversation_holds_messages(&gate.c));
	}
	assert_int_equal(gate.hall.pool->used, 0);
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
		assert_int_equal(take(&gate), PG_DROP_MESSAGE_SIZE);
	}
}

/// A first piece of three came; then this one, which must be an offence.
static void offends(struct talk_raw raw, uint16_t index, uint16_t count)
{
	uint8_t body[64] = {0};

	assert_int_equal(take_piece(0, 0, 0, 3, 10), PG_DROP_NONE);
	assert_false(gate.offence);
	memcpy(body, &index, sizeof(index));
	memcpy(body + 2, &count, sizeof(count));
	raw.flags |= SESSION_MESSAGE_RELIABLE;
	raw.id = 1;
	raw.body = body;
	raw.length = 30;
	put(raw);
	assert_int_equal(take(&gate), PG_DROP_NONE);
	assert_true(gate.offence);
	assert_int_equal(got.n, 0);
	conversation_end(&gate.hall, &gate.c, PG_LOSS_CLOSED);
	conversation_begin(&gate.c, gate.room);
	gate.offence = false;
}

static void test_a_piece_that_does_not_follow_is_an_offence(UNUSED void **state)
{
	const uint8_t flags = SESSION_MESSAGE_FRAGMENT;

	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags}, 0, 3); // begins again
	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags}, 2, 3); // one is missing
	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags}, 1, 4); // the count changes
	offends((struct talk_raw){.type = SESSION_CHAT, .flags = flags}, 1, 3); // the type changes
	offends((struct talk_raw){.type = SESSION_BULK, .flags = flags | SESSION_MESSAGE_COMPRESSED}, 1, 3);
	offends((struct talk_raw){.type = SESSION_BULK}, 0, 0); // no piece at all
}

static void test_a_middle_without_a_beginning_is_an_offence(UNUSED void **state)
{
	assert_int_equal(take_piece(0, 0, 1, 3, 10), PG_DROP_NONE);
	assert_true(gate.offence);
}

static void test_pieces_that_are_longer_than_a_body_may_be_are_an_offence(UNUSED void **state)
{
	uint16_t id = 0;

	for (; id < 65532 / 1000; id++)
		assert_int_equal(take_piece(0, id, id, 160, 1000), PG_DROP_NONE);
	assert_false(gate.offence);
	assert_int_equal(take_piece(0, id, id, 160, 536), PG_DROP_NONE);
	assert_false(gate.offence);
	id++;
	assert_int_equal(take_piece(0, id, id, 160, 1), PG_DROP_NONE);
	assert_true(gate.offence);
	assert_in_range(gate.hall.pool->used * POOL_BLOCK, 65536, 65536 * 110 / 100);
}

static void test_a_whole_that_is_not_what_its_type_says_is_an_offence(UNUSED void **state)
{
	for (uint16_t i = 0; i < 2; i++) {
		put((struct talk_raw){.type = SESSION_MOVE,
				      .flags = SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT,
				      .id = i,
				      .body = (const uint16_t[]){i, 2, 0, 0, 0, 0},
				      .length = 12});
		assert_int_equal(take(&gate), PG_DROP_NONE);
	}
	assert_true(gate.offence);
	assert_int_equal(got.n, 0);
}

static void test_channels_join_each_their_own(UNUSED void **state)
{
	for (uint16_t i = 0; i < 3; i++) {
		for (uint8_t channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
			put_piece(channel, i, i, 3, 100U + channel);
	}
	assert_int_equal(take(&gate), PG_DROP_NONE);
	assert_int_equal(got.n, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(got.length[i], 3 * (100 + i));
}

// ---------------------------------------------------------------- the short way

static void test_a_movement_alone_changes_nothing_but_its_rate(UNUSED void **state)
{
	struct conversation before;

	gate.rules.message_rate[PG_REQUEST_MOVE] = rate_make(10, 3, TALK_HZ);
	conversation_owe(&gate.hall, &gate.c, T); // talk_take() owes one, too
	before = gate.c;
	assert_int_equal(take_one((struct talk_raw){.type = SESSION_MOVE, .body = MOVE_BODY, .length = 24}),
			 PG_DROP_NONE);
	assert_int_equal(gate.c.conforms_at[PG_REQUEST_MOVE], T + TALK_HZ / 10);
	before.conforms_at[PG_REQUEST_MOVE] = gate.c.conforms_at[PG_REQUEST_MOVE];
	before.owing++; // and one more waits to be acknowledged
	assert_memory_equal(&before, &gate.c, sizeof(before));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_type_is_delivered_as_it_was_sent),
		TEST(test_a_message_for_the_other_direction_is_refused),
		TEST(test_a_datagram_that_is_cut_anywhere_is_refused),
		TEST(test_a_length_that_is_one_off_is_refused),
		TEST(test_chat_lengths_and_reserved_bytes_are_held_to),
		TEST(test_floats_that_are_not_finite_are_refused),
		TEST(test_flags_that_mean_nothing_are_refused),
		TEST(test_fifty_messages_are_taken_and_fifty_one_are_not),
		TEST(test_one_bad_message_refuses_its_whole_datagram),
		TEST(test_a_datagram_without_messages_is_good_and_asks_for_nothing),
		TEST(test_more_of_a_type_than_its_limit_is_refused_and_costs_nothing),
		TEST(test_repetitions_and_pieces_are_not_charged),
		TEST(test_channels_in_order_wait_and_the_other_does_not),
		TEST(test_what_was_delivered_is_not_delivered_again),
		TEST(test_what_waits_is_kept_once),
		TEST(test_an_id_more_than_255_ahead_is_refused),
		TEST(test_a_whole_window_that_waits_is_delivered_when_its_first_comes),
		TEST(test_ids_go_on_where_they_were_after_a_restart),
		TEST(test_what_has_no_room_to_wait_is_refused_and_what_it_waits_for_is_not),
		TEST(test_memory_that_others_use_is_not_promised),
		TEST(test_a_promise_holds_while_messages_of_the_datagram_are_relayed),
		TEST(test_pieces_in_any_order_make_the_whole_once),
		TEST(test_a_piece_that_cannot_be_is_refused),
		TEST(test_a_piece_that_does_not_follow_is_an_offence),
		TEST(test_a_middle_without_a_beginning_is_an_offence),
		TEST(test_pieces_that_are_longer_than_a_body_may_be_are_an_offence),
		TEST(test_a_whole_that_is_not_what_its_type_says_is_an_offence),
		TEST(test_channels_join_each_their_own),
		TEST(test_a_movement_alone_changes_nothing_but_its_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
