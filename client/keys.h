// SPDX-License-Identifier: BSD-3-Clause
// keys.h: what a client derives from its issued key, by libsodium: wire/PROTOCOL.md, "Handshake" and "Keys".

#ifndef POLLGATE_CLIENT_KEYS_H
#define POLLGATE_CLIENT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aead.h"
#include "wire/session.h"

/// Both directions' keys of one connection.
struct traffic_keys {
	uint8_t to_gateway[AEAD_KEY_LEN], to_client[AEAD_KEY_LEN];
	uint8_t to_gateway_salt[AEAD_SALT_LEN], to_client_salt[AEAD_SALT_LEN];
};

void traffic_keys_derive(struct traffic_keys *out, const uint8_t key[SESSION_KEY_LEN], uint32_t session,
			 const uint8_t client_nonce[SESSION_NONCE_LEN], const uint8_t server_nonce[SESSION_NONCE_LEN]);

/// Write the proof at the end of a CONFIRM of `length` bytes, proof included.
void confirm_seal(const uint8_t key[SESSION_KEY_LEN], uint8_t *datagram, size_t length);

/// Did one who knows the key say this DENIED?
bool denied_is_proved(const uint8_t key[SESSION_KEY_LEN], const struct session_denied *denied);

#endif
