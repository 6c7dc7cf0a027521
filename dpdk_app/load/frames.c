// SPDX-License-Identifier: BSD-3-Clause
// load/frames.c: see frames.h.

#include "load/frames.h"

/// The sums are kept folded, so that a frame's words can be added without carries to look after.
static void template4(struct frame_template *t, const struct pg_load_plan *plan, const struct pg_address *from)
{
	struct ipv4_header *ip = (struct ipv4_header *)(t->headers + sizeof(struct ethernet_header));
	struct udp_header *udp = (struct udp_header *)(ip + 1);

	ip->version_ihl = IPV4_VERSION_IHL_PLAIN;
	ip->fragment = BE16(0x4000); // whole, so that the identification may be 0 (RFC 6864)
	ip->ttl = ANSWER_HOP_LIMIT;
	ip->protocol = IP_UDP;
	memcpy(&ip->source, from->bytes, sizeof(ip->source));
	memcpy(&ip->destination, plan->target.bytes, sizeof(ip->destination));
	udp->destination = BE16(plan->target_port);
	t->ip_sum = checksum_fold(checksum_sum((const uint8_t *)ip, sizeof(*ip)));
	t->udp_sum = checksum_fold(add_around(pseudo_header4(ip, 0), udp->destination));
}

static void template6(struct frame_template *t, const struct pg_load_plan *plan, const struct pg_address *from)
{
	struct ipv6_header *ip = (struct ipv6_header *)(t->headers + sizeof(struct ethernet_header));
	struct udp_header *udp = (struct udp_header *)(ip + 1);

	ip->version_class_flow = BE32(0x60000000);
	ip->next_header = IP_UDP;
	ip->hop_limit = ANSWER_HOP_LIMIT;
	memcpy(ip->source, from->bytes, sizeof(ip->source));
	memcpy(ip->destination, plan->target.bytes, sizeof(ip->destination));
	udp->destination = BE16(plan->target_port);
	t->udp_sum = checksum_fold(add_around(pseudo_header6(ip, IP_UDP, 0), udp->destination));
}

void frame_maker_init(struct frame_maker *maker, const struct pg_load_plan *plan, const uint8_t *source_mac,
		      const uint8_t *target_mac)
{
	const bool v4 = plan->target.family == 4;

	memset(maker, 0, sizeof(*maker));
	maker->header_len = v4 ? FRAME_HEADERS4 : FRAME_HEADERS6;
	for (uint32_t i = 0; i < plan->address_count; i++) {
		struct frame_template *t = &maker->of[i];
		struct ethernet_header *eth = (struct ethernet_header *)t->headers;

		mac_copy(eth->destination, target_mac);
		mac_copy(eth->source, source_mac);
		eth->type = v4 ? BE16(ETHER_IPV4) : BE16(ETHER_IPV6);
		if (v4)
			template4(t, plan, &plan->address[i]);
		else
			template6(t, plan, &plan->address[i]);
	}
}
