// SPDX-License-Identifier: BSD-3-Clause
// net/peer.h: the address that a datagram came from, as one key for every kind of lookup.

#ifndef POLLGATE_NET_PEER_H
#define POLLGATE_NET_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "net/headers.h"

struct peer {
	uint8_t address[16]; // IPv6, or an IPv4 address mapped into it (RFC 4291 2.5.5.2)
	be16 port;
	uint8_t listener; // the same address may play on two of our ports
	uint8_t zero;
};
static_assert(sizeof(struct peer) == 20, "compared as two words and a half");

/// Mapped addresses cannot arrive over IPv6: the parser refuses them, so no IPv6 peer poses as an IPv4 one.
ALWAYS_INLINE void peer_set4(struct peer *peer, be32 address)
{
	const uint64_t high = 0;
	const uint64_t low = 0xffff0000ULL | (uint64_t)address << 32;

	memcpy(peer->address, &high, sizeof(high));
	memcpy(peer->address + 8, &low, sizeof(low));
}

ALWAYS_INLINE bool peer_equal(const struct peer *a, const struct peer *b)
{
	uint64_t x[2], y[2];
	uint32_t u, v;

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	memcpy(&u, &a->port, sizeof(u));
	memcpy(&v, &b->port, sizeof(v));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (u ^ v)) == 0;
}

#endif
