// SPDX-License-Identifier: BSD-3-Clause
// pipeline/sealed_frames.h: the session profile in frames: two lanes, and in which order they are served.
//
// Included by burst.c. DATA in common frames take the fast lane (fast_data.h), all else takes the general path, as
// datagrams from sockets do (session_stages.h).

#ifndef POLLGATE_PIPELINE_SEALED_FRAMES_H
#define POLLGATE_PIPELINE_SEALED_FRAMES_H

#include "pipeline/fast_data.h"
#include "pipeline/frames.h"
#include "pipeline/lanes.h"
#include "pipeline/sealed_answers.h"
#include "pipeline/session_stages.h"

ALWAYS_INLINE void sealed_frames_begin(struct sealed_frames *frames)
{
	frames->fast.count = 0;
	sealed_lane_begin(&frames->lane);
}

// ---------------------------------------------------------------- what is in each frame?

/// A datagram of the session profile.
ALWAYS_INLINE void sort_sealed_frame(struct ingress *ingress, struct burst *burst, unsigned i,
				     struct sealed_frames *frames, const struct packet *p)
{
	struct packet *kept = &frames->packet[frames->lane.count];
	enum pg_drop drop;

	*kept = *p;
	drop = sort_sealed(ingress, &frames->lane, payload_of(burst->frame[i], p), payload_len(p), &kept->peer, i);
	if (unlikely(drop != PG_DROP_NONE))
		drop_frame(ingress, burst, i, drop);
}

// ---------------------------------------------------------------- what becomes of each?

static __attribute__((noinline)) void serve_sealed(struct ingress *ingress, struct burst *burst,
						   struct sealed_frames *frames, unsigned n, uint64_t now,
						   const unsigned tx_offload)
{
	run_sealed(ingress, &frames->lane, n, now);
	for (unsigned k = 0; k < frames->lane.count; k++)
		conclude_sealed(ingress, burst, &frames->lane.datagram[k], &frames->packet[k], tx_offload);
}

/// All datagrams are looked up before any is served, as in one lane: what one of them changes, no look-up sees.
static __attribute__((noinline)) void serve_both_lanes(struct ingress *ingress, struct burst *burst,
						       struct sealed_frames *frames, uint64_t now,
						       const unsigned tx_offload)
{
	const unsigned fast = look_up_fast(ingress, &frames->fast, burst->frame, now);
	const unsigned others = look_up_sealed(ingress, &frames->lane, now);

	if (likely(frames->fast.count > 0))
		serve_fast_frames(ingress, burst, &frames->fast, fast, now, tx_offload);
	if (frames->lane.count > 0)
		serve_sealed(ingress, burst, frames, others, now, tx_offload);
}

ALWAYS_INLINE void serve_sealed_frames(struct ingress *ingress, struct burst *burst, struct sealed_frames *frames,
				       uint64_t now, const unsigned tx_offload)
{
	if (frames->fast.count > 0 || frames->lane.count > 0)
		serve_both_lanes(ingress, burst, frames, now, tx_offload);
}

// ---------------------------------------------------------------- as burst.c calls it

static void sort_parsed_session(struct ingress *ingress, struct burst *burst, const struct parsed *parsed, unsigned n,
				struct lanes *lanes)
{
	for (unsigned k = 0; k < n; k++)
		sort_sealed_frame(ingress, burst, parsed[k].frame, &lanes->sealed, &parsed[k].packet);
}

ALWAYS_INLINE unsigned sort_session(struct ingress *ingress, struct burst *burst, unsigned i, unsigned n,
				    struct lanes *lanes, const bool rx_offload)
{
	const bool told = ingress->identity->fast.sealed; // that they are DATA

	for (; i < n; i++) {
		if (told) {
			i = sort_fast_frames(ingress, burst, i, n, &lanes->sealed.fast, lanes->sealed.lane.sessions,
					     rx_offload);
			if (i == n)
				break;
		}
		if (unlikely(!burst_frame_is_common(ingress, burst, i, rx_offload)))
			break;

		const struct packet p = common_packet(burst->frame[i]);

		sort_sealed_frame(ingress, burst, i, &lanes->sealed, &p);
	}
	return i;
}

static unsigned sort_session_computed(struct ingress *ingress, struct burst *burst, unsigned i, unsigned n,
				      struct lanes *lanes)
{
	return sort_session(ingress, burst, i, n, lanes, false);
}

static unsigned sort_session_verified(struct ingress *ingress, struct burst *burst, unsigned i, unsigned n,
				      struct lanes *lanes)
{
	return sort_session(ingress, burst, i, n, lanes, true);
}

static void serve_session(struct ingress *ingress, struct burst *burst, struct lanes *lanes, uint64_t now)
{
	serve_sealed_frames(ingress, burst, &lanes->sealed, now, TX_CHECKSUM_NONE);
}

static void serve_session_in_part(struct ingress *ingress, struct burst *burst, struct lanes *lanes, uint64_t now)
{
	serve_sealed_frames(ingress, burst, &lanes->sealed, now, ingress->completes);
}

static const struct frame_loops session_frame_loops = {
	.sort = {sort_session_computed, sort_session_verified},
	.sort_parsed = sort_parsed_session,
	.serve = {serve_session, serve_session_in_part},
};

#endif
