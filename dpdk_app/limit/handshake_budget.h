// SPDX-License-Identifier: BSD-3-Clause
// limit/handshake_budget.h: has a worker time for another handshake, of whatever profile?

#ifndef POLLGATE_LIMIT_HANDSHAKE_BUDGET_H
#define POLLGATE_LIMIT_HANDSHAKE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/// The share of time that handshakes may take: cycles that they used, made cycles that must go by before the next.
struct handshake_budget {
	uint64_t cycles_per_1024; // that must go by for each 1,024 that were used; 0: unlimited
	uint64_t tolerance;       // TSC: how far ahead of time a burst may run, the first in rank as far as this
};

/// What handshakes used. A worker has one: all its profiles' handshakes draw from it.
struct handshake_bucket {
	uint64_t conforms_at; // TSC from which on a handshake conforms without the tolerance, as in limit/rate.h
};

#define HANDSHAKE_BURST_MS 20

ALWAYS_INLINE struct handshake_budget handshake_budget_make(uint32_t permille, uint64_t tsc_hz)
{
	if (permille == 0 || permille >= 1000)
		return (struct handshake_budget){0, 0};
	return (struct handshake_budget){1024ULL * 1000 / permille, tsc_hz / 1000 * HANDSHAKE_BURST_MS};
}

/// The longest that one handshake is charged for: what takes longer was interrupted.
#define HANDSHAKE_CHARGES_PER_S_MIN 4000

/// Who comes first when time is short. What costs a stranger nothing leaves time for what costs a cookie, and whoever sends
/// too much leaves time for all others: so neither a flood of requests nor one by a neighbour at the same address keeps a
/// player out, as long as there is any time at all.
enum handshake_rank { RANK_LAST = 1, RANK_MIDDLE = 2, RANK_FIRST = 4 };

/// @param costly    its sender has done something for it
/// @param conforms  its source sends no more than it may
ALWAYS_INLINE enum handshake_rank handshake_rank(bool costly, bool conforms)
{
	if (costly)
		return conforms ? RANK_FIRST : RANK_MIDDLE;
	return conforms ? RANK_MIDDLE : RANK_LAST;
}

ALWAYS_INLINE bool handshake_conforms(const struct handshake_budget *budget, const struct handshake_bucket *bucket,
				      enum handshake_rank rank, uint64_t now)
{
	return budget->cycles_per_1024 == 0 ||
	       bucket->conforms_at <= now + budget->tolerance * (uint64_t)rank / RANK_FIRST;
}

/// A handshake has taken so many cycles.
ALWAYS_INLINE void handshake_charge(const struct handshake_budget *budget, struct handshake_bucket *bucket,
				    uint64_t cycles, uint64_t tsc_hz, uint64_t now)
{
	const uint64_t from = bucket->conforms_at > now ? bucket->conforms_at : now,
		       most = tsc_hz / HANDSHAKE_CHARGES_PER_S_MIN;

	bucket->conforms_at = from + (cycles < most ? cycles : most) * budget->cycles_per_1024 / 1024;
}

#endif
