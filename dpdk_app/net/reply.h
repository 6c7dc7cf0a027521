// SPDX-License-Identifier: BSD-3-Clause
// net/reply.h: turn a received frame round, in place.
//
// Exchanging addresses and ports leaves every checksum right, so software only accounts for the words that
// really change. A device that computes checksums wants zero and the pseudo-header sum instead.

#ifndef POLLGATE_NET_REPLY_H
#define POLLGATE_NET_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "net/checksum.h"
#include "net/headers.h"
#include "net/parse.h"

/// What the device has to complete in an answer; and, as `tx_offload`, what it can.
enum tx_checksum { TX_CHECKSUM_NONE, TX_CHECKSUM_IP = 1, TX_CHECKSUM_UDP = 2 };

/// Bytes of the answer to a frame of `received` bytes: padding beyond the Ethernet minimum is not returned.
ALWAYS_INLINE uint16_t reply_length(uint16_t received, uint16_t end)
{
	const uint16_t needed = end > ETHERNET_MIN ? end : ETHERNET_MIN;

	return received < needed ? received : needed;
}

/// Eight bytes at a time: the EtherType, or tag, behind the source is written back as it was.
ALWAYS_INLINE void reply_ethernet(uint8_t *frame, const struct identity *id)
{
	const uint64_t source_and_type = load64(frame + MAC_LEN);
	const uint64_t ours_and_type = (source_and_type & ~MAC_BITS) | id->common.mac;

	memcpy(frame, &source_and_type, sizeof(source_and_type));
	memcpy(frame + MAC_LEN, &ours_and_type, sizeof(ours_and_type));
}

/// The fields that an answer does not take over (README.md, "What an answer takes over"). ECN is one of them: that the
/// request met congestion says nothing about the answer.
struct fresh4 {
	uint8_t tos;
	be16 fragment;
	uint32_t before, after; // of what changes, and of the checksum: sums of words, for RFC 1624 eqn. 3
};

/// @param fragment_bits  which of the request's remain
/// @param fragment       what is set beside them
ALWAYS_INLINE struct fresh4 freshen4(const struct ipv4_header *ip, be16 fragment_bits, be16 fragment)
{
	struct fresh4 fresh = {
		.tos = ip->tos & (uint8_t)~ECN_MASK,
		.fragment = (be16)((ip->fragment & fragment_bits) | fragment),
	};

	// TTL is the first byte of its word, type of service the second.
	fresh.before = (uint32_t)ip->tos << 8;
	fresh.before += (uint32_t)ip->fragment + ip->ttl + ip->checksum;
	fresh.after = (uint32_t)fresh.tos << 8;
	fresh.after += (uint32_t)fresh.fragment + ANSWER_HOP_LIMIT;
	return fresh;
}

ALWAYS_INLINE void reply_ipv4(struct ipv4_header *ip, const unsigned tx_offload)
{
	const struct fresh4 fresh = freshen4(ip, BE16(IPV4_DO_NOT_FRAGMENT), 0);
	uint64_t addresses = load64((const uint8_t *)&ip->source);

	addresses = addresses << 32 | addresses >> 32;
	memcpy(&ip->source, &addresses, sizeof(addresses));
	ip->checksum =
		tx_offload & TX_CHECKSUM_IP ? 0 : (be16)~checksum_fold32(4U * UINT16_MAX - fresh.before + fresh.after);
	ip->tos = fresh.tos;
	ip->fragment = fresh.fragment;
	ip->ttl = ANSWER_HOP_LIMIT;
}

ALWAYS_INLINE void reply_ipv6(struct ipv6_header *ip)
{
	uint8_t source[16];

	memcpy(source, ip->source, sizeof(source));
	memcpy(ip->source, ip->destination, sizeof(source));
	memcpy(ip->destination, source, sizeof(source));
	ip->version_class_flow &= ~BE32(IPV6_ECN_MASK);
	ip->hop_limit = ANSWER_HOP_LIMIT;
}

/// Exchange ports; the payload's first word goes from `old` to `new` and is the caller's to write.
ALWAYS_INLINE void reply_udp(struct udp_header *udp, uint16_t old, uint16_t new)
{
	uint32_t ports = load32((const uint8_t *)udp);

	ports = ports << 16 | ports >> 16;
	memcpy(udp, &ports, sizeof(ports));
	if (likely(udp->checksum != 0)) // came without one, returns without one
		udp->checksum = checksum_update_udp(udp->checksum, old, new);
}

/// Answer a game datagram whose first payload word becomes `new`.
/// @param  tx_offload  bits of enum tx_checksum: what the device can complete
/// @return those that it must
ALWAYS_INLINE unsigned reply_datagram(uint8_t *frame, const struct packet *p, const struct identity *id, uint16_t old,
				      uint16_t new, const unsigned tx_offload)
{
	struct udp_header *udp = (struct udp_header *)(frame + p->l4);
	const bool checked = udp->checksum != 0;

	reply_ethernet(frame, id);
	if (likely(p->layer == LAYER_IPV4))
		reply_ipv4((struct ipv4_header *)(frame + p->l3), tx_offload);
	else
		reply_ipv6((struct ipv6_header *)(frame + p->l3));
	reply_udp(udp, old, new);
	if (!tx_offload)
		return TX_CHECKSUM_NONE;

	const unsigned ip_bit = p->layer == LAYER_IPV4 ? tx_offload & TX_CHECKSUM_IP : 0;

	if (!checked || !(tx_offload & TX_CHECKSUM_UDP))
		return ip_bit;
	udp->checksum = checksum_fold(
		p->layer == LAYER_IPV4 ? pseudo_header4((struct ipv4_header *)(frame + p->l3), udp->length) :
					 pseudo_header6((struct ipv6_header *)(frame + p->l3), IP_UDP, udp->length));
	return ip_bit | TX_CHECKSUM_UDP;
}

/// As reply_ipv4(), with another length. Sums are of what is still in registers: a load from what was just stored in parts
/// waits until it has left the core's store buffer.
/// @param unfragmented  as in reply_resized()
/// @return sum of the pseudo-header
ALWAYS_INLINE uint64_t resize_ipv4(struct ipv4_header *ip, uint16_t datagram_len, const bool unfragmented,
				   const unsigned tx_offload)
{
	const be16 not_fragmented = BE16(IPV4_DO_NOT_FRAGMENT);
	const uint64_t addresses = load64((const uint8_t *)&ip->source), exchanged = addresses << 32 | addresses >> 32;
	const struct fresh4 fresh = unfragmented ? freshen4(ip, 0, not_fragmented) : freshen4(ip, not_fragmented, 0);
	const be16 length = BE16(sizeof(*ip) + datagram_len);
	const uint32_t before = fresh.before + ip->total_length, after = fresh.after + length;

	ip->checksum = tx_offload & TX_CHECKSUM_IP ? 0 : (be16)~checksum_fold32(5U * UINT16_MAX - before + after);
	ip->total_length = length;
	ip->tos = fresh.tos;
	ip->fragment = fresh.fragment;
	ip->ttl = ANSWER_HOP_LIMIT;
	memcpy(&ip->source, &exchanged, sizeof(exchanged));
	return add_around(addresses, (uint64_t)BE16(IP_UDP) + BE16(datagram_len));
}

ALWAYS_INLINE uint64_t resize_ipv6(struct ipv6_header *ip, uint16_t datagram_len)
{
	const uint64_t pseudo = pseudo_header6(ip, IP_UDP, BE16(datagram_len));

	reply_ipv6(ip);
	ip->payload_length = BE16(datagram_len);
	return pseudo;
}

/// Answer a datagram with another payload, of any length, that lies in its place already.
/// @param p             in: as received; out: its end is the answer's
/// @param unfragmented  over IPv4 it is not to be fragmented; else as the request
/// @return as reply_datagram()
ALWAYS_INLINE unsigned reply_resized(uint8_t *frame, struct packet *p, const struct identity *id, uint16_t payload_len,
				     const bool unfragmented, const unsigned tx_offload)
{
	struct udp_header *udp = (struct udp_header *)(frame + p->l4);
	const uint16_t datagram_len = (uint16_t)(sizeof(*udp) + payload_len);
	const uint32_t ports = load32((const uint8_t *)udp);
	const bool ipv4 = likely(p->layer == LAYER_IPV4), checked = udp->checksum != 0;
	const uint64_t pseudo =
		ipv4 ? resize_ipv4((struct ipv4_header *)(frame + p->l3), datagram_len, unfragmented, tx_offload) :
		       resize_ipv6((struct ipv6_header *)(frame + p->l3), datagram_len);
	struct udp_header answer = {
		.source = (be16)(ports >> 16),
		.destination = (be16)ports,
		.length = BE16(datagram_len),
	};

	p->end = (uint16_t)(p->l4 + datagram_len);
	reply_ethernet(frame, id);
	if (likely(checked)) { // came without one, returns without one
		const uint64_t sum = add_around(pseudo, (uint64_t)ports + answer.length);

		answer.checksum = tx_offload & TX_CHECKSUM_UDP ?
					  checksum_fold(pseudo) :
					  checksum_udp((const uint8_t *)(udp + 1), payload_len, sum);
	}
	*udp = answer;
	return tx_offload & ((ipv4 ? TX_CHECKSUM_IP : 0U) | (checked ? TX_CHECKSUM_UDP : 0U));
}

#endif
