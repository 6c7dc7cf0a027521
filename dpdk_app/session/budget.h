// SPDX-License-Identifier: BSD-3-Clause
// session/budget.h: the share of a worker's time that handshakes of the session profile may take.

#ifndef POLLGATE_SESSION_BUDGET_H
#define POLLGATE_SESSION_BUDGET_H

#include "session/shard.h"

static inline bool budget_left(const struct session_shard *shard, enum handshake_rank rank, uint64_t now)
{
	return handshake_conforms(&shard->rules->handshake, shard->handshakes, rank, now);
}

static inline void budget_charge(struct session_shard *shard, uint64_t cycles, uint64_t now)
{
	handshake_charge(&shard->rules->handshake, shard->handshakes, cycles, shard->tsc_hz, now);
}

#endif
