// SPDX-License-Identifier: BSD-3-Clause
// pipeline/sender.c: has a source, or a place, sent too much? For datagrams that are asked one by one.

#include "pipeline/pipeline.h"

bool sender_conforms(struct ingress *ingress, struct peer peer, uint64_t now)
{
	const struct rate rate = ingress->policy->source[peer_listener(&peer)];

	return rate.interval == 0 ||
	       source_admit(ingress->sources, source_hash(&peer, &ingress->sessions->secret), rate, now);
}

bool place_conforms(struct ingress *ingress, struct peer peer, uint64_t now)
{
	const struct rate rate = ingress->policy->source[peer_listener(&peer)];

	return rate.interval == 0 ||
	       source_admit(ingress->sources, place_hash(&peer, &ingress->sessions->secret), rate, now);
}
