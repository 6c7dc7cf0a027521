// SPDX-License-Identifier: BSD-3-Clause
// crypto/secrets.h: what only the gateway can make: cookies, tokens, keys that nobody has, and random bytes. By libsodium; off
// the fast path.
//
// Pure functions of their arguments, but for random_draw(). All come from one secret that the state keeps, so that the
// worker process after a crash makes the same.

#ifndef POLLGATE_CRYPTO_SECRETS_H
#define POLLGATE_CRYPTO_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/keys.h"
#include "net/peer.h"
#include "wire/session.h"

#define GATEWAY_SECRET_LEN 32 // random, and as old as the session state

/// One part for each purpose, so that what is made for one says nothing of another.
struct gateway_secret {
	uint8_t cookie[16], cookie_time[16], path[16], decoy[16], mark[16];
	uint8_t connection[HASH_LEN];
};

void gateway_secret_init(struct gateway_secret *out, const uint8_t secret[GATEWAY_SECRET_LEN]);

// ---------------------------------------------------------------- an address is proved

/// What a cookie is bound to, beside its time.
struct cookie_for {
	const struct peer *peer;
	uint32_t session;
	const uint8_t *client_nonce;
};

/// @param time  of the gateway's own clock; lies in the cookie, but nobody else can read it
void cookie_make(uint8_t cookie[SESSION_COOKIE_LEN], const struct gateway_secret *secret, struct cookie_for whom,
		 uint64_t time);

/// @param time  out: when it was made, if it is ours
/// @return false: it is not ours, or for somebody else
bool cookie_check(const uint8_t cookie[SESSION_COOKIE_LEN], const struct gateway_secret *secret, struct cookie_for whom,
		  uint64_t *time);

/// The token of a PATH_CHALLENGE: only a host that receives what is sent to `peer` can know it. Only its time is kept.
/// @param connection  which one of the session
void path_token(uint8_t token[SESSION_PATH_TOKEN_LEN], const struct gateway_secret *secret, const struct peer *peer,
		uint32_t session, uint32_t connection, uint64_t time_ms);

// ---------------------------------------------------------------- a connection

/// Nobody has it: what the CHALLENGE for a number is proved with that no key was issued for.
void decoy_key(uint8_t key[SESSION_KEY_LEN], const struct gateway_secret *secret, uint32_t session);

/// What tells a CONFIRM from another with the same cookie.
uint32_t confirm_mark(const struct gateway_secret *secret, const struct session_confirm *confirm);

/// What tells a connection from all others: nobody can foretell it, and nothing of it is kept.
struct connection_marks {
	uint8_t server_nonce[SESSION_NONCE_LEN];
	uint8_t reset_token[SESSION_RESET_TOKEN_LEN];
};
static_assert(sizeof(struct connection_marks) == HASH_LEN, "one hash");

/// @param key         as issued, so that a number which is issued again has other connections
/// @param connection  which one of the session
void connection_marks(struct connection_marks *out, const struct gateway_secret *secret,
		      const uint8_t key[SESSION_KEY_LEN], uint32_t session, uint32_t connection);

// ---------------------------------------------------------------- random bytes

/// Unpredictable random bytes without a system call each time: ChaCha20 from a seed of the kernel, which every draw replaces.
/// So whoever reads this memory later does not find what was drawn before.
struct random_source {
	uint8_t seed[32];
};
bool random_source_init(struct random_source *source);
void random_draw(struct random_source *source, uint8_t *out, size_t length);

#endif
