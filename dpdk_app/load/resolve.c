// SPDX-License-Identifier: BSD-3-Clause
// load/resolve.c: see resolve.h.

#include "load/resolve.h"

#include "net/checksum.h"
#include "net/headers.h"
#include "net/host.h"

static_assert(sizeof(struct ethernet_header) + sizeof(struct ipv6_header) + sizeof(struct neighbor_message) +
			      sizeof(struct link_layer_option) ==
		      RESOLVE_MAX,
	      "the longer question");

/// An announcement asks for our own address: ask for the target's instead.
static uint16_t ask_arp(uint8_t *frame, const struct identity *id, const struct pg_address *target)
{
	struct arp_packet *arp = (struct arp_packet *)(frame + sizeof(struct ethernet_header));
	const uint16_t length = announce_arp(frame, id, 0);

	memcpy(&arp->target_ip, target->bytes, sizeof(arp->target_ip));
	return length;
}

/// RFC 4861 4.3 and 7.2.2.
static uint16_t ask_neighbor(uint8_t *frame, const struct identity *id, const struct pg_address *target)
{
	struct ethernet_header *eth = (struct ethernet_header *)frame;
	struct ipv6_header *ip = (struct ipv6_header *)(eth + 1);
	struct neighbor_message *ns = (struct neighbor_message *)(ip + 1);
	struct link_layer_option *option = (struct link_layer_option *)(ns + 1);
	const uint16_t len = sizeof(*ns) + sizeof(*option);

	memset(frame, 0, RESOLVE_MAX);
	solicited_node(target->bytes, ip->destination);
	multicast_mac6(ip->destination, eth->destination);
	mac_copy(eth->source, id->mac);
	eth->type = BE16(ETHER_IPV6);
	ip->version_class_flow = BE32(0x60000000);
	ip->payload_length = BE16(len);
	ip->next_header = IP_ICMPV6;
	ip->hop_limit = NEIGHBOR_HOP_LIMIT;
	memcpy(ip->source, id->v6[0], sizeof(ip->source));
	ns->icmp.type = ICMPV6_NEIGHBOR_SOLICITATION;
	memcpy(ns->target, target->bytes, sizeof(ns->target));
	option->type = OPTION_SOURCE_LINK_LAYER;
	option->length = 1;
	mac_copy(option->mac, id->mac);
	ns->icmp.checksum = (be16)~checksum_fold(
		add_around(pseudo_header6(ip, IP_ICMPV6, BE16(len)), checksum_sum((const uint8_t *)ns, len)));
	return RESOLVE_MAX;
}

uint16_t resolve_ask(uint8_t *frame, const struct identity *id, const struct pg_address *target)
{
	return target->family == 4 ? ask_arp(frame, id, target) : ask_neighbor(frame, id, target);
}

static bool hear_arp(const struct arp_packet *arp, const struct identity *id, const struct pg_address *target,
		     uint8_t *mac)
{
	if (arp->operation != BE16(ARP_REPLY) || memcmp(&arp->sender_ip, target->bytes, sizeof(arp->sender_ip)) != 0 ||
	    !identity_owns4(id, arp->target_ip) || mac_multicast(arp->sender_mac) || mac_zero(arp->sender_mac))
		return false;
	mac_copy(mac, arp->sender_mac);
	return true;
}

/// RFC 4861 7.1.2. Without its option an advertisement comes from the MAC that it is about.
static bool hear_neighbor(const uint8_t *frame, uint16_t l3, uint16_t end, const struct pg_address *target,
			  uint8_t *mac)
{
	const struct ethernet_header *eth = (const struct ethernet_header *)frame;
	const struct ipv6_header *ip = (const struct ipv6_header *)(frame + l3);
	const struct neighbor_message *na = (const struct neighbor_message *)(ip + 1);
	const struct link_layer_option *option = (const struct link_layer_option *)(na + 1);
	const uint16_t len = (uint16_t)(end - l3 - sizeof(*ip));

	if (end < l3 + sizeof(*ip) + sizeof(*na) || na->icmp.type != ICMPV6_NEIGHBOR_ADVERTISEMENT ||
	    ip->hop_limit != NEIGHBOR_HOP_LIMIT || !in6_equal(na->target, target->bytes))
		return false;
	if (checksum_fold(add_around(pseudo_header6(ip, IP_ICMPV6, BE16(len)),
				     checksum_sum((const uint8_t *)na, len))) != CHECKSUM_RIGHT)
		return false;
	mac_copy(mac, eth->source);
	if (len >= sizeof(*na) + sizeof(*option) && option->type == OPTION_TARGET_LINK_LAYER && option->length == 1)
		mac_copy(mac, option->mac);
	return !mac_multicast(mac) && !mac_zero(mac);
}

bool resolve_hear(const uint8_t *frame, uint16_t l3, uint16_t end, const struct identity *id,
		  const struct pg_address *target, uint8_t *mac)
{
	const struct ethernet_header *eth = (const struct ethernet_header *)frame;

	if (target->family == 6)
		return eth->type == BE16(ETHER_IPV6) && hear_neighbor(frame, l3, end, target, mac);
	return eth->type == BE16(ETHER_ARP) && hear_arp((const struct arp_packet *)(frame + l3), id, target, mac);
}
