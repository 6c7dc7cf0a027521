// SPDX-License-Identifier: BSD-3-Clause
// pipeline/sealed_frames.h: the session profile in frames: two lanes, and how what becomes of a datagram is turned into a frame.
//
// Included by burst.c. DATA in common frames go through stages made for them (usual_data.h), all else through those that
// datagrams without frames go through, too (session_stages.h).

#ifndef POLLGATE_PIPELINE_SEALED_FRAMES_H
#define POLLGATE_PIPELINE_SEALED_FRAMES_H

#include "net/reply.h"
#include "net/route.h"
#include "net/sealed_frame.h"
#include "pipeline/frames.h"
#include "pipeline/session_stages.h"
#include "pipeline/usual_data.h"

struct sealed_frames {
	struct usual_lane usual;
	struct sealed_lane lane;
	struct packet packet[BURST_MAX]; // of each datagram in `lane`
};

ALWAYS_INLINE void sealed_frames_begin(struct sealed_frames *frames)
{
	frames->usual.count = 0;
	sealed_lane_begin(&frames->lane);
}

// ---------------------------------------------------------------- what is in each frame?

/// Take as many from the i-th on as are DATA in common frames, like sort_moves().
/// @return index of the first that is something else, or n
static __attribute__((noinline)) unsigned sort_usual_frames(const struct gate *gate, const struct burst *burst,
							    unsigned i, unsigned n, struct sealed_frames *frames,
							    const bool rx_offload)
{
	const struct usual_spans spans = usual_spans(&gate->identity->usual);
	const struct vault *vault = gate->side->vault;
	const uint32_t used = vault_used(vault);
	const uint64_t others = frames->lane.sessions;

	for (; i < n; i++) {
		const uint8_t *frame = burst->frame[i];
		const uint16_t len = burst->length[i];

		if (unlikely(!is_sealed_frame(frame, len, &spans)) ||
		    unlikely(!sealed_checksums_right(frame, len, &spans, rx_offload ? burst->rx[i] : 0)) ||
		    unlikely(!sort_usual(vault, used, others, &frames->usual, frame, len, i)))
			break;
	}
	return i;
}

/// A datagram of the session profile.
ALWAYS_INLINE void sort_sealed_frame(struct gate *gate, struct burst *burst, unsigned i, struct sealed_frames *frames,
				     const struct packet *p)
{
	struct packet *kept = &frames->packet[frames->lane.count];
	enum pg_drop drop;

	*kept = *p;
	drop = sort_sealed(gate, &frames->lane, payload_of(burst->frame[i], p), payload_len(p), &kept->peer, i);
	if (unlikely(drop != PG_DROP_NONE))
		drop_frame(gate, burst, i, drop);
}

// ---------------------------------------------------------------- what becomes of each?

static COLD void learn_route(const struct gate *gate, const struct burst *burst, uint32_t slot, unsigned i,
			     struct packet p)
{
	if (gate->side->vault->routes)
		route_learn(&gate->side->vault->routes[slot], burst->frame[i], &p, gate->identity, gate->port);
}

/// An answer of any length lies where the payload lay.
ALWAYS_INLINE void answer_sealed(const struct gate *gate, struct burst *burst, const struct sealed *s, struct packet *p,
				 const unsigned tx_offload)
{
	const unsigned i = s->at;
	const unsigned checksums = reply_resized(burst->frame[i], p, gate->identity, s->length, tx_offload);

	finish_answer(burst, i, p, checksums, tx_offload);
}

/// Conclude a datagram that was not answered.
static void conclude_unanswered(struct gate *gate, struct burst *burst, unsigned i, unsigned result, uint8_t owner)
{
	if (result == PACKET_ABSORBED) {
		absorb(gate, burst, i);
		return;
	}
	burst->owner[i] = owner;
	drop_frame(gate, burst, i, result);
}

ALWAYS_INLINE void conclude_sealed(struct gate *gate, struct burst *burst, const struct sealed *s, struct packet *p,
				   const unsigned tx_offload)
{
	if (unlikely(s->learn))
		learn_route(gate, burst, s->slot, s->at, *p);
	if (likely(s->result == PG_DROP_NONE))
		answer_sealed(gate, burst, s, p, tx_offload);
	else
		conclude_unanswered(gate, burst, s->at, s->result, s->owner);
}

static __attribute__((noinline)) void serve_sealed(struct gate *gate, struct burst *burst, struct sealed_frames *frames,
						   unsigned n, uint64_t now, const unsigned tx_offload)
{
	run_sealed(gate, &frames->lane, n, now);
	for (unsigned k = 0; k < frames->lane.count; k++)
		conclude_sealed(gate, burst, &frames->lane.datagram[k], &frames->packet[k], tx_offload);
}

/// Answer with more than an acknowledgement: messages, or a PATH_CHALLENGE.
static __attribute__((noinline)) void answer_longer(const struct gate *gate, struct burst *burst,
						    const struct usual_data *data, const unsigned tx_offload)
{
	const struct sealed s = {.length = data->length, .at = data->at};
	struct packet p = common_packet(burst->frame[data->at]);

	answer_sealed(gate, burst, &s, &p, tx_offload);
}

ALWAYS_INLINE void conclude_usual(struct gate *gate, struct burst *burst, const struct usual_data *data,
				  const unsigned tx_offload)
{
	const unsigned i = data->at;

	if (unlikely(data->learn))
		learn_route(gate, burst, data->slot, i, common_packet(burst->frame[i]));
	if (unlikely(data->result != PG_DROP_NONE)) {
		conclude_unanswered(gate, burst, i, data->result, data->owner);
		return;
	}
	if (unlikely(data->length != SESSION_SEALED_MIN)) {
		answer_longer(gate, burst, data, tx_offload);
		return;
	}
	sealed_frame_answer(burst->frame[i], tx_offload);
	burst->length[i] = SEALED_FRAME_MIN;
	if (tx_offload)
		leave_checksums(burst, i, tx_offload);
}

/// Functions of their own, with what the device computes as a constant.
static __attribute__((noinline)) void conclude_all_usual(struct gate *gate, struct burst *burst,
							 const struct usual_lane *lane)
{
	for (unsigned k = 0; k < lane->count; k++)
		conclude_usual(gate, burst, &lane->data[k], TX_CHECKSUM_NONE);
}

static __attribute__((noinline)) void conclude_all_usual_in_part(struct gate *gate, struct burst *burst,
								 const struct usual_lane *lane,
								 const unsigned tx_offload)
{
	for (unsigned k = 0; k < lane->count; k++)
		conclude_usual(gate, burst, &lane->data[k], tx_offload);
}

/// @param n  look_up_usual()
static __attribute__((noinline)) void serve_usual_frames(struct gate *gate, struct burst *burst,
							 struct usual_lane *lane, unsigned n, uint64_t now,
							 const unsigned tx_offload)
{
	serve_usual(gate, lane, burst->frame, n, now);
	burst->resized = true;
	if (tx_offload == TX_CHECKSUM_NONE)
		conclude_all_usual(gate, burst, lane);
	else
		conclude_all_usual_in_part(gate, burst, lane, tx_offload);
}

/// All are looked up before any is served, as in one lane: what one ends or moves on is not known to those behind it yet.
static __attribute__((noinline)) void serve_both_lanes(struct gate *gate, struct burst *burst,
						       struct sealed_frames *frames, uint64_t now,
						       const unsigned tx_offload)
{
	const unsigned usual = look_up_usual(gate, &frames->usual, burst->frame, now);
	const unsigned others = look_up_sealed(gate, &frames->lane, now);

	if (likely(frames->usual.count > 0))
		serve_usual_frames(gate, burst, &frames->usual, usual, now, tx_offload);
	if (frames->lane.count > 0)
		serve_sealed(gate, burst, frames, others, now, tx_offload);
}

ALWAYS_INLINE void serve_sealed_frames(struct gate *gate, struct burst *burst, struct sealed_frames *frames,
				       uint64_t now, const unsigned tx_offload)
{
	if (frames->usual.count > 0 || frames->lane.count > 0)
		serve_both_lanes(gate, burst, frames, now, tx_offload);
}

#endif
