// SPDX-License-Identifier: BSD-3-Clause
// pipeline/gathered_frames.h: profiles without loops of their own, in frames. Included by burst.c.

#ifndef POLLGATE_PIPELINE_GATHERED_FRAMES_H
#define POLLGATE_PIPELINE_GATHERED_FRAMES_H

#include <string.h>

#include "net/reply.h"
#include "pipeline/frames.h"
#include "pipeline/lanes.h"

static void gather_frame(const struct ingress *ingress, const struct burst *burst, unsigned i, const struct packet *p,
			 struct gathered_frames *frames)
{
	struct packet *kept = &frames->packet[frames->gathered.count];

	*kept = *p;
	gather(ingress, &frames->gathered, payload_of(burst->frame[i], p), payload_len(p), &kept->peer, i);
}

static void sort_parsed_gathered(struct ingress *ingress, struct burst *burst, const struct parsed *parsed, unsigned n,
				 struct lanes *lanes)
{
	for (unsigned k = 0; k < n; k++)
		gather_frame(ingress, burst, parsed[k].frame, &parsed[k].packet, &lanes->others);
}

ALWAYS_INLINE unsigned sort_gathered(const struct ingress *ingress, const struct burst *burst, unsigned i, unsigned n,
				     struct lanes *lanes, const bool rx_offload)
{
	for (; i < n && burst_frame_is_common(ingress, burst, i, rx_offload); i++) {
		const struct packet p = common_packet(burst->frame[i]);

		gather_frame(ingress, burst, i, &p, &lanes->others);
	}
	return i;
}

static unsigned sort_gathered_computed(struct ingress *ingress, struct burst *burst, unsigned i, unsigned n,
				       struct lanes *lanes)
{
	return sort_gathered(ingress, burst, i, n, lanes, false);
}

static unsigned sort_gathered_verified(struct ingress *ingress, struct burst *burst, unsigned i, unsigned n,
				       struct lanes *lanes)
{
	return sort_gathered(ingress, burst, i, n, lanes, true);
}

/// An answer may be shorter than the shortest frame: what is left up to there is zero, not the request's (RFC 894).
static void pad(uint8_t *frame, uint16_t received, struct packet *p)
{
	const uint16_t length = reply_length(received, p->end);

	memset(frame + p->end, 0, (size_t)(length - p->end));
	p->end = length;
}

static void conclude_gathered(struct ingress *ingress, struct burst *burst, const struct arrival *arrival,
			      struct packet *p, const unsigned tx_offload)
{
	const unsigned i = arrival->at;
	const bool unfragmented = profile_of(arrival->profile)->unfragmented;
	const struct way_in way = {.frame = burst->frame[i], .packet = p};
	unsigned checksums;

	learn_arrival(ingress, arrival, &way);
	if (arrival->result != PG_DROP_NONE) {
		conclude_unanswered(ingress, burst, i, arrival->result, arrival->owner);
		return;
	}
	checksums = reply_resized(burst->frame[i], p, ingress->identity, arrival->length, unfragmented, tx_offload);
	pad(burst->frame[i], burst->length[i], p);
	finish_answer(burst, i, p, checksums, tx_offload);
}

/// All profiles without loops share one lane: the first that is called serves it.
static void serve_gathered_for(struct ingress *ingress, struct burst *burst, struct gathered_frames *frames,
			       uint64_t now, const unsigned tx_offload)
{
	run_gathered(ingress, &frames->gathered, now);
	for (unsigned k = 0; k < frames->gathered.count; k++)
		conclude_gathered(ingress, burst, &frames->gathered.arrival[k], &frames->packet[k], tx_offload);
	frames->gathered.count = 0;
}

static void serve_gathered(struct ingress *ingress, struct burst *burst, struct lanes *lanes, uint64_t now)
{
	serve_gathered_for(ingress, burst, &lanes->others, now, TX_CHECKSUM_NONE);
}

static void serve_gathered_in_part(struct ingress *ingress, struct burst *burst, struct lanes *lanes, uint64_t now)
{
	serve_gathered_for(ingress, burst, &lanes->others, now, ingress->completes);
}

static const struct frame_loops gathered_frame_loops = {
	.sort = {sort_gathered_computed, sort_gathered_verified},
	.sort_parsed = sort_parsed_gathered,
	.serve = {serve_gathered, serve_gathered_in_part},
};

#endif
