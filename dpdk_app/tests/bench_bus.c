// SPDX-License-Identifier: BSD-3-Clause
// tests/bench_bus.c: a ring of the bus between two processes on two CPUs, against a bare cache line and a unix datagram socket.
// A benchmark, not a test.
//
//   bench_bus [--json] [PAIRS [MILLISECONDS]]
//
// All ways are measured once in each pair, in slices of so many milliseconds: what the CPUs do to each other changes from
// second to second on a machine that is shared, so what counts is the ratio within a pair. One way: half of a turn of a
// conversation, the median. Rate: of the median block of 1,024 messages, so that what else runs on a CPU is left out.

#include "bench_bus.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/shared.h"
#include "pollgate.h"

#define PAIRS_MAX 1000
#define NONE UINT32_MAX

static const struct row {
	const char *name;
	const struct way *way;
	uint32_t bytes;
	bool is_rate;
	uint32_t against[2]; // rows
} rows[] = {
	{"line", &line_way, 8, false, {NONE, NONE}},
	{"bus-64", &ring_way, 64, false, {0, 2}},
	{"unix-datagram-64", &datagram_way, 64, false, {0, NONE}},
	{"bus-1024", &ring_way, 1024, false, {0, 4}},
	{"unix-datagram-1024", &datagram_way, 1024, false, {0, NONE}},
	{"bus-64-asleep", &asleep_way, 64, false, {2, NONE}},
	{"bus-64-rate", &ring_way, 64, true, {7, NONE}},
	{"unix-datagram-64-rate", &datagram_way, 64, true, {NONE, NONE}},
	{"bus-1024-rate", &ring_way, 1024, true, {9, NONE}},
	{"unix-datagram-1024-rate", &datagram_way, 1024, true, {NONE, NONE}},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/// How the first process tells the other what comes, and gets its result.
static struct control {
	uint64_t turn;     // of the first: a row is to be measured
	uint64_t attached; // of the other: it is ready for that turn
	uint64_t done;
	uint32_t row; // NONE: that was all
	struct times times;
} * control;

static double result[ROWS][PAIRS_MAX]; // ns one way, or messages a second

void bench_fail(const char *what)
{
	(void)fprintf(stderr, "bench_bus: %s\n", what);
	exit(1);
}

void note_time(struct times *times, uint64_t cycles)
{
	if (times->n < TIMES_MAX)
		times->cycles[times->n++] = cycles;
}

void *bench_memory(uint64_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		bench_fail("no memory");
	return memory;
}

// ---------------------------------------------------------------- two processes

static void run_on_cpu(unsigned number)
{
	cpu_set_t all, one;
	unsigned seen = 0;

	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		bench_fail("sched_getaffinity");
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && seen++ == number)
			CPU_SET(cpu, &one);
	if (CPU_COUNT(&one) != 1 || sched_setaffinity(0, sizeof(one), &one) != 0)
		bench_fail("two CPUs are needed");
}

static void wait_until(const uint64_t *word, uint64_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
		sched_yield();
}

static void serve_one(const struct row *row)
{
	if (row->is_rate)
		row->way->receive(&control->times);
	else
		row->way->answer();
}

static void serve(void)
{
	for (uint64_t turn = 1;; turn++) {
		wait_until(&control->turn, turn);
		if (control->row == NONE)
			_exit(0);
		rows[control->row].way->attach(1);
		shared_release(&control->attached, turn);
		serve_one(&rows[control->row]);
		shared_release(&control->done, turn);
	}
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int by_cycles(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double median_cycles(struct times *times)
{
	const uint32_t middle = times->n / 2;

	if (times->n == 0)
		bench_fail("a slice was too short: nothing was measured in it");
	qsort(times->cycles, times->n, sizeof(uint64_t), by_cycles);
	return (double)times->cycles[middle];
}

static double measure(uint32_t row, uint64_t turn, uint64_t slice)
{
	const double hz = (double)pg_tsc_hz();
	uint64_t until;

	control->row = row;
	control->times.n = 0;
	rows[row].way->attach(0);
	shared_release(&control->turn, turn);
	wait_until(&control->attached, turn);
	until = pg_tsc() + slice;
	if (rows[row].is_rate)
		rows[row].way->send(rows[row].bytes, until);
	else
		rows[row].way->converse(rows[row].bytes, until, &control->times);
	wait_until(&control->done, turn);
	if (rows[row].is_rate)
		return BLOCK * hz / median_cycles(&control->times);
	return median_cycles(&control->times) * 1e9 / hz / (2 * TURNS);
}

static pid_t start_peer(void)
{
	const pid_t pid = fork();

	if (pid < 0)
		bench_fail("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_on_cpu(1);
		serve();
	}
	run_on_cpu(0);
	return pid;
}

// ---------------------------------------------------------------- results

struct spread {
	double median, min, max;
};

static struct spread spread_of(const double *value, unsigned n)
{
	double sorted[PAIRS_MAX];

	memcpy(sorted, value, n * sizeof(double));
	qsort(sorted, n, sizeof(double), by_value);
	return (struct spread){sorted[n / 2], sorted[0], sorted[n - 1]};
}

/// Times as so many times the other's; rates as well.
static struct spread ratio_of(uint32_t row, uint32_t against, unsigned pairs)
{
	double ratio[PAIRS_MAX];

	for (unsigned pair = 0; pair < pairs; pair++)
		ratio[pair] = result[row][pair] / result[against][pair];
	return spread_of(ratio, pairs);
}

static void print_text(unsigned pairs)
{
	for (uint32_t row = 0; row < ROWS; row++) {
		const struct spread value = spread_of(result[row], pairs);
		const double unit = rows[row].is_rate ? 1e6 : 1;

		printf("%-24s %8.2f (%.2f to %.2f) %s", rows[row].name, value.median / unit, value.min / unit,
		       value.max / unit, rows[row].is_rate ? "M/s" : "ns");
		for (unsigned i = 0; i < 2; i++) {
			struct spread ratio;

			if (rows[row].against[i] == NONE)
				continue;
			ratio = ratio_of(row, rows[row].against[i], pairs);
			printf("  %.3g (%.3g to %.3g) x %s", ratio.median, ratio.min, ratio.max,
			       rows[rows[row].against[i]].name);
		}
		printf("\n");
	}
}

static void print_json(unsigned pairs)
{
	const char *between = "";

	printf("{\"bench\": \"bus\", \"pairs\": %u, \"rows\": [", pairs);
	for (uint32_t row = 0; row < ROWS; row++) {
		const struct spread value = spread_of(result[row], pairs);

		printf("%s\n {\"name\": \"%s\", \"unit\": \"%s\", \"value\": %.9g, \"samples\": [", between,
		       rows[row].name, rows[row].is_rate ? "messages/s" : "s",
		       rows[row].is_rate ? value.median : value.median / 1e9);
		for (unsigned pair = 0; pair < pairs; pair++)
			printf("%s%.9g", pair > 0 ? ", " : "",
			       rows[row].is_rate ? result[row][pair] : result[row][pair] / 1e9);
		printf("], \"ratios\": {");
		for (unsigned i = 0; i < 2; i++) {
			struct spread ratio;

			if (rows[row].against[i] == NONE)
				continue;
			ratio = ratio_of(row, rows[row].against[i], pairs);
			printf("%s\"%s\": {\"median\": %.4g, \"min\": %.4g, \"max\": %.4g}", i > 0 ? ", " : "",
			       rows[rows[row].against[i]].name, ratio.median, ratio.min, ratio.max);
		}
		printf("}}");
		between = ",";
	}
	printf("\n]}\n");
}

static unsigned number_or(const char *text, unsigned otherwise, unsigned most)
{
	const unsigned long number = text ? strtoul(text, NULL, 10) : otherwise;

	if (number < 1 || number > most)
		bench_fail("usage: bench_bus [--json] [PAIRS [MILLISECONDS]], up to 1000 each");
	return (unsigned)number;
}

int main(int argc, char **argv)
{
	const bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
	char **argument = argv + 1 + as_json;
	const unsigned pairs = number_or(argument[0], 7, PAIRS_MAX);
	const unsigned slice_ms = number_or(argument[0] ? argument[1] : NULL, 50, 1000);
	const struct way *ways[] = {&line_way, &ring_way, &datagram_way}; // those that sleep use the same rings
	uint64_t turn = 0;
	pid_t peer;

	(void)argc;
	(void)alarm(60 + pairs * ROWS * slice_ms / 250); // if one of the two dies, the other does not spin for ever
	control = bench_memory(sizeof(*control));
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		ways[i]->make();
	peer = start_peer();
	for (unsigned pair = 0; pair < pairs; pair++)
		for (uint32_t row = 0; row < ROWS; row++)
			result[row][pair] = measure(row, ++turn, pg_tsc_hz() / 1000 * slice_ms);
	control->row = NONE;
	shared_release(&control->turn, ++turn);
	waitpid(peer, NULL, 0);
	if (as_json)
		print_json(pairs);
	else
		print_text(pairs);
	return 0;
}
