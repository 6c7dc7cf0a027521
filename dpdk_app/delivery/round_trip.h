// SPDX-License-Identifier: BSD-3-Clause
// delivery/round_trip.h: the retransmission timeout of RFC 6298.

#ifndef POLLGATE_DELIVERY_ROUND_TRIP_H
#define POLLGATE_DELIVERY_ROUND_TRIP_H

#include <stdint.h>

#include "compiler.h"

/// In TSC cycles.
struct round_trip {
	uint64_t smoothed; // SRTT; 0: nothing was measured
	uint64_t variance; // RTTVAR
	uint64_t least;    // of all samples, as they were measured
};

/// RFC 6298 2.2 and 2.3, with alpha 1/8 and beta 1/4. No packet's counter is used twice, so no sample is ambiguous.
/// @param delay  that the peer says it has made: believed as far as the path can have taken the rest (RFC 9002 5.3)
static inline void round_trip_sample(struct round_trip *rtt, uint64_t sample, uint64_t delay)
{
	if (rtt->least == 0 || sample < rtt->least)
		rtt->least = sample;
	if (delay <= sample - rtt->least)
		sample -= delay;
	if (rtt->smoothed == 0) {
		rtt->smoothed = sample;
		rtt->variance = sample / 2;
		return;
	}

	const uint64_t error = sample > rtt->smoothed ? sample - rtt->smoothed : rtt->smoothed - sample;

	rtt->variance = rtt->variance - rtt->variance / 4 + error / 4;
	rtt->smoothed = rtt->smoothed - rtt->smoothed / 8 + sample / 8;
}

/// Before the first sample the timeout is the least one.
ALWAYS_INLINE uint64_t round_trip_timeout(const struct round_trip *rtt, uint64_t least)
{
	const uint64_t timeout = rtt->smoothed + 4 * rtt->variance;

	return timeout > least ? timeout : least;
}

#endif
