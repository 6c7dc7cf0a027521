// SPDX-License-Identifier: BSD-3-Clause
// test_broadcast.c: a message for many is to each receiver what a message for this one alone would be; its body is there once.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "talk.h"

#define RECEIVERS 5
#define MEMORY (8U << 20)
#define ROOM 1400
#define T 1000000U

/// One receiver's delivery, and the counter of its packets.
struct receiver {
	struct delivery c;
	uint32_t counter;
};

static struct talk_end alone;               // says each message to one
static struct talk_end many;                // says it to all receivers at once
static struct receiver lone;                // of `alone`
static struct receiver receiver[RECEIVERS]; // of `many`
static uint8_t body[SESSION_MESSAGE_MAX];

static void open_end(struct talk_end *end, struct receiver *its, unsigned n)
{
	talk_open(end, true, MEMORY, ROOM);
	end->rules.compress_min[PG_COMPRESS_BULK] = 200;
	delivery_end(&end->ctx, &end->c, PG_LOSS_CLOSED);
	for (unsigned i = 0; i < n; i++) {
		memset(&its[i], 0, sizeof(its[i]));
		delivery_begin(&end->ctx, &its[i].c, i, end->room);
	}
}

static int open_ends(UNUSED void **state)
{
	uint64_t seed = 7;

	open_end(&alone, &lone, 1);
	open_end(&many, receiver, RECEIVERS);
	for (uint32_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)talk_random(&seed);
	return 0;
}

static void close_end(struct talk_end *end, struct receiver *its, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		delivery_end(&end->ctx, &its[i].c, PG_LOSS_CLOSED);
	assert_int_equal(message_pool_free_bytes(end->ctx.pool), MEMORY);
	talk_close(end);
}

static int close_ends(UNUSED void **state)
{
	close_end(&alone, &lone, 1);
	close_end(&many, receiver, RECEIVERS);
	return 0;
}

static enum pg_loss say_to_many(const struct outgoing *message, uint64_t now)
{
	enum pg_loss loss = PG_LOSS_NONE;
	struct broadcast broadcast;

	broadcast_begin(&many.ctx, &broadcast, message);
	for (unsigned i = 0; i < RECEIVERS; i++) {
		const enum pg_loss its = delivery_broadcast(&many.ctx, &receiver[i].c, &broadcast, now);

		if (i > 0)
			assert_int_equal(its, loss);
		loss = its;
	}
	broadcast_end(&many.ctx, &broadcast);
	return loss;
}

static void fill_for(struct talk_end *end, struct receiver *its, struct talk_packet *packet, uint64_t now)
{
	end->c = its->c;
	end->counter = its->counter;
	talk_fill(end, packet, now);
	its->c = end->c;
	its->counter = end->counter;
}

static void acknowledge(struct talk_end *end, struct receiver *its, uint32_t bits, uint64_t now)
{
	const struct session_prefix prefix = {.ack = its->counter, .ack_bits = bits};

	delivery_acknowledged(&end->ctx, &its->c, its->counter, &prefix, now);
}

/// All have the same to say now, or nothing.
static bool same_packets(uint64_t now)
{
	const bool due = delivery_due(&lone.c) <= now;
	struct talk_packet expected, got;

	if (due)
		fill_for(&alone, &lone, &expected, now);
	for (unsigned i = 0; i < RECEIVERS; i++) {
		assert_int_equal(delivery_due(&receiver[i].c) <= now, due);
		if (!due)
			continue;
		fill_for(&many, &receiver[i], &got, now);
		assert_int_equal(got.length, expected.length);
		assert_memory_equal(got.body, expected.body, expected.length);
	}
	return due;
}

static struct outgoing any_message(uint64_t *seed)
{
	struct outgoing message = {
		.type = talk_random(seed) % 2 ? SESSION_BULK_EVENT : 64,
		.channel = (uint8_t)(talk_random(seed) % SESSION_CHANNELS),
		.reliable = talk_random(seed) % 4 != 0,
		.priority = (enum priority)(talk_random(seed) % PRIORITIES),
		.sender = 9,
		.length = (uint32_t)(talk_random(seed) % (talk_random(seed) % 8 ? 300 : 20000)),
	};

	message.body = talk_random(seed) % 3 ? body + talk_random(seed) % 1000 : many.ctx.compressor->joined; // zeros
	return message;
}

static void each_gets_what_one_alone_would(UNUSED void **state)
{
	uint64_t seed = 21, now = T;

	for (unsigned round = 0; round < 4000; round++, now += TALK_MS) {
		if (talk_random(&seed) % 4 == 0) {
			const struct outgoing message = any_message(&seed);

			assert_int_equal(say_to_many(&message, now),
					 delivery_queue(&alone.ctx, &lone.c, &message, now));
		}
		for (unsigned i = 0; i < 4 && same_packets(now); i++)
			;
		if (lone.counter == 0 || talk_random(&seed) % 3 == 0)
			continue;

		const uint64_t chance = talk_random(&seed);
		const uint32_t bits = (uint32_t)(chance | chance >> 32); // three of four arrived

		acknowledge(&alone, &lone, bits, now);
		for (unsigned i = 0; i < RECEIVERS; i++)
			acknowledge(&many, &receiver[i], bits, now);
	}
	for (unsigned i = 0; i < PG_LOSSES; i++)
		assert_int_equal(many.stats.lost[i], RECEIVERS * alone.stats.lost[i]);
	for (unsigned i = 0; i < PG_EVENTS; i++)
		assert_int_equal(many.stats.sent[i], RECEIVERS * alone.stats.sent[i]);
	assert_true(alone.stats.sent[PG_EVENT_GAME] > 200);
	assert_true(alone.stats.sent[PG_EVENT_BULK] > 200);
	assert_int_equal(many.stats.compress_in[PG_COMPRESS_BULK], alone.stats.compress_in[PG_COMPRESS_BULK]);
	assert_int_not_equal(many.stats.compress_in[PG_COMPRESS_BULK], 0);
}

static void a_body_is_there_once(UNUSED void **state)
{
	const struct outgoing message = {.type = SESSION_BULK_EVENT, .reliable = true, .body = body, .length = 40000};

	assert_int_equal(delivery_queue(&alone.ctx, &lone.c, &message, T), PG_LOSS_NONE);
	assert_int_equal(say_to_many(&message, T), PG_LOSS_NONE);
	// Each receiver has a block for each piece of the message, and one for lists.
	assert_true(many.ctx.pool->used <
		    alone.ctx.pool->used * 5 / 4 + RECEIVERS * (1 + message.length / SESSION_PIECE + 1));
	for (unsigned i = 0; i < RECEIVERS; i++) // a quota is of messages, wherever they lie
		assert_int_equal(receiver[i].c.out.blocks, lone.c.out.blocks);
}

static void the_last_who_has_it_gives_it_back(UNUSED void **state)
{
	const struct outgoing message = {.type = SESSION_BULK_EVENT, .reliable = true, .body = body, .length = 5000};

	assert_int_equal(say_to_many(&message, T), PG_LOSS_NONE);
	for (unsigned i = 0; i < RECEIVERS; i++) {
		assert_true(message_pool_free_bytes(many.ctx.pool) <= MEMORY - message.length);
		delivery_end(&many.ctx, &receiver[i].c, PG_LOSS_CLOSED);
		delivery_begin(&many.ctx, &receiver[i].c, i, many.room);
	}
	assert_int_equal(message_pool_free_bytes(many.ctx.pool), MEMORY);
}

static void without_memory_it_is_lost(UNUSED void **state)
{
	const struct outgoing message = {.type = SESSION_BULK_EVENT, .reliable = true, .body = body, .length = 60000};
	struct broadcast broadcast;

	many.rules.queue_bytes = UINT32_MAX;
	while (many.stats.lost[PG_LOSS_NO_MEMORY] == 0) {
		broadcast_begin(&many.ctx, &broadcast, &message);
		for (unsigned i = 0; i < RECEIVERS; i++)
			(void)delivery_broadcast(&many.ctx, &receiver[i].c, &broadcast, T);
		broadcast_end(&many.ctx, &broadcast);
	}
	assert_true(many.stats.sent[PG_EVENT_BULK] > MEMORY / message.length); // more than there would be room for
}

static void what_a_path_does_not_carry_is_lost_for_its_receiver(UNUSED void **state)
{
	const struct outgoing message = {.type = SESSION_BULK_EVENT, .body = body, .length = ROOM};

	assert_int_equal(say_to_many(&message, T), PG_LOSS_TOO_LONG);
	assert_int_equal(many.stats.lost[PG_LOSS_TOO_LONG], RECEIVERS);
}

#define BROADCAST_TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROADCAST_TEST(each_gets_what_one_alone_would),
		BROADCAST_TEST(a_body_is_there_once),
		BROADCAST_TEST(the_last_who_has_it_gives_it_back),
		BROADCAST_TEST(without_memory_it_is_lost),
		BROADCAST_TEST(what_a_path_does_not_carry_is_lost_for_its_receiver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
