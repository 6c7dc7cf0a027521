// SPDX-License-Identifier: BSD-3-Clause
// tests/bench_game.c: what the way through a game process adds to a message, by stamps in the worker: from the dispatch of a
// player's message to when the order that answers it has been carried out. A benchmark, not a test.
//
//   bench_game
//
// The worker's own code on one CPU; on the other a process that spins and sends each message back to its player. A burst of one
// message, so that nothing is waited for but the process.

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "game_fixture.h"

#define BODY_BYTES 24
#define TYPE 64
#define WARM_UP 100
/// Nothing leaves here for the player, and so many wait in a session: no order is refused.
#define ROUND_TRIPS 400

static void run_on_cpu(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) != 0) {
		(void)fprintf(stderr, "bench_game: two CPUs are needed\n");
		exit(1);
	}
}

static void send_back(struct game_fixture *fixture, const struct game_message *said, uint32_t length)
{
	struct game_send answer = {.player = said->player, .message = {.type = said->type}};
	void *at = NULL;

	while (!at)
		(void)ring_reserve(&fixture->writer, sizeof(answer) + length, GAME_SEND, &at);
	memcpy(at, &answer, sizeof(answer));
	memcpy((uint8_t *)at + sizeof(answer), said->body, length);
	ring_commit(&fixture->writer);
}

static void play(struct game_fixture *fixture)
{
	struct ring_message message;

	for (;;) {
		if (ring_peek(&fixture->reader, &message, 1) != 1) {
			__builtin_ia32_pause();
			continue;
		}
		if (message.kind == RING_MESSAGE && message.type == GAME_MESSAGE)
			send_back(fixture, message.body, message.length - (uint32_t)sizeof(struct game_message));
		ring_release(&fixture->reader);
	}
}

static uint64_t round_trip(struct game_fixture *fixture)
{
	const struct pg_process_counts *counts = &fixture->game->counts[0];
	const uint64_t orders = counts->orders;
	const uint8_t body[BODY_BYTES] = {1};
	const uint64_t began = pg_tsc();

	game_fixture_say(fixture, 0, TYPE, body, sizeof(body));
	while (counts->orders == orders)
		game_fixture_turn(fixture);
	return pg_tsc() - began;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/// Of so many in a hundred, it was not more.
static double percentile_us(const uint64_t *sorted, size_t n, unsigned percent)
{
	const size_t at = (n - 1) * percent / 100;

	return (double)sorted[at] * 1e6 / (double)pg_tsc_hz();
}

static void report(uint64_t *cycles, size_t n, const struct pg_process_counts *counts)
{
	uint64_t refused = 0;

	for (unsigned i = 0; i < PG_ORDER_REFUSALS; i++)
		refused += counts->refused[i];
	qsort(cycles, n, sizeof(*cycles), by_value);
	printf("p10 %.3f, p50 %.3f, p90 %.3f us; %" PRIu64 " messages to the process, %" PRIu64
	       " orders of it, %" PRIu64 " refused\n",
	       percentile_us(cycles, n, 10), percentile_us(cycles, n, 50), percentile_us(cycles, n, 90),
	       counts->delivered, counts->orders, refused);
}

int main(void)
{
	static uint64_t cycles[ROUND_TRIPS];
	struct game_fixture *fixture = game_fixture_open();
	pid_t process;

	game_fixture_route(fixture, TYPE, TYPE);
	game_fixture_attach(fixture, false);
	game_fixture_connect(fixture, 0);
	game_fixture_turn(fixture);
	process = fork();
	if (process == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_on_cpu(0);
		play(fixture);
	}
	run_on_cpu(1);
	for (size_t i = 0; i < WARM_UP; i++)
		(void)round_trip(fixture);
	for (size_t i = 0; i < ROUND_TRIPS; i++)
		cycles[i] = round_trip(fixture);
	report(cycles, ROUND_TRIPS, &fixture->game->counts[0]);
	kill(process, SIGKILL);
	waitpid(process, NULL, 0);
	game_fixture_close(fixture);
	return 0;
}
