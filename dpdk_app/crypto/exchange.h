// SPDX-License-Identifier: BSD-3-Clause
// crypto/exchange.h: X25519 (RFC 7748), so that a ticket which leaks later opens nothing that was recorded. By libsodium; off
// the fast path.

#ifndef POLLGATE_CRYPTO_EXCHANGE_H
#define POLLGATE_CRYPTO_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#define EXCHANGE_LEN 32

/// One end's key for a while. Whoever forgets it can derive nothing again that was agreed with it.
struct exchange_key {
	uint8_t secret[EXCHANGE_LEN], share[EXCHANGE_LEN]; // the share is public
};

/// @param secret  random bytes, nobody else's
void exchange_begin(struct exchange_key *key, const uint8_t secret[EXCHANGE_LEN]);

/// What both ends know then and nobody else.
/// @param  agreed  written in any case
/// @return false: zeros, whatever our secret is (RFC 7748 6.1): the peer's share is of a small group
bool exchange_agree(uint8_t agreed[EXCHANGE_LEN], const struct exchange_key *ours, const uint8_t share[EXCHANGE_LEN]);

void exchange_forget(struct exchange_key *key);

#endif
