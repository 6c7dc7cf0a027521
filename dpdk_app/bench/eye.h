// SPDX-License-Identifier: BSD-3-Clause
// bench/eye.h: a player of a benchmark who reads what the gateway sends, as the C client does: with its cryptography and its
// table of who is in sight.

#ifndef POLLGATE_BENCH_EYE_H
#define POLLGATE_BENCH_EYE_H

#include <stdbool.h>
#include <stdint.h>

#include "pollgate_bench.h"

#define EYE_SLOTS_MAX 32
#define EYE_GLIMPSES_MAX 256

/// Somebody who was told of, in quanta.
struct eye_seen {
	uint32_t number;   // in the world
	uint32_t identity; // of a slot
	int32_t position[3];
};

/// What a datagram told.
struct eye_told {
	bool any;      // a state of a world was in it
	uint32_t tick; // of which frame
	unsigned slots, glimpses;
	uint32_t state_bytes; // of the WORLD_STATE, without glimpses
	struct eye_seen slot[EYE_SLOTS_MAX];
	struct eye_seen glimpse[EYE_GLIMPSES_MAX]; // x and y: the middle of where somebody is
	int32_t glimpse_off;                       // how far from that at most, on each axis
};

struct eye;

/// @param secret  of the connection
/// @return NULL: no memory, or no cryptography
struct eye *eye_make(const uint8_t secret[32]);
void eye_free(struct eye *eye);

/// A datagram of the gateway's. It is left as it was.
/// @return false: it cannot be opened, or says what no gateway says
bool eye_read(struct eye *eye, const uint8_t *datagram, uint16_t length, struct eye_told *told);

/// Records without a baseline, and bodies that no gateway sends: none of them is expected.
uint64_t eye_puzzled(const struct eye *eye);

#endif
