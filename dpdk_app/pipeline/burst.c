// SPDX-License-Identifier: BSD-3-Clause
// pipeline/burst.c: a burst, stage by stage. Compiled with -DISA=v2, v3 and v4.
//
// Each stage runs over the whole burst before the next begins, so that the memory the next stage needs is on its
// way: sort and hash everything (prefetch index buckets), probe everything and charge its sources (prefetch session
// records), answer everything. Sorting makes lanes: a PLAYER_MOVE that is as nearly all are runs through loops made for it, the common
// frame through functions in which its layout is constant, other game datagrams through the same functions with the
// layout as a variable, in the order of their arrival; the host's frames come last, one by one. The session profile has two
// lanes of its own (sealed_frames.h).

#include <string.h>

#include "net/move_frame.h"
#include "net/parse.h"
#include "net/reply.h"
#include "pipeline/frames.h"
#include "pipeline/move_lanes.h"
#include "pipeline/sealed_frames.h"
#include "pipeline/stages.h"

/// A frame that needed taking apart.
struct parsed {
	struct packet packet;
	uint8_t frame;
};

/// The frames of a burst, by what they turned out to be; game datagrams in the order of their arrival.
struct lanes {
	struct lookup game[BURST_MAX];
	struct source source[BURST_MAX]; // of each of those, where its listener limits its sources
	struct packet packet[BURST_MAX];
	struct parsed host[BURST_MAX];
	struct sealed_frames sealed;
	unsigned game_count;
	unsigned host_count;
	bool mixed; // some of the game datagrams are LANE_OTHER
};

// ---------------------------------------------------------------- what is in each frame?

/// Anything but a common frame: tagged, IPv6, another address or listener, the host's, or to be dropped.
static __attribute__((noinline)) void sort_other(struct gate *gate, struct burst *burst, unsigned i,
						 struct lanes *lanes, const bool rx_offload)
{
	struct packet p;
	enum pg_drop drop = parse_frame(burst->frame[i], burst->length[i], gate->identity, gate->listeners,
					burst->rx[i], rx_offload, &p);

	if (drop == PG_DROP_NONE && p.host != HOST_NONE) {
		lanes->host[lanes->host_count++] = (struct parsed){.packet = p, .frame = (uint8_t)i};
		return;
	}
	if (drop == PG_DROP_NONE && listener_is_sealed(gate, peer_listener(&p.peer))) {
		sort_sealed_frame(gate, burst, i, &lanes->sealed, &p);
		return;
	}
	if (drop == PG_DROP_NONE)
		drop = plain_check(payload_of(burst->frame[i], &p), payload_len(&p));
	if (drop != PG_DROP_NONE) {
		drop_frame(gate, burst, i, drop);
		return;
	}
	lanes->mixed = true;
	lanes->packet[lanes->game_count] = p;
	if (gate->policy->source_limited)
		lanes->source[lanes->game_count] = look_up_source(gate->sources, gate->sessions, &p.peer);
	lanes->game[lanes->game_count++] = look_up(gate->sessions, &p.peer, i, LANE_OTHER);
}

/// A common frame, with any message in it; or none.
ALWAYS_INLINE void sort_frame(struct gate *gate, struct burst *burst, unsigned i, struct lanes *lanes,
			      const bool rx_offload)
{
	uint8_t *frame = burst->frame[i];

	if (unlikely(!frame_is_common(frame, burst->length[i], gate->identity, rx_offload ? burst->rx[i] : 0,
				      rx_offload))) {
		sort_other(gate, burst, i, lanes, rx_offload);
		return;
	}

	const struct packet p = common_packet(frame);

	if (listener_is_sealed(gate, 0)) {
		sort_sealed_frame(gate, burst, i, &lanes->sealed, &p);
		return;
	}

	const enum pg_drop drop = plain_check(payload_of(frame, &p), payload_len(&p));

	if (unlikely(drop != PG_DROP_NONE)) {
		drop_frame(gate, burst, i, drop);
		return;
	}
	if (gate->policy->source_limited)
		lanes->source[lanes->game_count] = look_up_source(gate->sources, gate->sessions, &p.peer);
	lanes->game[lanes->game_count++] = look_up(gate->sessions, &p.peer, i, LANE_COMMON);
}

#ifdef __AVX512F__
/// Take as many groups from the i-th frame on as consist of MOVEs only.
/// @return index of the first frame behind them
ALWAYS_INLINE unsigned sort_groups_of(const struct gate *gate, const struct burst *burst, unsigned i, unsigned n,
				      struct lanes *lanes, const bool rx_offload, const bool limited)
{
	const struct group_spans spans = group_spans(&gate->identity->usual);

	for (; i + MOVE_GROUP <= n; i += MOVE_GROUP) {
		if (unlikely(!group_is_of(&burst->length[i], sizeof(struct move_frame))) ||
		    (rx_offload && !group_verified(&burst->rx[i])))
			break;

		const struct move_group group = move_group(&burst->frame[i]);

		if (unlikely(!move_group_right(&burst->frame[i], &group, &spans, rx_offload)))
			break;
		look_up_group(gate, group.ends, i, &lanes->game[lanes->game_count], &lanes->source[lanes->game_count],
			      limited);
		lanes->game_count += MOVE_GROUP;
	}
	return i;
}
#else
ALWAYS_INLINE unsigned sort_groups_of(const struct gate *gate, const struct burst *burst, unsigned i, unsigned n,
				      struct lanes *lanes, const bool rx_offload, const bool limited)
{
	(void)gate, (void)burst, (void)n, (void)lanes, (void)rx_offload, (void)limited;
	return i;
}
#endif

/// Take as many frames from the i-th on as are MOVEs, in loops that call nothing.
/// @param limited  the first listener limits its sources
/// @return index of the first that is something else, or n
ALWAYS_INLINE unsigned sort_moves_of(const struct gate *gate, const struct burst *burst, unsigned i, unsigned n,
				     struct lanes *lanes, const bool rx_offload, const bool limited)
{
	i = sort_groups_of(gate, burst, i, n, lanes, rx_offload, limited);
	if (i == n)
		return i;

	const struct usual_spans spans = usual_spans(&gate->identity->usual);
	const struct session_table *sessions = gate->sessions;
	struct lookup *lookup = &lanes->game[lanes->game_count];
	struct source *source = &lanes->source[lanes->game_count];
	const unsigned first = i;

	for (; i < n; i++) {
		const uint8_t *frame = burst->frame[i];

		if (unlikely(!is_move_frame(frame, burst->length[i], &spans)) ||
		    unlikely(!move_checksums_right(frame, &spans, rx_offload ? burst->rx[i] : 0)))
			break;

		const struct peer peer = frame_peer(frame);

		*lookup++ = look_up(sessions, &peer, i, LANE_MOVE);
		if (limited)
			*source++ = look_up_source(gate->sources, sessions, &peer);
	}
	lanes->game_count += i - first;
	return i;
}

/// Functions of their own, so that what each compares with stays in registers.
static __attribute__((noinline)) unsigned sort_moves(const struct gate *gate, const struct burst *burst, unsigned i,
						     unsigned n, struct lanes *lanes)
{
	return sort_moves_of(gate, burst, i, n, lanes, false, false);
}

static __attribute__((noinline)) unsigned sort_limited_moves(const struct gate *gate, const struct burst *burst,
							     unsigned i, unsigned n, struct lanes *lanes)
{
	return sort_moves_of(gate, burst, i, n, lanes, false, true);
}

/// Their checksums were verified by the device.
static __attribute__((noinline)) unsigned sort_verified_moves(const struct gate *gate, const struct burst *burst,
							      unsigned i, unsigned n, struct lanes *lanes)
{
	if (gate->policy->source[0].interval != 0)
		return sort_moves_of(gate, burst, i, n, lanes, true, true);
	return sort_moves_of(gate, burst, i, n, lanes, true, false);
}

ALWAYS_INLINE unsigned sort_any_moves(const struct gate *gate, const struct burst *burst, unsigned i, unsigned n,
				      struct lanes *lanes, const bool rx_offload)
{
	if (rx_offload)
		return sort_verified_moves(gate, burst, i, n, lanes);
	if (gate->policy->source[0].interval != 0)
		return sort_limited_moves(gate, burst, i, n, lanes);
	return sort_moves(gate, burst, i, n, lanes);
}

// ---------------------------------------------------------------- has its source sent too much?

/// All are to the first listener, as in most bursts: one loop that only the source varies in, with the probe.
static __attribute__((noinline)) void probe_limited(const struct session_table *sessions, struct lanes *lanes,
						    struct rate rate, uint64_t now)
{
	for (unsigned k = 0, n = lanes->game_count; k < n; k++) {
		probe_one(sessions, &lanes->game[k]);
		limit_source(&lanes->game[k], lanes->source[k], rate, now);
	}
}

static __attribute__((noinline)) void limit_mixed(const struct policy *policy, struct lanes *lanes, uint64_t now)
{
	for (unsigned k = 0; k < lanes->game_count; k++) {
		struct lookup *lookup = &lanes->game[k];
		const struct rate rate =
			policy->source[lookup->lane == LANE_OTHER ? peer_listener(&lanes->packet[k].peer) : 0];

		if (rate.interval != 0)
			limit_source(lookup, lanes->source[k], rate, now);
	}
}

/// Find the session of each datagram, and mark those whose source has sent too much. In the order of arrival, before anything
/// is answered.
ALWAYS_INLINE void probe_burst(const struct gate *gate, struct lanes *lanes, uint64_t now)
{
	const struct policy *policy = gate->policy;

	if (likely(!lanes->mixed && policy->source[0].interval != 0)) {
		probe_limited(gate->sessions, lanes, policy->source[0], now);
		return;
	}
	probe(gate->sessions, lanes->game, lanes->game_count);
	if (unlikely(lanes->mixed && policy->source_limited))
		limit_mixed(policy, lanes, now);
}

// ---------------------------------------------------------------- what is answered?

static_assert(sizeof(struct ethernet_header) + sizeof(struct ipv4_header) + sizeof(struct udp_header) +
			      sizeof(struct plain_heartbeat) >=
		      ETHERNET_MIN,
	      "the shortest acknowledgement needs no padding");

/// Turn the datagram into its acknowledgement.
ALWAYS_INLINE void acknowledge(struct gate *gate, struct burst *burst, unsigned i, const struct packet *p,
			       const unsigned tx_offload)
{
	uint8_t *frame = burst->frame[i];
	const size_t acknowledged = plain_acknowledge(payload_of(frame, p));
	const uint16_t before = (uint16_t)acknowledged, after = (uint16_t)(before + PLAIN_ACK);
	const unsigned checksums = reply_datagram(frame, p, gate->identity, before, after, tx_offload);

	finish_answer(burst, i, p, checksums, tx_offload);
	counter_add(&gate->stats->handled[acknowledged - 1], 1);
}

ALWAYS_INLINE void answer(struct gate *gate, struct burst *burst, const struct lookup *lookup, const struct packet *p,
			  uint64_t now, const unsigned tx_offload)
{
	const unsigned i = lookup->at;
	const unsigned drop =
		handle(gate, &p->peer, lookup->slot, payload_of(burst->frame[i], p), now, &burst->owner[i]);

	if (unlikely(drop != PG_DROP_NONE))
		drop_frame(gate, burst, i, drop);
	else
		acknowledge(gate, burst, i, p, tx_offload);
}

static __attribute__((noinline)) void answer_other(struct gate *gate, struct burst *burst, const struct lookup *lookup,
						   const struct packet *p, uint64_t now, const unsigned tx_offload)
{
	if (lookup->lane == LANE_LIMITED)
		drop_frame(gate, burst, lookup->at, PG_DROP_SOURCE_RATE_LIMITED);
	else
		answer(gate, burst, lookup, p, now, tx_offload);
}

/// Any, by its lane; a MOVE is common, too.
ALWAYS_INLINE void answer_one(struct gate *gate, struct burst *burst, const struct lanes *lanes, unsigned k,
			      uint64_t now, const unsigned tx_offload)
{
	const struct lookup *lookup = &lanes->game[k];

	if (likely(lookup->lane == LANE_COMMON || lookup->lane == LANE_MOVE)) {
		const struct packet p = common_packet(burst->frame[lookup->at]);

		answer(gate, burst, lookup, &p, now, tx_offload);
	} else {
		answer_other(gate, burst, lookup, &lanes->packet[k], now, tx_offload);
	}
}

/// Answer as many from the k-th on as are MOVEs of known sessions, in a loop that calls nothing.
/// @return index of the first that takes more, or lanes->game_count
ALWAYS_INLINE unsigned answer_moves_for(struct gate *gate, struct burst *burst, const struct lanes *lanes, unsigned k,
					uint64_t now, const unsigned tx_offload)
{
	struct session *records = gate->sessions->records;
	const struct record_lanes record = record_lanes(now);
	const unsigned first = k, count = lanes->game_count;

	for (; k < count; k++) {
		const struct lookup *lookup = &lanes->game[k];
		uint8_t *frame = burst->frame[lookup->at];

		if (unlikely(lookup->lane != LANE_MOVE || lookup->slot == SESSION_NONE) ||
		    unlikely(!record_take_move(&records[lookup->slot], frame, &record)))
			break;
		move_frame_answer(frame, tx_offload);
		if (tx_offload)
			leave_checksums(burst, lookup->at, tx_offload);
	}
	counter_add(&gate->stats->handled[PG_MESSAGE_MOVE], k - first);
	return k;
}

static __attribute__((noinline)) unsigned answer_moves(struct gate *gate, struct burst *burst,
						       const struct lanes *lanes, unsigned k, uint64_t now)
{
	return answer_moves_for(gate, burst, lanes, k, now, 0);
}

/// The device computes some checksums.
static __attribute__((noinline)) unsigned answer_moves_in_part(struct gate *gate, struct burst *burst,
							       const struct lanes *lanes, unsigned k, uint64_t now,
							       const unsigned tx_offload)
{
	return answer_moves_for(gate, burst, lanes, k, now, tx_offload);
}

static bool host_conforms(struct gate *gate, enum pg_message message, uint64_t now)
{
	const bool echo = message == PG_MESSAGE_ICMP_ECHO || message == PG_MESSAGE_ICMPV6_ECHO;
	uint64_t *bucket = echo ? &gate->host->echo_conforms_at : &gate->host->neighbors_conform_at;

	return gate->policy->host_reply_pps != 0 && rate_admit(bucket, gate->policy->host, now);
}

/// A report leaves when its time has come, by the way that the query came.
static COLD void take_query(struct gate *gate, struct burst *burst, const struct parsed *parsed,
			    const struct mld_query *query, uint64_t now)
{
	const unsigned i = parsed->frame;
	struct mld_tags tags = {.length = (uint8_t)(parsed->packet.l3 - sizeof(struct ethernet_header))};

	memcpy(tags.bytes, burst->frame[i] + offsetof(struct ethernet_header, type), tags.length);
	if (!duties_query(gate->duties, gate->identity, query, &tags, now)) {
		drop_frame(gate, burst, i, PG_DROP_HOST_RATE_LIMITED);
		return;
	}
	absorb(gate, burst, i);
	counter_add(&gate->stats->handled[PG_MESSAGE_MLD_QUERY], 1);
}

/// ARP, neighbour discovery, echo, queries for multicast listeners: rare, so one at a time.
static COLD void serve_host(struct gate *gate, struct burst *burst, const struct parsed *parsed, uint64_t now)
{
	const unsigned i = parsed->frame;
	const struct host_request request = host_examine(burst->frame[i], &parsed->packet, gate->identity);

	if (request.drop == PG_DROP_ADDRESS_CONFLICT)
		duties_contest(gate->duties, &request.rival, now);
	if (request.drop != PG_DROP_NONE) {
		drop_frame(gate, burst, i, request.drop);
		return;
	}
	if (!host_conforms(gate, request.message, now)) {
		drop_frame(gate, burst, i, PG_DROP_HOST_RATE_LIMITED);
		return;
	}
	if (request.message == PG_MESSAGE_MLD_QUERY) {
		take_query(gate, burst, parsed, &request.query, now);
		return;
	}
	burst->length[i] =
		host_answer(burst->frame[i], burst->length[i], &parsed->packet, gate->identity, request.message);
	burst->resized = true;
	burst->tx[i] = (struct tx_request){.checksums = TX_CHECKSUM_NONE};
	counter_add(&gate->stats->handled[request.message], 1);
}

// ---------------------------------------------------------------- all stages

ALWAYS_INLINE void begin(struct gate *gate, struct burst *burst, struct lanes *lanes, unsigned n)
{
	lanes->game_count = lanes->host_count = 0;
	lanes->mixed = false;
	sealed_frames_begin(&lanes->sealed);
	burst->unanswered = 0;
	burst->resized = false;
	memset(burst->drop, PG_DROP_NONE, sizeof(burst->drop));
	counter_add(gate->arrivals, n);
}

ALWAYS_INLINE void sort_burst(struct gate *gate, struct burst *burst, struct lanes *lanes, unsigned n,
			      const bool rx_offload)
{
	// What is usual at a port that was not told is the other profile's.
	const bool sealed = listener_is_sealed(gate, 0), told = gate->identity->usual.sealed == sealed;

	for (unsigned i = 0; i < n; i++) {
		if (sealed && told)
			i = sort_usual_frames(gate, burst, i, n, &lanes->sealed.usual, lanes->sealed.lane.sessions,
					      rx_offload);
		else if (told && burst->length[i] == sizeof(struct move_frame))
			i = sort_any_moves(gate, burst, i, n, lanes, rx_offload);
		if (i < n)
			sort_frame(gate, burst, i, lanes, rx_offload);
	}
}

ALWAYS_INLINE void answer_burst(struct gate *gate, struct burst *burst, const struct lanes *lanes, uint64_t now,
				const unsigned tx_offload)
{
	for (unsigned k = 0; k < lanes->game_count; k++) {
		if (lanes->game[k].lane == LANE_MOVE)
			k = tx_offload ? answer_moves_in_part(gate, burst, lanes, k, now, tx_offload) :
					 answer_moves(gate, burst, lanes, k, now);
		if (k < lanes->game_count)
			answer_one(gate, burst, lanes, k, now, tx_offload);
	}
	for (unsigned k = 0; k < lanes->host_count; k++)
		serve_host(gate, burst, &lanes->host[k], now);
}

ALWAYS_INLINE void run(struct gate *gate, struct burst *burst, unsigned n, uint64_t now, const bool rx_offload,
		       const unsigned tx_offload)
{
	struct lanes lanes;

	begin(gate, burst, &lanes, n);
	sort_burst(gate, burst, &lanes, n, rx_offload);
	probe_burst(gate, &lanes, now);
	answer_burst(gate, burst, &lanes, now, tx_offload);
	serve_sealed_frames(gate, burst, &lanes.sealed, now, tx_offload);
}

static void run_software(struct gate *gate, struct burst *burst, unsigned n, uint64_t now)
{
	run(gate, burst, n, now, false, TX_CHECKSUM_NONE);
}

static void run_rx_offload(struct gate *gate, struct burst *burst, unsigned n, uint64_t now)
{
	run(gate, burst, n, now, true, TX_CHECKSUM_NONE);
}

static void run_tx_offload(struct gate *gate, struct burst *burst, unsigned n, uint64_t now)
{
	run(gate, burst, n, now, false, gate->completes);
}

static void run_offload(struct gate *gate, struct burst *burst, unsigned n, uint64_t now)
{
	run(gate, burst, n, now, true, gate->completes);
}

extern const struct hot_path JOIN(hot_path, ISA);
const struct hot_path JOIN(hot_path, ISA) = {
	.isa = STRING(ISA),
	.run = {{run_software, run_tx_offload}, {run_rx_offload, run_offload}},
	.run_datagrams = JOIN(run_datagrams, ISA),
};
