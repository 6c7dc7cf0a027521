// SPDX-License-Identifier: BSD-3-Clause
// netcode/packet.h: sealed packets of netcode: what is in their header, and how they are opened and sealed.
//
// Pure functions of bytes and lengths: tested and fuzzed alone. Checks are in the order of the standard's "Reading
// Encrypted Packets".

#ifndef POLLGATE_NETCODE_PACKET_H
#define POLLGATE_NETCODE_PACKET_H

#include <stdbool.h>

#include "pollgate.h"
#include "wire/netcode.h"

#define NETCODE_NONCE_LEN 12

/// The header of a sealed packet.
struct netcode_header {
	uint64_t sequence;
	uint16_t head;   // bytes of it: prefix and sequence
	uint16_t length; // of the body, opened
	uint8_t kind;    // enum netcode_kind
	uint8_t prefix;
};

/// Take apart what is sealed: the sequence, and where the body lies.
/// @return PG_DROP_NETCODE_HEADER: it cannot be a packet that a client sends
enum pg_drop netcode_header_read(struct netcode_header *out, const uint8_t *packet, uint16_t length);

/// Is so long a body one of this kind? Asked of what is authentic.
bool netcode_length_fits(enum netcode_kind kind, uint16_t length);

/// Open a packet.
/// @param body  header->length bytes elsewhere, zeroed on failure; NULL: nobody wants it, whether it is authentic is asked
/// @return false: another key sealed it, or it was changed
bool netcode_open(uint8_t *body, const uint8_t *packet, const struct netcode_header *header, uint64_t protocol_id,
		  const uint8_t key[NETCODE_KEY_LEN]);

/// What is in a packet that netcode_open() found authentic.
/// @param body  header->length bytes elsewhere
void netcode_unseal(uint8_t *body, const uint8_t *packet, const struct netcode_header *header,
		    const uint8_t key[NETCODE_KEY_LEN]);

/// Seal a packet.
/// @param out       NETCODE_OVERHEAD_MAX bytes and the body, which lies elsewhere
/// @param sequence  never used before with this key
/// @return its bytes
uint16_t netcode_seal(uint8_t *out, enum netcode_kind kind, uint64_t sequence, const void *body, uint16_t length,
		      uint64_t protocol_id, const uint8_t key[NETCODE_KEY_LEN]);

/// Four zero bytes and the sequence.
void netcode_nonce(uint8_t nonce[NETCODE_NONCE_LEN], uint64_t sequence);

#endif
