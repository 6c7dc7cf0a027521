// SPDX-License-Identifier: BSD-3-Clause
// net/return_headers.h: how a frame that we send on our own reaches a peer: the headers of a frame of the peer's,
// turned round.
//
// No neighbour is ever asked and no routing table asked: what brought a proved datagram here leads back.

#ifndef POLLGATE_NET_RETURN_HEADERS_H
#define POLLGATE_NET_RETURN_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/identity.h"
#include "net/parse.h"

/// Ethernet, two tags, IPv6, UDP.
#define RETURN_HEADERS_MAX                                                                           \
	(sizeof(struct ethernet_header) + 2 * sizeof(struct vlan_tag) + sizeof(struct ipv6_header) + \
	 sizeof(struct udp_header))

/// One way to one address. All zero: none.
struct path {
	struct peer peer;
	uint8_t length; // of headers; 0: not known
	uint8_t l3, l4; // where the network and transport headers lie
	uint8_t layer;  // enum network_layer
	uint8_t port;   // the ingress that it was learned at
	uint8_t headers[RETURN_HEADERS_MAX];
};

/// A session's. Where it was before is remembered, so that who is replaced can be told.
struct return_headers {
	struct path current CACHE_ALIGNED;
	struct path previous CACHE_ALIGNED;
};

ALWAYS_INLINE void return_headers_bring(const struct return_headers *return_headers)
{
	prefetch(&return_headers->current);
	prefetch((const char *)&return_headers->current + CACHE_LINE);
}

/// Learn the way back from a frame of a proved peer. Its payload may be written over already, its headers may not.
/// @param port  as egress is to name it
void return_headers_learn(struct return_headers *return_headers, const uint8_t *frame, const struct packet *p,
			  const struct identity *id, uint8_t port);

/// @return the path to this peer, or NULL
const struct path *return_headers_to(const struct return_headers *return_headers, const struct peer *peer);

/// Write the headers of a datagram, whose payload lies behind them already; DF is set, all checksums are right.
/// @return bytes of the frame
uint16_t return_headers_write(const struct path *path, uint8_t *frame, uint16_t payload_len);

#endif
