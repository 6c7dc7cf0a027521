// SPDX-License-Identifier: BSD-3-Clause
// delivery/congestion.h: how many datagrams may be on their way at once, and how soon after each other they leave: the window of
// RFC 9002 section 7, in datagrams.

#ifndef POLLGATE_DELIVERY_CONGESTION_H
#define POLLGATE_DELIVERY_CONGESTION_H

#include <stdint.h>

#include "compiler.h"

#define CONGESTION_FIRST 4      // datagrams; the window is never smaller, and no more leave at once
#define CONGESTION_MOST 32      // an acknowledgement names no more
#define CONGESTION_PART 16      // the window grows by parts of a datagram
#define CONGESTION_BURST 10     // leave at once where they would have left since the sender looked last (RFC 9002 7.7)
#define CONGESTION_LOOKED_MS 50 // what would have left longer ago leaves as if it were new

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
/// @param came     TSC at which the acknowledgement did: from then on a window that was full is open
static inline void congestion_acknowledged(struct congestion *congestion, unsigned datagrams, unsigned flights,
					   uint64_t came)
{
	const unsigned window = congestion_window(congestion);
	const unsigned most = (CONGESTION_MOST - CONGESTION_FIRST) * CONGESTION_PART;
	unsigned by = datagrams * CONGESTION_PART;

	if (flights >= window && congestion->paced < came)
		congestion->paced = came;
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

/// When a datagram that leaves now would have left, had the sender looked then: a game looks once a frame.
/// @param due   TSC from which it might have
/// @param most  TSC cycles before now
ALWAYS_INLINE uint64_t congestion_looked(uint64_t due, uint64_t now, uint64_t most, uint64_t millisecond)
{
	const uint64_t longest = CONGESTION_LOOKED_MS * millisecond;

	if (due >= now)
		return now;
	if (most > longest)
		most = longest;
	return now - due < most ? due : now - most;
}

/// One leaves now.
/// @param due  TSC from which it might have
ALWAYS_INLINE void congestion_left(struct congestion *congestion, uint64_t round_trip, uint64_t due, uint64_t now,
				   uint64_t millisecond)
{
	const uint64_t interval = congestion_interval(congestion, round_trip);
	const uint64_t looked =
		congestion_looked(due, now, (CONGESTION_BURST - CONGESTION_FIRST) * interval, millisecond);

	congestion->paced = (congestion->paced > looked ? congestion->paced : looked) + interval;
}

#endif
