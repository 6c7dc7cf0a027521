// SPDX-License-Identifier: BSD-3-Clause
// bench/witness.h: is what players see what is so? Readers among the players of a benchmark decode all that they are sent; here it is
// held against the movements that reached the gateway.

#ifndef POLLGATE_BENCH_WITNESS_H
#define POLLGATE_BENCH_WITNESS_H

#include "bench/eye.h"
#include "bench/movers.h"
#include "bench/samples.h"
#include "replication/replication.h"

#define WITNESS_KEPT 4 // movements of a player

/// A movement that reached the gateway.
struct witness_move {
	struct mover_said said;
	uint64_t at;   // the worker's time when it took it
	uint64_t came; // its time when it was there
};

struct witness_mover {
	struct witness_move move[WITNESS_KEPT];
	uint32_t moves;
};

/// A reader, and when it was last told of each player.
struct witness_reader {
	uint32_t player;
	struct eye *eye;
	uint32_t *told;  // tick
	uint32_t *since; // tick since which a player is in range; 0: it is not
};

struct witness {
	const struct movers *movers;
	const struct replica *replica;
	struct witness_mover *mover;
	uint32_t *by_identity;
	uint32_t readers;
	struct witness_reader *reader;
	struct eye_told told_now;
	uint32_t tick;
	bool measures;

	uint64_t checked, wrong, glimpses_checked, glimpses_wrong;
	double greatest_error;
	uint64_t states, told, state_bytes;
	struct samples appears;   // cycles
	struct samples staleness; // ticks
};

bool witness_make(struct witness *witness, const struct movers *movers, const struct replica *replica,
		  uint32_t readers);
void witness_free(struct witness *witness);

/// A tick begins.
void witness_tick(struct witness *witness, uint32_t tick, bool measures);

/// The gateway took the n-th movement of a tick at `at`; it was there since `came`.
void witness_moved(struct witness *witness, uint32_t tick, uint32_t nth, uint64_t at, uint64_t came);

/// A datagram for a player, who need not be a reader.
void witness_reads(struct witness *witness, uint32_t player, const uint8_t *datagram, uint16_t length, uint64_t now);

uint64_t witness_puzzled(const struct witness *witness);

#endif
