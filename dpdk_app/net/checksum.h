// SPDX-License-Identifier: BSD-3-Clause
// net/checksum.h: the Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//
// Sums are of words as they lie in memory, carries going round, folded to 16 bits late; the order of bytes
// cancels out as long as sums and fields are both taken from memory (RFC 1071 section 2 B and C).

#ifndef POLLGATE_NET_CHECKSUM_H
#define POLLGATE_NET_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "net/headers.h"
#include "unroll.h"

/// End-around addition: the carry out of the top comes in at the bottom.
ALWAYS_INLINE uint64_t add_around(uint64_t a, uint64_t b)
{
	const uint64_t sum = a + b;

	return sum + (sum < a);
}

/// Words of 8 bytes. Two instructions a word; vectors do not pay for what a game datagram holds.
ALWAYS_INLINE uint64_t sum_words(const uint8_t *p, size_t words, uint64_t sum)
{
	UNROLLED
	for (size_t i = 0; i < words; i++)
		sum = add_around(sum, load64(p + i * sizeof(uint64_t)));
	return sum;
}

/// Sum of `len` bytes; an odd last byte counts as if a zero followed.
ALWAYS_INLINE uint64_t checksum_sum(const uint8_t *p, size_t len)
{
	uint64_t sum = 0, tail = 0;

	for (; len >= 64; p += 64, len -= 64)
		sum = sum_words(p, 8, sum);
	for (; len >= 8; p += 8, len -= 8)
		sum = sum_words(p, 1, sum);
	if (len & 4) {
		tail += load32(p);
		p += 4;
	}
	if (len & 2) {
		uint16_t half;

		memcpy(&half, p, sizeof(half));
		tail += half;
		p += 2;
	}
	if (len & 1)
		tail += *p;
	return add_around(sum, tail);
}

/// Adding a word to itself with its halves exchanged leaves the end-around sum in the upper half.
ALWAYS_INLINE uint16_t checksum_fold32(uint32_t sum)
{
	return (uint16_t)((sum + (sum << 16 | sum >> 16)) >> 16);
}

ALWAYS_INLINE uint16_t checksum_fold(uint64_t sum)
{
	return checksum_fold32((uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32));
}

/// Is this the sum of words among which the checksum field is right?
#define CHECKSUM_RIGHT 0xffff

/// The same question without folding: a sum that is not zero folds to 0xffff when it is a multiple of 0xffff. Times the
/// inverse of 0xffff modulo 2^64 a multiple becomes its quotient, and anything else more than any quotient.
#define CHECKSUM_INVERSE 0xfffefffefffeffffU
#define CHECKSUM_QUOTIENT_MAX (UINT64_MAX / 0xffff)
static_assert(CHECKSUM_INVERSE * 0xffff == 1, "modulo 2^64");

ALWAYS_INLINE bool checksum_right(uint64_t sum)
{
	return sum * CHECKSUM_INVERSE <= CHECKSUM_QUOTIENT_MAX;
}

/// The field's new value when one 16-bit word under it changes from `old` to `new` (RFC 1624 eqn. 3).
ALWAYS_INLINE uint16_t checksum_update(uint16_t field, uint16_t old, uint16_t new)
{
	return (uint16_t)~checksum_fold32(2U * UINT16_MAX - field - old + new);
}

/// The same for UDP, where a sum of zero is sent as 0xffff (RFC 768) and the field is not zero: subtracting in the
/// other order (RFC 1624 eqn. 4) gives just that.
ALWAYS_INLINE uint16_t checksum_update_udp(uint16_t field, uint16_t old, uint16_t new)
{
	return checksum_fold32((uint32_t)field + old + (uint16_t) ~new);
}

/// Sum of what RFC 768 puts in front of a datagram: addresses, protocol, length.
ALWAYS_INLINE uint64_t pseudo_header4(const struct ipv4_header *ip, be16 length)
{
	return add_around(load64((const uint8_t *)&ip->source), (uint64_t)BE16(ip->protocol) + length);
}

/// The same for IPv6 (RFC 8200 8.1).
ALWAYS_INLINE uint64_t pseudo_header6(const struct ipv6_header *ip, uint8_t protocol, be16 length)
{
	return sum_words(ip->source, 4, (uint64_t)BE16(protocol) + length);
}

/// The checksum field of a UDP datagram; a sum of zero is sent as 0xffff (RFC 768).
/// @param sum  of what is not in these bytes: the pseudo-header at least
ALWAYS_INLINE be16 checksum_udp(const uint8_t *bytes, uint16_t length, uint64_t sum)
{
	const be16 checksum = (be16)~checksum_fold(add_around(sum, checksum_sum(bytes, length)));

	return checksum != 0 ? checksum : UINT16_MAX;
}

#endif
