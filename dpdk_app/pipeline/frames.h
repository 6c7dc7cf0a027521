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
static COLD void drop_frame(struct gate *gate, struct burst *burst, unsigned i, unsigned reason)
{
	burst->drop[i] = (uint8_t)reason;
	burst->unanswered++;
	if (reason < PG_DROPS)
		counter_add(&gate->stats->dropped[reason], 1);
}

/// What the device said of both checksums, where it says so.
ALWAYS_INLINE bool rx_right(unsigned rx)
{
	return (rx & (RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD)) == (RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD);
}

#endif
