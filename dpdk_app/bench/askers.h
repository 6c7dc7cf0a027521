// SPDX-License-Identifier: BSD-3-Clause
// bench/askers.h: players of profile plain in a benchmark of a world: each asks at every tick what it sees, and again somewhat later
// while nothing can be told.

#ifndef POLLGATE_BENCH_ASKERS_H
#define POLLGATE_BENCH_ASKERS_H

#include "bench/movers.h"

/// Room for all neighbours.
#define ASKERS_QUESTION_BYTES 832
#define ASKERS_FRAME (sizeof(struct frame_front) + ASKERS_QUESTION_BYTES)

/// All times are of the worker's clock.
struct askers {
	const struct movers *movers; // NULL: nobody asks
	uint64_t delay;              // until somebody asks again
	uint8_t *epoch;              // of each player's last question
	bool *waits;                 // of each player: it is on the ring
	uint32_t *again;             // a ring of as many
	uint64_t *due;               // likewise: the first is due first
	uint32_t first, waiting;
};

/// @param tick_cycles  of the world
/// @return false: no memory
bool askers_make(struct askers *askers, const struct movers *movers, uint64_t tick_cycles);
void askers_free(struct askers *askers);

/// A tick's question of a player.
/// @param frame  out: ASKERS_FRAME bytes
/// @return false: the player asks again anyway, or the question is lost on its way
bool askers_ask(struct askers *askers, uint32_t player, uint32_t tick, uint8_t *frame);

/// The question of somebody who asks again.
/// @return false: nobody does yet
bool askers_ask_again(struct askers *askers, uint64_t now, uint8_t *frame);

/// @return when somebody asks again; UINT64_MAX: nobody does
uint64_t askers_due(const struct askers *askers);

/// An answer left.
/// @return somebody is told something in it
bool askers_answered(struct askers *askers, uint32_t player, const uint8_t *payload, uint16_t length, uint64_t now);

#endif
