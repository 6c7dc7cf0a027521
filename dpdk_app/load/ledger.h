// SPDX-License-Identifier: BSD-3-Clause
// load/ledger.h: what was sent and what came back.
//
// The timestamp of a message, which its answer returns, is a stamp: when it was meant to leave, and its number. The
// number finds its line in the ledger, so answers are settled without a search, and mostly in the order of the lines.
// Written by the generator's thread alone.

#ifndef POLLGATE_LOAD_LEDGER_H
#define POLLGATE_LOAD_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "load/players.h"
#include "pollgate_load.h"

/// Numbers come round after 4 million messages: how long an answer may take at 5 million a second is 0.8 s.
#define STAMP_NUMBER_BITS 22
#define LEDGER_LINES (1U << STAMP_NUMBER_BITS)

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

struct line {
	uint64_t stamp;
	uint32_t player;
	uint16_t length;
	uint8_t type;
	uint8_t state; // enum line_state
};
static_assert(sizeof(struct line) == 16, "four to a cache line");

struct ledger {
	// set when it is opened
	struct line *line;
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

/// What arrived, as the transport saw it.
struct answer {
	const uint8_t *payload;
	uint64_t when;   // TSC
	uint32_t player; // whose address or socket it came to
	uint16_t length;
};

/// Room for `players`. False: out of memory. `now` is TSC, before every other time.
bool ledger_open(struct ledger *ledger, uint32_t players, uint32_t first_player_id, struct pg_load_counts *counts,
		 uint64_t now, uint64_t tsc_hz);
void ledger_close(struct ledger *ledger);

/// A new trial: answers to what was sent before are strays from now on.
void ledger_begin(struct ledger *ledger, uint32_t players, uint64_t now);

/// 0 … 2^42-1, in units of STAMP_UNIT_NS.
ALWAYS_INLINE uint64_t ledger_time(const struct ledger *ledger, uint64_t tsc)
{
	const unsigned __int128 product = (unsigned __int128)(tsc - ledger->opened) * ledger->unit_of_tsc;

	return (uint64_t)(product >> 32) & STAMP_TIME_MASK;
}

/// The timestamp of the next message, which is meant to leave at `meant` (TSC).
ALWAYS_INLINE uint64_t ledger_stamp(const struct ledger *ledger, uint64_t meant)
{
	return ledger_time(ledger, meant) << STAMP_NUMBER_BITS | (ledger->next & (LEDGER_LINES - 1));
}

/// Enter the next message as sent.
ALWAYS_INLINE void ledger_enter(struct ledger *ledger, uint64_t stamp, const struct message *message)
{
	ledger->line[ledger->next & (LEDGER_LINES - 1)] = (struct line){
		.stamp = stamp,
		.player = message->player,
		.length = message->length,
		.type = message->type,
		.state = LINE_WAITING,
	};
	ledger->next++;
	ledger->waiting++;
}

/// A message that was entered did not leave after all.
void ledger_take_back(struct ledger *ledger, uint64_t number);

/// Settle n answers and count each as acknowledged, duplicated, invalid or stray; reordered ones are acknowledged, too.
void ledger_settle(struct ledger *ledger, const struct answer *answer, unsigned n);

/// Wait no longer for messages that are older than `ns` at `now` (TSC).
void ledger_give_up(struct ledger *ledger, uint64_t now, uint64_t ns);

#endif
