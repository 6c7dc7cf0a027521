// SPDX-License-Identifier: BSD-3-Clause
// pipeline/plain_frames.h: the plain profile in frames.
//
// Included by burst.c. A PLAYER_MOVE that is as nearly all are runs through loops made for it, the common frame through
// functions in which its layout is constant, other game datagrams through the same functions with the layout as a variable,
// in the order of their arrival.

#ifndef POLLGATE_PIPELINE_PLAIN_FRAMES_H
#define POLLGATE_PIPELINE_PLAIN_FRAMES_H

#include "net/move_frame.h"
#include "net/reply.h"
#include "pipeline/frames.h"
#include "pipeline/lanes.h"
#include "pipeline/move_lanes.h"

ALWAYS_INLINE void plain_frames_begin(struct plain_frames *lanes)
{
	lanes->game_count = 0;
	lanes->mixed = false;
}

// ---------------------------------------------------------------- what is in each frame?

#ifdef __AVX512F__
/// Take as many groups from the i-th frame on as consist of MOVEs only.
/// @return index of the first frame behind them
ALWAYS_INLINE unsigned sort_groups_of(const struct ingress *ingress, const struct burst *burst, unsigned i, unsigned n,
				      struct plain_frames *lanes, const bool rx_offload, const bool limited)
{
	const struct group_spans spans = group_spans(&ingress->identity->fast);

	for (; i + MOVE_GROUP <= n; i += MOVE_GROUP) {
		if (unlikely(!group_is_of(&burst->length[i], sizeof(struct move_frame))) ||
		    (rx_offload && !group_verified(&burst->rx[i])))
			break;

		const struct move_group group = move_group(&burst->frame[i]);

		if (unlikely(!move_group_right(&burst->frame[i], &group, &spans, rx_offload)))
			break;
		look_up_group(ingress, group.ends, i, &lanes->game[lanes->game_count],
			      &lanes->source[lanes->game_count], limited);
		lanes->game_count += MOVE_GROUP;
	}
	return i;
}
#else
ALWAYS_INLINE unsigned sort_groups_of(const struct ingress *ingress, const struct burst *burst, unsigned i, unsigned n,
				      struct plain_frames *lanes, const bool rx_offload, const bool limited)
{
	(void)ingress, (void)burst, (void)n, (void)lanes, (void)rx_offload, (void)limited;
	return i;
}
#endif

/// Take as many frames from the i-th on as are MOVEs, in loops that call nothing.
/// @param limited  the first listener limits its sources
/// @return index of the first that is something else, or n
ALWAYS_INLINE unsigned sort_moves_of(const struct ingress *ingress, const struct burst *burst, unsigned i, unsigned n,
				     struct plain_frames *lanes, const bool rx_offload, const bool limited)
{
	i = sort_groups_of(ingress, burst, i, n, lanes, rx_offload, limited);
	if (i == n)
		return i;

	const struct fast_spans spans = fast_spans(&ingress->identity->fast);
	const struct plain_table *sessions = ingress->sessions;
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
			*source++ = look_up_source(ingress->sources, sessions, &peer);
	}
	lanes->game_count += i - first;
	return i;
}

/// Functions of their own, so that what each compares with stays in registers.
static __attribute__((noinline)) unsigned sort_moves(const struct ingress *ingress, const struct burst *burst,
						     unsigned i, unsigned n, struct plain_frames *lanes)
{
	return sort_moves_of(ingress, burst, i, n, lanes, false, false);
}

static __attribute__((noinline)) unsigned sort_limited_moves(const struct ingress *ingress, const struct burst *burst,
							     unsigned i, unsigned n, struct plain_frames *lanes)
{
	return sort_moves_of(ingress, burst, i, n, lanes, false, true);
}

/// Their checksums were verified by the device.
static __attribute__((noinline)) unsigned sort_verified_moves(const struct ingress *ingress, const struct burst *burst,
							      unsigned i, unsigned n, struct plain_frames *lanes)
{
	if (ingress->policy->source[0].interval != 0)
		return sort_moves_of(ingress, burst, i, n, lanes, true, true);
	return sort_moves_of(ingress, burst, i, n, lanes, true, false);
}

ALWAYS_INLINE unsigned sort_any_moves(const struct ingress *ingress, const struct burst *burst, unsigned i, unsigned n,
				      struct plain_frames *lanes, const bool rx_offload)
{
	if (rx_offload)
		return sort_verified_moves(ingress, burst, i, n, lanes);
	if (ingress->policy->source[0].interval != 0)
		return sort_limited_moves(ingress, burst, i, n, lanes);
	return sort_moves(ingress, burst, i, n, lanes);
}

/// A datagram of this profile, if its message is whole, goes into the lane.
/// @param p  its layout; kept where it is not that of a common frame
ALWAYS_INLINE void sort_message(struct ingress *ingress, struct burst *burst, unsigned i, const struct packet *p,
				struct plain_frames *lanes, enum lane lane)
{
	const enum pg_drop drop = plain_check_for(ingress, payload_of(burst->frame[i], p), payload_len(p));

	if (unlikely(drop != PG_DROP_NONE)) {
		drop_frame(ingress, burst, i, drop);
		return;
	}
	if (lane == LANE_OTHER) {
		lanes->mixed = true;
		lanes->packet[lanes->game_count] = *p;
	}
	if (ingress->policy->source_limited)
		lanes->source[lanes->game_count] = look_up_source(ingress->sources, ingress->sessions, &p->peer);
	lanes->game[lanes->game_count++] = look_up(ingress->sessions, &p->peer, i, lane);
}

static void sort_parsed_plain(struct ingress *ingress, struct burst *burst, const struct parsed *parsed, unsigned n,
			      struct lanes *lanes)
{
	for (unsigned k = 0; k < n; k++)
		sort_message(ingress, burst, parsed[k].frame, &parsed[k].packet, &lanes->plain, LANE_OTHER);
}

ALWAYS_INLINE unsigned sort_plain(struct ingress *ingress, struct burst *burst, unsigned i, unsigned n,
				  struct lanes *lanes, const bool rx_offload)
{
	// That they are PLAYER_MOVEs. Those of players in worlds have more to do.
	const bool told = !ingress->identity->fast.sealed && !ingress->has_worlds;

	for (; i < n; i++) {
		if (told && burst->length[i] == sizeof(struct move_frame)) {
			i = sort_any_moves(ingress, burst, i, n, &lanes->plain, rx_offload);
			if (i == n)
				break;
		}
		if (unlikely(!burst_frame_is_common(ingress, burst, i, rx_offload)))
			break;

		const struct packet p = common_packet(burst->frame[i]);

		sort_message(ingress, burst, i, &p, &lanes->plain, LANE_COMMON);
	}
	return i;
}

static unsigned sort_plain_computed(struct ingress *ingress, struct burst *burst, unsigned i, unsigned n,
				    struct lanes *lanes)
{
	return sort_plain(ingress, burst, i, n, lanes, false);
}

static unsigned sort_plain_verified(struct ingress *ingress, struct burst *burst, unsigned i, unsigned n,
				    struct lanes *lanes)
{
	return sort_plain(ingress, burst, i, n, lanes, true);
}

// ---------------------------------------------------------------- has its source sent too much?

/// All datagrams are to the first listener, as in most bursts: one loop probes them and limits their sources.
static __attribute__((noinline)) void probe_limited(const struct plain_table *sessions, struct plain_frames *lanes,
						    struct rate rate, uint64_t now)
{
	for (unsigned k = 0, n = lanes->game_count; k < n; k++) {
		probe_one(sessions, &lanes->game[k]);
		limit_source(&lanes->game[k], lanes->source[k], rate, now);
	}
}

static __attribute__((noinline)) void limit_mixed(const struct policy *policy, struct plain_frames *lanes, uint64_t now)
{
	for (unsigned k = 0; k < lanes->game_count; k++) {
		struct lookup *lookup = &lanes->game[k];
		const struct rate rate =
			policy->source[lookup->lane == LANE_OTHER ? peer_listener(&lanes->packet[k].peer) : 0];

		if (rate.interval != 0)
			limit_source(lookup, lanes->source[k], rate, now);
	}
}

/// Does a player whose session the probe found ask what it sees?
ALWAYS_INLINE bool is_look(const struct burst *burst, const struct plain_frames *lanes, unsigned k)
{
	const struct lookup *lookup = &lanes->game[k];
	const uint8_t *frame = burst->frame[lookup->at];

	if (lookup->slot == PLAIN_NONE || lookup->lane == LANE_MOVE || lookup->lane == LANE_LIMITED)
		return false;
	if (lookup->lane == LANE_COMMON)
		return plain_type(frame + COMMON_L4 + sizeof(struct udp_header)) == PLAIN_LOOK;
	return plain_type(payload_of(burst->frame[lookup->at], &lanes->packet[k])) == PLAIN_LOOK;
}

/// Prefetch where players in worlds move, and what they ask for: all of a burst before any of it is answered.
static __attribute__((noinline)) void bring_players(const struct ingress *ingress, const struct burst *burst,
						    const struct plain_frames *lanes)
{
	const struct replication *replication = ingress->shard->replication;
	const unsigned n = lanes->game_count;

	for (unsigned k = 0; k < n; k++)
		if (lanes->game[k].slot != PLAIN_NONE)
			plain_player_bring(&replication->plain_players[lanes->game[k].slot]);
	for (unsigned k = 0; k < n; k++)
		if (is_look(burst, lanes, k))
			plain_player_bring_sight(replication, lanes->game[k].slot);
}

/// Find the session of each datagram, and mark those whose source has sent too much. In the order of arrival, before anything
/// is answered.
ALWAYS_INLINE void probe_burst(const struct ingress *ingress, struct plain_frames *lanes, uint64_t now)
{
	const struct policy *policy = ingress->policy;

	if (likely(!lanes->mixed && policy->source[0].interval != 0)) {
		probe_limited(ingress->sessions, lanes, policy->source[0], now);
		return;
	}
	probe(ingress->sessions, lanes->game, lanes->game_count);
	if (unlikely(lanes->mixed && policy->source_limited))
		limit_mixed(policy, lanes, now);
}

// ---------------------------------------------------------------- what is answered?

static_assert(sizeof(struct ethernet_header) + sizeof(struct ipv4_header) + sizeof(struct udp_header) +
			      sizeof(struct plain_heartbeat) >=
		      ETHERNET_MIN,
	      "the shortest acknowledgement needs no padding");

/// What a player sees lies where its question did.
static COLD void answer_look(struct ingress *ingress, struct burst *burst, unsigned i, const struct packet *p,
			     const unsigned tx_offload)
{
	uint8_t *frame = burst->frame[i], *payload = payload_of(frame, p);
	struct packet answered = *p;
	unsigned checksums;

	(void)plain_acknowledge(payload);
	checksums = reply_resized(frame, &answered, ingress->identity, plain_length(payload), false, tx_offload);
	finish_answer(burst, i, &answered, checksums, tx_offload);
	counter_add(&ingress->stats->handled[PG_MESSAGE_LOOK], 1);
}

/// Turn the datagram into its acknowledgement.
ALWAYS_INLINE void acknowledge(struct ingress *ingress, struct burst *burst, unsigned i, const struct packet *p,
			       const unsigned tx_offload)
{
	uint8_t *frame = burst->frame[i];
	const size_t acknowledged = plain_acknowledge(payload_of(frame, p));
	const uint16_t before = (uint16_t)acknowledged, after = (uint16_t)(before + PLAIN_ACK);
	const unsigned checksums = reply_datagram(frame, p, ingress->identity, before, after, tx_offload);

	finish_answer(burst, i, p, checksums, tx_offload);
	counter_add(&ingress->stats->handled[acknowledged - 1], 1);
}

ALWAYS_INLINE void answer(struct ingress *ingress, struct burst *burst, const struct lookup *lookup,
			  const struct packet *p, uint64_t now, const unsigned tx_offload)
{
	const unsigned i = lookup->at;
	const unsigned drop =
		handle(ingress, &p->peer, lookup->slot, payload_of(burst->frame[i], p), now, &burst->owner[i]);

	if (unlikely(drop != PG_DROP_NONE))
		drop_frame(ingress, burst, i, drop);
	else if (unlikely(plain_type(payload_of(burst->frame[i], p)) == PLAIN_LOOK))
		answer_look(ingress, burst, i, p, tx_offload);
	else
		acknowledge(ingress, burst, i, p, tx_offload);
}

static __attribute__((noinline)) void answer_other(struct ingress *ingress, struct burst *burst,
						   const struct lookup *lookup, const struct packet *p, uint64_t now,
						   const unsigned tx_offload)
{
	if (lookup->lane == LANE_LIMITED)
		drop_frame(ingress, burst, lookup->at, PG_DROP_SOURCE_RATE_LIMITED);
	else
		answer(ingress, burst, lookup, p, now, tx_offload);
}

/// Any, by its lane; a MOVE is common, too.
ALWAYS_INLINE void answer_one(struct ingress *ingress, struct burst *burst, const struct plain_frames *lanes,
			      unsigned k, uint64_t now, const unsigned tx_offload)
{
	const struct lookup *lookup = &lanes->game[k];

	if (likely(lookup->lane == LANE_COMMON || lookup->lane == LANE_MOVE)) {
		const struct packet p = common_packet(burst->frame[lookup->at]);

		answer(ingress, burst, lookup, &p, now, tx_offload);
	} else {
		answer_other(ingress, burst, lookup, &lanes->packet[k], now, tx_offload);
	}
}

/// Answer as many from the k-th on as are MOVEs of known sessions, in a loop that calls nothing.
/// @return index of the first that takes more, or lanes->game_count
ALWAYS_INLINE unsigned answer_moves_for(struct ingress *ingress, struct burst *burst, const struct plain_frames *lanes,
					unsigned k, uint64_t now, const unsigned tx_offload)
{
	struct plain_session *records = ingress->sessions->records;
	const struct record_lanes record = record_lanes(now);
	const unsigned first = k, count = lanes->game_count;

	for (; k < count; k++) {
		const struct lookup *lookup = &lanes->game[k];
		uint8_t *frame = burst->frame[lookup->at];

		if (unlikely(lookup->lane != LANE_MOVE || lookup->slot == PLAIN_NONE) ||
		    unlikely(!record_take_move(&records[lookup->slot], frame, &record)))
			break;
		move_frame_answer(frame, tx_offload);
		if (tx_offload)
			leave_checksums(burst, lookup->at, tx_offload);
	}
	counter_add(&ingress->stats->handled[PG_MESSAGE_MOVE], k - first);
	return k;
}

static __attribute__((noinline)) unsigned answer_moves(struct ingress *ingress, struct burst *burst,
						       const struct plain_frames *lanes, unsigned k, uint64_t now)
{
	return answer_moves_for(ingress, burst, lanes, k, now, 0);
}

/// The device computes some checksums.
static __attribute__((noinline)) unsigned answer_moves_in_part(struct ingress *ingress, struct burst *burst,
							       const struct plain_frames *lanes, unsigned k,
							       uint64_t now, const unsigned tx_offload)
{
	return answer_moves_for(ingress, burst, lanes, k, now, tx_offload);
}

// ---------------------------------------------------------------- all of it

ALWAYS_INLINE void answer_all_plain(struct ingress *ingress, struct burst *burst, const struct plain_frames *lanes,
				    uint64_t now, const unsigned tx_offload)
{
	for (unsigned k = 0; k < lanes->game_count; k++) {
		if (lanes->game[k].lane == LANE_MOVE)
			k = tx_offload ? answer_moves_in_part(ingress, burst, lanes, k, now, tx_offload) :
					 answer_moves(ingress, burst, lanes, k, now);
		if (k < lanes->game_count)
			answer_one(ingress, burst, lanes, k, now, tx_offload);
	}
}

static void serve_plain(struct ingress *ingress, struct burst *burst, struct lanes *lanes, uint64_t now)
{
	probe_burst(ingress, &lanes->plain, now);
	if (unlikely(ingress->has_worlds))
		bring_players(ingress, burst, &lanes->plain);
	answer_all_plain(ingress, burst, &lanes->plain, now, TX_CHECKSUM_NONE);
}

static void serve_plain_in_part(struct ingress *ingress, struct burst *burst, struct lanes *lanes, uint64_t now)
{
	probe_burst(ingress, &lanes->plain, now);
	if (unlikely(ingress->has_worlds))
		bring_players(ingress, burst, &lanes->plain);
	answer_all_plain(ingress, burst, &lanes->plain, now, ingress->completes);
}

static const struct frame_loops plain_frame_loops = {
	.sort = {sort_plain_computed, sort_plain_verified},
	.sort_parsed = sort_parsed_plain,
	.serve = {serve_plain, serve_plain_in_part},
};

#endif
