// SPDX-License-Identifier: BSD-3-Clause
// crypto/exchange.c: see exchange.h.

#include "crypto/exchange.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

static_assert(EXCHANGE_LEN == crypto_scalarmult_curve25519_BYTES, "X25519");
static_assert(EXCHANGE_LEN == crypto_scalarmult_curve25519_SCALARBYTES, "and its secret");

void exchange_begin(struct exchange_key *key, const uint8_t secret[EXCHANGE_LEN])
{
	memcpy(key->secret, secret, EXCHANGE_LEN);
	(void)crypto_scalarmult_curve25519_base(key->share, key->secret); // of the base point never zeros
}

bool exchange_agree(uint8_t agreed[EXCHANGE_LEN], const struct exchange_key *ours, const uint8_t share[EXCHANGE_LEN])
{
	memset(agreed, 0, EXCHANGE_LEN); // libsodium may leave it alone when it refuses
	return crypto_scalarmult_curve25519(agreed, ours->secret, share) == 0;
}

void exchange_forget(struct exchange_key *key)
{
	sodium_memzero(key, sizeof(*key));
}
