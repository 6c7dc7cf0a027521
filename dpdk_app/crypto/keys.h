// SPDX-License-Identifier: BSD-3-Clause
// crypto/keys.h: what both ends derive from an issued key: the proofs of a handshake, the secret of a connection, and the
// traffic keys of a phase. By libsodium; off the fast path.
//
// Pure functions of their arguments: wire/PROTOCOL.md, "Handshake" and "Keys".

#ifndef POLLGATE_CRYPTO_KEYS_H
#define POLLGATE_CRYPTO_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/exchange.h"
#include "crypto/hkdf.h"
#include "wire/session.h"

#define TRAFFIC_KEY_LEN 16
#define TRAFFIC_SALT_LEN 4

/// Both directions' keys of one phase, as the derived bytes lie.
struct traffic_keys {
	uint8_t to_gateway[TRAFFIC_KEY_LEN], to_client[TRAFFIC_KEY_LEN];
	uint8_t to_gateway_salt[TRAFFIC_SALT_LEN], to_client_salt[TRAFFIC_SALT_LEN];
};
static_assert(sizeof(struct traffic_keys) == 40, "without padding");

/// What a connection was made from and everybody may know, in the order in which it is hashed.
struct transcript {
	uint32_t session; // as issued
	uint8_t client_nonce[SESSION_NONCE_LEN], server_nonce[SESSION_NONCE_LEN];
	uint8_t client_share[EXCHANGE_LEN], server_share[EXCHANGE_LEN];
} PACKED;

/// The secret of a connection's first phase. Who has it has all that follow; nobody finds it again from the issued key alone.
/// @param agreed  by exchange_agree()
void connection_secret(uint8_t secret[HASH_LEN], const uint8_t key[SESSION_KEY_LEN], const uint8_t agreed[EXCHANGE_LEN],
		       const struct transcript *transcript);

void traffic_keys_derive(struct traffic_keys *out, const uint8_t secret[HASH_LEN]);

/// The secret of the phase that follows. Nobody finds the one before from it.
/// @param next  may be `secret` itself
void next_secret(uint8_t next[HASH_LEN], const uint8_t secret[HASH_LEN]);

/// What a datagram that is not sealed ends in, or a CHALLENGE: its sender has the issued key.
enum proof { PROOF_OF_CHALLENGE, PROOF_OF_CONFIRM, PROOF_OF_DENIED };

/// @param length  of the datagram, its last bytes are the proof's
void proof_write(enum proof what, const uint8_t key[SESSION_KEY_LEN], uint8_t *datagram, size_t length);
bool proof_is_right(enum proof what, const uint8_t key[SESSION_KEY_LEN], const uint8_t *datagram, size_t length);

/// Overwrite secrets, so that none is left on the stack.
void secrets_forget(void *secret, size_t length);

/// Compare in constant time.
bool secrets_equal(const uint8_t *a, const uint8_t *b, size_t length);

#endif
