// SPDX-License-Identifier: BSD-3-Clause
// pipeline/datagram.c: a burst whose frames the kernel took off, stage by stage. Compiled with -DISA=v2, v3 and v4.
//
// The stages of burst.c without its frames: check and hash everything (prefetch index buckets), probe everything
// (prefetch session records), answer everything in the order of arrival; each profile's datagrams in a lane of their own.
// The kernel has verified the checksums.

#include <string.h>

#include "pipeline/gathered.h"
#include "pipeline/session_stages.h"
#include "pipeline/stages.h"

/// Of the plain profile.
struct plain_datagrams {
	struct lookup lookup[BURST_MAX];
	struct source source[BURST_MAX]; // of each of those, where any listener limits its sources
	unsigned count;
};

struct datagram_lanes {
	struct plain_datagrams plain;
	struct sealed_lane sealed;
	struct gathered others; // of all profiles without loops of their own
	uint32_t used;          // bit n: there may be datagrams of profile n
};

/// How a profile takes its datagrams, and answers them: called once for a burst or a group of it.
struct datagram_loops {
	/// Sort those from the i-th up to the end: all are to listeners that speak this profile.
	void (*sort)(struct ingress *ingress, struct datagram_burst *burst, unsigned i, unsigned end,
		     struct datagram_lanes *lanes);

	/// Handle and answer all that was sorted.
	void (*serve)(struct ingress *ingress, struct datagram_burst *burst, struct datagram_lanes *lanes,
		      uint64_t now);
};

/// @param reason  enum pg_drop, or PACKET_…, which are not counted here
static COLD void drop_datagram(struct ingress *ingress, struct datagram_burst *burst, unsigned i, unsigned reason)
{
	burst->drop[i] = (uint8_t)reason;
	burst->unanswered++;
	if (reason < PG_DROPS)
		counter_add(&ingress->stats->dropped[reason], 1);
}

/// Dropped, absorbed, or given to another worker.
static void leave_unanswered(struct ingress *ingress, struct datagram_burst *burst, unsigned i, unsigned result)
{
	if (result == PACKET_ABSORBED)
		counter_add(&ingress->stats->unanswered, 1);
	drop_datagram(ingress, burst, i, result);
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

// ---------------------------------------------------------------- the plain profile

static void sort_plain_datagrams(struct ingress *ingress, struct datagram_burst *burst, unsigned i, unsigned end,
				 struct datagram_lanes *lanes)
{
	struct plain_datagrams *plain = &lanes->plain;
	const bool limited = ingress->policy->source_limited;

	for (; i < end; i++) {
		const struct peer *peer = &burst->peer[i];
		enum pg_drop drop = check_envelope(peer, burst->length[i]);

		if (likely(drop == PG_DROP_NONE))
			drop = plain_check_for(ingress, burst->payload[i], burst->length[i]);
		if (unlikely(drop != PG_DROP_NONE)) {
			drop_datagram(ingress, burst, i, drop);
			continue;
		}
		if (limited)
			plain->source[plain->count] = look_up_source(ingress->sources, ingress->sessions, peer);
		plain->lookup[plain->count++] = look_up(ingress->sessions, peer, i, LANE_OTHER);
	}
}

/// Mark datagrams whose source has sent too much: in the order of arrival, before anything is answered.
static __attribute__((noinline)) void limit_datagrams(struct ingress *ingress, const struct datagram_burst *burst,
						      struct plain_datagrams *plain, uint64_t now)
{
	for (unsigned k = 0; k < plain->count; k++) {
		struct lookup *lookup = &plain->lookup[k];
		const struct rate rate = ingress->policy->source[peer_listener(&burst->peer[lookup->at])];

		if (likely(rate.interval != 0))
			limit_source(lookup, plain->source[k], rate, now);
	}
}

ALWAYS_INLINE unsigned answer_datagram(struct ingress *ingress, struct datagram_burst *burst,
				       const struct lookup *lookup, uint64_t now)
{
	if (unlikely(lookup->lane == LANE_LIMITED))
		return PG_DROP_SOURCE_RATE_LIMITED;
	return handle(ingress, &burst->peer[lookup->at], lookup->slot, burst->payload[lookup->at], now, NULL);
}

ALWAYS_INLINE void acknowledge_datagram(struct ingress *ingress, struct datagram_burst *burst, unsigned i)
{
	const unsigned type = plain_acknowledge(burst->payload[i]);

	if (unlikely(type == PLAIN_LOOK))
		burst->length[i] = plain_length(burst->payload[i]);
	counter_add(&ingress->stats->handled[plain_counter(type)], 1);
}

ALWAYS_INLINE void answer_datagrams(struct ingress *ingress, struct datagram_burst *burst, const struct lookup *lookup,
				    unsigned n, uint64_t now)
{
	for (unsigned k = 0; k < n; k++) {
		const unsigned i = lookup[k].at, drop = answer_datagram(ingress, burst, &lookup[k], now);

		if (unlikely(drop != PG_DROP_NONE))
			drop_datagram(ingress, burst, i, drop);
		else
			acknowledge_datagram(ingress, burst, i);
	}
}

static void serve_plain_datagrams(struct ingress *ingress, struct datagram_burst *burst, struct datagram_lanes *lanes,
				  uint64_t now)
{
	struct plain_datagrams *plain = &lanes->plain;

	probe(ingress->sessions, plain->lookup, plain->count);
	if (ingress->policy->source_limited)
		limit_datagrams(ingress, burst, plain, now);
	answer_datagrams(ingress, burst, plain->lookup, plain->count, now);
}

static const struct datagram_loops plain_datagram_loops = {sort_plain_datagrams, serve_plain_datagrams};

// ---------------------------------------------------------------- the session profile

static void sort_session_datagrams(struct ingress *ingress, struct datagram_burst *burst, unsigned i, unsigned end,
				   struct datagram_lanes *lanes)
{
	for (; i < end; i++) {
		const struct peer *peer = &burst->peer[i];
		enum pg_drop drop = check_envelope(peer, burst->length[i]);

		if (likely(drop == PG_DROP_NONE))
			drop = sort_sealed(ingress, &lanes->sealed, burst->payload[i], burst->length[i], peer, i);
		if (unlikely(drop != PG_DROP_NONE))
			drop_datagram(ingress, burst, i, drop);
	}
}

static void conclude_datagram(struct ingress *ingress, struct datagram_burst *burst, const struct sealed *s)
{
	uint8_t *socket_indices = ingress->shard->store->socket_indices;

	if (unlikely(s->learn) && socket_indices)
		socket_indices[s->slot] = (uint8_t)(burst->socket_index[s->at] + 1);
	if (likely(s->result == PG_DROP_NONE)) {
		burst->length[s->at] = s->length;
		return;
	}
	burst->owner[s->at] = s->owner;
	leave_unanswered(ingress, burst, s->at, s->result);
}

static void serve_session_datagrams(struct ingress *ingress, struct datagram_burst *burst, struct datagram_lanes *lanes,
				    uint64_t now)
{
	struct sealed_lane *lane = &lanes->sealed;

	if (lane->count == 0)
		return;
	run_sealed(ingress, lane, look_up_sealed(ingress, lane, now), now);
	for (unsigned k = 0; k < lane->count; k++)
		conclude_datagram(ingress, burst, &lane->datagram[k]);
}

static const struct datagram_loops session_datagram_loops = {sort_session_datagrams, serve_session_datagrams};

// ---------------------------------------------------------------- profiles without loops of their own

static void gather_datagrams(struct ingress *ingress, struct datagram_burst *burst, unsigned i, unsigned end,
			     struct datagram_lanes *lanes)
{
	for (; i < end; i++) {
		const enum pg_drop drop = check_envelope(&burst->peer[i], burst->length[i]);

		if (drop == PG_DROP_NONE)
			gather(ingress, &lanes->others, burst->payload[i], burst->length[i], &burst->peer[i], i);
		else
			drop_datagram(ingress, burst, i, drop);
	}
}

/// Workers have mail for each other where a listener speaks the session profile, and only there.
static void conclude_gathered_datagram(struct ingress *ingress, struct datagram_burst *burst,
				       const struct arrival *arrival)
{
	const struct way_in way = {.socket_index = burst->socket_index[arrival->at]};

	learn_arrival(ingress, arrival, &way);
	if (arrival->result == PG_DROP_NONE) {
		burst->length[arrival->at] = arrival->length;
		return;
	}
	burst->owner[arrival->at] = arrival->owner;
	leave_unanswered(ingress, burst, arrival->at,
			 arrival->result == PACKET_ELSEWHERE && !ingress->shard ? PG_DROP_OWNER_BUSY : arrival->result);
}

/// All profiles without loops share one lane: the first that is called serves it.
static void serve_gathered_datagrams(struct ingress *ingress, struct datagram_burst *burst,
				     struct datagram_lanes *lanes, uint64_t now)
{
	run_gathered(ingress, &lanes->others, now);
	for (unsigned k = 0; k < lanes->others.count; k++)
		conclude_gathered_datagram(ingress, burst, &lanes->others.arrival[k]);
	lanes->others.count = 0;
}

static const struct datagram_loops gathered_datagram_loops = {gather_datagrams, serve_gathered_datagrams};

// ---------------------------------------------------------------- all of them

static const struct datagram_loops *const datagram_loops[PG_PROFILES] = {
#define PROFILE(NAME, name, loops) [PG_PROFILE_##NAME] = &loops##_datagram_loops,
#include "wire/profiles.def"
};

ALWAYS_INLINE unsigned profile_of_datagram(const struct ingress *ingress, const struct datagram_burst *burst,
					   unsigned i)
{
	return ingress->profile[peer_listener(&burst->peer[i])];
}

/// Sort neighbours of one profile together: all that one socket gave has one profile.
ALWAYS_INLINE void sort_datagrams(struct ingress *ingress, struct datagram_burst *burst, struct datagram_lanes *lanes,
				  unsigned n)
{
	for (unsigned i = 0, end; i < n; i = end) {
		const unsigned profile = profile_of_datagram(ingress, burst, i);

		for (end = i + 1; end < n && profile_of_datagram(ingress, burst, end) == profile;)
			end++;
		lanes->used |= 1U << profile;
		datagram_loops[profile]->sort(ingress, burst, i, end, lanes);
	}
}

void JOIN(run_datagrams, ISA)(struct ingress *ingress, struct datagram_burst *burst, unsigned n, uint64_t now)
{
	struct datagram_lanes lanes;

	lanes.plain.count = 0;
	sealed_lane_begin(&lanes.sealed);
	gathered_begin(&lanes.others);
	lanes.used = 0;
	burst->unanswered = 0;
	memset(burst->drop, PG_DROP_NONE, sizeof(burst->drop));
	counter_add(ingress->arrivals, n);
	sort_datagrams(ingress, burst, &lanes, n);
	for (uint32_t left = lanes.used; left != 0; left &= left - 1)
		datagram_loops[__builtin_ctz(left)]->serve(ingress, burst, &lanes, now);
}
