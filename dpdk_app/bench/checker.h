// SPDX-License-Identifier: BSD-3-Clause
// bench/checker.h: is what players see what is so? Readers among the players of a benchmark decode all that they are sent; here it is
// held against the movements that reached the gateway.

#ifndef POLLGATE_BENCH_CHECKER_H
#define POLLGATE_BENCH_CHECKER_H

#include "bench/movers.h"
#include "bench/reader.h"
#include "bench/samples.h"
#include "replication/replication.h"

#define CHECKED_MOVES 16 // movements of a player

/// A movement that reached the gateway.
struct checked_move {
	struct mover_said said;
	uint64_t at;   // the worker's time when it took it
	uint64_t came; // its time when it was there
};

struct checked_mover {
	struct checked_move move[CHECKED_MOVES];
	uint32_t moves;
};

/// A reader, and when it was last told of each player.
struct checked_reader {
	uint32_t player;
	struct reader *reads;
	uint32_t *told;  // tick
	uint32_t *since; // tick since which a player is in range; 0: it is not
};

struct checker {
	const struct movers *movers;
	const struct replica *replica;
	struct checked_mover *mover;
	uint32_t *by_identity;
	uint32_t readers;
	struct checked_reader *reader;
	struct reader_told told_now;
	uint32_t tick;
	bool measures;

	uint64_t checked, wrong, glimpses_checked, glimpses_wrong;
	double greatest_error;
	uint64_t states, told, state_bytes;
	struct samples appears;   // cycles
	struct samples staleness; // ticks
};

bool checker_make(struct checker *checker, const struct movers *movers, const struct replica *replica,
		  uint32_t readers);
void checker_free(struct checker *checker);

/// A tick begins.
void checker_tick(struct checker *checker, uint32_t tick, bool measures);

/// The gateway took the n-th movement of a tick at `at`; it was there since `came`.
void checker_moved(struct checker *checker, uint32_t tick, uint32_t nth, uint64_t at, uint64_t came);

/// A datagram for a player, who need not be a reader.
void checker_reads(struct checker *checker, uint32_t player, const uint8_t *datagram, uint16_t length, uint64_t now);

uint64_t checker_malformed(const struct checker *checker);

#endif
