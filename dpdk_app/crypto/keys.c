// SPDX-License-Identifier: BSD-3-Clause
// crypto/keys.c: see keys.h.

#include "crypto/keys.h"

#include <string.h>

#include <sodium.h>

#define TRANSCRIPT_LABEL "pollgate 2"
#define TRAFFIC_LABEL "pollgate keys"
#define UPDATE_LABEL "pollgate update"

static struct byte_range text(const char *characters)
{
	return (struct byte_range){(const uint8_t *)characters, strlen(characters)};
}

// ---------------------------------------------------------------- a connection's secrets

static void transcript_hash(uint8_t hash[HASH_LEN], const struct transcript *transcript)
{
	struct {
		uint8_t label[sizeof(TRANSCRIPT_LABEL) - 1];
		struct transcript transcript;
	} PACKED bytes = {.transcript = *transcript};

	memcpy(bytes.label, TRANSCRIPT_LABEL, sizeof(bytes.label));
	crypto_hash_sha256(hash, (const uint8_t *)&bytes, sizeof(bytes));
}

void connection_secret(uint8_t secret[HASH_LEN], const uint8_t key[SESSION_KEY_LEN], const uint8_t agreed[EXCHANGE_LEN],
		       const struct transcript *transcript)
{
	uint8_t hash[HASH_LEN], both[SESSION_KEY_LEN + EXCHANGE_LEN];

	transcript_hash(hash, transcript);
	memcpy(both, key, SESSION_KEY_LEN);
	memcpy(both + SESSION_KEY_LEN, agreed, EXCHANGE_LEN);
	hkdf_extract(secret, (struct byte_range){hash, sizeof(hash)}, (struct byte_range){both, sizeof(both)});
	sodium_memzero(both, sizeof(both));
}

void traffic_keys_derive(struct traffic_keys *out, const uint8_t secret[HASH_LEN])
{
	hkdf_expand((uint8_t *)out, sizeof(*out), secret, text(TRAFFIC_LABEL));
}

void next_secret(uint8_t next[HASH_LEN], const uint8_t secret[HASH_LEN])
{
	uint8_t expanded[HASH_LEN];

	hkdf_expand(expanded, sizeof(expanded), secret, text(UPDATE_LABEL));
	memcpy(next, expanded, sizeof(expanded));
	sodium_memzero(expanded, sizeof(expanded));
}

// ---------------------------------------------------------------- proofs

/// By what it is the proof of. None is the beginning of another with a datagram's kind behind it.
static const char *const labels[] = {
	[PROOF_OF_CHALLENGE] = "pollgate challenge",
	[PROOF_OF_CONFIRM] = "pollgate confirm",
	[PROOF_OF_DENIED] = "pollgate denied",
};

/// HMAC of label and of everything before the proof, cut.
static void proof_of(uint8_t proof[SESSION_TAG_LEN], enum proof what, const uint8_t key[SESSION_KEY_LEN],
		     const uint8_t *datagram, size_t length)
{
	const struct byte_range label = text(labels[what]);
	crypto_auth_hmacsha256_state state;
	uint8_t whole[HASH_LEN];

	crypto_auth_hmacsha256_init(&state, key, SESSION_KEY_LEN);
	crypto_auth_hmacsha256_update(&state, label.at, label.length);
	crypto_auth_hmacsha256_update(&state, datagram, length - SESSION_TAG_LEN);
	crypto_auth_hmacsha256_final(&state, whole);
	memcpy(proof, whole, SESSION_TAG_LEN);
	sodium_memzero(&state, sizeof(state));
	sodium_memzero(whole, sizeof(whole));
}

void proof_write(enum proof what, const uint8_t key[SESSION_KEY_LEN], uint8_t *datagram, size_t length)
{
	proof_of(datagram + length - SESSION_TAG_LEN, what, key, datagram, length);
}

bool proof_is_right(enum proof what, const uint8_t key[SESSION_KEY_LEN], const uint8_t *datagram, size_t length)
{
	uint8_t proof[SESSION_TAG_LEN];

	proof_of(proof, what, key, datagram, length);
	return secrets_equal(proof, datagram + length - SESSION_TAG_LEN, SESSION_TAG_LEN);
}

// ---------------------------------------------------------------- with care

void secrets_forget(void *secret, size_t length)
{
	sodium_memzero(secret, length);
}

bool secrets_equal(const uint8_t *a, const uint8_t *b, size_t length)
{
	return sodium_memcmp(a, b, length) == 0;
}
