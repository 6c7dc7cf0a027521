// SPDX-License-Identifier: BSD-3-Clause
// bench/reader.h: a player of a benchmark who reads what the gateway sends, as the C client does: with its cryptography and its
// table of who is in sight.

#ifndef POLLGATE_BENCH_READER_H
#define POLLGATE_BENCH_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "pollgate_bench.h"

#define READER_SLOTS_MAX 32
#define READER_GLIMPSES_MAX 256

/// Somebody who was told of, in quanta.
struct reader_seen {
	uint32_t number;   // in the world
	uint32_t identity; // of a slot
	int32_t position[3];
};

/// What a datagram told.
struct reader_told {
	bool any;      // a state of a world was in it
	uint32_t tick; // of which frame
	unsigned slots, glimpses;
	uint32_t state_bytes; // of the WORLD_STATE, without glimpses
	struct reader_seen slot[READER_SLOTS_MAX];
	struct reader_seen glimpse[READER_GLIMPSES_MAX]; // x and y: the middle of where somebody is
	int32_t glimpse_off;                             // how far from that at most, on each axis
};

struct reader;

/// @param secret    of the connection; NULL: of profile plain, which has none
/// @param unsealed  what it reads was not sealed: see unsealed.h
/// @return NULL: no memory, or no cryptography
struct reader *reader_make(const uint8_t secret[32], bool unsealed);
void reader_free(struct reader *reader);

/// A datagram of the gateway's; of profile plain, an answer to what is seen. It is left as it was.
/// @return false: it cannot be opened, or says what no gateway says
bool reader_take(struct reader *reader, const uint8_t *datagram, uint16_t length, struct reader_told *told);

/// Records without a baseline, and bodies that no gateway sends: none of them is expected.
uint64_t reader_malformed(const struct reader *reader);

#endif
