// SPDX-License-Identifier: BSD-3-Clause
// crypto/secrets.c: BLAKE2b (RFC 7693) derives and proves, SipHash-2-4-128 makes cookies, ChaCha20 draws.

#include "crypto/secrets.h"

#include <string.h>
#include <sys/random.h>

#include <sodium.h>

#define LABEL_LEN 16
static const uint8_t label_traffic[] = "pollgate traffic", label_confirm[] = "pollgate confirm",
		     label_denied[] = "pollgate denied ";
static_assert(sizeof(label_traffic) == LABEL_LEN + 1 && sizeof(label_confirm) == LABEL_LEN + 1 &&
		      sizeof(label_denied) == LABEL_LEN + 1,
	      "PROTOCOL.md");

// ---------------------------------------------------------------- from the issued key

void traffic_secrets_derive(struct traffic_secrets *out, const uint8_t key[SESSION_KEY_LEN], uint32_t session,
			    const uint8_t client_nonce[SESSION_NONCE_LEN],
			    const uint8_t server_nonce[SESSION_NONCE_LEN])
{
	struct {
		uint8_t label[LABEL_LEN];
		uint32_t session;
		uint8_t client_nonce[SESSION_NONCE_LEN], server_nonce[SESSION_NONCE_LEN];
	} PACKED from = {.session = session};
	uint8_t okm[64];

	memcpy(from.label, label_traffic, LABEL_LEN);
	memcpy(from.client_nonce, client_nonce, SESSION_NONCE_LEN);
	memcpy(from.server_nonce, server_nonce, SESSION_NONCE_LEN);
	crypto_generichash(okm, sizeof(okm), (const uint8_t *)&from, sizeof(from), key, SESSION_KEY_LEN);
	memcpy(out->to_gateway, okm, CIPHER_KEY_LEN);
	memcpy(out->to_client, okm + 16, CIPHER_KEY_LEN);
	memcpy(out->to_gateway_salt, okm + 32, CIPHER_SALT_LEN);
	memcpy(out->to_client_salt, okm + 36, CIPHER_SALT_LEN);
	sodium_memzero(okm, sizeof(okm));
}

void traffic_secrets_forget(struct traffic_secrets *secrets)
{
	sodium_memzero(secrets, sizeof(*secrets));
}

/// BLAKE2b(16, key, label ‖ everything before the last 16 bytes).
static void proof_of(uint8_t proof[SESSION_TAG_LEN], const uint8_t key[SESSION_KEY_LEN], const uint8_t *label,
		     const uint8_t *datagram, size_t length)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, SESSION_KEY_LEN, SESSION_TAG_LEN);
	crypto_generichash_update(&state, label, LABEL_LEN);
	crypto_generichash_update(&state, datagram, length - SESSION_TAG_LEN);
	crypto_generichash_final(&state, proof, SESSION_TAG_LEN);
	sodium_memzero(&state, sizeof(state));
}

/// By what it is the proof of.
static const uint8_t *const labels[] = {[PROOF_OF_CONFIRM] = label_confirm, [PROOF_OF_DENIED] = label_denied};

void proof_write(enum proof what, const uint8_t key[SESSION_KEY_LEN], uint8_t *datagram, size_t length)
{
	proof_of(datagram + length - SESSION_TAG_LEN, key, labels[what], datagram, length);
}

bool proof_is_right(enum proof what, const uint8_t key[SESSION_KEY_LEN], const uint8_t *datagram, size_t length)
{
	uint8_t proof[SESSION_TAG_LEN];

	proof_of(proof, key, labels[what], datagram, length);
	return sodium_memcmp(proof, datagram + length - SESSION_TAG_LEN, SESSION_TAG_LEN) == 0;
}

void secrets_forget(void *secret, size_t length)
{
	sodium_memzero(secret, length);
}

bool secrets_equal(const uint8_t *a, const uint8_t *b, size_t length)
{
	return sodium_memcmp(a, b, length) == 0;
}

// ---------------------------------------------------------------- from the appliance's secret

enum purpose { PURPOSE_COOKIE = 1, PURPOSE_PATH = 2 };

/// The keyed hash that makes a cookie or token: only a peer at this address can have received it.
static void address_mac(uint8_t mac[16], const struct cookie_secret *secret, enum purpose purpose,
			const struct peer *peer, uint32_t session, const uint8_t nonce[SESSION_NONCE_LEN],
			uint64_t time_ms)
{
	struct {
		uint64_t time_ms;
		struct peer peer;
		uint32_t session;
		uint8_t nonce[SESSION_NONCE_LEN];
		uint32_t purpose; // no padding: every byte is hashed
	} __attribute__((packed, aligned(4)))
	from = {.time_ms = time_ms, .peer = *peer, .session = session, .purpose = purpose};

	memcpy(from.nonce, nonce, SESSION_NONCE_LEN);
	crypto_shorthash_siphashx24(mac, (const uint8_t *)&from, sizeof(from), secret->bytes);
}

void cookie_make(uint8_t cookie[SESSION_COOKIE_LEN], const struct cookie_secret *secret, const struct peer *peer,
		 uint32_t session, const uint8_t client_nonce[SESSION_NONCE_LEN], uint64_t time_ms)
{
	memcpy(cookie, &time_ms, sizeof(time_ms));
	address_mac(cookie + sizeof(time_ms), secret, PURPOSE_COOKIE, peer, session, client_nonce, time_ms);
}

enum cookie_verdict cookie_check(const uint8_t cookie[SESSION_COOKIE_LEN], const struct cookie_secret *secret,
				 const struct peer *peer, uint32_t session,
				 const uint8_t client_nonce[SESSION_NONCE_LEN], uint64_t *time_ms)
{
	uint8_t mac[SESSION_COOKIE_LEN - sizeof(uint64_t)];
	uint64_t made_ms;

	memcpy(&made_ms, cookie, sizeof(made_ms));
	address_mac(mac, secret, PURPOSE_COOKIE, peer, session, client_nonce, made_ms);
	if (sodium_memcmp(mac, cookie + sizeof(made_ms), sizeof(mac)) != 0)
		return COOKIE_FORGED;
	// A good cookie can be a little ahead of this worker's time: another worker made it, in a burst that began later.
	if ((int64_t)(*time_ms - made_ms) > COOKIE_LIFE_MS)
		return COOKIE_OLD;
	*time_ms = made_ms;
	return COOKIE_GOOD;
}

void path_token(uint8_t token[SESSION_PATH_TOKEN_LEN], const struct cookie_secret *secret, const struct peer *peer,
		uint32_t session, const uint8_t server_nonce[SESSION_NONCE_LEN], uint64_t time_ms)
{
	uint8_t mac[16];

	address_mac(mac, secret, PURPOSE_PATH, peer, session, server_nonce, time_ms);
	memcpy(token, mac, SESSION_PATH_TOKEN_LEN);
}

// ---------------------------------------------------------------- random bytes

bool random_source_init(struct random_source *source)
{
	source->drawn = 0;
	// libsodium chooses its best code for this CPU, once.
	return sodium_init() >= 0 && getrandom(source->seed, sizeof(source->seed), 0) == sizeof(source->seed);
}

void random_draw(struct random_source *source, uint8_t *out, size_t length)
{
	uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

	static_assert(sizeof(nonce) == sizeof(source->drawn), "a stream of its own for every draw");
	memcpy(nonce, &source->drawn, sizeof(nonce));
	source->drawn++;
	crypto_stream_chacha20(out, length, nonce, source->seed);
}
