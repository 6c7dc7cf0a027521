// SPDX-License-Identifier: BSD-3-Clause
// net/route.h: how a frame that we send on our own reaches a peer: the headers of a frame of the peer's, turned round.
//
// No neighbour is ever asked and no route looked up: what brought a proved datagram here leads back.

#ifndef POLLGATE_NET_ROUTE_H
#define POLLGATE_NET_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/identity.h"
#include "net/parse.h"

/// Ethernet, two tags, IPv6, UDP.
#define ROUTE_HEADERS                                                                                \
	(sizeof(struct ethernet_header) + 2 * sizeof(struct vlan_tag) + sizeof(struct ipv6_header) + \
	 sizeof(struct udp_header))

/// One way to one address. All zero: none.
struct path {
	struct peer peer;
	uint8_t length; // of headers; 0: not known
	uint8_t l3, l4; // where the network and transport headers lie
	uint8_t layer;  // enum network_layer
	uint8_t port;   // the gate that it was learned at
	uint8_t headers[ROUTE_HEADERS];
};

/// A session's. Where it was before is remembered, so that who is replaced can be told.
struct route {
	struct path current CACHE_ALIGNED;
	struct path previous CACHE_ALIGNED;
};

/// Learn the way back from a frame of a proved peer. Its payload may be written over already, its headers may not.
/// @param port  as egress is to name it
void route_learn(struct route *route, const uint8_t *frame, const struct packet *p, const struct identity *id,
		 uint8_t port);

/// @return the path to this peer, or NULL
const struct path *route_to(const struct route *route, const struct peer *peer);

/// Write the headers of a datagram, whose payload lies behind them already; DF is set, all checksums are right.
/// @return bytes of the frame
uint16_t route_write(const struct path *path, uint8_t *frame, uint16_t payload_len);

#endif
