// SPDX-License-Identifier: BSD-3-Clause
// frames.h: frames as a peer would send them, written byte by byte from the RFCs.
//
// Shares nothing with net/ on purpose: what builds and what judges an answer must not be what made it.

#ifndef POLLGATE_TESTS_FRAMES_H
#define POLLGATE_TESTS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 2048
#define TAGS_MAX 3

enum protocol { PROTOCOL_ICMP = 1, PROTOCOL_UDP = 17, PROTOCOL_ICMPV6 = 58 };

/// A frame, and where its layers begin.
struct frame {
	uint16_t len;
	uint16_t l3;
	uint16_t l4;
	uint16_t payload;
	uint8_t bytes[FRAME_MAX];
};

/// Who sends to whom, and how. Numbers in host order, addresses as they lie in a frame.
struct flow {
	uint8_t mac_to[6];
	uint8_t mac_from[6];
	unsigned tags;
	uint16_t tag_type[TAGS_MAX];
	uint16_t tag_control[TAGS_MAX];
	unsigned family; // 4 or 6
	uint8_t to[16];  // the first 4 bytes when family is 4
	uint8_t from[16];
	uint16_t port_to;
	uint16_t port_from;
	uint8_t ttl;
	uint8_t tos;        // or traffic class
	uint16_t ip_id;     // IPv4
	uint16_t fragment;  // IPv4: flags and offset
	bool no_checksum;   // UDP checksum 0
	uint16_t padded_to; // at least so many bytes of frame
};

extern const uint8_t our_mac[6];
extern const uint8_t our_ip4[4];
extern const uint8_t our_ip6[16];
extern const uint8_t our_link_local[16];

/// Peer number n, talking to our first listener. Every n below 2^24 has another address.
struct flow flow4(uint32_t n);
struct flow flow6(uint32_t n);

/// The flow of the answer: everything exchanged, TTL 64, nothing of ECN, of the flags DF only.
struct flow flow_back(const struct flow *flow);

void flow_tag(struct flow *flow, uint16_t type, uint16_t control);

void build_ethernet(struct frame *f, const struct flow *flow, uint16_t type);
void build_ip(struct frame *f, const struct flow *flow, uint8_t protocol, const uint8_t *segment, size_t len);
void build_udp(struct frame *f, const struct flow *flow, const uint8_t *payload, size_t len);
/// An echo of either family; `type` 8 or 0, 128 or 129.
void build_echo(struct frame *f, const struct flow *flow, uint8_t type, uint32_t id_and_sequence, const uint8_t *data,
		size_t len);
void build_arp(struct frame *f, const struct flow *flow, uint16_t operation, const uint8_t *sender_ip,
	       const uint8_t *target_mac, const uint8_t *target_ip);
/// Solicitation (135) or advertisement (136), with the sender's link-layer address as an option or without.
void build_neighbor(struct frame *f, const struct flow *flow, uint8_t type, uint32_t flags, const uint8_t *target,
		    bool with_option);

/// A valid message of the plain profile: type 1 … 5, or its acknowledgement 101 … 105. Chat says "hello".
size_t build_message(uint8_t *out, uint32_t type, uint32_t player);
size_t build_chat(uint8_t *out, uint32_t type, uint32_t player, const void *text, size_t text_len);

/// build_udp of build_message.
void build_game(struct frame *f, const struct flow *flow, uint32_t type, uint32_t player);

void put16(uint8_t *to, uint16_t value); // network order
void put32(uint8_t *to, uint32_t value);
uint16_t get16(const uint8_t *from);
void put_le16(uint8_t *to, uint16_t value);
void put_le32(uint8_t *to, uint32_t value);
uint32_t get_le32(const uint8_t *from);

/// RFC 1071 the slow way: big-endian words, one at a time, on top of `sum`. Host order.
uint16_t naive_checksum(const uint8_t *bytes, size_t len, uint64_t sum);

/// Sum of the pseudo-header (RFC 768, RFC 8200 8.1) of an IP header of either family.
uint64_t naive_pseudo_sum(const uint8_t *ip, uint8_t protocol, size_t len);

/// Set every checksum of a frame that can be followed so far. Takes any bytes.
void repair_checksums(uint8_t *bytes, size_t len);

/// Are the lengths and checksums of this IPv4 or IPv6 frame those a receiver accepts? False for anything else.
bool checksums_right(const uint8_t *bytes, size_t len);

#endif
