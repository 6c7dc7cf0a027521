// SPDX-License-Identifier: BSD-3-Clause
// delivery/bulk_pace.h: how soon after each other datagrams with bulk leave, so that they make nobody wait for long (RFC 6817).
//
// By a rate and not by a window: one datagram of each of several players on one link would already be too much.

#ifndef POLLGATE_DELIVERY_BULK_PACE_H
#define POLLGATE_DELIVERY_BULK_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "delivery/congestion.h"
#include "delivery/round_trip.h"

#define BULK_PARTS 64               // of a datagram: the pace is so many of them in a round trip, at least one
#define BULK_FIRST (BULK_PARTS / 4) // what ten say at once is gone before they say more
#define BULK_MOST (32 * BULK_PARTS)
#define BULK_GROWS \
	2 // parts, and a 32nd of what there is: a share of it alone would leave a small pace small beside large ones
#define BULK_EXCESS_US \
	20000U // of the round trip over the least: twice in a row more, or once twice as much, is too fast
#define BULK_INTERVAL_US 200000       // the longest between two datagrams is four round trips, but at least this
#define BULK_INTERVAL_MOST_US 1000000 // and at most this

/// All zero is the pace at first.
struct bulk_pace {
	uint64_t left;       // TSC at which the last one left, or would have, had the sender looked then; 0: none did
	uint32_t changed_ms; // modulo 2^32: when the pace changed
	uint16_t pace;       // parts in a round trip; 0: BULK_FIRST
	bool grew : 1;       // when it changed last
	bool used : 1;       // since it changed, or was first
	bool above : 1;      // the last sample was
	bool steady : 1;     // a queue was seen: from now on the pace grows slowly
	bool filling : 1;    // the datagram that is being filled has bulk
	bool asks : 1;       // the last one has bulk, and is to be answered at once: 25 ms later its queue has grown
};

ALWAYS_INLINE uint64_t bulk_parts(const struct bulk_pace *bulk)
{
	return bulk->pace != 0 ? bulk->pace : BULK_FIRST;
}

static inline uint64_t bulk_interval_us(const struct bulk_pace *bulk, const struct round_trip *rtt)
{
	const uint64_t latest = rtt->latest_us, even = latest * BULK_PARTS / bulk_parts(bulk);
	uint64_t longest = 4 * latest < BULK_INTERVAL_MOST_US ? 4 * latest : BULK_INTERVAL_MOST_US;

	if (latest == 0) // nothing was measured
		return BULK_INTERVAL_US;
	if (longest < BULK_INTERVAL_US)
		longest = BULK_INTERVAL_US;
	return even < longest ? even : longest;
}

/// TSC from which another datagram with bulk may leave.
static inline uint64_t bulk_leaves_from(const struct bulk_pace *bulk, const struct round_trip *rtt,
					uint64_t millisecond)
{
	return bulk->left != 0 ? bulk->left + bulk_interval_us(bulk, rtt) * millisecond / 1000 : 0;
}

/// One leaves now.
/// @param due  TSC from which it might have
static inline void bulk_leaves(struct bulk_pace *bulk, const struct round_trip *rtt, uint64_t due, uint64_t now,
			       uint64_t millisecond)
{
	const uint64_t interval = bulk_interval_us(bulk, rtt) * millisecond / 1000;

	bulk->left = congestion_looked(due, now, (CONGESTION_BURST - 1) * interval, millisecond);
	bulk->used = true;
}

static inline void bulk_change(struct bulk_pace *bulk, uint64_t parts, uint32_t now_ms)
{
	const uint64_t pace = parts < 1 ? 1 : parts < BULK_MOST ? parts : BULK_MOST;

	bulk->grew = pace > bulk_parts(bulk);
	bulk->pace = (uint16_t)pace;
	bulk->changed_ms = now_ms;
	bulk->used = false;
	bulk->above = false;
}

/// Has bulk used the pace since it changed? While it doubles, its whole effect is to be seen first: one round trip later.
static inline bool bulk_used(const struct bulk_pace *bulk, const struct round_trip *rtt, uint32_t sent_ms)
{
	if (bulk->pace != 0 && !bulk->steady && sent_ms - bulk->changed_ms < rtt->latest_us / 1000)
		return false;
	return bulk->used;
}

/// The round trip of a datagram was measured. One that left before the pace was halved says nothing of it. One that left before
/// it grew makes it grow no more, but may have seen that it was too fast already: of what left at once, the last waited
/// longest. A pace that is not used does not grow.
/// @param sent  TSC at which it left
static inline void bulk_sample(struct bulk_pace *bulk, const struct round_trip *rtt, uint64_t sent, uint64_t now,
			       uint64_t millisecond)
{
	const uint32_t now_ms = (uint32_t)(now / millisecond), sent_ms = (uint32_t)(sent / millisecond);
	const uint32_t excess = round_trip_excess_us(rtt);
	const uint64_t parts = bulk_parts(bulk);

	const bool before = bulk->pace != 0 && (int32_t)(sent_ms - bulk->changed_ms) < 0;

	if (before && !bulk->grew)
		return;
	if (excess > BULK_EXCESS_US / 2)
		bulk->steady = true;
	if (excess > 2 * BULK_EXCESS_US || (bulk->above && excess > BULK_EXCESS_US))
		bulk_change(bulk, parts / 2, now_ms);
	else if (excess > BULK_EXCESS_US)
		bulk->above = true;
	else if (!before && bulk_used(bulk, rtt, sent_ms))
		bulk_change(bulk, bulk->steady ? parts + BULK_GROWS + parts / 32 : 2 * parts, now_ms);
	else
		bulk->above = false;
}

/// A datagram was lost: the queue may be a short one.
ALWAYS_INLINE void bulk_lost(struct bulk_pace *bulk)
{
	bulk->steady = true;
}

#endif
