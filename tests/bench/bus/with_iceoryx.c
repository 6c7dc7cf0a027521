// SPDX-License-Identifier: BSD-3-Clause
// with_iceoryx.c: classic iceoryx through its C binding, as a way of ways.h: nobody sleeps, no message is dropped.
// Its daemon, iox-roudi, must run.

#include "ways.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>

/// In the first word of a body: no message comes after this one.
#define LAST UINT64_MAX
#define QUEUE 256

static struct {
	iox_pub_storage_t publisher_memory;
	iox_sub_storage_t subscriber_memory;
	iox_pub_t publisher;
	iox_sub_t subscriber;
} ends;

static void make_nothing(void)
{
}

static void make_ends(unsigned side)
{
	const char *said[2] = {"said", "answered"};
	iox_pub_options_t publishing;
	iox_sub_options_t subscribing;
	char name[32], instance[32];

	(void)snprintf(name, sizeof(name), "pollgate-%u-%d", side, (int)getpid());
	(void)snprintf(instance, sizeof(instance), "%d", (int)(side == 0 ? getpid() : getppid()));
	iox_runtime_init(name);
	iox_pub_options_init(&publishing);
	publishing.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
	iox_sub_options_init(&subscribing);
	subscribing.queueCapacity = QUEUE;
	subscribing.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
	ends.publisher = iox_pub_init(&ends.publisher_memory, "pollgate", instance, said[side], &publishing);
	ends.subscriber = iox_sub_init(&ends.subscriber_memory, "pollgate", instance, said[1 - side], &subscribing);
}

/// The side that begins knows by its own subscription that its peer is there, and waits for the peer's in its first say.
static void attach_ends(unsigned side)
{
	if (!ends.publisher)
		make_ends(side);
}

static void say(const uint64_t *body, uint32_t bytes)
{
	void *chunk = NULL;

	while (!iox_pub_has_subscribers(ends.publisher))
		sched_yield();
	while (iox_pub_loan_chunk(ends.publisher, &chunk, bytes) != AllocationResult_SUCCESS)
		;
	memcpy(chunk, body, bytes);
	iox_pub_publish_chunk(ends.publisher, chunk);
}

static const uint64_t *hear(void)
{
	const void *chunk = NULL;

	while (iox_sub_take_chunk(ends.subscriber, &chunk) != ChunkReceiveResult_SUCCESS)
		__builtin_ia32_pause();
	return chunk;
}

static void heard(const uint64_t *chunk)
{
	iox_sub_release_chunk(ends.subscriber, chunk);
}

static void converse_by_iceoryx(uint32_t bytes, uint64_t until, struct times *times)
{
	uint64_t body[BODY_MAX / 8] = {1}, then = now_cycles();

	while (then < until) {
		uint64_t now;

		for (unsigned i = 0; i < TURNS; i++) {
			const uint64_t *answer;

			say(body, bytes);
			answer = hear();
			memcpy(body, answer, bytes);
			heard(answer);
		}
		now = now_cycles();
		note_time(times, now - then);
		then = now;
	}
	body[0] = LAST;
	say(body, bytes);
}

static void answer_by_iceoryx(uint32_t bytes)
{
	for (;;) {
		const uint64_t *message = hear();
		const bool is_last = message[0] == LAST;

		if (!is_last)
			say(message, bytes);
		heard(message);
		if (is_last)
			return;
	}
}

static uint64_t send_by_iceoryx(uint32_t bytes, uint64_t until, struct times *times)
{
	uint64_t body[BODY_MAX / 8] = {0}, then = now_cycles(), said;

	while (body[0] % BLOCK != 0 || now_cycles() < until) {
		say(body, bytes);
		note_block(times, ++body[0], &then);
	}
	said = body[0];
	body[0] = LAST;
	say(body, bytes);
	return said;
}

static void receive_by_iceoryx(uint32_t bytes, struct times *times)
{
	uint64_t number = 0, then = now_cycles();

	for (;;) {
		const uint64_t *message = hear();
		const uint64_t first = message[0];

		read_sum += sum_of(message, bytes);
		heard(message);
		if (first == LAST)
			break;
		if (first != number++)
			bench_fail("a message of iceoryx is missing");
		note_block(times, number, &then);
	}
	times->count = number;
}

const struct way iceoryx_way = {
	.name = "iceoryx",
	.make = make_nothing,
	.attach = attach_ends,
	.converse = converse_by_iceoryx,
	.answer = answer_by_iceoryx,
	.send = send_by_iceoryx,
	.receive = receive_by_iceoryx,
};
