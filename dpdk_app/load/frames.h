// SPDX-License-Identifier: BSD-3-Clause
// load/frames.h: a player's message as a frame: headers from a template, checksums from sums that are computed once.

#ifndef POLLGATE_LOAD_FRAMES_H
#define POLLGATE_LOAD_FRAMES_H

#include <stdint.h>
#include <string.h>

#include "net/checksum.h"
#include "net/headers.h"
#include "pollgate_load.h"

#define FRAME_HEADERS4 (sizeof(struct ethernet_header) + sizeof(struct ipv4_header) + sizeof(struct udp_header))
#define FRAME_HEADERS6 (sizeof(struct ethernet_header) + sizeof(struct ipv6_header) + sizeof(struct udp_header))

/// The part that is the same in every frame from one of our addresses.
struct frame_template {
	uint8_t headers[FRAME_HEADERS6]; // lengths, checksums and source port are 0
	uint64_t ip_sum;                 // of the IPv4 header
	uint64_t udp_sum;                // of the pseudo-header and the UDP header, all lengths 0
};

struct frame_maker {
	struct frame_template of[PG_ADDRESSES_MAX];
	uint16_t header_len; // FRAME_HEADERS4 or 6
};

/// Frames of plan->address[] to the plan's target. plan->address_count is at least 1.
void frame_maker_init(struct frame_maker *maker, const struct pg_load_plan *plan, const uint8_t *source_mac,
		      const uint8_t *target_mac);

/// RFC 768: a sum of zero is sent as all ones.
ALWAYS_INLINE be16 udp_checksum_field(uint64_t sum)
{
	const uint16_t checksum = (uint16_t)~checksum_fold(sum);

	return checksum ? checksum : 0xffff;
}

/// Put the headers before a payload that lies at frame + maker->header_len.
/// @return bytes of the frame
ALWAYS_INLINE uint16_t frame_finish(const struct frame_maker *maker, unsigned address, be16 port, uint8_t *frame,
				    uint16_t payload_len)
{
	const struct frame_template *template = &maker->of[address];
	const be16 udp_len = BE16(sizeof(struct udp_header) + payload_len);
	uint64_t sum = template->udp_sum + port + 2 * (uint64_t)udp_len; // the length is in the pseudo-header, too
	struct udp_header *udp;

	sum = add_around(sum, checksum_sum(frame + maker->header_len, payload_len));
	if (likely(maker->header_len == FRAME_HEADERS4)) {
		struct ipv4_header *ip = (struct ipv4_header *)(frame + sizeof(struct ethernet_header));

		memcpy(frame, template->headers, FRAME_HEADERS4);
		ip->total_length = BE16(sizeof(*ip) + sizeof(*udp) + payload_len);
		ip->checksum = (be16)~checksum_fold(template->ip_sum + ip->total_length);
		udp = (struct udp_header *)(ip + 1);
	} else {
		struct ipv6_header *ip = (struct ipv6_header *)(frame + sizeof(struct ethernet_header));

		memcpy(frame, template->headers, FRAME_HEADERS6);
		ip->payload_length = udp_len;
		udp = (struct udp_header *)(ip + 1);
	}
	udp->source = port;
	udp->length = udp_len;
	udp->checksum = udp_checksum_field(sum);
	return (uint16_t)(maker->header_len + payload_len);
}

#endif
