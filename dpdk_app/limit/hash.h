// SPDX-License-Identifier: BSD-3-Clause
// limit/hash.h: a keyed hash of a peer, cheap enough for every packet.
//
// Keyed, because addresses are the players' to choose: with a fixed hash a few hosts could fill one bucket.
// Multilinear: the key's words of 32 bits, each times a secret word of 64, summed modulo 2^64. The upper half is strongly
// universal (Lemire and Kaser, "Strongly universal string hashing is fast", 2014): whatever two peers are, they have any two
// hashes with the same probability. What lanes of a vector compute at once is the same sum.

#ifndef POLLGATE_LIMIT_HASH_H
#define POLLGATE_LIMIT_HASH_H

#include <stdint.h>

#include "compiler.h"
#include "net/peer.h"

/// The secret is random in each worker process. Indexes are rebuilt at the start, so the secret need not be kept.
struct hash_secret {
	uint64_t address[4]; // by word: the last of an IPv6 address, or an IPv4 one, first
	uint64_t channel;
	uint64_t addend;
};

#ifdef __BMI2__
/// The halves of a 128-bit product, one XOR the other. In barrier, because GCC 12 passes both halves through memory.
ALWAYS_INLINE uint64_t multiply_fold(uint64_t a, uint64_t b)
{
	uint64_t low, high;

	__asm__("mulx %3, %0, %1" : "=r"(low), "=r"(high) : "%d"(a), "rm"(b));
	return low ^ high;
}
#endif

#ifndef __BMI2__
ALWAYS_INLINE uint64_t multiply_fold(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}
#endif

ALWAYS_INLINE uint64_t word_product(uint64_t secret, uint64_t word)
{
	return secret * (uint32_t)word;
}

/// Odd, so that no two words have the same product.
ALWAYS_INLINE uint64_t odd(uint64_t secret)
{
	return secret | 1;
}

/// The part of an IPv4 address in both hashes below.
ALWAYS_INLINE uint64_t address4_hash(uint64_t address, const struct hash_secret *secret)
{
	return odd(secret->address[0]) * address + secret->addend;
}

/// The part of the sum that all IPv4 peers have in common.
ALWAYS_INLINE uint64_t mapped_hash(const struct hash_secret *secret)
{
	return word_product(secret->address[1], IPV4_MAPPED);
}

/// The sum; its upper half is the hash.
ALWAYS_INLINE uint64_t peer_hash(const struct peer *peer, const struct hash_secret *secret)
{
	return address4_hash(peer->low >> 32, secret) + word_product(secret->address[1], peer->low) +
	       word_product(secret->address[2], peer->high >> 32) + word_product(secret->address[3], peer->high) +
	       word_product(secret->channel, peer->channel);
}

/// Bits of a peer's hash for others to see: nothing of the secret follows from many of them.
ALWAYS_INLINE uint16_t peer_mark(const struct peer *peer, const struct hash_secret *secret)
{
	const uint64_t hash = peer_hash(peer, secret);

	return (uint16_t)multiply_fold(multiply_fold(hash, secret->address[3]) ^ secret->address[2],
				       hash ^ secret->channel);
}

/// The hash without the port: what a limit by source address is keyed by. IPv6 counts by /64 (one subscriber), IPv4 by
/// address; a listener has limits of its own. Two IPv4 addresses never have the same, as the product with an odd number is
/// another for each; of networks of IPv6, two meet once in 2^64.
ALWAYS_INLINE uint64_t source_hash(const struct peer *peer, const struct hash_secret *secret)
{
	const uint64_t listener = peer_listener(peer);

	if (peer->high == 0 && (uint32_t)peer->low == (uint32_t)IPV4_MAPPED)
		return address4_hash(listener << 32 | peer->low >> 32, secret);
	return multiply_fold(multiply_fold(peer->high ^ secret->address[2], secret->address[3]) ^ secret->address[1],
			     listener ^ secret->channel);
}

/// Of one place: the whole address and the port. For what a neighbour of the same address is not to use up. A flood to somebody's
/// session from elsewhere comes so far; two places of IPv4 never have the same.
ALWAYS_INLINE uint64_t place_hash(const struct peer *peer, const struct hash_secret *secret)
{
	if (peer->high == 0 && (uint32_t)peer->low == (uint32_t)IPV4_MAPPED)
		return odd(secret->address[3]) * ((peer->low - IPV4_MAPPED) | peer->channel) + secret->addend;
	return multiply_fold(multiply_fold(peer->high ^ secret->address[1], peer->low ^ secret->address[2]) ^
				     secret->address[3],
			     peer->channel ^ secret->channel);
}

/// Of a number that is no address, for a limit of its own beside those by address: the two meet as seldom as networks of IPv6.
ALWAYS_INLINE uint64_t number_hash(uint32_t number, const struct hash_secret *secret)
{
	return multiply_fold(multiply_fold(number ^ secret->address[1], odd(secret->address[2])) ^ secret->channel,
			     odd(secret->address[3]));
}

/// Map a hash to 0 … n-1 by its high bits, without a division (Lemire, 2016).
ALWAYS_INLINE uint32_t hash_to_range(uint64_t hash, uint32_t n)
{
	return (uint32_t)(((hash >> 32) * n) >> 32);
}

#endif
