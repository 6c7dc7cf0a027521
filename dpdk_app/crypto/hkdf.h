// SPDX-License-Identifier: BSD-3-Clause
// crypto/hkdf.h: HMAC-SHA-256 (RFC 2104, FIPS 180-4) and HKDF of it (RFC 5869). By libsodium; off the fast path.
//
// What every standard library of a game's language has. Pure functions of their arguments.

#ifndef POLLGATE_CRYPTO_HKDF_H
#define POLLGATE_CRYPTO_HKDF_H

#include <stddef.h>
#include <stdint.h>

#define HASH_LEN 32

/// Bytes where they lie: the caller's, at least as long as the call.
struct byte_range {
	const uint8_t *at;
	size_t length;
};

void hmac_sha256(uint8_t out[HASH_LEN], struct byte_range key, struct byte_range message);

/// RFC 5869 2.2.
void hkdf_extract(uint8_t prk[HASH_LEN], struct byte_range salt, struct byte_range ikm);

/// RFC 5869 2.3.
/// @param length  of okm, at most 255 hashes
void hkdf_expand(uint8_t *okm, size_t length, const uint8_t prk[HASH_LEN], struct byte_range info);

#endif
