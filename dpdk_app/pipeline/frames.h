// SPDX-License-Identifier: BSD-3-Clause
// pipeline/frames.h: what stages that work on frames have in common. Included like stages.h.

#ifndef POLLGATE_PIPELINE_FRAMES_H
#define POLLGATE_PIPELINE_FRAMES_H

#include "net/parse.h"
#include "pipeline/pipeline.h"

ALWAYS_INLINE uint8_t *payload_of(uint8_t *frame, const struct packet *p)
{
	return frame + p->l4 + sizeof(struct udp_header);
}

ALWAYS_INLINE uint16_t payload_len(const struct packet *p)
{
	return (uint16_t)(p->end - p->l4 - sizeof(struct udp_header));
}

/// @param reason  enum pg_drop, or PACKET_…, which are not counted here
static COLD void drop_frame(struct ingress *ingress, struct burst *burst, unsigned i, unsigned reason)
{
	burst->drop[i] = (uint8_t)reason;
	burst->unanswered++;
	if (reason < PG_DROPS)
		counter_add(&ingress->stats->dropped[reason], 1);
}

/// Handled, and counted as that, without an answer now.
static COLD void absorb(struct ingress *ingress, struct burst *burst, unsigned i)
{
	burst->drop[i] = PACKET_ABSORBED;
	burst->unanswered++;
	counter_add(&ingress->stats->unanswered, 1);
}

/// Conclude a datagram that was not answered.
static void conclude_unanswered(struct ingress *ingress, struct burst *burst, unsigned i, unsigned result,
				uint8_t owner)
{
	if (result == PACKET_ABSORBED) {
		absorb(ingress, burst, i);
		return;
	}
	burst->owner[i] = owner;
	drop_frame(ingress, burst, i, result);
}

/// To the port's first address and first listener, without tags or options, as nearly all are.
ALWAYS_INLINE bool burst_frame_is_common(const struct ingress *ingress, const struct burst *burst, unsigned i,
					 const bool rx_offload)
{
	return frame_is_common(burst->frame[i], burst->length[i], ingress->identity, rx_offload ? burst->rx[i] : 0,
			       rx_offload);
}

/// The answer stands in its frame: how long it is, and what is left of it to a device that completes checksums.
/// @param p          the answer's layout
/// @param checksums  bits of enum tx_checksum
ALWAYS_INLINE void finish_answer(struct burst *burst, unsigned i, const struct packet *p, unsigned checksums,
				 const unsigned tx_offload)
{
	if (tx_offload)
		burst->tx[i] = (struct tx_request){
			.checksums = (uint8_t)checksums,
			.l2_len = (uint8_t)p->l3,
			.l3_len = (uint8_t)(p->l4 - p->l3),
			.ipv6 = p->layer == LAYER_IPV6,
		};
	if (unlikely(p->end != burst->length[i])) { // came with padding, or with more or less to say
		burst->length[i] = p->end;
		burst->resized = true;
	}
}

/// As finish_answer(), for a common frame whose length is known already.
ALWAYS_INLINE void leave_checksums(struct burst *burst, unsigned i, const unsigned tx_offload)
{
	burst->tx[i] = (struct tx_request){
		.checksums = (uint8_t)tx_offload,
		.l2_len = sizeof(struct ethernet_header),
		.l3_len = sizeof(struct ipv4_header),
	};
}

#endif
