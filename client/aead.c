// SPDX-License-Identifier: BSD-3-Clause
// aead.c: see aead.h.

#include "aead.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#define NONCE_LEN (AEAD_SALT_LEN + sizeof(uint64_t))

struct aead {
	EVP_CIPHER_CTX *context;
	uint8_t salt[AEAD_SALT_LEN];
};

struct aead *aead_new(void)
{
	struct aead *aead = calloc(1, sizeof(*aead));

	if (!aead)
		return NULL;
	aead->context = EVP_CIPHER_CTX_new();
	if (!aead->context) {
		free(aead);
		return NULL;
	}
	return aead;
}

void aead_free(struct aead *aead)
{
	if (!aead)
		return;
	EVP_CIPHER_CTX_free(aead->context); // wipes it
	free(aead);
}

bool aead_set_key(struct aead *aead, const uint8_t key[AEAD_KEY_LEN], const uint8_t salt[AEAD_SALT_LEN], bool seal)
{
	memcpy(aead->salt, salt, sizeof(aead->salt));
	return EVP_CipherInit_ex(aead->context, EVP_aes_128_gcm(), NULL, key, NULL, seal) == 1;
}

/// Begin a packet: its nonce, and what is authenticated only.
static bool begin(struct aead *aead, uint64_t counter, const uint8_t *packet, size_t clear)
{
	uint8_t nonce[NONCE_LEN];
	int length;

	memcpy(nonce, aead->salt, AEAD_SALT_LEN);
	memcpy(nonce + AEAD_SALT_LEN, &counter, sizeof(counter));
	return EVP_CipherInit_ex(aead->context, NULL, NULL, NULL, nonce, -1) == 1 &&
	       EVP_CipherUpdate(aead->context, NULL, &length, packet, (int)clear) == 1;
}

bool aead_open(struct aead *aead, uint64_t counter, const uint8_t *packet, size_t clear, size_t length, uint8_t *out)
{
	const size_t sealed = length - clear - AEAD_TAG_LEN;
	uint8_t tag[AEAD_TAG_LEN];
	int written;

	memcpy(out, packet, clear);
	memcpy(tag, packet + length - AEAD_TAG_LEN, sizeof(tag));
	return begin(aead, counter, packet, clear) &&
	       (sealed == 0 ||
		EVP_CipherUpdate(aead->context, out + clear, &written, packet + clear, (int)sealed) == 1) &&
	       EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_GCM_SET_TAG, sizeof(tag), tag) == 1 &&
	       EVP_CipherFinal_ex(aead->context, out + clear + sealed, &written) == 1;
}

bool aead_seal(struct aead *aead, uint64_t counter, uint8_t *packet, size_t clear, size_t length)
{
	const size_t sealed = length - clear - AEAD_TAG_LEN;
	uint8_t *const tag = packet + length - AEAD_TAG_LEN;
	int written;

	return begin(aead, counter, packet, clear) &&
	       (sealed == 0 ||
		EVP_CipherUpdate(aead->context, packet + clear, &written, packet + clear, (int)sealed) == 1) &&
	       EVP_CipherFinal_ex(aead->context, tag, &written) == 1 &&
	       EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_GCM_GET_TAG, AEAD_TAG_LEN, tag) == 1;
}
