// SPDX-License-Identifier: BSD-3-Clause
// pipeline/datagram.c: a burst whose frames the kernel took off, stage by stage. Compiled with -DISA=v2, v3 and v4.
//
// The stages of burst.c without its frames: check and hash everything (prefetch index buckets), probe everything
// (prefetch session records), answer everything in the order of arrival; datagrams of the session profile in stages of
// their own (session_stages.h). The kernel has verified the checksums.

#include <string.h>

#include "pipeline/session_stages.h"
#include "pipeline/stages.h"

/// @param reason  enum pg_drop, or PACKET_…, which are not counted here
static COLD void drop_datagram(struct gate *gate, struct datagram_burst *burst, unsigned i, unsigned reason)
{
	burst->drop[i] = (uint8_t)reason;
	burst->unanswered++;
	if (reason < PG_DROPS)
		counter_add(&gate->stats->dropped[reason], 1);
}

/// Can this datagram be answered at all, whatever its content?
ALWAYS_INLINE enum pg_drop check_envelope(const struct peer *peer, uint16_t length)
{
	if (unlikely(peer_port(peer) == 0)) // RFC 768: no port to send replies to
		return PG_DROP_BAD_SOURCE;
	if (unlikely(length > PG_DATAGRAM_MAX))
		return PG_DROP_TOO_LONG;
	return PG_DROP_NONE;
}

struct datagram_lanes {
	struct lookup plain[BURST_MAX];
	struct source source[BURST_MAX]; // of each of those, where any listener limits its sources
	struct sealed_lane sealed;
	unsigned plain_count;
};

/// One that can be answered goes into its lane if its message, or its header, is whole.
ALWAYS_INLINE enum pg_drop sort_datagram(struct gate *gate, const struct datagram_burst *burst, unsigned i,
					 struct datagram_lanes *lanes, bool limited)
{
	const struct peer *peer = &burst->peer[i];
	enum pg_drop drop;

	if (listener_is_sealed(gate, peer_listener(peer)))
		return sort_sealed(gate, &lanes->sealed, burst->payload[i], burst->length[i], peer, i);
	drop = plain_check(burst->payload[i], burst->length[i]);
	if (unlikely(drop != PG_DROP_NONE))
		return drop;
	if (limited)
		lanes->source[lanes->plain_count] = look_up_source(gate->sources, gate->sessions, peer);
	lanes->plain[lanes->plain_count++] = look_up(gate->sessions, peer, i, LANE_OTHER);
	return PG_DROP_NONE;
}

ALWAYS_INLINE void sort_datagrams(struct gate *gate, struct datagram_burst *burst, struct datagram_lanes *lanes,
				  unsigned n)
{
	const bool limited = gate->policy->source_limited;

	for (unsigned i = 0; i < n; i++) {
		enum pg_drop drop = check_envelope(&burst->peer[i], burst->length[i]);

		if (likely(drop == PG_DROP_NONE))
			drop = sort_datagram(gate, burst, i, lanes, limited);
		if (unlikely(drop != PG_DROP_NONE))
			drop_datagram(gate, burst, i, drop);
	}
}

/// Mark datagrams whose source has sent too much: in the order of arrival, before anything is answered.
static __attribute__((noinline)) void limit_datagrams(struct gate *gate, const struct datagram_burst *burst,
						      struct datagram_lanes *lanes, uint64_t now)
{
	for (unsigned k = 0; k < lanes->plain_count; k++) {
		struct lookup *lookup = &lanes->plain[k];
		const struct rate rate = gate->policy->source[peer_listener(&burst->peer[lookup->at])];

		if (likely(rate.interval != 0))
			limit_source(lookup, lanes->source[k], rate, now);
	}
}

ALWAYS_INLINE unsigned answer_datagram(struct gate *gate, struct datagram_burst *burst, const struct lookup *lookup,
				       uint64_t now)
{
	if (unlikely(lookup->lane == LANE_LIMITED))
		return PG_DROP_SOURCE_RATE_LIMITED;
	return handle(gate, &burst->peer[lookup->at], lookup->slot, burst->payload[lookup->at], now, NULL);
}

ALWAYS_INLINE void answer_datagrams(struct gate *gate, struct datagram_burst *burst, const struct lookup *lookup,
				    unsigned n, uint64_t now)
{
	for (unsigned k = 0; k < n; k++) {
		const unsigned i = lookup[k].at, drop = answer_datagram(gate, burst, &lookup[k], now);

		if (unlikely(drop != PG_DROP_NONE))
			drop_datagram(gate, burst, i, drop);
		else
			counter_add(&gate->stats->handled[plain_acknowledge(burst->payload[i]) - 1], 1);
	}
}

static void conclude_datagram(struct gate *gate, struct datagram_burst *burst, const struct sealed *s)
{
	uint8_t *ways = gate->side->vault->ways;

	if (unlikely(s->learn) && ways)
		ways[s->slot] = (uint8_t)(burst->way[s->at] + 1);
	if (likely(s->result == PG_DROP_NONE)) {
		burst->length[s->at] = s->length;
		return;
	}
	if (s->result == PACKET_ABSORBED)
		counter_add(&gate->stats->unanswered, 1);
	burst->owner[s->at] = s->owner;
	drop_datagram(gate, burst, s->at, s->result);
}

static __attribute__((noinline)) void serve_sealed_datagrams(struct gate *gate, struct datagram_burst *burst,
							     struct sealed_lane *lane, uint64_t now)
{
	run_sealed(gate, lane, look_up_sealed(gate, lane, now), now);
	for (unsigned k = 0; k < lane->count; k++)
		conclude_datagram(gate, burst, &lane->datagram[k]);
}

void JOIN(run_datagrams, ISA)(struct gate *gate, struct datagram_burst *burst, unsigned n, uint64_t now)
{
	struct datagram_lanes lanes;

	lanes.plain_count = 0;
	sealed_lane_begin(&lanes.sealed);
	burst->unanswered = 0;
	memset(burst->drop, PG_DROP_NONE, sizeof(burst->drop));
	counter_add(gate->arrivals, n);
	sort_datagrams(gate, burst, &lanes, n);
	probe(gate->sessions, lanes.plain, lanes.plain_count);
	if (gate->policy->source_limited)
		limit_datagrams(gate, burst, &lanes, now);
	answer_datagrams(gate, burst, lanes.plain, lanes.plain_count, now);
	if (lanes.sealed.count > 0)
		serve_sealed_datagrams(gate, burst, &lanes.sealed, now);
}
