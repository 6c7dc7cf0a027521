// SPDX-License-Identifier: BSD-3-Clause
// crypto/secrets.h: what is derived from an issued key, and what proves a handshake. By libsodium; off the fast path.
//
// Pure functions of their arguments: wire/PROTOCOL.md, "Handshake" and "Keys".

#ifndef POLLGATE_CRYPTO_SECRETS_H
#define POLLGATE_CRYPTO_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/cipher.h"
#include "net/peer.h"
#include "wire/session.h"

/// Both directions' keys of one connection, as the gateway or the client has them.
struct traffic_secrets {
	uint8_t to_gateway[CIPHER_KEY_LEN], to_client[CIPHER_KEY_LEN];
	uint8_t to_gateway_salt[CIPHER_SALT_LEN], to_client_salt[CIPHER_SALT_LEN];
};

void traffic_secrets_derive(struct traffic_secrets *out, const uint8_t key[SESSION_KEY_LEN], uint32_t session,
			    const uint8_t client_nonce[SESSION_NONCE_LEN],
			    const uint8_t server_nonce[SESSION_NONCE_LEN]);

void traffic_secrets_forget(struct traffic_secrets *secrets);

/// The proof at the end of a datagram of `length` bytes, proof included. A player proves to have the key by a CONFIRM,
/// the gateway by a DENIED.
enum proof { PROOF_OF_CONFIRM, PROOF_OF_DENIED };
void proof_write(enum proof what, const uint8_t key[SESSION_KEY_LEN], uint8_t *datagram, size_t length);
bool proof_is_right(enum proof what, const uint8_t key[SESSION_KEY_LEN], const uint8_t *datagram, size_t length);

/// Overwrite the secrets, so that none is left on the stack.
void secrets_forget(void *secret, size_t length);

/// Compare in constant time.
bool secrets_equal(const uint8_t *a, const uint8_t *b, size_t length);

/// What a cookie is bound to. The secret is the appliance's, random, and as old as its session state.
struct cookie_secret {
	uint8_t bytes[16];
};

#define COOKIE_LIFE_MS 4000

/// @param time_ms  of the gateway's own clock; lies in the cookie
void cookie_make(uint8_t cookie[SESSION_COOKIE_LEN], const struct cookie_secret *secret, const struct peer *peer,
		 uint32_t session, const uint8_t client_nonce[SESSION_NONCE_LEN], uint64_t time_ms);

enum cookie_verdict { COOKIE_GOOD, COOKIE_FORGED, COOKIE_OLD };

/// @param time_ms  in: now; out: when the cookie was made, if it is good
enum cookie_verdict cookie_check(const uint8_t cookie[SESSION_COOKIE_LEN], const struct cookie_secret *secret,
				 const struct peer *peer, uint32_t session,
				 const uint8_t client_nonce[SESSION_NONCE_LEN], uint64_t *time_ms);

/// The token of a PATH_CHALLENGE: only a host that receives what is sent to `peer` can know it. Only its time is kept.
void path_token(uint8_t token[SESSION_PATH_TOKEN_LEN], const struct cookie_secret *secret, const struct peer *peer,
		uint32_t session, const uint8_t server_nonce[SESSION_NONCE_LEN], uint64_t time_ms);

/// Unpredictable random bytes without a system call each time: ChaCha20 from a seed of the kernel.
struct random_source {
	uint8_t seed[32];
	uint64_t drawn;
};
bool random_source_init(struct random_source *source);
void random_draw(struct random_source *source, uint8_t *out, size_t length);

#endif
