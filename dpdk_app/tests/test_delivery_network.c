// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_network.c: two deliveries over networks that lose, double and disorder: each reliable message arrives
// once, in order.

#include <stdlib.h>
#include <string.h>

#include "delivery/restart.h"
#include "talk.h"
#include "unit.h"

#define MESSAGES 256 // of one end in one run
#define PIPE 4096

struct flight {
	uint64_t at;
	struct talk_packet *packet;
};

/// What one end said, for the other end to hold it to.
struct script {
	uint32_t said;
	uint32_t length[MESSAGES];
	uint8_t channel[MESSAGES]; // SESSION_CHANNELS: not reliable
	uint8_t arrived[MESSAGES];
	uint32_t last[SESSION_CHANNELS]; // message + 1 that came last on a channel in order
	uint32_t settled[MESSAGES];
};

struct shard {
	struct talk_end end;
	struct script script; // of what this side said
	struct shard *other;
	struct flight pipe[PIPE]; // to this side
	uint32_t flying;
};

struct network {
	uint64_t seed, until;
	uint32_t loss, doubling, delay_min, delay_spread; // per 1000; microseconds
};

static uint8_t content(uint32_t message, uint32_t at)
{
	const uint32_t z = (message + 1) * 2654435761U + at * 40503U;

	return (uint8_t)(at % 7 < 4 ? z >> 13 : message); // somewhat compressible
}

static void fill_body(uint8_t *body, uint32_t message, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		body[i] = content(message, i);
	memcpy(body + sizeof(uint32_t), &message, sizeof(message));
}

/// A message arrived at `end`: it is one that the other side said, whole, and nothing before it on its channel is missing.
static void hold_to_script(void *context, struct talk_end *end, const struct delivered *message)
{
	struct shard *shard = context;
	struct script *script = &shard->other->script;
	static uint8_t expected[SESSION_MESSAGE_MAX];
	const uint8_t *body = message->body + (end->ctx.gateway ? 0 : sizeof(uint32_t)); // after the sender
	const uint32_t length = message->length - (end->ctx.gateway ? 0 : (uint32_t)sizeof(uint32_t));
	uint32_t number;

	memcpy(&number, body + sizeof(uint32_t), sizeof(number));
	assert_uint_in_range(number, 0, script->said - 1);
	assert_int_equal(length, script->length[number]);
	fill_body(expected, number, length);
	assert_memory_equal(body, expected, length);
	assert_int_equal(script->arrived[number]++, 0);
	assert_int_equal(message->reliable, script->channel[number] != SESSION_CHANNELS);
	if (!message->reliable)
		return;
	assert_int_equal(message->channel, script->channel[number]);
	if (message->channel == SESSION_CHANNEL_UNORDERED)
		return;
	for (uint32_t i = script->last[message->channel]; i < number; i++)
		assert_int_not_equal(script->channel[i], message->channel);
	script->last[message->channel] = number + 1;
}

static void settled(void *context, uint32_t receipt, enum pg_loss loss)
{
	struct script *script = &((struct shard *)context)->script;

	assert_int_equal(script->settled[receipt - 1]++, 0);
	if (loss == PG_LOSS_NONE && script->channel[receipt - 1] == SESSION_CHANNEL_UNORDERED) // others may wait there
		assert_int_equal(script->arrived[receipt - 1], 1);
}

static uint32_t chance(struct network *network, uint32_t n)
{
	return (uint32_t)(talk_random(&network->seed) % n);
}

static void send(struct network *network, struct shard *to, const struct talk_packet *packet, uint64_t now)
{
	const uint32_t copies = chance(network, 1000) < network->doubling ? 2 : 1;

	for (uint32_t i = 0; i < copies; i++) {
		if (chance(network, 1000) < network->loss)
			continue;
		assert_true(to->flying < PIPE);
		struct flight *flight = &to->pipe[to->flying++];
		flight->at = now + network->delay_min + chance(network, network->delay_spread + 1);
		flight->packet = malloc(sizeof(*packet));
		*flight->packet = *packet;
	}
}

static uint64_t arrives_next(const struct shard *shard)
{
	uint64_t at = UINT64_MAX;

	for (uint32_t i = 0; i < shard->flying; i++)
		at = shard->pipe[i].at < at ? shard->pipe[i].at : at;
	return at;
}

static void arrive(struct shard *shard, uint64_t now)
{
	for (uint32_t i = 0; i < shard->flying;) {
		if (shard->pipe[i].at > now) {
			i++;
			continue;
		}
		struct talk_packet *packet = shard->pipe[i].packet;
		shard->pipe[i] = shard->pipe[--shard->flying];
		talk_take(&shard->end, packet, now);
		assert_true(shard->end.intake.refused == 0 || shard->end.intake.refused == PG_REFUSED_MEMORY ||
			    shard->end.intake.refused == PG_REFUSED_SESSION_MEMORY);
		free(packet);
	}
}

static void say_something(struct network *network, struct shard *shard, uint32_t longest, uint64_t now)
{
	struct script *script = &shard->script;
	const uint32_t channel = chance(network, SESSION_CHANNELS + 1);
	const uint32_t limit = channel >= SESSION_CHANNEL_UNORDERED ? 400 : longest;
	const uint32_t length = 8 + chance(network, chance(network, 4) == 0 ? limit : 60);
	static uint8_t body[SESSION_MESSAGE_MAX];

	if (script->said == MESSAGES)
		return;
	fill_body(body, script->said, length);
	script->length[script->said] = length;
	script->channel[script->said] = (uint8_t)channel;
	if (talk_say(&shard->end,
		     (struct talk_say){
			     .reliable = channel < SESSION_CHANNELS,
			     .channel = channel < SESSION_CHANNELS ? (uint8_t)channel : 0,
			     .priority = (enum priority)chance(network, PRIORITIES),
			     .receipt = script->said + 1,
			     .body = body,
			     .length = length,
		     },
		     now) == PG_LOSS_NONE)
		script->said++;
}

static void leave_if_due(struct network *network, struct shard *shard, uint64_t now)
{
	struct talk_packet packet;
	uint32_t packets = 0;

	while (delivery_due(&shard->end.c) <= now) {
		assert_true(packets++ < 1000);
		talk_fill(&shard->end, &packet, now);
		send(network, shard->other, &packet, now);
	}
}

static uint64_t next_event(const struct shard *shards)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < 2; i++) {
		const uint64_t due = delivery_due(&shards[i].end.c), arrival = arrives_next(&shards[i]);

		next = due < next ? due : next;
		next = arrival < next ? arrival : next;
	}
	return next;
}

/// Both say their messages at random times; then the network is left alone until all is quiet.
static void talk(struct network *network, struct shard *shards, uint32_t messages, uint32_t longest)
{
	uint64_t now = 1000, say_at = now;

	while (now < network->until) {
		for (unsigned i = 0; i < 2; i++)
			arrive(&shards[i], now);
		if (messages != 0 && now >= say_at) {
			say_something(network, &shards[chance(network, 2)], longest, now);
			messages--;
			say_at = now + (chance(network, 3) != 0 ? 0 : chance(network, 20 * TALK_MS));
		}
		for (unsigned i = 0; i < 2; i++)
			leave_if_due(network, &shards[i], now);

		uint64_t next = next_event(shards);
		if (messages != 0 && say_at < next)
			next = say_at;
		if (next == UINT64_MAX)
			return;
		now = next > now ? next : now;
	}
}

static void hold_to_end(struct shard *shard, bool complete)
{
	const struct script *script = &shard->script;

	for (uint32_t i = 0; i < script->said; i++) {
		if (complete && script->channel[i] != SESSION_CHANNELS)
			assert_int_equal(script->arrived[i], 1);
	}
	if (complete) {
		assert_false(delivery_holds_messages(&shard->end.c));
		assert_int_equal(message_pool_free_bytes(shard->end.ctx.pool), shard->end.memory_bytes);
	}
	delivery_end(&shard->end.ctx, &shard->end.c, PG_LOSS_CLOSED);
	for (uint32_t i = 0; i < script->said; i++)
		assert_int_equal(script->settled[i], script->channel[i] != SESSION_CHANNELS);
	assert_int_equal(message_pool_free_bytes(shard->end.ctx.pool), shard->end.memory_bytes);
	assert_int_equal(shard->end.stats.memory_used, 0);
	assert_false(shard->end.violation);
}

struct setting {
	uint32_t loss, doubling, delay_min, delay_spread;
	uint64_t until; // both are left then, whatever is under way; 0: never
	uint32_t messages, longest;
	uint16_t datagram;
	uint16_t first_id;
	size_t memory;
	uint32_t compress_min;
};

/// @return did every message arrive?
static bool run(uint64_t seed, struct setting setting)
{
	struct network network = {seed,
				  setting.until != 0 ? setting.until : UINT64_MAX,
				  setting.loss,
				  setting.doubling,
				  setting.delay_min,
				  setting.delay_spread};
	struct shard *shards = calloc(2, sizeof(*shards));
	const uint16_t first = setting.first_id, other = (uint16_t)(first + 9);
	const struct delivery_ids ids = {.tx = {first, first, other, first}, .rx = {first, first, other, first}};
	bool complete;

	for (unsigned i = 0; i < 2; i++) {
		struct talk_end *end = &shards[i].end;

		talk_open(end, i == 0, setting.memory, setting.datagram);
		for (unsigned type = 0; type < PG_COMPRESSIBLE; type++)
			end->rules.compress_min[type] = setting.compress_min;
		end->deliver = hold_to_script;
		end->ctx.settled = settled;
		end->context = end->ctx.settled_context = &shards[i];
		delivery_resume(&end->c, &ids, NULL);
		shards[i].other = &shards[1 - i];
	}
	talk(&network, shards, setting.messages, setting.longest);
	complete = delivery_undelivered(&shards[0].end.c) + delivery_undelivered(&shards[1].end.c) == 0;
	for (unsigned i = 0; i < 2; i++) {
		hold_to_end(&shards[i], complete);
		talk_close(&shards[i].end);
		for (uint32_t n = 0; n < shards[i].flying; n++)
			free(shards[i].pipe[n].packet);
	}
	free(shards);
	return complete;
}

static void test_every_message_arrives_over_a_perfect_network(UNUSED void **state)
{
	for (uint64_t seed = 0; seed < 100; seed++)
		assert_true(run(seed, (struct setting){.delay_min = 20 * TALK_MS,
						       .messages = 200,
						       .longest = 3000,
						       .datagram = 1400,
						       .memory = 1 << 20,
						       .compress_min = UINT32_MAX}));
}

static void test_reliable_messages_arrive_once_and_in_order_over_a_bad_network(UNUSED void **state)
{
	for (uint64_t seed = 0; seed < 2000; seed++)
		assert_true(run(seed, (struct setting){.loss = (uint32_t)seed % 5 * 60,
						       .doubling = 100,
						       .delay_min = 1 * TALK_MS,
						       .delay_spread = (uint32_t)(seed % 7) * 30 * TALK_MS,
						       .messages = 20 + (uint32_t)seed % 100,
						       .longest = 5000,
						       .datagram = seed % 2 ? 1400 : 508,
						       .memory = 1 << 20,
						       .compress_min = seed % 3 ? UINT32_MAX : 100}));
}

static void test_ids_wrap_at_16_bits(UNUSED void **state)
{
	for (uint64_t seed = 0; seed < 300; seed++)
		assert_true(run(seed, (struct setting){.loss = 50,
						       .doubling = 50,
						       .delay_min = 1 * TALK_MS,
						       .delay_spread = 60 * TALK_MS,
						       .messages = 150,
						       .longest = 2000,
						       .datagram = 508,
						       .first_id = (uint16_t)(65535 - seed % 40),
						       .memory = 1 << 20,
						       .compress_min = UINT32_MAX}));
}

static void test_the_longest_messages_arrive_through_the_smallest_and_the_largest_datagrams(UNUSED void **state)
{
	for (uint64_t seed = 0; seed < 30; seed++)
		assert_true(run(seed, (struct setting){.loss = 30,
						       .doubling = 50,
						       .delay_min = 1 * TALK_MS,
						       .delay_spread = 30 * TALK_MS,
						       .messages = 8,
						       .longest = SESSION_MESSAGE_MAX - 16,
						       .datagram = seed % 2 ? 1400 : 508,
						       .first_id = 65500,
						       .memory = 1 << 20,
						       .compress_min = seed % 3 ? UINT32_MAX : 100}));
}

static void test_nothing_is_lost_silently_where_nothing_gets_through(UNUSED void **state)
{
	for (uint64_t seed = 0; seed < 100; seed++)
		assert_false(run(seed, (struct setting){.loss = 1000,
							.doubling = 50,
							.delay_min = 1 * TALK_MS,
							.delay_spread = 30 * TALK_MS,
							.until = 20 * TALK_HZ,
							.messages = 60,
							.longest = 2000,
							.datagram = 508,
							.memory = 1 << 20,
							.compress_min = UINT32_MAX}));
}

static void test_a_pool_that_is_too_small_leaks_nothing_and_breaks_no_order(UNUSED void **state)
{
	for (uint64_t seed = 0; seed < 500; seed++)
		run(seed, (struct setting){.until = 300 * TALK_HZ,
					   .loss = 100,
					   .doubling = 100,
					   .delay_min = 1 * TALK_MS,
					   .delay_spread = 100 * TALK_MS,
					   .messages = 200,
					   .longest = 4000,
					   .datagram = 508,
					   .memory = (size_t)POOL_BLOCK * (20 + seed % 100),
					   .compress_min = UINT32_MAX});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_message_arrives_over_a_perfect_network),
		cmocka_unit_test(test_reliable_messages_arrive_once_and_in_order_over_a_bad_network),
		cmocka_unit_test(test_ids_wrap_at_16_bits),
		cmocka_unit_test(test_the_longest_messages_arrive_through_the_smallest_and_the_largest_datagrams),
		cmocka_unit_test(test_nothing_is_lost_silently_where_nothing_gets_through),
		cmocka_unit_test(test_a_pool_that_is_too_small_leaks_nothing_and_breaks_no_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
