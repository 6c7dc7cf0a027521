// SPDX-License-Identifier: BSD-3-Clause
// net/identity.h: who we are on one port, and which UDP ports are ours.
//
// Written when the port is opened, read by every worker afterwards.

#ifndef POLLGATE_NET_IDENTITY_H
#define POLLGATE_NET_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "net/headers.h"
#include "pollgate.h"

#define LISTENER_NONE 0xff

/// Which listener serves a UDP port. One byte per port, so a look-up is one load.
struct listeners {
	uint8_t by_port[UINT16_MAX + 1]; // index: destination port as received (network order)
};

struct identity4 {
	be32 address;
	be32 broadcast; // directed broadcast of the prefix; 0 when it has none (RFC 3021)
};

struct identity {
	// per packet
	uint8_t mac[MAC_LEN];
	uint8_t v4_count;
	uint8_t v6_count;
	struct identity4 v4[PG_ADDRESSES_MAX];
	uint8_t v6[PG_ADDRESSES_MAX][16];
};

void listeners_init(struct listeners *listeners, const uint16_t *udp_port, unsigned count);

/// Addresses as planned; the MAC is the port's to fill in.
void identity_init(struct identity *identity, const struct pg_address *address, unsigned count);

/// Solicited-node multicast address of an IPv6 address (RFC 4291 2.7.1), and the MAC that carries it.
void solicited_node(const uint8_t *address, uint8_t *group);
void multicast_mac6(const uint8_t *group, uint8_t *mac);

ALWAYS_INLINE bool identity_owns4(const struct identity *id, be32 address)
{
	for (unsigned i = 0; i < id->v4_count; i++)
		if (id->v4[i].address == address)
			return true;
	return false;
}

ALWAYS_INLINE bool identity_owns6(const struct identity *id, const uint8_t *address)
{
	for (unsigned i = 0; i < id->v6_count; i++)
		if (in6_equal(id->v6[i], address))
			return true;
	return false;
}

#endif
