// SPDX-License-Identifier: BSD-3-Clause
// pipeline/policy.c: a policy as configured, in the units of the fast path.

#include "pipeline/pipeline.h"

#define NS_PER_S 1000000000ULL

void policy_init(struct policy *policy, const struct pg_policy *from, uint64_t generation, uint64_t tsc_hz)
{
	*policy = (struct policy){
		.generation = generation,
		.idle_timeout = (uint64_t)((unsigned __int128)from->idle_timeout_ns * tsc_hz / NS_PER_S),
		.host_silent = from->host_reply_pps == 0,
		.host = rate_make(from->host_reply_pps, from->host_reply_burst, tsc_hz),
	};
	for (unsigned i = 0; i < PG_LISTENERS_MAX; i++) {
		policy->source[i] = rate_make(from->listener[i].source_pps, from->listener[i].source_burst, tsc_hz);
		policy->source_limited |= policy->source[i].interval != 0;
	}
}
