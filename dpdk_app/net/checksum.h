// SPDX-License-Identifier: BSD-3-Clause
// net/checksum.h: the Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//
// Sums are of 16-bit words as they lie in memory, folded late; the order of bytes cancels out as long as
// sums and fields are both taken from memory (RFC 1071 section 2 B).

#ifndef POLLGATE_NET_CHECKSUM_H
#define POLLGATE_NET_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "net/headers.h"

ALWAYS_INLINE uint32_t load32(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/// Unfolded sum of `len` bytes; an odd last byte counts as if a zero followed. Safe up to 2^32 bytes.
ALWAYS_INLINE uint64_t checksum_sum(const uint8_t *p, size_t len)
{
	uint64_t even = 0, odd = 0;

	for (; len >= 16; p += 16, len -= 16) {
		even += load32(p) + (uint64_t)load32(p + 8);
		odd += load32(p + 4) + (uint64_t)load32(p + 12);
	}
	if (len & 8) {
		even += load32(p);
		odd += load32(p + 4);
		p += 8;
	}
	if (len & 4) {
		even += load32(p);
		p += 4;
	}
	if (len & 2) {
		uint16_t half;

		memcpy(&half, p, sizeof(half));
		odd += half;
		p += 2;
	}
	if (len & 1)
		even += *p;
	return even + odd;
}

ALWAYS_INLINE uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/// Of a sum that includes a right checksum field.
#define CHECKSUM_RIGHT 0xffff

/// The field's new value when one 16-bit word under it changes from `old` to `new` (RFC 1624 eqn. 3).
ALWAYS_INLINE uint16_t checksum_update(uint16_t field, uint16_t old, uint16_t new)
{
	return (uint16_t)~checksum_fold((uint64_t)(uint16_t)~field + (uint16_t)~old + new);
}

/// Sum of what RFC 768 puts in front of a datagram: addresses, protocol, length.
ALWAYS_INLINE uint64_t pseudo_header4(const struct ipv4_header *ip, be16 length)
{
	return checksum_sum((const uint8_t *)&ip->source, 8) + BE16(ip->protocol) + length;
}

/// The same for IPv6 (RFC 8200 8.1).
ALWAYS_INLINE uint64_t pseudo_header6(const struct ipv6_header *ip, uint8_t protocol, be16 length)
{
	return checksum_sum(ip->source, 32) + BE16(protocol) + length;
}

#endif
