// SPDX-License-Identifier: BSD-3-Clause
// pipeline/burst.c: a burst, stage by stage. Compiled with -DISA=v2, v3 and v4.
//
// Each stage runs over the whole burst before the next begins, so that the memory the next stage needs is on its
// way: sort and hash everything (prefetch index buckets), probe everything and charge its sources (prefetch session
// records), answer everything. Sorting makes lanes (lanes.h): each listener's profile has its own, the first listener's also
// for what nearly every frame is (plain_frames.h, sealed_frames.h); the host's frames come last, one by one.

#include <string.h>

#include "net/parse.h"
#include "net/reply.h"
#include "pipeline/frames.h"
#include "pipeline/gathered_frames.h"
#include "pipeline/lanes.h"
#include "pipeline/plain_frames.h"
#include "pipeline/sealed_frames.h"
#include "pipeline/stages.h"

static const struct frame_loops *const frame_loops[PG_PROFILES] = {
#define PROFILE(NAME, name, loops) [PG_PROFILE_##NAME] = &loops##_frame_loops,
#include "wire/profiles.def"
};

// ---------------------------------------------------------------- what is in each frame?

/// Neighbouring datagrams of one profile that the general parser took apart.
struct group {
	struct parsed parsed[BURST_MAX];
	unsigned count;
	unsigned profile;
};

static void close_group(struct ingress *ingress, struct burst *burst, struct group *group, struct lanes *lanes)
{
	if (group->count == 0)
		return;
	lanes->used |= 1U << group->profile;
	frame_loops[group->profile]->sort_parsed(ingress, burst, group->parsed, group->count, lanes);
	group->count = 0;
}

/// @return true if it is a datagram for the group
static bool take_apart(struct ingress *ingress, struct burst *burst, unsigned i, struct parsed *parsed,
		       struct lanes *lanes, const bool rx_offload)
{
	const enum pg_drop drop = parse_frame(burst->frame[i], burst->length[i], ingress->identity, ingress->listeners,
					      burst->rx[i], rx_offload, &parsed->packet);

	parsed->frame = (uint8_t)i;
	if (drop != PG_DROP_NONE)
		drop_frame(ingress, burst, i, drop);
	else if (parsed->packet.host != HOST_NONE)
		lanes->host[lanes->host_count++] = *parsed;
	else
		return true;
	return false;
}

/// Sort frames from the i-th on up to the next common frame: tagged ones, IPv6, to another address or listener, the
/// host's, and those to be dropped.
/// @return index of that common frame, or n
static __attribute__((noinline)) unsigned sort_others(struct ingress *ingress, struct burst *burst, unsigned i,
						      unsigned n, struct lanes *lanes, const bool rx_offload)
{
	struct group group;

	group.count = group.profile = 0;
	do {
		struct parsed parsed;

		if (!take_apart(ingress, burst, i, &parsed, lanes, rx_offload))
			continue;

		const unsigned profile = ingress->profile[peer_listener(&parsed.packet.peer)];

		if (profile != group.profile)
			close_group(ingress, burst, &group, lanes);
		group.profile = profile;
		group.parsed[group.count++] = parsed;
	} while (++i < n && !burst_frame_is_common(ingress, burst, i, rx_offload));
	close_group(ingress, burst, &group, lanes);
	return i;
}

// ---------------------------------------------------------------- what the host answers

static bool host_conforms(struct ingress *ingress, enum pg_message message, uint64_t now)
{
	const bool echo = message == PG_MESSAGE_ICMP_ECHO || message == PG_MESSAGE_ICMPV6_ECHO;
	uint64_t *bucket = echo ? &ingress->host->echo_conforms_at : &ingress->host->neighbors_conform_at;

	return ingress->policy->host_reply_pps != 0 && rate_admit(bucket, ingress->policy->host, now);
}

/// The report leaves later, at a random time, in the VLAN in which the query came.
static COLD void take_query(struct ingress *ingress, struct burst *burst, const struct parsed *parsed,
			    const struct mld_query *query, uint64_t now)
{
	const unsigned i = parsed->frame;
	struct mld_tags tags = {.length = (uint8_t)(parsed->packet.l3 - sizeof(struct ethernet_header))};

	memcpy(tags.bytes, burst->frame[i] + offsetof(struct ethernet_header, type), tags.length);
	if (!announcer_query(ingress->announcer, ingress->identity, query, &tags, now)) {
		drop_frame(ingress, burst, i, PG_DROP_HOST_RATE_LIMITED);
		return;
	}
	absorb(ingress, burst, i);
	counter_add(&ingress->stats->handled[PG_MESSAGE_MLD_QUERY], 1);
}

/// ARP, neighbour discovery, echo, queries for multicast listeners: rare, so one at a time.
static COLD void serve_host(struct ingress *ingress, struct burst *burst, const struct parsed *parsed, uint64_t now)
{
	const unsigned i = parsed->frame;
	const struct host_request request = host_examine(burst->frame[i], &parsed->packet, ingress->identity);

	if (request.drop == PG_DROP_ADDRESS_CONFLICT)
		announcer_contest(ingress->announcer, &request.conflict, now);
	if (request.drop != PG_DROP_NONE) {
		drop_frame(ingress, burst, i, request.drop);
		return;
	}
	if (!host_conforms(ingress, request.message, now)) {
		drop_frame(ingress, burst, i, PG_DROP_HOST_RATE_LIMITED);
		return;
	}
	if (request.message == PG_MESSAGE_MLD_QUERY) {
		take_query(ingress, burst, parsed, &request.query, now);
		return;
	}
	burst->length[i] =
		host_answer(burst->frame[i], burst->length[i], &parsed->packet, ingress->identity, request.message);
	burst->resized = true;
	burst->tx[i] = (struct tx_request){.checksums = TX_CHECKSUM_NONE};
	counter_add(&ingress->stats->handled[request.message], 1);
}

// ---------------------------------------------------------------- all stages

ALWAYS_INLINE void begin(struct ingress *ingress, struct burst *burst, struct lanes *lanes, unsigned n)
{
	plain_frames_begin(&lanes->plain);
	sealed_frames_begin(&lanes->sealed);
	gathered_begin(&lanes->others.gathered);
	lanes->host_count = 0;
	burst->unanswered = 0;
	burst->resized = false;
	memset(burst->drop, PG_DROP_NONE, sizeof(burst->drop));
	counter_add(ingress->arrivals, n);
}

ALWAYS_INLINE void sort_burst(struct ingress *ingress, struct burst *burst, struct lanes *lanes, unsigned n,
			      const bool rx_offload)
{
	const struct frame_loops *first = frame_loops[ingress->profile[0]];

	lanes->used = 1U << ingress->profile[0];
	for (unsigned i = 0; i < n;) {
		i = first->sort[rx_offload](ingress, burst, i, n, lanes);
		if (i < n)
			i = sort_others(ingress, burst, i, n, lanes, rx_offload);
	}
}

ALWAYS_INLINE void run(struct ingress *ingress, struct burst *burst, unsigned n, uint64_t now, const bool rx_offload,
		       const bool tx_offload)
{
	struct lanes lanes;

	begin(ingress, burst, &lanes, n);
	sort_burst(ingress, burst, &lanes, n, rx_offload);
	for (uint32_t left = lanes.used; left != 0; left &= left - 1)
		frame_loops[__builtin_ctz(left)]->serve[tx_offload](ingress, burst, &lanes, now);
	for (unsigned k = 0; k < lanes.host_count; k++)
		serve_host(ingress, burst, &lanes.host[k], now);
}

static void run_software(struct ingress *ingress, struct burst *burst, unsigned n, uint64_t now)
{
	run(ingress, burst, n, now, false, false);
}

static void run_rx_offload(struct ingress *ingress, struct burst *burst, unsigned n, uint64_t now)
{
	run(ingress, burst, n, now, true, false);
}

static void run_tx_offload(struct ingress *ingress, struct burst *burst, unsigned n, uint64_t now)
{
	run(ingress, burst, n, now, false, true);
}

static void run_offload(struct ingress *ingress, struct burst *burst, unsigned n, uint64_t now)
{
	run(ingress, burst, n, now, true, true);
}

extern const struct hot_path JOIN(hot_path, ISA);
const struct hot_path JOIN(hot_path, ISA) = {
	.isa = STRING(ISA),
	.run = {{run_software, run_tx_offload}, {run_rx_offload, run_offload}},
	.run_datagrams = JOIN(run_datagrams, ISA),
};
