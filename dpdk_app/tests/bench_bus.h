// SPDX-License-Identifier: BSD-3-Clause
// bench_bus.h: the ways by which two processes talk that are measured, and what both measure with.

#ifndef POLLGATE_TESTS_BENCH_BUS_H
#define POLLGATE_TESTS_BENCH_BUS_H

#include <stdbool.h>
#include <stdint.h>

#define BODY_MAX 1024
/// Turns of a conversation that are timed as one: the clock's steps are a quarter of a turn.
#define TURNS 32
/// Messages of a stream that are timed as one.
#define BLOCK 1024
#define TIMES_MAX (1U << 20)

/// Times of the one who measures, in TSC cycles.
struct times {
	uint32_t n;
	uint64_t cycles[TIMES_MAX];
};

/// Each of these is called in both processes at once: one begins, its peer answers until it is told that this was the last.
struct way {
	const char *name;
	/// Before there are two processes.
	void (*make)(void);
	/// @param side  0 or 1
	void (*attach)(unsigned side);

	/// Says and hears `bytes` until `until` (TSC); notes TURNS at a time.
	void (*converse)(uint32_t bytes, uint64_t until, struct times *times);
	void (*answer)(void);

	/// Says `bytes` until then as fast as it goes. NULL: not measured.
	void (*send)(uint32_t bytes, uint64_t until);
	/// Reads each to its last byte; notes BLOCKs. Ends the program when one is missing.
	void (*receive)(struct times *times);
};

/// One cache line, and nothing else: what the hardware needs.
extern const struct way line_way;
extern const struct way ring_way;
/// The same with readers that sleep when there is nothing.
extern const struct way asleep_way;
extern const struct way datagram_way;

void bench_fail(const char *what) __attribute__((noreturn));
void note_time(struct times *times, uint64_t cycles);
/// Memory of both.
void *bench_memory(uint64_t bytes);

#endif
