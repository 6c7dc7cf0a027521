// SPDX-License-Identifier: BSD-3-Clause
// net/partial.c: see partial.h.

#include "net/partial.h"

#include "net/parse.h"

static uint64_t pseudo_sum(const uint8_t *frame, const struct packet *p)
{
	const struct udp_header *udp = (const struct udp_header *)(frame + p->l4);

	if (p->layer == LAYER_IPV4)
		return pseudo_header4((const struct ipv4_header *)(frame + p->l3), udp->length);
	return pseudo_header6((const struct ipv6_header *)(frame + p->l3), IP_UDP, udp->length);
}

void partial_complete(uint8_t *frame, uint16_t len, const struct identity *id, const struct listeners *listeners)
{
	struct packet p;

	// The IP header's checksum is verified as ever, when the frame is taken apart for good.
	if (parse_frame(frame, len, id, listeners, RX_L4_CHECKSUM_GOOD, true, &p) != PG_DROP_NONE ||
	    p.host != HOST_NONE)
		return;

	struct udp_header *udp = (struct udp_header *)(frame + p.l4);
	const uint64_t pseudo = pseudo_sum(frame, &p);
	const uint16_t payload_len = (uint16_t)(p.end - p.l4 - sizeof(*udp));

	if (udp->checksum == 0 || udp->checksum != checksum_fold(pseudo))
		return;
	udp->checksum = checksum_udp((const uint8_t *)(udp + 1), payload_len,
				     add_around(pseudo, (uint64_t)load32((const uint8_t *)udp) + udp->length));
}
