// SPDX-License-Identifier: BSD-3-Clause
// net/host.c: see host.h.

#include "net/host.h"

#include <string.h>

#include "net/reply.h"

static const uint8_t broadcast_mac[MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t in6_any[16];

static struct host_request refuse(enum pg_drop drop)
{
	return (struct host_request){.drop = drop};
}

static struct host_request accept(enum pg_message message)
{
	return (struct host_request){.drop = PG_DROP_NONE, .message = message};
}

/// Another host has address `index` of ours.
static struct host_request conflict(unsigned family, unsigned index, const uint8_t *mac)
{
	struct host_request request = {
		.drop = PG_DROP_ADDRESS_CONFLICT,
		.conflict = {.family = (uint8_t)family, .index = (uint8_t)index},
	};

	mac_copy(request.conflict.mac, mac);
	return request;
}

// ---------------------------------------------------------------- ARP (RFC 826, RFC 5227)

static bool arp_sender_impossible(be32 address, const struct identity *id)
{
	const uint8_t first = (uint8_t)address;

	for (unsigned i = 0; i < id->v4_count; i++)
		if (address != 0 && address == id->v4[i].broadcast)
			return true;
	// 0.0.0.0 is a probe; the rest of 0/8 is nobody.
	return first == 127 || first >= 224 || (first == 0 && address != 0);
}

static struct host_request arp_examine(const uint8_t *frame, const struct packet *p, const struct identity *id)
{
	const struct arp_packet *arp = (const struct arp_packet *)(frame + p->l3);
	const unsigned ours = identity_index4(id, arp->sender_ip);

	if (arp->hardware_type != BE16(ARP_HARDWARE_ETHERNET) || arp->protocol_type != BE16(ETHER_IPV4) ||
	    arp->hardware_len != MAC_LEN || arp->protocol_len != sizeof(be32))
		return refuse(PG_DROP_BAD_ARP);
	// A reply is of interest only when it says that our address is another's (RFC 5227 2.4).
	if (arp->operation != BE16(ARP_REQUEST) && (arp->operation != BE16(ARP_REPLY) || ours == IDENTITY_NONE))
		return refuse(PG_DROP_NOT_FOR_US);
	if (!mac_individual(arp->sender_mac) || arp_sender_impossible(arp->sender_ip, id))
		return refuse(PG_DROP_BAD_ARP);
	if (mac_equal(arp->sender_mac, id->mac)) // of us, and sent back by somebody
		return refuse(PG_DROP_BAD_SOURCE);
	if (ours != IDENTITY_NONE)
		return conflict(4, ours, arp->sender_mac);
	if (!identity_owns4(id, arp->target_ip))
		return refuse(PG_DROP_NOT_FOR_US);
	return accept(PG_MESSAGE_ARP);
}

static uint16_t arp_answer(uint8_t *frame, const struct packet *p, const struct identity *id)
{
	struct arp_packet *arp = (struct arp_packet *)(frame + p->l3);
	const be32 asked = arp->target_ip;

	arp->operation = BE16(ARP_REPLY);
	mac_copy(arp->target_mac, arp->sender_mac);
	arp->target_ip = arp->sender_ip;
	mac_copy(arp->sender_mac, id->mac);
	arp->sender_ip = asked;
	reply_ethernet(frame, id);
	// To who asks (RFC 826), who need not be who sends: VRRP, HSRP, proxies.
	mac_copy(((struct ethernet_header *)frame)->destination, arp->target_mac);
	return p->end;
}

uint16_t announce_arp(uint8_t *frame, const struct identity *id, unsigned index)
{
	struct ethernet_header *eth = (struct ethernet_header *)frame;
	struct arp_packet *arp = (struct arp_packet *)(eth + 1);

	memset(frame, 0, ETHERNET_MIN);
	mac_copy(eth->destination, broadcast_mac);
	mac_copy(eth->source, id->mac);
	eth->type = BE16(ETHER_ARP);
	arp->hardware_type = BE16(ARP_HARDWARE_ETHERNET);
	arp->protocol_type = BE16(ETHER_IPV4);
	arp->hardware_len = MAC_LEN;
	arp->protocol_len = sizeof(be32);
	arp->operation = BE16(ARP_REQUEST);
	mac_copy(arp->sender_mac, id->mac);
	arp->sender_ip = id->v4[index].address;
	arp->target_ip = id->v4[index].address;
	return ETHERNET_MIN;
}

// ---------------------------------------------------------------- ICMP echo (RFC 792, RFC 1122 3.2.2.6)

static struct host_request icmp_examine(const uint8_t *frame, const struct packet *p)
{
	const struct icmp_header *icmp = (const struct icmp_header *)(frame + p->l4);
	const uint16_t len = (uint16_t)(p->end - p->l4);

	if (len < sizeof(*icmp))
		return refuse(PG_DROP_TRUNCATED);
	if (checksum_fold(checksum_sum(frame + p->l4, len)) != CHECKSUM_RIGHT)
		return refuse(PG_DROP_BAD_ICMP);
	if (icmp->type != ICMP_ECHO_REQUEST || icmp->code != 0)
		return refuse(PG_DROP_NOT_FOR_US);
	return accept(PG_MESSAGE_ICMP_ECHO);
}

/// Summed again: an echo of zeros has no word from which an update could tell 0 from 0xffff.
/// @param pseudo  sum of the pseudo-header, 0 for IPv4
static void echo_turn(struct icmp_header *icmp, uint8_t reply, uint64_t pseudo, uint16_t len)
{
	icmp->type = reply;
	icmp->checksum = 0;
	icmp->checksum = (be16)~checksum_fold(add_around(pseudo, checksum_sum((const uint8_t *)icmp, len)));
}

static uint16_t icmp_answer(uint8_t *frame, const struct packet *p, const struct identity *id)
{
	echo_turn((struct icmp_header *)(frame + p->l4), ICMP_ECHO_REPLY, 0, (uint16_t)(p->end - p->l4));
	reply_ipv4((struct ipv4_header *)(frame + p->l3), false);
	reply_ethernet(frame, id);
	return p->end;
}

// ---------------------------------------------------------------- ICMPv6 (RFC 4443, RFC 4861)

/// Every option has a length and ends within the message (RFC 4861 7.1.1).
/// @param link_layer  out: MAC in the first option of type `wanted`, or NULL
static bool options_whole(const uint8_t *frame, const struct packet *p, uint8_t wanted, const uint8_t **link_layer)
{
	const uint8_t *option = frame + p->l4 + sizeof(struct neighbor_message), *end = frame + p->end;

	*link_layer = NULL;
	while (option < end) {
		if (end - option < 2 || option[1] == 0 || end - option < option[1] * 8)
			return false;
		if (option[0] == wanted && !*link_layer)
			*link_layer = ((const struct link_layer_option *)option)->mac;
		option += option[1] * 8;
	}
	return true;
}

/// Whose MAC a message of neighbour discovery is about: that of its option, or who sent the frame.
static const uint8_t *neighbor_mac(const uint8_t *frame, const uint8_t *link_layer)
{
	return link_layer ? link_layer : ((const struct ethernet_header *)frame)->source;
}

static bool is_solicited_node(const uint8_t *address)
{
	uint8_t group[16];

	solicited_node(address, group);
	return in6_equal(group, address);
}

static struct host_request solicitation_examine(const uint8_t *frame, const struct packet *p, const struct identity *id)
{
	const struct ipv6_header *ip = (const struct ipv6_header *)(frame + p->l3);
	const struct neighbor_message *ns = (const struct neighbor_message *)(frame + p->l4);
	const unsigned ours = identity_index6(id, ip->source);
	const uint8_t *link_layer;

	// RFC 4861 7.1.1, in its order.
	if (ip->hop_limit != NEIGHBOR_HOP_LIMIT || ns->icmp.code != 0 || p->end - p->l4 < (int)sizeof(*ns))
		return refuse(PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	if (in6_multicast(ns->target) || !options_whole(frame, p, OPTION_SOURCE_LINK_LAYER, &link_layer))
		return refuse(PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	if (in6_equal(ip->source, in6_any) && (link_layer || !is_solicited_node(ip->destination)))
		return refuse(PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	if (link_layer && !mac_individual(link_layer))
		return refuse(PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	if (link_layer && mac_equal(link_layer, id->mac)) // of us, and sent back by somebody
		return refuse(PG_DROP_BAD_SOURCE);
	if (ours != IDENTITY_NONE)
		return conflict(6, ours, neighbor_mac(frame, link_layer));
	if (!identity_owns6(id, ns->target))
		return refuse(PG_DROP_NOT_FOR_US);
	return accept(PG_MESSAGE_NEIGHBOR_SOLICITATION);
}

/// An advertisement matters only if it says that another host has our address (RFC 4862 5.4.4).
static struct host_request advertisement_examine(const uint8_t *frame, const struct packet *p,
						 const struct identity *id)
{
	const struct ipv6_header *ip = (const struct ipv6_header *)(frame + p->l3);
	const struct neighbor_message *na = (const struct neighbor_message *)(frame + p->l4);
	const uint8_t *link_layer;
	unsigned ours;

	// RFC 4861 7.1.2, in its order.
	if (ip->hop_limit != NEIGHBOR_HOP_LIMIT || na->icmp.code != 0 || p->end - p->l4 < (int)sizeof(*na))
		return refuse(PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	if (in6_multicast(na->target) ||
	    (in6_multicast(ip->destination) && (na->icmp.rest & BE32(NEIGHBOR_SOLICITED))) ||
	    !options_whole(frame, p, OPTION_TARGET_LINK_LAYER, &link_layer))
		return refuse(PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	ours = identity_index6(id, na->target);
	if (ours == IDENTITY_NONE)
		return refuse(PG_DROP_NOT_FOR_US);
	if (!mac_individual(neighbor_mac(frame, link_layer)))
		return refuse(PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	if (link_layer && mac_equal(link_layer, id->mac)) // of us, and sent back by somebody
		return refuse(PG_DROP_BAD_SOURCE);
	return conflict(6, ours, neighbor_mac(frame, link_layer));
}

static struct host_request icmpv6_examine(const uint8_t *frame, const struct packet *p, const struct identity *id)
{
	const struct ipv6_header *ip = (const struct ipv6_header *)(frame + p->l3);
	const struct icmp_header *icmp = (const struct icmp_header *)(frame + p->l4);
	const uint16_t len = (uint16_t)(p->end - p->l4);

	if (len < 4) // type, code, checksum (RFC 4443 2.1)
		return refuse(PG_DROP_TRUNCATED);
	if (checksum_fold(add_around(pseudo_header6(ip, IP_ICMPV6, BE16(len)), checksum_sum(frame + p->l4, len))) !=
	    CHECKSUM_RIGHT)
		return refuse(PG_DROP_BAD_ICMP);
	if (icmp->type == ICMPV6_NEIGHBOR_SOLICITATION)
		return solicitation_examine(frame, p, id);
	if (in6_equal(ip->source, in6_any))
		return refuse(PG_DROP_BAD_SOURCE);
	if (icmp->type == ICMPV6_NEIGHBOR_ADVERTISEMENT)
		return advertisement_examine(frame, p, id);
	if (identity_owns6(id, ip->source))
		return refuse(PG_DROP_BAD_SOURCE);
	if (icmp->type != ICMPV6_ECHO_REQUEST || icmp->code != 0 || !identity_owns6(id, ip->destination))
		return refuse(PG_DROP_NOT_FOR_US);
	if (len < sizeof(*icmp))
		return refuse(PG_DROP_TRUNCATED);
	return accept(PG_MESSAGE_ICMPV6_ECHO);
}

static uint16_t icmpv6_echo_answer(uint8_t *frame, const struct packet *p, const struct identity *id)
{
	struct ipv6_header *ip = (struct ipv6_header *)(frame + p->l3);
	const uint16_t len = (uint16_t)(p->end - p->l4);

	reply_ipv6(ip);
	echo_turn((struct icmp_header *)(frame + p->l4), ICMPV6_ECHO_REPLY, pseudo_header6(ip, IP_ICMPV6, BE16(len)),
		  len);
	reply_ethernet(frame, id);
	return p->end;
}

/// An advertisement of `target` behind an IPv6 header whose destination is already there.
/// @return its length in bytes, both headers included
static uint16_t build_advertisement(struct ipv6_header *ip, const uint8_t *target, const uint8_t *mac, uint32_t flags)
{
	struct neighbor_message *na = (struct neighbor_message *)(ip + 1);
	struct link_layer_option *option = (struct link_layer_option *)(na + 1);
	const uint16_t len = sizeof(*na) + sizeof(*option);

	memcpy(na->target, target, sizeof(na->target));
	memcpy(ip->source, target, sizeof(ip->source));
	ip->version_class_flow = BE32(IPV6_VERSION_CLASS_FLOW);
	ip->payload_length = BE16(len);
	ip->next_header = IP_ICMPV6;
	ip->hop_limit = NEIGHBOR_HOP_LIMIT;
	na->icmp = (struct icmp_header){.type = ICMPV6_NEIGHBOR_ADVERTISEMENT, .rest = BE32(flags)};
	option->type = OPTION_TARGET_LINK_LAYER;
	option->length = 1;
	mac_copy(option->mac, mac);
	na->icmp.checksum = (be16)~checksum_fold(
		add_around(pseudo_header6(ip, IP_ICMPV6, BE16(len)), checksum_sum((const uint8_t *)na, len)));
	return (uint16_t)(sizeof(*ip) + len);
}

static uint16_t solicitation_answer(uint8_t *frame, const struct packet *p, const struct identity *id)
{
	struct ethernet_header *eth = (struct ethernet_header *)frame;
	struct ipv6_header *ip = (struct ipv6_header *)(frame + p->l3);
	const struct neighbor_message *ns = (const struct neighbor_message *)(frame + p->l4);
	uint8_t target[16], asker[MAC_LEN];
	uint32_t flags = NEIGHBOR_OVERRIDE;
	const uint8_t *link_layer;

	options_whole(frame, p, OPTION_SOURCE_LINK_LAYER, &link_layer);
	mac_copy(asker, neighbor_mac(frame, link_layer));
	memcpy(target, ns->target, sizeof(target));
	reply_ethernet(frame, id);
	mac_copy(eth->destination, asker);    // who need not be who sends, as with ARP (RFC 4861 7.2.3)
	if (in6_equal(ip->source, in6_any)) { // RFC 4861 7.2.4: the asker has no address yet
		memcpy(ip->destination, all_nodes6, sizeof(all_nodes6));
		multicast_mac6(all_nodes6, eth->destination);
	} else {
		memcpy(ip->destination, ip->source, sizeof(ip->destination));
		flags |= NEIGHBOR_SOLICITED;
	}
	return (uint16_t)(p->l3 + build_advertisement(ip, target, id->mac, flags));
}

uint16_t announce_neighbor(uint8_t *frame, const struct identity *id, unsigned index)
{
	struct ethernet_header *eth = (struct ethernet_header *)frame;
	struct ipv6_header *ip = (struct ipv6_header *)(eth + 1);

	multicast_mac6(all_nodes6, eth->destination);
	mac_copy(eth->source, id->mac);
	eth->type = BE16(ETHER_IPV6);
	memcpy(ip->destination, all_nodes6, sizeof(all_nodes6));
	return (uint16_t)(sizeof(*eth) + build_advertisement(ip, id->v6[index], id->mac, NEIGHBOR_OVERRIDE));
}

static struct host_request mld_request(const uint8_t *frame, const struct packet *p, const struct identity *id)
{
	struct host_request request = {.message = PG_MESSAGE_MLD_QUERY};

	request.drop = mld_examine(frame, p, id, &request.query);
	return request;
}

// ---------------------------------------------------------------- all of them

struct host_request host_examine(const uint8_t *frame, const struct packet *p, const struct identity *id)
{
	switch (p->host) {
	case HOST_ARP:
		return arp_examine(frame, p, id);
	case HOST_ICMP:
		return icmp_examine(frame, p);
	case HOST_ICMPV6:
		return icmpv6_examine(frame, p, id);
	case HOST_MLD:
		return mld_request(frame, p, id);
	default:
		return refuse(PG_DROP_NOT_FOR_US);
	}
}

uint16_t host_answer(uint8_t *frame, uint16_t received, const struct packet *p, const struct identity *id,
		     enum pg_message message)
{
	switch (message) {
	case PG_MESSAGE_ARP:
		return reply_length(received, arp_answer(frame, p, id));
	case PG_MESSAGE_ICMP_ECHO:
		return reply_length(received, icmp_answer(frame, p, id));
	case PG_MESSAGE_ICMPV6_ECHO:
		return reply_length(received, icmpv6_echo_answer(frame, p, id));
	default: // may be longer than its solicitation
		return solicitation_answer(frame, p, id);
	}
}
