// SPDX-License-Identifier: BSD-3-Clause
// net/identity.h: who we are on one port, and which UDP ports are ours.
//
// Written when the port is opened, read by every worker afterwards.

#ifndef POLLGATE_NET_IDENTITY_H
#define POLLGATE_NET_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "net/fast_frame.h"
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

/// What nearly every frame looks like: eight bytes at a time under a mask, instead of a branch per field.
/// Words from the offsets common_offset[]: MAC and EtherType, version, fragment, protocol, destination, UDP port.
#define COMMON_WORDS 4
#define MAC_BITS 0xffffffffffffULL

struct common_frame {
	uint64_t word[COMMON_WORDS];
	uint64_t mask[COMMON_WORDS];
	uint64_t mac; // ours, in the low 48 bits
};

struct identity {
	// per packet
	struct common_frame common;
	struct fast_frame fast;
	uint8_t mac[MAC_LEN];
	uint8_t v4_count;
	uint8_t v6_count;
	struct identity4 v4[PG_ADDRESSES_MAX];
	uint8_t v6[PG_ADDRESSES_MAX][16];
};

void listeners_init(struct listeners *listeners, const uint16_t *udp_port, unsigned count);

/// Addresses as planned. Without an IPv4 address no frame is common.
void identity_init(struct identity *identity, const struct pg_address *address, unsigned count, uint16_t udp_port);

/// The first listener speaks the session profile: its fast frame is a DATA, not a PLAYER_MOVE.
void identity_expect_sealed(struct identity *identity);

/// The MAC may be known only when the device is.
void identity_set_mac(struct identity *identity, const uint8_t *mac);

/// Who they are, for those that are asked rarely.
/// @return index into v4 or v6, or IDENTITY_NONE
#define IDENTITY_NONE PG_ADDRESSES_MAX
unsigned identity_index4(const struct identity *identity, be32 address);
unsigned identity_index6(const struct identity *identity, const uint8_t *address);

extern const uint8_t all_nodes6[16]; // ff02::1

/// Solicited-node multicast address of an IPv6 address (RFC 4291 2.7.1), and the MAC that carries it.
void solicited_node(const uint8_t *address, uint8_t *group);
void multicast_mac6(const uint8_t *group, uint8_t *mac);

ALWAYS_INLINE bool common_match(const struct common_frame *common, const uint8_t *frame)
{
	static const uint8_t common_offset[COMMON_WORDS] = {0, 12, 20, 30};
	uint64_t differs = 0;

#pragma GCC unroll 4
	for (unsigned i = 0; i < COMMON_WORDS; i++) {
		uint64_t word;

		memcpy(&word, frame + common_offset[i], sizeof(word));
		differs |= (word ^ common->word[i]) & common->mask[i];
	}
	return differs == 0;
}

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
