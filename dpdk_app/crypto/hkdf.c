// SPDX-License-Identifier: BSD-3-Clause
// crypto/hkdf.c: see hkdf.h. libsodium has HKDF itself from 1.0.19 on; Debian 12 has 1.0.18.

#include "crypto/hkdf.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

static_assert(HASH_LEN == crypto_auth_hmacsha256_BYTES, "SHA-256");

void hmac_sha256(uint8_t out[HASH_LEN], struct byte_range key, struct byte_range message)
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key.at, key.length);
	crypto_auth_hmacsha256_update(&state, message.at, message.length);
	crypto_auth_hmacsha256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}

void hkdf_extract(uint8_t prk[HASH_LEN], struct byte_range salt, struct byte_range ikm)
{
	hmac_sha256(prk, salt, ikm);
}

/// T(n) = HMAC(prk, T(n − 1) ‖ info ‖ n)
static void next_block(uint8_t block[HASH_LEN], size_t before, const uint8_t prk[HASH_LEN], struct byte_range info,
		       uint8_t n)
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, prk, HASH_LEN);
	crypto_auth_hmacsha256_update(&state, block, before);
	crypto_auth_hmacsha256_update(&state, info.at, info.length);
	crypto_auth_hmacsha256_update(&state, &n, 1);
	crypto_auth_hmacsha256_final(&state, block);
	sodium_memzero(&state, sizeof(state));
}

void hkdf_expand(uint8_t *okm, size_t length, const uint8_t prk[HASH_LEN], struct byte_range info)
{
	uint8_t block[HASH_LEN];
	size_t before = 0; // T(0) is empty

	assert(length <= 255 * (size_t)HASH_LEN);
	for (uint8_t n = 1; length > 0; n++) {
		const size_t bytes = length < HASH_LEN ? length : HASH_LEN;

		next_block(block, before, prk, info, n);
		memcpy(okm, block, bytes);
		okm += bytes;
		length -= bytes;
		before = HASH_LEN;
	}
	sodium_memzero(block, sizeof(block));
}
