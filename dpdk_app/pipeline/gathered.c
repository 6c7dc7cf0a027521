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

/// Can the worker have it to whom it is to be given? What came from another worker is not given away again.
static bool can_be_given(const struct ingress *ingress, uint8_t owner)
{
	const struct plain_registry *registry = ingress->sessions->registry;

	return !ingress->settles_here && owner != ingress->worker && owner < registry->tables &&
	       registry->ports[owner] & ingress->port_bit;
}

void run_gathered(struct ingress *ingress, struct gathered *gathered, uint64_t now)
{
	unsigned end;

	for (unsigned k = 0; k < gathered->count; k++)
		if (!profile_of(gathered->arrival[k].profile)->limits_sources &&
		    !sender_conforms(ingress, *gathered->arrival[k].peer, now))
			gathered->arrival[k].result = PG_DROP_SOURCE_RATE_LIMITED;
	for (unsigned k = 0; k < gathered->count; k = end) {
		end = k + 1;
		if (gathered->arrival[k].result != PG_DROP_NONE)
			continue;
		end = end_of_group(gathered, k);
		profile_of(gathered->arrival[k].profile)->take(ingress, &gathered->arrival[k], end - k, now);
	}
	for (unsigned k = 0; k < gathered->count; k++)
		if (gathered->arrival[k].result == PACKET_ELSEWHERE &&
		    !can_be_given(ingress, gathered->arrival[k].owner))
			gathered->arrival[k].result = PG_DROP_OWNER_BUSY;
}
