// SPDX-License-Identifier: BSD-3-Clause
// pipeline/datagram.c: a burst whose frames the kernel took off, stage by stage. Compiled with -DISA=v2, v3 and v4.
//
// The stages of burst.c without its frames: check and hash everything (prefetch index buckets), probe everything
// (prefetch session records), answer everything in the order of arrival. The kernel has verified the checksums.

#include <string.h>

#include "pipeline/stages.h"

static COLD void drop_datagram(struct gate *gate, struct datagram_burst *burst, unsigned i, unsigned reason)
{
	burst->drop[i] = (uint8_t)reason;
	burst->unanswered++;
	counter_add(&gate->stats->dropped[reason], 1);
}

/// What is whole and can be answered.
ALWAYS_INLINE enum pg_drop check_datagram(const struct peer *peer, const uint8_t *payload, uint16_t length)
{
	if (unlikely(peer_port(peer) == 0)) // RFC 768: no port to send replies to
		return PG_DROP_BAD_SOURCE;
	if (unlikely(length > PG_DATAGRAM_MAX))
		return PG_DROP_TOO_LONG;
	return plain_check(payload, length);
}

/// @param lookup  out: the datagrams that passed
/// @return how many they are
ALWAYS_INLINE unsigned check_datagrams(struct gate *gate, struct datagram_burst *burst, struct lookup *lookup,
				       unsigned n)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i++) {
		const enum pg_drop drop = check_datagram(&burst->peer[i], burst->payload[i], burst->length[i]);

		if (unlikely(drop != PG_DROP_NONE))
			drop_datagram(gate, burst, i, drop);
		else
			lookup[passed++] = look_up(gate->sessions, &burst->peer[i], i, LANE_OTHER);
	}
	return passed;
}

ALWAYS_INLINE void answer_datagrams(struct gate *gate, struct datagram_burst *burst, const struct lookup *lookup,
				    unsigned n, uint64_t now)
{
	const bool source_limited = gate->policy->source_limited;

	for (unsigned k = 0; k < n; k++) {
		const unsigned i = lookup[k].at;
		uint8_t *payload = burst->payload[i];
		const unsigned drop = handle(gate, &burst->peer[i], lookup[k].slot, payload, now, source_limited, NULL);

		if (unlikely(drop != PG_DROP_NONE))
			drop_datagram(gate, burst, i, drop);
		else
			counter_add(&gate->stats->handled[plain_acknowledge(payload) - 1], 1);
	}
}

void JOIN(run_datagrams, ISA)(struct gate *gate, struct datagram_burst *burst, unsigned n, uint64_t now)
{
	struct lookup lookup[BURST_MAX];

	burst->unanswered = 0;
	memset(burst->drop, PG_DROP_NONE, sizeof(burst->drop));
	counter_add(gate->arrivals, n);

	const unsigned passed = check_datagrams(gate, burst, lookup, n);

	probe(gate->sessions, lookup, passed);
	answer_datagrams(gate, burst, lookup, passed, now);
}
