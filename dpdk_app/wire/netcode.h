// SPDX-License-Identifier: BSD-3-Clause
// wire/netcode.h: netcode 1.02 as it lies in a datagram and in a connect token: NETCODE.md in C.
//
// Little-endian. Structures are packed, so a payload is read through them without a copy.

#ifndef POLLGATE_WIRE_NETCODE_H
#define POLLGATE_WIRE_NETCODE_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define NETCODE_VERSION_LEN 13
#define NETCODE_VERSION_TEXT "NETCODE 1.02" // with the zero behind it

#define NETCODE_KEY_LEN 32
#define NETCODE_TAG_LEN 16
#define NETCODE_TOKEN_NONCE_LEN 24
#define NETCODE_USER_DATA_LEN 256
#define NETCODE_PRIVATE_LEN 1024 // of the private part, with its tag
#define NETCODE_TOKEN_LEN 2048   // of a whole connect token
#define NETCODE_CHALLENGE_LEN 300
#define NETCODE_SERVERS_MAX 32

#define NETCODE_PAYLOAD_MAX 1200
#define NETCODE_SEQUENCE_MAX 8

enum netcode_kind {
	NETCODE_REQUEST,
	NETCODE_DENIED,
	NETCODE_CHALLENGE,
	NETCODE_RESPONSE,
	NETCODE_KEEP_ALIVE,
	NETCODE_PAYLOAD,
	NETCODE_DISCONNECT,
	NETCODE_KINDS
};

enum netcode_address_type { NETCODE_IPV4 = 1, NETCODE_IPV6 = 2 };

struct netcode_request {
	uint8_t prefix; // 0
	uint8_t version[NETCODE_VERSION_LEN];
	uint64_t protocol_id;
	uint64_t expires_s; // Unix time
	uint8_t nonce[NETCODE_TOKEN_NONCE_LEN];
	uint8_t sealed[NETCODE_PRIVATE_LEN]; // ends with the tag, by which the token is known
} PACKED;
static_assert(sizeof(struct netcode_request) == 1078, "STANDARD.md, \"Packets\"");

/// What the private part of a connect token is sealed for.
struct netcode_token_context {
	uint8_t version[NETCODE_VERSION_LEN];
	uint64_t protocol_id;
	uint64_t expires_s;
} PACKED;

/// A connect token up to where its length varies.
struct netcode_token_head {
	uint8_t version[NETCODE_VERSION_LEN];
	uint64_t protocol_id;
	uint64_t created_s;
	uint64_t expires_s;
	uint8_t nonce[NETCODE_TOKEN_NONCE_LEN];
	uint8_t sealed[NETCODE_PRIVATE_LEN];
	int32_t timeout_s;
} PACKED;

/// The private part up to where its length varies.
struct netcode_private_head {
	uint64_t client_id;
	int32_t timeout_s; // negative: never
	uint32_t servers;
} PACKED;

/// What a packet is sealed for.
struct netcode_packet_context {
	uint8_t version[NETCODE_VERSION_LEN];
	uint64_t protocol_id;
	uint8_t prefix;
} PACKED;

/// A challenge or a response, opened.
struct netcode_challenge {
	uint64_t sequence;
	uint8_t sealed[NETCODE_CHALLENGE_LEN]; // of struct netcode_challenge_token
} PACKED;
static_assert(sizeof(struct netcode_challenge) == 308, "STANDARD.md, \"Packets\"");

struct netcode_challenge_token {
	uint64_t client_id;
	uint8_t user_data[NETCODE_USER_DATA_LEN];
	uint8_t padding[20];
} PACKED;
static_assert(sizeof(struct netcode_challenge_token) == NETCODE_CHALLENGE_LEN - NETCODE_TAG_LEN, "its tag follows");

struct netcode_keep_alive {
	uint32_t client_index;
	uint32_t max_clients;
} PACKED;

/// What a packet takes beside its body, at most.
#define NETCODE_OVERHEAD_MAX (1 + NETCODE_SEQUENCE_MAX + NETCODE_TAG_LEN)

/// Prefix, one byte of sequence, tag: what is shorter cannot be a packet.
#define NETCODE_PACKET_MIN (1 + 1 + NETCODE_TAG_LEN)

#endif
