// SPDX-License-Identifier: BSD-3-Clause
// pipeline/gathered.c: see gathered.h.

#include "pipeline/gathered.h"

static bool conforms(struct ingress *ingress, const struct peer *peer, uint64_t now)
{
	const struct rate rate = ingress->policy->source[peer_listener(peer)];

	return rate.interval == 0 ||
	       source_admit(ingress->sources, source_hash(peer, &ingress->sessions->secret), rate, now);
}

/// Index behind the last that goes with the k-th.
static unsigned end_of_group(const struct gathered *gathered, unsigned k)
{
	const unsigned profile = gathered->arrival[k].profile;

	do
		k++;
	while (k < gathered->count && gathered->arrival[k].profile == profile &&
	       gathered->arrival[k].result == PG_DROP_NONE);
	return k;
}

void run_gathered(struct ingress *ingress, struct gathered *gathered, uint64_t now)
{
	unsigned end;

	for (unsigned k = 0; k < gathered->count; k++)
		if (!conforms(ingress, gathered->arrival[k].peer, now))
			gathered->arrival[k].result = PG_DROP_SOURCE_RATE_LIMITED;
	for (unsigned k = 0; k < gathered->count; k = end) {
		end = k + 1;
		if (gathered->arrival[k].result != PG_DROP_NONE)
			continue;
		end = end_of_group(gathered, k);
		profile_of(gathered->arrival[k].profile)->take(ingress, &gathered->arrival[k], end - k, now);
	}
}
