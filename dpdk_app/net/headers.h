// SPDX-License-Identifier: BSD-3-Clause
// net/headers.h: Ethernet to UDP as they lie in a frame. Every multi-byte field is in network order (be16, be32).

#ifndef POLLGATE_NET_HEADERS_H
#define POLLGATE_NET_HEADERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

typedef uint16_t be16;
typedef uint32_t be32;

#define BE16(x) ((be16)__builtin_bswap16((uint16_t)(x)))
#define BE32(x) ((be32)__builtin_bswap32((uint32_t)(x)))

#define MAC_LEN 6

/// IEEE 802.3: shorter frames are padded up to this (without FCS).
#define ETHERNET_MIN 60
/// 1,500 bytes of payload, header, two VLAN tags.
#define ETHERNET_MAX (1500 + 14 + 2 * 4)

enum ether_type {
	ETHER_TYPE_MIN = 0x0600, // below it the field is an 802.3 length
	ETHER_IPV4 = 0x0800,
	ETHER_ARP = 0x0806,
	ETHER_VLAN = 0x8100,
	ETHER_QINQ = 0x88a8,
	ETHER_QINQ_OLD = 0x9100,
	ETHER_IPV6 = 0x86dd,
};

enum ip_protocol {
	IP_HOP_BY_HOP = 0,
	IP_ICMP = 1,
	IP_UDP = 17,
	IP_ROUTING = 43,
	IP_FRAGMENT = 44,
	IP_ICMPV6 = 58,
	IP_DESTINATION_OPTIONS = 60,
};

struct ethernet_header {
	uint8_t destination[MAC_LEN];
	uint8_t source[MAC_LEN];
	be16 type;
} PACKED;

struct vlan_tag {
	be16 control;
	be16 type;
} PACKED;

struct ipv4_header {
	uint8_t version_ihl;
	uint8_t tos;
	be16 total_length;
	be16 id;
	be16 fragment;
	uint8_t ttl;
	uint8_t protocol;
	be16 checksum;
	be32 source;
	be32 destination;
} PACKED;

#define IPV4_VERSION_IHL_PLAIN 0x45 // version 4, no options
#define IPV4_FRAGMENT_MASK 0x3fff   // more fragments, offset
#define IPV4_DO_NOT_FRAGMENT 0x4000
#define IPV4_FRAGMENT_BUT_DF 0xbfff // the reserved bit, too (RFC 791)

/// The two lowest bits of IPv4's type of service and IPv6's traffic class (RFC 3168); above them is the DSCP.
#define ECN_MASK 0x03
#define IPV6_VERSION_CLASS_FLOW 0x60000000U
#define IPV6_ECN_MASK ((uint32_t)ECN_MASK << 20)

struct ipv6_header {
	be32 version_class_flow;
	be16 payload_length;
	uint8_t next_header;
	uint8_t hop_limit;
	uint8_t source[16];
	uint8_t destination[16];
} PACKED;

struct udp_header {
	be16 source;
	be16 destination;
	be16 length;
	be16 checksum;
} PACKED;

struct arp_packet {
	be16 hardware_type;
	be16 protocol_type;
	uint8_t hardware_len;
	uint8_t protocol_len;
	be16 operation;
	uint8_t sender_mac[MAC_LEN];
	be32 sender_ip;
	uint8_t target_mac[MAC_LEN];
	be32 target_ip;
} PACKED;

enum arp_operation { ARP_REQUEST = 1, ARP_REPLY = 2 };
#define ARP_HARDWARE_ETHERNET 1

/// ICMP and ICMPv6 share this beginning.
struct icmp_header {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	be32 rest; // identifier and sequence of an echo, flags of an advertisement
} PACKED;

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_ECHO_REQUEST = 8,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_LISTENER_QUERY = 130, // RFC 2710, RFC 3810
	ICMPV6_LISTENER_REPORT = 131,
	ICMPV6_LISTENER_DONE = 132,
	ICMPV6_NEIGHBOR_SOLICITATION = 135,
	ICMPV6_NEIGHBOR_ADVERTISEMENT = 136,
	ICMPV6_LISTENER_REPORT2 = 143,
};

/// RFC 4861 4.3 and 4.4, without options.
struct neighbor_message {
	struct icmp_header icmp;
	uint8_t target[16];
} PACKED;

/// RFC 4861 4.6.1.
struct link_layer_option {
	uint8_t type;
	uint8_t length; // in units of 8 bytes
	uint8_t mac[MAC_LEN];
} PACKED;

enum neighbor_option { OPTION_SOURCE_LINK_LAYER = 1, OPTION_TARGET_LINK_LAYER = 2 };
#define NEIGHBOR_SOLICITED 0x40000000U
#define NEIGHBOR_OVERRIDE 0x20000000U
#define NEIGHBOR_HOP_LIMIT 255 // RFC 4861 7.1.1: proof that no router was crossed

#define MLD_HOP_LIMIT 1          // RFC 3810 5: never forwarded
#define OPTION_ROUTER_ALERT 0x05 // of hop-by-hop options (RFC 2711)

#define ANSWER_HOP_LIMIT 64

static_assert(sizeof(struct ethernet_header) == 14, "Ethernet II");
static_assert(sizeof(struct ipv4_header) == 20, "RFC 791");
static_assert(sizeof(struct ipv6_header) == 40, "RFC 8200");
static_assert(sizeof(struct udp_header) == 8, "RFC 768");
static_assert(sizeof(struct arp_packet) == 28, "RFC 826");
static_assert(sizeof(struct neighbor_message) == 24, "RFC 4861");
static_assert(sizeof(struct link_layer_option) == 8, "RFC 4861");

ALWAYS_INLINE uint32_t load32(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

ALWAYS_INLINE uint64_t load64(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

ALWAYS_INLINE bool mac_equal(const uint8_t *a, const uint8_t *b)
{
	uint32_t a0, b0;
	uint16_t a1, b1;

	memcpy(&a0, a, sizeof(a0));
	memcpy(&b0, b, sizeof(b0));
	memcpy(&a1, a + sizeof(a0), sizeof(a1));
	memcpy(&b1, b + sizeof(b0), sizeof(b1));
	return ((a0 ^ b0) | (uint32_t)(a1 ^ b1)) == 0;
}

ALWAYS_INLINE bool mac_zero(const uint8_t *mac)
{
	return mac_equal(mac, (const uint8_t[MAC_LEN]){0});
}

/// Multicast, and broadcast with it.
ALWAYS_INLINE bool mac_multicast(const uint8_t *mac)
{
	return mac[0] & 1;
}

/// Can it be one station's?
ALWAYS_INLINE bool mac_individual(const uint8_t *mac)
{
	return !mac_multicast(mac) && !mac_zero(mac);
}

ALWAYS_INLINE void mac_copy(uint8_t *to, const uint8_t *from)
{
	memcpy(to, from, MAC_LEN);
}

ALWAYS_INLINE bool in6_multicast(const uint8_t *address)
{
	return address[0] == 0xff;
}

ALWAYS_INLINE bool in6_equal(const uint8_t *a, const uint8_t *b)
{
	return ((load64(a) ^ load64(b)) | (load64(a + 8) ^ load64(b + 8))) == 0;
}

#endif
