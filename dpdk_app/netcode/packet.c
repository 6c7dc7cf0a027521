// SPDX-License-Identifier: BSD-3-Clause
// netcode/packet.c: see packet.h.

#include "netcode/packet.h"

#include <string.h>

#include <sodium.h>

#define KIND_MASK 0x0f
#define SEQUENCE_SHIFT 4

void netcode_nonce(uint8_t nonce[NETCODE_NONCE_LEN], uint64_t sequence)
{
	memset(nonce, 0, NETCODE_NONCE_LEN - sizeof(sequence));
	memcpy(nonce + NETCODE_NONCE_LEN - sizeof(sequence), &sequence, sizeof(sequence));
}

static struct netcode_packet_context context_of(uint64_t protocol_id, uint8_t prefix)
{
	struct netcode_packet_context context = {.protocol_id = protocol_id, .prefix = prefix};

	memcpy(context.version, NETCODE_VERSION_TEXT, NETCODE_VERSION_LEN);
	return context;
}

/// Kinds of which a client sends sealed packets.
static bool is_a_clients(uint8_t kind)
{
	return kind == NETCODE_RESPONSE || kind == NETCODE_KEEP_ALIVE || kind == NETCODE_PAYLOAD ||
	       kind == NETCODE_DISCONNECT;
}

enum pg_drop netcode_header_read(struct netcode_header *out, const uint8_t *packet, uint16_t length)
{
	unsigned bytes;

	if (length < NETCODE_PACKET_MIN)
		return PG_DROP_NETCODE_HEADER;
	bytes = packet[0] >> SEQUENCE_SHIFT;
	*out = (struct netcode_header){.kind = packet[0] & KIND_MASK, .prefix = packet[0]};
	if (!is_a_clients(out->kind) || bytes < 1 || bytes > NETCODE_SEQUENCE_MAX)
		return PG_DROP_NETCODE_HEADER;
	out->head = (uint16_t)(1 + bytes);
	if (length < out->head + NETCODE_TAG_LEN)
		return PG_DROP_NETCODE_HEADER;
	memcpy(&out->sequence, packet + 1, bytes);
	out->length = (uint16_t)(length - out->head - NETCODE_TAG_LEN);
	return PG_DROP_NONE;
}

bool netcode_length_fits(enum netcode_kind kind, uint16_t length)
{
	switch (kind) {
	case NETCODE_RESPONSE:
		return length == sizeof(struct netcode_challenge);
	case NETCODE_KEEP_ALIVE:
		return length == sizeof(struct netcode_keep_alive);
	case NETCODE_PAYLOAD:
		return length >= 1 && length <= NETCODE_PAYLOAD_MAX;
	case NETCODE_DISCONNECT:
		return length == 0;
	default:
		return false;
	}
}

bool netcode_open(uint8_t *body, const uint8_t *packet, const struct netcode_header *header, uint64_t protocol_id,
		  const uint8_t key[NETCODE_KEY_LEN])
{
	const struct netcode_packet_context context = context_of(protocol_id, header->prefix);
	const uint8_t *sealed = packet + header->head;
	uint8_t nonce[NETCODE_NONCE_LEN];

	netcode_nonce(nonce, header->sequence);
	return crypto_aead_chacha20poly1305_ietf_decrypt_detached(body, NULL, sealed, header->length,
								  sealed + header->length, (const uint8_t *)&context,
								  sizeof(context), nonce, key) == 0;
}

/// RFC 8439 2.8: block 0 makes the key of the tag, and what is sealed begins with block 1.
void netcode_unseal(uint8_t *body, const uint8_t *packet, const struct netcode_header *header,
		    const uint8_t key[NETCODE_KEY_LEN])
{
	uint8_t nonce[NETCODE_NONCE_LEN];

	netcode_nonce(nonce, header->sequence);
	crypto_stream_chacha20_ietf_xor_ic(body, packet + header->head, header->length, nonce, 1, key);
}

/// Bytes of a sequence without the zeros above them; at least one.
static unsigned sequence_bytes(uint64_t sequence)
{
	return (64U + 7U - (unsigned)__builtin_clzll(sequence | 1)) / 8;
}

uint16_t netcode_seal(uint8_t *out, enum netcode_kind kind, uint64_t sequence, const void *body, uint16_t length,
		      uint64_t protocol_id, const uint8_t key[NETCODE_KEY_LEN])
{
	const unsigned bytes = sequence_bytes(sequence);
	const uint8_t prefix = (uint8_t)(bytes << SEQUENCE_SHIFT | kind);
	const struct netcode_packet_context context = context_of(protocol_id, prefix);
	uint8_t nonce[NETCODE_NONCE_LEN], *sealed = out + 1 + bytes;

	netcode_nonce(nonce, sequence);
	out[0] = prefix;
	memcpy(out + 1, &sequence, bytes);
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(sealed, sealed + length, NULL, body, length,
							   (const uint8_t *)&context, sizeof(context), NULL, nonce,
							   key);
	return (uint16_t)(1 + bytes + length + NETCODE_TAG_LEN);
}
