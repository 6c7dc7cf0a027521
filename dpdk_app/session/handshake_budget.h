// SPDX-License-Identifier: BSD-3-Clause
// session/handshake_budget.h: has a worker time for another handshake, of whatever profile?

#ifndef POLLGATE_SESSION_HANDSHAKE_BUDGET_H
#define POLLGATE_SESSION_HANDSHAKE_BUDGET_H

#include "session/shard.h"

/// The longest that one handshake is charged for: what takes longer was interrupted.
#define HANDSHAKE_CHARGES_PER_S_MIN 10000

/// @param conforms_at  the bucket: TSC from which on a handshake conforms without the tolerance
/// @param costly       the sender has done something for it; a flood of the others leaves time for those
ALWAYS_INLINE bool handshake_conforms(const struct handshake_budget *budget, uint64_t conforms_at, bool costly,
				      uint64_t now)
{
	const uint64_t tolerance = costly ? budget->tolerance : budget->tolerance / 2;

	return budget->cycles_per_1024 == 0 || conforms_at <= now + tolerance;
}

/// @return the bucket when a handshake has taken so many cycles
ALWAYS_INLINE uint64_t handshake_charge(const struct handshake_budget *budget, uint64_t conforms_at, uint64_t cycles,
					uint64_t tsc_hz, uint64_t now)
{
	const uint64_t from = conforms_at > now ? conforms_at : now, most = tsc_hz / HANDSHAKE_CHARGES_PER_S_MIN;

	return from + (cycles < most ? cycles : most) * budget->cycles_per_1024 / 1024;
}

#endif
