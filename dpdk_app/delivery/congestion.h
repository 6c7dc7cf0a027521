// SPDX-License-Identifier: BSD-3-Clause
// delivery/congestion.h: how many datagrams may be on their way at once, and how soon after each other they leave: the window of
// RFC 9002 section 7, in datagrams.

#ifndef POLLGATE_DELIVERY_CONGESTION_H
#define POLLGATE_DELIVERY_CONGESTION_H

#include <stdint.h>

#include "compiler.h"

#define CONGESTION_FIRST 4 // datagrams; the window is never smaller, and no more leave at once
#define CONGESTION_MOST 32 // an acknowledgement names no more
#define CONGESTION_PART 16 // the window grows by parts of a datagram

/// All zero is the window at first.
struct congestion {
	uint64_t paced;   // TSC at which the datagrams that left would have left evenly
	uint32_t reduced; // counter of the last datagram when the window was reduced: those before it reduce it no more
	uint16_t beyond;  // the window beyond CONGESTION_FIRST, in parts
	uint16_t threshold; // likewise: from there on it grows slowly; 0: nothing was lost yet
};

ALWAYS_INLINE unsigned congestion_window(const struct congestion *congestion)
{
	return CONGESTION_FIRST + congestion->beyond / CONGESTION_PART;
}

/// Datagrams were acknowledged.
/// @param flights  that were on their way before: a window that is not used does not grow
static inline void congestion_acknowledged(struct congestion *congestion, unsigned datagrams, unsigned flights)
{
	const unsigned window = congestion_window(congestion);
	const unsigned most = (CONGESTION_MOST - CONGESTION_FIRST) * CONGESTION_PART;
	unsigned by = datagrams * CONGESTION_PART;

	if (2 * flights < window)
		return;
	if (congestion->threshold != 0 && congestion->beyond >= congestion->threshold)
		by = by / window != 0 ? by / window : 1;
	congestion->beyond = (uint16_t)(congestion->beyond + by < most ? congestion->beyond + by : most);
}

/// A datagram is lost. Once for all that left before it was noticed.
/// @param counter  its own
/// @param last     of the last that left
static inline void congestion_lost(struct congestion *congestion, uint32_t counter, uint32_t last)
{
	const unsigned whole = CONGESTION_FIRST * CONGESTION_PART + congestion->beyond;
	const unsigned half = whole / 2;

	if (congestion->threshold != 0 && (int32_t)(counter - congestion->reduced) <= 0)
		return;
	congestion->reduced = last;
	congestion->beyond =
		(uint16_t)(half > CONGESTION_FIRST * CONGESTION_PART ? half - CONGESTION_FIRST * CONGESTION_PART : 0);
	congestion->threshold = congestion->beyond != 0 ? congestion->beyond : 1;
}

/// Nothing is acknowledged for a while: begin again with the least window (RFC 9002 7.6).
static inline void congestion_persists(struct congestion *congestion)
{
	congestion->beyond = 0;
}

/// The time between two datagrams that leave evenly: the window in one round trip, a quarter faster.
ALWAYS_INLINE uint64_t congestion_interval(const struct congestion *congestion, uint64_t round_trip)
{
	return round_trip * 4 / (5 * (uint64_t)congestion_window(congestion));
}

/// TSC from which another may leave.
ALWAYS_INLINE uint64_t congestion_paced_from(const struct congestion *congestion, uint64_t round_trip)
{
	const uint64_t burst = (CONGESTION_FIRST - 1) * congestion_interval(congestion, round_trip);

	return congestion->paced > burst ? congestion->paced - burst : 0;
}

/// One leaves now.
ALWAYS_INLINE void congestion_left(struct congestion *congestion, uint64_t round_trip, uint64_t now)
{
	congestion->paced =
		(congestion->paced > now ? congestion->paced : now) + congestion_interval(congestion, round_trip);
}

#endif
