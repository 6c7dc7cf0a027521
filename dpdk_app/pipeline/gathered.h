// SPDX-License-Identifier: BSD-3-Clause
// pipeline/gathered.h: datagrams of profiles without loops of their own, gathered out of a burst and handled in groups.

#ifndef POLLGATE_PIPELINE_GATHERED_H
#define POLLGATE_PIPELINE_GATHERED_H

#include "pipeline/profile.h"

/// In the order of arrival, of whatever profile.
struct gathered {
	struct arrival arrival[BURST_MAX];
	unsigned count;
};

ALWAYS_INLINE void gathered_begin(struct gathered *gathered)
{
	gathered->count = 0;
}

ALWAYS_INLINE void gather(const struct ingress *ingress, struct gathered *gathered, uint8_t *payload, uint16_t length,
			  const struct peer *peer, unsigned i)
{
	gathered->arrival[gathered->count++] = (struct arrival){
		.payload = payload,
		.peer = peer,
		.length = length,
		.at = (uint8_t)i,
		.profile = ingress->profile[peer_listener(peer)],
		.result = PG_DROP_NONE,
	};
}

/// Drop datagrams whose source has sent too much, and handle the others, neighbours of one profile together. Each
/// datagram then has its result; drops are not counted yet. What another worker cannot have is dropped as owner_busy.
void run_gathered(struct ingress *ingress, struct gathered *gathered, uint64_t now);

/// Have the profile of an arrival remember how it came, if it asks for it. Before the answer is written.
ALWAYS_INLINE void learn_arrival(struct ingress *ingress, const struct arrival *arrival, const struct way_in *way)
{
	if (arrival->learn)
		profile_of(arrival->profile)->learn(ingress, arrival->slot, way);
}

#endif
