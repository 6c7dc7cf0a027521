// SPDX-License-Identifier: BSD-3-Clause
// load/inflight.h: what was sent and what came back.
//
// The timestamp of a message, which its answer returns, is a stamp: when it was meant to leave, and its number. The
// number finds its line in the table, so answers are settled without a search, and mostly in the order of the lines.
// Written by the generator's thread alone.

#ifndef POLLGATE_LOAD_INFLIGHT_H
#define POLLGATE_LOAD_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "load/players.h"
#include "pollgate_load.h"

/// Numbers come round after 4 million messages: how long an answer may take at 5 million a second is 0.8 s.
#define STAMP_NUMBER_BITS 22
#define INFLIGHT_MAX (1U << STAMP_NUMBER_BITS)

/// Times come round after 4.8 hours.
#define STAMP_UNIT_NS 4
#define STAMP_TIME_BITS (64 - STAMP_NUMBER_BITS)
#define STAMP_TIME_MASK ((1ULL << STAMP_TIME_BITS) - 1)

enum line_state {
	LINE_EMPTY,
	LINE_NOT_SENT,
	LINE_WAITING,
	LINE_GIVEN_UP, // may still be answered
	LINE_ANSWERED,
};

struct inflight_entry {
	uint64_t stamp;
	uint32_t player;
	uint16_t length;
	uint8_t type;
	uint8_t state; // enum line_state
};
static_assert(sizeof(struct inflight_entry) == 16, "four to a cache line");

struct inflight {
	// set when it is opened
	struct inflight_entry *line;
	uint64_t opened;      // TSC
	uint64_t unit_of_tsc; // fixed point, 32 bits of fraction
	uint32_t first_player_id;
	uint32_t *newest; // of each player: number, in 32 bits, of the newest message that was answered in this trial
	struct pg_load_counts *counts;

	// of the trial
	uint64_t trial_began; // in units
	uint64_t first;       // number of its first message

	uint64_t next;    // number of the next message
	uint64_t oldest;  // no line before it waits
	uint64_t waiting; // lines in LINE_WAITING
};

/// In place of the type of an acknowledgement: a message of the game's own, of which only stamp and player_id are told.
#define ANSWER_REPLY (UINT8_MAX + 1U)

/// What arrived, as the transport saw it.
struct answer {
	const uint8_t *payload;
	uint64_t when;   // TSC
	uint32_t player; // whose address or socket it came to
	uint16_t length;
};

/// Room for `players`. False: out of memory. `now` is TSC, before every other time.
bool inflight_open(struct inflight *inflight, uint32_t players, uint32_t first_player_id, struct pg_load_counts *counts,
		   uint64_t now, uint64_t tsc_hz);
void inflight_close(struct inflight *inflight);

/// A new trial: answers to what was sent before are strays from now on.
void inflight_begin(struct inflight *inflight, uint32_t players, uint64_t now);

/// 0 … 2^42-1, in units of STAMP_UNIT_NS.
ALWAYS_INLINE uint64_t inflight_time(const struct inflight *inflight, uint64_t tsc)
{
	const unsigned __int128 product = (unsigned __int128)(tsc - inflight->opened) * inflight->unit_of_tsc;

	return (uint64_t)(product >> 32) & STAMP_TIME_MASK;
}

/// The timestamp of the next message, which is meant to leave at `meant` (TSC).
ALWAYS_INLINE uint64_t inflight_stamp(const struct inflight *inflight, uint64_t meant)
{
	return inflight_time(inflight, meant) << STAMP_NUMBER_BITS | (inflight->next & (INFLIGHT_MAX - 1));
}

/// Enter the next message as sent.
ALWAYS_INLINE void inflight_enter(struct inflight *inflight, uint64_t stamp, const struct message *message)
{
	inflight->line[inflight->next & (INFLIGHT_MAX - 1)] = (struct inflight_entry){
		.stamp = stamp,
		.player = message->player,
		.length = message->length,
		.type = message->type,
		.state = LINE_WAITING,
	};
	inflight->next++;
	inflight->waiting++;
}

/// A message that was entered did not leave after all.
void inflight_take_back(struct inflight *inflight, uint64_t number);

/// Settle n answers and count each as acknowledged, duplicated, invalid or stray; reordered ones are acknowledged, too.
void inflight_settle(struct inflight *inflight, const struct answer *answer, unsigned n);

/// Wait no longer for messages that are older than `ns` at `now` (TSC).
void inflight_give_up(struct inflight *inflight, uint64_t now, uint64_t ns);

#endif
