// SPDX-License-Identifier: BSD-3-Clause
// net/parse.h: what is in a frame, is it whole, and is it for us? Pure functions of (bytes, length, identity).
//
// Inlined into the burst pipeline: the checksum mode is a constant argument, so that each specialised loop
// carries only its own checks. Checks stand in the order in which they are counted: the first that fails
// names the drop.

#ifndef POLLGATE_NET_PARSE_H
#define POLLGATE_NET_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/checksum.h"
#include "net/headers.h"
#include "net/identity.h"
#include "net/peer.h"
#include "pollgate.h"

/// What the device said of a frame's checksums; no bit set: nothing, verify in software.
enum rx_checksum {
	RX_IP_CHECKSUM_GOOD = 1,
	RX_IP_CHECKSUM_BAD = 2,
	RX_L4_CHECKSUM_GOOD = 4,
	RX_L4_CHECKSUM_BAD = 8,
};

#define RX_CHECKSUM_BAD (RX_IP_CHECKSUM_BAD | RX_L4_CHECKSUM_BAD)

/// Where the headers of a common frame lie, and the length of its datagram: UDP header and PLAYER_MOVE.
#define COMMON_L3 (sizeof(struct ethernet_header))
#define COMMON_L4 (COMMON_L3 + sizeof(struct ipv4_header))
#define MOVE_DATAGRAM 52

enum network_layer { LAYER_ARP, LAYER_IPV4, LAYER_IPV6 };

/// Which part of the host answers, when it is not a game datagram.
enum host_protocol { HOST_NONE, HOST_ARP, HOST_ICMP, HOST_ICMPV6, HOST_MLD };

/// A frame that passed every check of its layers. Offsets are from the frame's first byte.
struct packet {
	struct peer peer; // of a game datagram
	uint8_t layer;    // enum network_layer
	uint8_t host;     // enum host_protocol
	uint16_t l3;      // network header
	uint16_t l4;      // transport header
	uint16_t end;     // one past the datagram: what follows is Ethernet padding
};

ALWAYS_INLINE bool ether_is_vlan(uint16_t type)
{
	return type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD;
}

ALWAYS_INLINE enum pg_drop parse_udp(const uint8_t *frame, uint64_t pseudo_sum, const struct listeners *listeners,
				     unsigned rx, const bool rx_offload, struct packet *p)
{
	const struct udp_header *udp = (const struct udp_header *)(frame + p->l4);
	const uint16_t len = (uint16_t)(p->end - p->l4);

	if (unlikely(len < sizeof(*udp)))
		return PG_DROP_TRUNCATED;
	if (unlikely(udp->length != BE16(len)))
		return PG_DROP_UDP_LENGTH;
	// Before the checksum: what is not ours is not ours to judge.
	const uint8_t listener = listeners->by_port[udp->destination];

	if (unlikely(listener == LISTENER_NONE))
		return PG_DROP_NOT_FOR_US;
	if (unlikely(udp->source == 0))
		return PG_DROP_BAD_SOURCE;
	peer_set_channel(&p->peer, udp->source, listener);

	if (unlikely(udp->checksum == 0)) // RFC 768: not computed. RFC 8200 8.1: not over IPv6.
		return p->layer == LAYER_IPV6 ? PG_DROP_UDP_CHECKSUM_MISSING : PG_DROP_NONE;
	if (rx_offload && (rx & (RX_L4_CHECKSUM_GOOD | RX_L4_CHECKSUM_BAD)))
		return rx & RX_L4_CHECKSUM_BAD ? PG_DROP_UDP_CHECKSUM : PG_DROP_NONE;
	if (unlikely(checksum_fold(add_around(pseudo_sum, checksum_sum(frame + p->l4, len))) != CHECKSUM_RIGHT))
		return PG_DROP_UDP_CHECKSUM;
	return PG_DROP_NONE;
}

/// 0/8, 127/8, and 224/4 and above: multicast, reserved, limited broadcast.
ALWAYS_INLINE bool source4_impossible(be32 address)
{
	const uint8_t first = (uint8_t)address;

	return (uint8_t)(first - 1) >= 223 || first == 127;
}

/// A port with several addresses, or a packet that is not to or from whom it should be.
COLD enum pg_drop search_addresses4(const struct ipv4_header *ip, const struct identity *id);

ALWAYS_INLINE enum pg_drop check_addresses4(const struct ipv4_header *ip, const struct identity *id)
{
	const struct identity4 *first = &id->v4[0];

	// Most ports have one address, or most of their traffic on the first.
	if (likely(ip->destination == first->address && id->v4_count == 1 && !source4_impossible(ip->source) &&
		   ip->source != first->address && ip->source != first->broadcast))
		return PG_DROP_NONE;
	return search_addresses4(ip, id);
}

ALWAYS_INLINE enum pg_drop check_header4(const struct ipv4_header *ip, uint16_t left, unsigned rx,
					 const bool rx_offload)
{
	if (unlikely(ip->version_ihl != IPV4_VERSION_IHL_PLAIN)) {
		if (ip->version_ihl >> 4 != 4 || ip->version_ihl < IPV4_VERSION_IHL_PLAIN)
			return PG_DROP_BAD_IP_HEADER;
		// An answer in place would send the options back, source routes among them.
		return PG_DROP_IP_OPTIONS;
	}

	const uint16_t total = BE16(ip->total_length);

	if (unlikely(total < sizeof(*ip)))
		return PG_DROP_BAD_IP_HEADER;
	if (unlikely(total > left))
		return PG_DROP_TRUNCATED;
	if (rx_offload && (rx & (RX_IP_CHECKSUM_GOOD | RX_IP_CHECKSUM_BAD)))
		return rx & RX_IP_CHECKSUM_BAD ? PG_DROP_IP_CHECKSUM : PG_DROP_NONE;
	// RFC 1122 3.2.1.2: verified on every datagram.
	if (unlikely(checksum_fold(checksum_sum((const uint8_t *)ip, sizeof(*ip))) != CHECKSUM_RIGHT))
		return PG_DROP_IP_CHECKSUM;
	return PG_DROP_NONE;
}

ALWAYS_INLINE enum pg_drop parse_ipv4(const uint8_t *frame, uint16_t len, const struct identity *id,
				      const struct listeners *listeners, unsigned rx, const bool rx_offload,
				      struct packet *p)
{
	const struct ipv4_header *ip = (const struct ipv4_header *)(frame + p->l3);
	enum pg_drop drop;

	if (unlikely(len - p->l3 < (int)sizeof(*ip)))
		return PG_DROP_TRUNCATED;
	drop = check_header4(ip, (uint16_t)(len - p->l3), rx, rx_offload);
	if (unlikely(drop))
		return drop;
	drop = check_addresses4(ip, id);
	if (unlikely(drop))
		return drop;
	// RFC 1122 3.3.6: what is for us alone does not come in a frame for many.
	if (unlikely(mac_multicast(frame)))
		return PG_DROP_GROUP_FRAME;
	if (unlikely(ip->fragment & BE16(IPV4_FRAGMENT_MASK)))
		return PG_DROP_IP_FRAGMENT;

	p->layer = LAYER_IPV4;
	p->l4 = (uint16_t)(p->l3 + sizeof(*ip));
	p->end = (uint16_t)(p->l3 + BE16(ip->total_length));
	if (likely(ip->protocol == IP_UDP)) {
		peer_set4(&p->peer, ip->source);
		return parse_udp(frame, pseudo_header4(ip, BE16(p->end - p->l4)), listeners, rx, rx_offload, p);
	}
	if (ip->protocol != IP_ICMP)
		return PG_DROP_NOT_FOR_US;
	p->host = HOST_ICMP;
	return PG_DROP_NONE;
}

/// Is it ours to listen to? ICMPv6, with a hop-by-hop header or without, also arrives at all nodes' group and our
/// solicited-node groups.
COLD bool owns_destination6(const struct identity *id, const struct ipv6_header *ip);

/// Loopback, multicast and mapped addresses are nobody's; :: is only a solicitation's, and our own only that of a host in conflict with us.
COLD bool source6_impossible(const struct identity *id, const struct ipv6_header *ip);

/// Is there a router alert, which only multicast listener discovery has business with? Steps over the header then.
COLD enum pg_drop parse_hop_by_hop(const uint8_t *frame, struct packet *p);

ALWAYS_INLINE enum pg_drop parse_ipv6(const uint8_t *frame, uint16_t len, const struct identity *id,
				      const struct listeners *listeners, unsigned rx, const bool rx_offload,
				      struct packet *p)
{
	const struct ipv6_header *ip = (const struct ipv6_header *)(frame + p->l3);

	if (unlikely(len - p->l3 < (int)sizeof(*ip)))
		return PG_DROP_TRUNCATED;
	if (unlikely((ip->version_class_flow & BE32(0xf0000000)) != BE32(0x60000000)))
		return PG_DROP_BAD_IP_HEADER;
	if (unlikely(BE16(ip->payload_length) > len - p->l3 - (int)sizeof(*ip)))
		return PG_DROP_TRUNCATED;
	if (unlikely(!identity_owns6(id, ip->destination)) && !owns_destination6(id, ip))
		return PG_DROP_NOT_FOR_US;
	// Global unicast (2000::/3) needs only the comparison with ourselves.
	if (unlikely((ip->source[0] & 0xe0) != 0x20 || identity_owns6(id, ip->source)) && source6_impossible(id, ip))
		return PG_DROP_BAD_SOURCE;
	if (unlikely(mac_multicast(frame)) && !in6_multicast(ip->destination)) // as over IPv4
		return PG_DROP_GROUP_FRAME;

	p->layer = LAYER_IPV6;
	p->l4 = (uint16_t)(p->l3 + sizeof(*ip));
	p->end = (uint16_t)(p->l4 + BE16(ip->payload_length));
	switch (ip->next_header) {
	case IP_UDP:
		peer_set6(&p->peer, ip->source);
		return parse_udp(frame, pseudo_header6(ip, IP_UDP, BE16(p->end - p->l4)), listeners, rx, rx_offload, p);
	case IP_ICMPV6:
		p->host = HOST_ICMPV6;
		return PG_DROP_NONE;
	case IP_FRAGMENT:
		return PG_DROP_IP_FRAGMENT;
	case IP_HOP_BY_HOP:
		return parse_hop_by_hop(frame, p);
	case IP_ROUTING:
	case IP_DESTINATION_OPTIONS:
		return PG_DROP_IP_OPTIONS;
	default:
		return PG_DROP_NOT_FOR_US;
	}
}

/// Step over at most two tags. `type` is the EtherType after them.
COLD enum pg_drop parse_vlan(const uint8_t *frame, uint16_t len, uint16_t *type, struct packet *p);

/// Take one frame of any kind apart.
/// @param  rx          bits of enum rx_checksum; looked at when rx_offload
/// @param  rx_offload  constant: the device verifies checksums
/// @param  p           out: valid when PG_DROP_NONE is returned
ALWAYS_INLINE enum pg_drop parse_frame(const uint8_t *frame, uint16_t len, const struct identity *id,
				       const struct listeners *listeners, unsigned rx, const bool rx_offload,
				       struct packet *p)
{
	const struct ethernet_header *eth = (const struct ethernet_header *)frame;

	if (unlikely(len < sizeof(*eth)))
		return PG_DROP_TRUNCATED;
	if (unlikely(len > ETHERNET_MAX))
		return PG_DROP_TOO_LONG;
	if (unlikely(!mac_equal(eth->destination, id->mac)) && !mac_multicast(eth->destination))
		return PG_DROP_NOT_FOR_US;
	if (unlikely(mac_multicast(eth->source) || mac_zero(eth->source) || mac_equal(eth->source, id->mac)))
		return PG_DROP_BAD_SOURCE;

	p->l3 = sizeof(*eth);
	p->host = HOST_NONE;
	if (likely(eth->type == BE16(ETHER_IPV4)))
		return parse_ipv4(frame, len, id, listeners, rx, rx_offload, p);

	uint16_t type = BE16(eth->type);

	if (ether_is_vlan(type)) {
		const enum pg_drop drop = parse_vlan(frame, len, &type, p);

		if (drop)
			return drop;
	}
	if (type == ETHER_IPV4)
		return parse_ipv4(frame, len, id, listeners, rx, rx_offload, p);
	if (type == ETHER_IPV6)
		return parse_ipv6(frame, len, id, listeners, rx, rx_offload, p);
	if (type < ETHER_TYPE_MIN)
		return PG_DROP_NOT_ETHERNET_II;
	if (type != ETHER_ARP)
		return PG_DROP_NOT_FOR_US;
	if (len - p->l3 < (int)sizeof(struct arp_packet))
		return PG_DROP_TRUNCATED;
	p->layer = LAYER_ARP;
	p->host = HOST_ARP;
	p->l4 = p->l3;
	p->end = (uint16_t)(p->l3 + sizeof(struct arp_packet));
	return PG_DROP_NONE;
}

/// Both checksums of an untagged IPv4 datagram. Constant lengths make constant chains: the compiler unrolls them.
/// @param rx  what the device has said of them; the rest is verified here
ALWAYS_INLINE bool checksums4_right(const struct ipv4_header *ip, const struct udp_header *udp, uint16_t len,
				    unsigned rx)
{
	const uint8_t *header = (const uint8_t *)ip, *datagram = (const uint8_t *)udp;
	const uint64_t header_sum = add_around(sum_words(header, 2, 0), load32(header + 16));
	const uint64_t pseudo = pseudo_header4(ip, udp->length);
	uint64_t sum;

	if (unlikely(rx & RX_CHECKSUM_BAD) || (!(rx & RX_IP_CHECKSUM_GOOD) && unlikely(!checksum_right(header_sum))))
		return false;
	if (rx & RX_L4_CHECKSUM_GOOD)
		return true;
	if (likely(len == MOVE_DATAGRAM))
		sum = add_around(sum_words(datagram, MOVE_DATAGRAM / 8, pseudo), load32(datagram + MOVE_DATAGRAM - 4));
	else
		sum = add_around(pseudo, checksum_sum(datagram, len));
	return likely(checksum_right(sum));
}

/// Is this what nearly every frame is: a whole, right, untagged IPv4 datagram to the port's first address and first
/// listener? Only ever says yes. Whatever it doubts is taken apart by parse_frame, which names the reason.
ALWAYS_INLINE bool frame_is_common(const uint8_t *frame, uint16_t len, const struct identity *id, unsigned rx,
				   const bool rx_offload)
{
	const struct ipv4_header *ip = (const struct ipv4_header *)(frame + COMMON_L3);
	const struct udp_header *udp = (const struct udp_header *)(frame + COMMON_L4);

	if (unlikely(len < COMMON_L4 + sizeof(*udp) || len > ETHERNET_MAX))
		return false;
	if (unlikely(!common_match(&id->common, frame)))
		return false;

	const uint16_t total = BE16(ip->total_length), udp_len = (uint16_t)(total - sizeof(*ip));
	const uint64_t source_mac = load64(frame + MAC_LEN) & MAC_BITS;

	// Never taken in a common frame: a predicted branch is one instruction, a condition to be kept is three.
	if (unlikely(total > len - COMMON_L3 || total < sizeof(*ip) + sizeof(*udp) || BE16(udp->length) != udp_len))
		return false;
	if (unlikely(source_mac == 0 || source_mac == id->common.mac || udp->source == 0 || udp->checksum == 0))
		return false;
	if (unlikely(source4_impossible(ip->source) || ip->source == id->v4[0].address ||
		     ip->source == id->v4[0].broadcast))
		return false;
	// With several addresses, none of the others may send either; with none, 0.0.0.0 is not one.
	if (unlikely(id->v4_count != 1) && search_addresses4(ip, id) != PG_DROP_NONE)
		return false;
	return checksums4_right(ip, udp, udp_len, rx_offload ? rx : 0);
}

/// A common frame taken apart: mostly constants, so it is cheaper made again than kept between stages.
ALWAYS_INLINE struct packet common_packet(const uint8_t *frame)
{
	const struct ipv4_header *ip = (const struct ipv4_header *)(frame + COMMON_L3);
	const struct udp_header *udp = (const struct udp_header *)(frame + COMMON_L4);
	struct packet p;

	p.layer = LAYER_IPV4;
	p.host = HOST_NONE;
	p.l3 = COMMON_L3;
	p.l4 = COMMON_L4;
	p.end = (uint16_t)(COMMON_L3 + BE16(ip->total_length));
	peer_set4(&p.peer, ip->source);
	peer_set_channel(&p.peer, udp->source, 0);
	return p;
}

#endif
