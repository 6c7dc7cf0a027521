// SPDX-License-Identifier: BSD-3-Clause
// delivery/round_trip.h: how long a datagram and its acknowledgement take: the timeout of RFC 6298, and whether a queue on the
// path has grown (RFC 6817).

#ifndef POLLGATE_DELIVERY_ROUND_TRIP_H
#define POLLGATE_DELIVERY_ROUND_TRIP_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

#define ROUND_TRIP_UNMEASURED_MS 200
#define ROUND_TRIP_VARIANCE_MIN_MS 10
#define ROUND_TRIP_ACK_DELAY_MS 25 // a peer may wait so long with its acknowledgement
#define ROUND_TRIP_TIMEOUT_MAX_MS 1000
#define ROUND_TRIP_SILENT_MS 10000      // nothing authentic came for so long:
#define ROUND_TRIP_SILENT_MAX_MS 2000   // the timeout then
#define ROUND_TRIP_LEAST_OVER_MS 30000U // the least of this time and of as much before it: 30 to 60 s

/// In TSC cycles, or as it says.
struct round_trip {
	uint64_t smoothed;        // SRTT; 0: nothing was measured
	uint64_t variance;        // RTTVAR
	uint32_t latest_us;       // less what the peer waited; 0: nothing was measured
	uint32_t least_us;        // since `least_since`; 0: none
	uint32_t least_before_us; // in the time before; 0: none
	uint32_t least_since_ms;  // modulo 2^32
};

/// The least of the last seconds; 0: nothing was measured.
static inline uint32_t round_trip_least_us(const struct round_trip *rtt)
{
	return rtt->least_before_us != 0 && rtt->least_before_us < rtt->least_us ? rtt->least_before_us : rtt->least_us;
}

static inline void round_trip_note_least(struct round_trip *rtt, uint32_t us, uint32_t now_ms)
{
	rtt->latest_us = us;
	if (rtt->least_us == 0 || now_ms - rtt->least_since_ms >= ROUND_TRIP_LEAST_OVER_MS) {
		rtt->least_before_us = rtt->least_us;
		rtt->least_since_ms = now_ms;
		rtt->least_us = us;
	} else if (us < rtt->least_us) {
		rtt->least_us = us;
	}
}

/// RFC 6298 2.2 and 2.3, with alpha 1/8 and beta 1/4. No packet's counter is used twice, so no sample is ambiguous.
/// @param sample  from its leaving to the coming of the acknowledgement
/// @param delay   of it, what the peer waited with the acknowledgement. A timeout allows for ROUND_TRIP_ACK_DELAY_MS; where a
///                peer waits longer, such as a game that looks once a frame, the rest stays in what is smoothed (RFC 9002 5.3)
static inline void round_trip_sample(struct round_trip *rtt, uint64_t sample, uint64_t delay, uint64_t millisecond,
				     uint64_t now)
{
	const uint64_t without = sample > delay ? sample - delay : 0, us = without * 1000 / millisecond;
	const uint64_t allowed = ROUND_TRIP_ACK_DELAY_MS * millisecond, expected = delay < allowed ? delay : allowed;
	const uint32_t least = round_trip_least_us(rtt);

	round_trip_note_least(rtt,
			      us == 0         ? 1 :
			      us < UINT32_MAX ? (uint32_t)us :
						UINT32_MAX,
			      (uint32_t)(now / millisecond));
	if (us >= least && least != 0)
		sample -= expected;
	if (rtt->smoothed == 0) {
		rtt->smoothed = sample;
		rtt->variance = sample / 2;
		return;
	}

	const uint64_t error = sample > rtt->smoothed ? sample - rtt->smoothed : rtt->smoothed - sample;

	rtt->variance = rtt->variance - rtt->variance / 4 + error / 4;
	rtt->smoothed = rtt->smoothed - rtt->smoothed / 8 + sample / 8;
}

/// After this a datagram counts as lost.
/// @param least   no timeout is shorter
/// @param row     timeouts in a row before
/// @param silent  nothing authentic came for ROUND_TRIP_SILENT_MS
static inline uint64_t round_trip_timeout(const struct round_trip *rtt, uint64_t least, unsigned row, bool silent,
					  uint64_t millisecond)
{
	const uint64_t spread = 4 * rtt->variance, spread_min = ROUND_TRIP_VARIANCE_MIN_MS * millisecond;
	uint64_t most = millisecond * (silent ? ROUND_TRIP_SILENT_MAX_MS : ROUND_TRIP_TIMEOUT_MAX_MS);
	uint64_t timeout = ROUND_TRIP_UNMEASURED_MS * millisecond;

	if (rtt->smoothed != 0)
		timeout = rtt->smoothed + (spread > spread_min ? spread : spread_min) +
			  ROUND_TRIP_ACK_DELAY_MS * millisecond;
	if (timeout < least)
		timeout = least;
	if (timeout > most) // or on a longer path everything would be sent twice
		most = timeout;
	timeout <<= row < 8 ? row : 8;
	return timeout < most ? timeout : most;
}

/// How much longer the latest one was than the least: what waits in queues on the path.
static inline uint32_t round_trip_excess_us(const struct round_trip *rtt)
{
	return rtt->latest_us - round_trip_least_us(rtt);
}

#endif
