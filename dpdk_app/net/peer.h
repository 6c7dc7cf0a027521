// SPDX-License-Identifier: BSD-3-Clause
// net/peer.h: the address that a datagram came from, as one key for every kind of lookup.

#ifndef POLLGATE_NET_PEER_H
#define POLLGATE_NET_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "net/headers.h"

/// Words rather than arrays, so that the compiler keeps a peer in registers. Aligned like a packet's fields.
struct peer {
	uint64_t high; // IPv6 as received, or an IPv4 address mapped into it (RFC 4291 2.5.5.2)
	uint64_t low;
	uint32_t channel; // the peer's port (network order) and our listener: one address may play on two of our ports
} __attribute__((packed, aligned(4)));
static_assert(sizeof(struct peer) == 20, "part of a session's one line");

#define IPV4_MAPPED 0xffff0000ULL // bytes 8 to 11 of ::ffff:0:0, as loaded

/// Mapped addresses cannot arrive over IPv6: the parser refuses them, so no IPv6 peer poses as an IPv4 one.
ALWAYS_INLINE void peer_set4(struct peer *peer, be32 address)
{
	peer->high = 0;
	peer->low = IPV4_MAPPED | (uint64_t)address << 32;
}

ALWAYS_INLINE void peer_set6(struct peer *peer, const uint8_t *address)
{
	peer->high = load64(address);
	peer->low = load64(address + 8);
}

ALWAYS_INLINE void peer_set_channel(struct peer *peer, be16 port, uint8_t listener)
{
	peer->channel = port | (uint32_t)listener << 16;
}

ALWAYS_INLINE be16 peer_port(const struct peer *peer)
{
	return (be16)peer->channel;
}

ALWAYS_INLINE uint8_t peer_listener(const struct peer *peer)
{
	return (uint8_t)(peer->channel >> 16);
}

ALWAYS_INLINE bool peer_equal(const struct peer *a, const struct peer *b)
{
	return ((a->high ^ b->high) | (a->low ^ b->low) | (a->channel ^ b->channel)) == 0;
}

#endif
