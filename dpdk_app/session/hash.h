// SPDX-License-Identifier: BSD-3-Clause
// session/hash.h: a keyed hash of a peer, cheap enough for every packet.
//
// Keyed, because addresses are the players' to choose: with a fixed hash a few hosts could fill one bucket.
// Multiply-and-fold of the key's words with secret words (the step of wyhash and of Linux's rhashtable users).

#ifndef POLLGATE_SESSION_HASH_H
#define POLLGATE_SESSION_HASH_H

#include <stdint.h>

#include "compiler.h"
#include "net/peer.h"

/// Random per worker process; indexes are rebuilt at start, so it need not be kept.
struct hash_secret {
	uint64_t word[4];
};

#ifdef __BMI2__
/// As an integer of 128 bits, GCC 12 takes both halves through memory: a wait in each of the loop's products.
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

/// Of the address, or of the first half of one: what the hashes below begin with.
ALWAYS_INLINE uint64_t address_hash(uint64_t high, uint64_t low, const struct hash_secret *secret)
{
	return multiply_fold(high ^ secret->word[0], low ^ secret->word[1]);
}

ALWAYS_INLINE uint64_t peer_hash(const struct peer *peer, const struct hash_secret *secret)
{
	return multiply_fold(address_hash(peer->high, peer->low, secret) ^ secret->word[2],
			     peer->channel ^ secret->word[3]);
}

/// The hash without the port: what a limit by source address is keyed by. IPv6 counts by /64 (one subscriber),
/// IPv4 by address; a listener has limits of its own. Where both hashes of an IPv4 peer are wanted, half of the work is
/// common to them.
ALWAYS_INLINE uint64_t source_hash(const struct peer *peer, const struct hash_secret *secret)
{
	const uint64_t low = peer->high != 0 ? 0 : peer->low;

	return multiply_fold(address_hash(peer->high, low, secret) ^ secret->word[3],
			     peer_listener(peer) ^ secret->word[2]);
}

/// Map a hash to 0 … n-1 by its high bits, without a division (Lemire, 2016).
ALWAYS_INLINE uint32_t hash_to_range(uint64_t hash, uint32_t n)
{
	return (uint32_t)(((hash >> 32) * n) >> 32);
}

#endif
