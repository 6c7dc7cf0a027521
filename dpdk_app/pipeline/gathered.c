// SPDX-License-Identifier: BSD-3-Clause
// pipeline/gathered.c: see gathered.h.

#include "pipeline/gathered.h"

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
		if (!sender_conforms(ingress, *gathered->arrival[k].peer, now))
			gathered->arrival[k].result = PG_DROP_SOURCE_RATE_LIMITED;
	for (unsigned k = 0; k < gathered->count; k = end) {
		end = k + 1;
		if (gathered->arrival[k].result != PG_DROP_NONE)
			continue;
		end = end_of_group(gathered, k);
		profile_of(gathered->arrival[k].profile)->take(ingress, &gathered->arrival[k], end - k, now);
	}
}
