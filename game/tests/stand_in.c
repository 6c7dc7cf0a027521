// SPDX-License-Identifier: BSD-3-Clause
// stand_in.c: a gateway for the tests of other languages: prints the path of its socket, then does what standard input says.
//
//   join WORKER PLAYER      leave WORKER PLAYER WHY    say WORKER PLAYER TYPE TEXT    moved WORKER PLAYER
//   list WORKER PLAYER   attack WORKER PLAYER TARGET   place WORKER PLAYER X   flood WORKER PLAYER BYTES COUNT   replace WORKER BEGUN   order WORKER
//   follow PROCESS          end
//
// `order` prints what the first process wrote to the worker: its type and body in hexadecimal, or `none`. `flood` prints how
// many nanoseconds it took. Everything else prints `ok`.

#include "gateway.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct gateway gateway;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static void flood(unsigned worker, uint32_t player, uint32_t bytes, uint64_t count)
{
	struct ring_writer *writer = &gateway.process[0].worker[worker].writer;
	const uint64_t start = now_ns();
	uint64_t said = 0;

	while (said < count) {
		const uint64_t before = said;
		void *body;

		for (unsigned i = 0; i < 16 && said < count; i++) {
			if (ring_reserve(writer, bytes, GAME_MESSAGE, &body) != RING_OK)
				break;
			*(struct game_message *)body = (struct game_message){
				.player = player + (uint32_t)(said % 100), .type = 100, .flags = GAME_RELIABLE};
			said++;
		}
		ring_commit(writer);
		ring_wake_later(writer);
		if (said == before)
			sched_yield();
	}
	gateway_commit(&gateway, worker);
	printf("%" PRIu64 "\n", now_ns() - start);
}

static void print_order(unsigned worker)
{
	struct ring_reader *reader = &gateway.process[0].worker[worker].reader;
	struct ring_message message = {0};

	if (ring_peek(reader, &message, 1) != 1) {
		puts("none");
		return;
	}
	printf("%u ", message.type);
	for (uint32_t i = 0; i < message.length; i++)
		printf("%02x", ((const uint8_t *)message.body)[i]);
	puts("");
	ring_release(reader);
}

static void attack(unsigned worker, uint32_t player, uint32_t target)
{
	struct game_message *said = gateway_record(&gateway, worker, GAME_MESSAGE, sizeof(*said) + 20);

	*said = (struct game_message){.player = player, .type = PGG_TYPE_ATTACK, .flags = GAME_RELIABLE};
	memcpy(said->body, &target, sizeof(target));
	gateway_commit(&gateway, worker);
}

static void place(unsigned worker, uint32_t player, unsigned x)
{
	struct game_position *at = gateway_record(&gateway, worker, GAME_MOVED, sizeof(*at));

	*at = (struct game_position){player, {(float)x, 0, 0}, {0, 0, 0}};
	gateway_commit(&gateway, worker);
}

static void moved(unsigned worker, uint32_t player)
{
	struct game_position *at = gateway_record(&gateway, worker, GAME_MOVED, 2 * sizeof(*at));

	for (uint32_t i = 0; i < 2; i++)
		at[i] = (struct game_position){player + i, {1, 2, 3}, {0, 0, (float)i}};
	gateway_commit(&gateway, worker);
}

/// @return false: it is to end
static bool obey(const char *line)
{
	unsigned worker = 0, a = 0, b = 0, count = 0;
	char text[200] = "";

	if (sscanf(line, "join %u %u", &worker, &a) == 2) {
		gateway_join(&gateway, worker, a, GAME_JOINED_NOW);
	} else if (sscanf(line, "leave %u %u %u", &worker, &a, &b) == 3) {
		gateway_leave(&gateway, worker, a, (uint8_t)b);
	} else if (sscanf(line, "say %u %u %u %199[^\n]", &worker, &a, &b, text) >= 3) {
		gateway_say(&gateway, worker, a, (uint8_t)b, text);
	} else if (sscanf(line, "moved %u %u", &worker, &a) == 2) {
		moved(worker, a);
	} else if (sscanf(line, "list %u %u", &worker, &a) == 2) {
		gateway_listing(&gateway, worker, &a, 1);
	} else if (sscanf(line, "attack %u %u %u", &worker, &a, &b) == 3) {
		attack(worker, a, b);
	} else if (sscanf(line, "place %u %u %u", &worker, &a, &b) == 3) {
		place(worker, a, b);
	} else if (sscanf(line, "replace %u %u", &worker, &a) == 2) {
		gateway_replace_worker(&gateway, worker, a);
	} else if (sscanf(line, "follow %u", &a) == 1) {
		gateway_follow(&gateway, a);
	} else if (sscanf(line, "flood %u %u %u %u", &worker, &a, &b, &count) == 4) {
		flood(worker, a, b, count);
		return true;
	} else if (sscanf(line, "order %u", &worker) == 1) {
		print_order(worker);
		return true;
	} else {
		return false;
	}
	puts("ok");
	return true;
}

int main(int argc, char **argv)
{
	char line[400];

	setvbuf(stdout, NULL, _IOLBF, 0);
	gateway_start(&gateway, argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1);
	puts(gateway.path);
	while (fgets(line, sizeof(line), stdin) && obey(line))
		continue;
	gateway_stop(&gateway);
	return 0;
}
