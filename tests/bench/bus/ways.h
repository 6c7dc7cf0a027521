// SPDX-License-Identifier: BSD-3-Clause
// ways.h: the ways by which two processes talk that are measured, and what both measure with.

#ifndef POLLGATE_BENCH_BUS_WAYS_H
#define POLLGATE_BENCH_BUS_WAYS_H

#include <stdbool.h>
#include <stdint.h>
#include <x86intrin.h>

#define BODY_MAX 1024
/// Turns of a conversation that are timed as one: the clock's steps are a quarter of a turn.
#define TURNS 32
/// Messages of a stream that are timed as one.
#define BLOCK 1024
#define TIMES_MAX (1U << 20)

/// Times of the one who measures, in TSC cycles.
struct times {
	uint32_t n;
	uint64_t count; // messages of a stream
	uint64_t cycles[TIMES_MAX];
};

static inline uint64_t now_cycles(void)
{
	return __rdtsc();
}

/// Each of these is called in both processes at once: one begins, its peer answers until it is told that this was the last.
struct way {
	const char *name;
	/// Before there are two processes.
	void (*make)(void);
	/// @param side  0 or 1
	void (*attach)(unsigned side);

	/// Says and hears `bytes` until `until` (TSC); notes TURNS at a time.
	void (*converse)(uint32_t bytes, uint64_t until, struct times *times);
	void (*answer)(uint32_t bytes);

	/// Says `bytes` until then as fast as it goes; notes BLOCKs. NULL: not measured.
	/// @return how many
	uint64_t (*send)(uint32_t bytes, uint64_t until, struct times *times);
	/// Reads each to its last byte; notes BLOCKs, and how many were heard. Ends the program when one is missing.
	void (*receive)(uint32_t bytes, struct times *times);
};

/// One cache line, and nothing else: what the hardware needs.
extern const struct way line_way;
extern const struct way ring_way;
/// The same with readers that sleep when there is nothing.
extern const struct way asleep_way;
extern const struct way datagram_way;
#ifdef WITH_ICEORYX
extern const struct way iceoryx_way;
#endif

void bench_fail(const char *what) __attribute__((noreturn));
void note_time(struct times *times, uint64_t cycles);
/// After each message of a stream: its BLOCKth is noted.
static inline void note_block(struct times *times, uint64_t number, uint64_t *then)
{
	uint64_t now;

	if (number % BLOCK != 0)
		return;
	now = now_cycles();
	note_time(times, now - *then);
	*then = now;
}
uint64_t sum_of(const uint64_t *body, uint32_t bytes);
/// So that bodies are read.
extern volatile uint64_t read_sum;
/// Memory of both.
void *bench_memory(uint64_t bytes);

#endif
