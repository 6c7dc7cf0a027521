// SPDX-License-Identifier: BSD-3-Clause
// main.c: the ways by which two processes on two CPUs can talk, each measured once, in a slice of its own: a ring of the bus,
// a bare cache line, a unix datagram socket, and iceoryx where it is compiled in. `pollgate bench bus` runs it once for each pair.
//
//   ways FIRST-CPU SECOND-CPU MILLISECONDS [backwards]
//
// What CPUs do to each other changes from second to second on a machine that is shared, so what counts is the ratio of two slices
// of one run. One way: half of a turn of a conversation, the median. Rate: of the median block of 1,024 messages, of the
// slower side, so that neither what else runs on a CPU counts, nor a reader that reads what has piled up meanwhile.

#include "ways.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bus/shared.h"

#define NONE UINT32_MAX

static const struct row {
	const char *name;
	const struct way *way;
	uint32_t bytes;
	bool is_rate;
} rows[] = {
	{"line", &line_way, 8, false},
	{"bus-64", &ring_way, 64, false},
	{"datagram-64", &datagram_way, 64, false},
	{"bus-1024", &ring_way, 1024, false},
	{"datagram-1024", &datagram_way, 1024, false},
	{"bus-64-asleep", &asleep_way, 64, false},
	{"bus-64-rate", &ring_way, 64, true},
	{"datagram-64-rate", &datagram_way, 64, true},
	{"bus-1024-rate", &ring_way, 1024, true},
	{"datagram-1024-rate", &datagram_way, 1024, true},
#ifdef WITH_ICEORYX
	{"iceoryx-64", &iceoryx_way, 64, false},
	{"iceoryx-1024", &iceoryx_way, 1024, false},
	{"iceoryx-64-rate", &iceoryx_way, 64, true},
	{"iceoryx-1024-rate", &iceoryx_way, 1024, true},
#endif
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/// How the first process tells the other what comes, and gets its result.
static struct control {
	uint64_t turn;     // of the first: a row is to be measured
	uint64_t attached; // of the other: it is ready for that turn
	uint64_t done;
	uint32_t row;      // NONE: that was all
	double peer_share; // of the slice, what the other's CPU was its own
	struct times times, sent;
} * control;

static double cycles_per_ns;

/// How much of a time a process had its CPU.
struct share {
	uint64_t began_ns, cpu_ns;
};

void bench_fail(const char *what)
{
	(void)fprintf(stderr, "%s\n", what);
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

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/// Within some tens of a millionth.
static double find_cycles_per_ns(void)
{
	const uint64_t began_ns = clock_ns(CLOCK_MONOTONIC_RAW), began = now_cycles();
	uint64_t ended_ns;

	while ((ended_ns = clock_ns(CLOCK_MONOTONIC_RAW)) - began_ns < 20000000)
		;
	return (double)(now_cycles() - began) / (double)(ended_ns - began_ns);
}

// ---------------------------------------------------------------- two processes

static void run_on_cpu(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) != 0)
		bench_fail("this CPU cannot be used");
}

static void wait_until(const uint64_t *word, uint64_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
		sched_yield();
}

static struct share share_begin(void)
{
	return (struct share){clock_ns(CLOCK_MONOTONIC_RAW), clock_ns(CLOCK_PROCESS_CPUTIME_ID)};
}

static double share_end(struct share share)
{
	const struct share now = share_begin();

	return (double)(now.cpu_ns - share.cpu_ns) / (double)(now.began_ns - share.began_ns);
}

static void serve_one(const struct row *row)
{
	if (row->is_rate)
		row->way->receive(row->bytes, &control->times);
	else
		row->way->answer(row->bytes);
}

static void serve(void)
{
	for (uint64_t turn = 1;; turn++) {
		struct share share;

		wait_until(&control->turn, turn);
		if (control->row == NONE)
			_exit(0);
		rows[control->row].way->attach(1);
		shared_release(&control->attached, turn);
		share = share_begin();
		serve_one(&rows[control->row]);
		control->peer_share = share_end(share);
		shared_release(&control->done, turn);
	}
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

static double slower(double a, double b)
{
	return a > b ? a : b;
}

/// @param share  out: of the slice, what the side that had less had of its CPU
/// @return nanoseconds one way, or messages a second
static double measure(uint32_t row, uint64_t turn, uint64_t slice, double *share)
{
	struct share own;
	uint64_t until;

	control->row = row;
	control->times.n = 0;
	control->times.count = 0;
	control->sent.n = 0;
	control->sent.count = 0;
	rows[row].way->attach(0);
	shared_release(&control->turn, turn);
	wait_until(&control->attached, turn);
	own = share_begin();
	until = now_cycles() + slice;
	if (rows[row].is_rate)
		control->sent.count = rows[row].way->send(rows[row].bytes, until, &control->sent);
	else
		rows[row].way->converse(rows[row].bytes, until, &control->times);
	*share = share_end(own);
	wait_until(&control->done, turn);
	if (control->peer_share < *share)
		*share = control->peer_share;
	if (rows[row].is_rate)
		return BLOCK * 1e9 * cycles_per_ns /
		       slower(median_cycles(&control->times), median_cycles(&control->sent));
	return median_cycles(&control->times) / cycles_per_ns / (2 * TURNS);
}

static pid_t start_peer(int first_cpu, int second_cpu)
{
	const pid_t pid = fork();

	if (pid < 0)
		bench_fail("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_on_cpu(second_cpu);
		serve();
	}
	run_on_cpu(first_cpu);
	return pid;
}

static int number(const char *text, int most)
{
	char *end;
	const long value = strtol(text, &end, 10);

	if (*end != '\0' || value < 0 || value > most)
		bench_fail("usage: ways FIRST-CPU SECOND-CPU MILLISECONDS [backwards]");
	return (int)value;
}

static void print(uint32_t row, double value, double share)
{
	printf("{\"name\": \"%s\", \"value\": %.9g, \"said\": %" PRIu64 ", \"heard\": %" PRIu64 ", \"share\": %.3f}\n",
	       rows[row].name, value, control->sent.count, control->times.count, share);
}

int main(int argc, char **argv)
{
	const struct way *ways[] = {&line_way, &ring_way, &datagram_way}; // those that sleep use the same rings
	const bool backwards = argc == 5 && strcmp(argv[4], "backwards") == 0;
	uint64_t slice, turn = 0;
	pid_t peer;

	if (argc != 4 + backwards)
		bench_fail("usage: ways FIRST-CPU SECOND-CPU MILLISECONDS [backwards]");
	(void)alarm(300); // if one of the two dies, the other does not spin for ever
	cycles_per_ns = find_cycles_per_ns();
	slice = (uint64_t)(number(argv[3], 1000) * 1e6 * cycles_per_ns);
	control = bench_memory(sizeof(*control));
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		ways[i]->make();
	peer = start_peer(number(argv[1], CPU_SETSIZE - 1), number(argv[2], CPU_SETSIZE - 1));
	for (uint32_t i = 0; i < ROWS; i++) {
		const uint32_t row = backwards ? (uint32_t)ROWS - 1 - i : i;

		double share;
		const double value = measure(row, ++turn, slice, &share);

		print(row, value, share);
	}
	control->row = NONE;
	shared_release(&control->turn, ++turn);
	waitpid(peer, NULL, 0);
	return 0;
}
