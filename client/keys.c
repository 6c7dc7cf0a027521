// SPDX-License-Identifier: BSD-3-Clause
// keys.c: see keys.h.

#include "keys.h"

#include <string.h>

#include <sodium.h>

#define TRAFFIC_LABEL "pollgate traffic"
#define CONFIRM_LABEL "pollgate confirm"
#define DENIED_LABEL "pollgate denied "
#define LABEL_LEN 16
#define OKM_LEN 64
static_assert(sizeof(TRAFFIC_LABEL) == LABEL_LEN + 1 && sizeof(CONFIRM_LABEL) == LABEL_LEN + 1 &&
		      sizeof(DENIED_LABEL) == LABEL_LEN + 1,
	      "labels of one length: none is the beginning of another");

void traffic_keys_derive(struct traffic_keys *out, const uint8_t key[SESSION_KEY_LEN], uint32_t session,
			 const uint8_t client_nonce[SESSION_NONCE_LEN], const uint8_t server_nonce[SESSION_NONCE_LEN])
{
	struct {
		uint8_t label[LABEL_LEN];
		uint32_t session;
		uint8_t client_nonce[SESSION_NONCE_LEN], server_nonce[SESSION_NONCE_LEN];
	} PACKED message;
	uint8_t okm[OKM_LEN];

	memcpy(message.label, TRAFFIC_LABEL, LABEL_LEN);
	message.session = session;
	memcpy(message.client_nonce, client_nonce, SESSION_NONCE_LEN);
	memcpy(message.server_nonce, server_nonce, SESSION_NONCE_LEN);
	crypto_generichash(okm, sizeof(okm), (const uint8_t *)&message, sizeof(message), key, SESSION_KEY_LEN);
	memcpy(out, okm, sizeof(*out));
	sodium_memzero(okm, sizeof(okm));
}
static_assert(offsetof(struct traffic_keys, to_client) == 16 && offsetof(struct traffic_keys, to_gateway_salt) == 32 &&
		      offsetof(struct traffic_keys, to_client_salt) == 36,
	      "lies as the derived bytes do");

/// BLAKE2b of label and bytes.
static void prove(uint8_t proof[SESSION_TAG_LEN], const uint8_t key[SESSION_KEY_LEN], const char *label,
		  const uint8_t *bytes, size_t length)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, SESSION_KEY_LEN, SESSION_TAG_LEN);
	crypto_generichash_update(&state, (const uint8_t *)label, LABEL_LEN);
	crypto_generichash_update(&state, bytes, length);
	crypto_generichash_final(&state, proof, SESSION_TAG_LEN);
}

void confirm_seal(const uint8_t key[SESSION_KEY_LEN], uint8_t *datagram, size_t length)
{
	prove(datagram + length - SESSION_TAG_LEN, key, CONFIRM_LABEL, datagram, length - SESSION_TAG_LEN);
}

bool denied_is_proved(const uint8_t key[SESSION_KEY_LEN], const struct session_denied *denied)
{
	uint8_t proof[SESSION_TAG_LEN];

	prove(proof, key, DENIED_LABEL, (const uint8_t *)denied, offsetof(struct session_denied, proof));
	return sodium_memcmp(proof, denied->proof, sizeof(proof)) == 0;
}
