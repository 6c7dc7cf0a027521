// SPDX-License-Identifier: BSD-3-Clause
// limit/rate.h: token buckets as GCRA: one number per bucket instead of tokens and a refill time.
//
// ITU-T I.371 annex A (virtual scheduling): a bucket is the time at which it would be full again.

#ifndef POLLGATE_LIMIT_RATE_H
#define POLLGATE_LIMIT_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/// A rate and its burst, in TSC cycles.
struct rate {
	uint64_t interval;  // one datagram's share of time; 0: unlimited
	uint64_t tolerance; // how far ahead of time a burst may run
};

/// @param per_second  0: unlimited
/// @param burst       datagrams that may come at once, at least 1
static inline struct rate rate_make(uint32_t per_second, uint32_t burst, uint64_t tsc_hz)
{
	struct rate rate = {0, 0};

	if (per_second == 0)
		return rate;
	rate.interval = tsc_hz / per_second;
	if (rate.interval == 0)
		rate.interval = 1;
	rate.tolerance = rate.interval * (burst - 1);
	return rate;
}

/// The latest time that a conforming bucket can have. It is the same for all datagrams of a burst.
ALWAYS_INLINE uint64_t rate_latest(struct rate rate, uint64_t now)
{
	const uint64_t latest = now + rate.tolerance;

	return latest >= now ? latest : UINT64_MAX;
}

/// Does a datagram at `now` conform? If so it is accounted for.
/// @param conforms_at  the bucket: time from which a datagram conforms without using the burst
/// @param rate         not unlimited
ALWAYS_INLINE bool rate_admit_limited(uint64_t *conforms_at, struct rate rate, uint64_t now)
{
	uint64_t from = *conforms_at;

	if (unlikely(from > rate_latest(rate, now))) {
		// The bucket is further ahead than this rate allows: a stricter rate, before a reload, set it. It starts over.
		if (likely(from - now <= rate.tolerance + rate.interval))
			return false;
		from = now;
	}
	*conforms_at = (from > now ? from : now) + rate.interval;
	return true;
}

/// As rate_admit_limited(), for a rate that may be unlimited.
ALWAYS_INLINE bool rate_admit(uint64_t *conforms_at, struct rate rate, uint64_t now)
{
	// Unlimited: a line that is only read need not be written back.
	return rate.interval == 0 || rate_admit_limited(conforms_at, rate, now);
}

/// How many may come at once.
/// @param rate  not unlimited
ALWAYS_INLINE uint32_t rate_burst(struct rate rate)
{
	const uint64_t burst = rate.tolerance / rate.interval + 1;

	return burst < UINT32_MAX ? (uint32_t)burst : UINT32_MAX;
}

/// When `n` at once conform.
/// @param n  at most the burst
/// @return `now` or before: they do
ALWAYS_INLINE uint64_t rate_conforms(uint64_t conforms_at, struct rate rate, uint32_t n, uint64_t now)
{
	uint64_t from = conforms_at > now ? conforms_at : now;

	if (rate.interval == 0 || n == 0)
		return now;
	if (unlikely(from - now > rate.tolerance + rate.interval)) // as in rate_admit_limited()
		from = now;
	from += (n - 1) * rate.interval;
	return from > rate.tolerance ? from - rate.tolerance : 0;
}

/// As rate_admit() for `n` at once: all are accounted for, or none is.
/// @param n  at most the burst
/// @return `now` or before: they conform; else when they do
ALWAYS_INLINE uint64_t rate_charge(uint64_t *conforms_at, struct rate rate, uint32_t n, uint64_t now)
{
	const uint64_t conforms = rate_conforms(*conforms_at, rate, n, now);
	uint64_t from = *conforms_at > now ? *conforms_at : now;

	if (conforms > now || rate.interval == 0 || n == 0)
		return conforms;
	if (unlikely(from - now > rate.tolerance + rate.interval))
		from = now;
	*conforms_at = from + n * rate.interval;
	return conforms;
}

/// A bucket of 32 bits, for records that have no room for more: in units of 1,024 cycles, modulo 2^32 of them (half an
/// hour). One that was not looked at for so long is full, or seems further ahead than any burst, which starts it over.
#define RATE_SHORT_SHIFT 10

ALWAYS_INLINE bool rate_admit_short(uint32_t *conforms_at, struct rate rate, uint64_t now)
{
	const uint64_t unit = now >> RATE_SHORT_SHIFT;
	const int32_t ahead = (int32_t)(*conforms_at - (uint32_t)unit);
	uint64_t bucket =
		ahead > 0 ? (unit + (uint32_t)ahead) << RATE_SHORT_SHIFT : now; // rounded in the peer's favour

	if (!rate_admit(&bucket, rate, now))
		return false;
	*conforms_at = (uint32_t)(bucket >> RATE_SHORT_SHIFT);
	return true;
}

#endif
