// SPDX-License-Identifier: BSD-3-Clause
// session/handshake_budget.h: has a worker time for another handshake, of whatever profile?

#ifndef POLLGATE_SESSION_HANDSHAKE_BUDGET_H
#define POLLGATE_SESSION_HANDSHAKE_BUDGET_H

#include "session/shard.h"

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

/// @param conforms_at  the bucket: TSC from which on a handshake conforms without the tolerance
ALWAYS_INLINE bool handshake_conforms(const struct handshake_budget *budget, uint64_t conforms_at,
				      enum handshake_rank rank, uint64_t now)
{
	return budget->cycles_per_1024 == 0 || conforms_at <= now + budget->tolerance * (uint64_t)rank / RANK_FIRST;
}

/// @return the bucket when a handshake has taken so many cycles
ALWAYS_INLINE uint64_t handshake_charge(const struct handshake_budget *budget, uint64_t conforms_at, uint64_t cycles,
					uint64_t tsc_hz, uint64_t now)
{
	const uint64_t from = conforms_at > now ? conforms_at : now, most = tsc_hz / HANDSHAKE_CHARGES_PER_S_MIN;

	return from + (cycles < most ? cycles : most) * budget->cycles_per_1024 / 1024;
}

#endif
