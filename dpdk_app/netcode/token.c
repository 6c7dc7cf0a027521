// SPDX-License-Identifier: BSD-3-Clause
// netcode/token.c: see token.h. XChaCha20-Poly1305 seals connect tokens, ChaCha20-Poly1305 challenge tokens.

#include "netcode/token.h"

#include <string.h>

#include <sodium.h>

#include "netcode/packet.h"
#include "stats/error.h"

#define PLAIN_LEN (NETCODE_PRIVATE_LEN - NETCODE_TAG_LEN)

static struct netcode_token_context context_of(uint64_t protocol_id, uint64_t expires_s)
{
	struct netcode_token_context context = {.protocol_id = protocol_id, .expires_s = expires_s};

	memcpy(context.version, NETCODE_VERSION_TEXT, NETCODE_VERSION_LEN);
	return context;
}

// ---------------------------------------------------------------- reading

/// What is left of a text that is read from its beginning.
struct reader {
	const uint8_t *at;
	size_t left;
};

/// @return false: there are not so many bytes
static bool take(struct reader *from, void *to, size_t n)
{
	if (from->left < n)
		return false;
	memcpy(to, from->at, n);
	from->at += n;
	from->left -= n;
	return true;
}

/// An IPv6 address travels as eight little-endian words.
static void exchange_words(uint8_t bytes[16])
{
	for (unsigned i = 0; i < 16; i += 2) {
		const uint8_t first = bytes[i];

		bytes[i] = bytes[i + 1];
		bytes[i + 1] = first;
	}
}

static bool take_server(struct reader *from, struct pg_netcode_server *to)
{
	uint8_t type;

	memset(to, 0, sizeof(*to));
	if (!take(from, &type, sizeof(type)))
		return false;
	if (type == NETCODE_IPV4) {
		to->family = 4;
		return take(from, to->bytes, 4) && take(from, &to->port, sizeof(to->port));
	}
	if (type != NETCODE_IPV6 || !take(from, to->bytes, 16))
		return false;
	to->family = 6;
	exchange_words(to->bytes);
	return take(from, &to->port, sizeof(to->port));
}

static bool take_private(struct reader *from, struct netcode_private *to)
{
	struct netcode_private_head head;

	if (!take(from, &head, sizeof(head)) || head.servers < 1 || head.servers > NETCODE_SERVERS_MAX)
		return false;
	to->client_id = head.client_id;
	to->timeout_s = head.timeout_s;
	to->servers = head.servers;
	for (uint32_t i = 0; i < head.servers; i++)
		if (!take_server(from, &to->server[i]))
			return false;
	return take(from, to->to_server, NETCODE_KEY_LEN) && take(from, to->to_client, NETCODE_KEY_LEN) &&
	       take(from, to->user_data, NETCODE_USER_DATA_LEN);
}

bool netcode_private_open(struct netcode_private *out, const struct netcode_request *request,
			  const uint8_t private_key[NETCODE_KEY_LEN])
{
	const struct netcode_token_context context = context_of(request->protocol_id, request->expires_s);
	uint8_t plain[PLAIN_LEN];
	struct reader reader = {plain, sizeof(plain)};
	bool whole;

	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, request->sealed, NETCODE_PRIVATE_LEN,
						       (const uint8_t *)&context, sizeof(context), request->nonce,
						       private_key) != 0)
		return false;
	whole = take_private(&reader, out);
	sodium_memzero(plain, sizeof(plain));
	if (!whole)
		netcode_private_forget(out);
	return whole;
}

void netcode_private_forget(struct netcode_private *secret)
{
	sodium_memzero(secret, sizeof(*secret));
}

static bool is_same(const struct pg_netcode_server *a, const struct pg_netcode_server *b)
{
	return a->family == b->family && a->port == b->port && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool netcode_private_names(const struct netcode_private *token, const struct pg_netcode_server *server, uint32_t count)
{
	for (uint32_t i = 0; i < token->servers; i++)
		for (uint32_t k = 0; k < count; k++)
			if (is_same(&token->server[i], &server[k]))
				return true;
	return false;
}

// ---------------------------------------------------------------- writing

static uint8_t *put(uint8_t *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return to + n;
}

static uint8_t *put_server(uint8_t *to, const struct pg_netcode_server *server)
{
	const bool ipv4 = server->family == 4;
	uint8_t bytes[16];

	*to++ = ipv4 ? NETCODE_IPV4 : NETCODE_IPV6;
	memcpy(bytes, server->bytes, sizeof(bytes));
	if (!ipv4)
		exchange_words(bytes);
	to = put(to, bytes, ipv4 ? 4 : 16);
	return put(to, &server->port, sizeof(server->port));
}

/// Both parts have the same servers and keys.
static uint8_t *put_servers_and_keys(uint8_t *to, const struct pg_netcode_grant *grant,
				     const uint8_t keys[2 * NETCODE_KEY_LEN])
{
	to = put(to, &grant->server_count, sizeof(grant->server_count));
	for (uint32_t i = 0; i < grant->server_count; i++)
		to = put_server(to, &grant->server[i]);
	return put(to, keys, 2 * (size_t)NETCODE_KEY_LEN);
}

static void seal_private(struct netcode_token_head *head, const struct pg_netcode_grant *grant,
			 const uint8_t keys[2 * NETCODE_KEY_LEN], const uint8_t private_key[NETCODE_KEY_LEN])
{
	const struct netcode_token_context context = context_of(grant->protocol_id, grant->expires_s);
	uint8_t plain[PLAIN_LEN] = {0}, *to = plain;

	to = put(to, &grant->client_id, sizeof(grant->client_id));
	to = put(to, &grant->timeout_s, sizeof(grant->timeout_s));
	to = put_servers_and_keys(to, grant, keys);
	put(to, grant->user_data, NETCODE_USER_DATA_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(head->sealed, NULL, plain, sizeof(plain), (const uint8_t *)&context,
						   sizeof(context), NULL, head->nonce, private_key);
	sodium_memzero(plain, sizeof(plain));
}

static bool can_be(const struct pg_netcode_grant *grant)
{
	if (grant->server_count < 1 || grant->server_count > NETCODE_SERVERS_MAX ||
	    grant->created_s >= grant->expires_s)
		return false;
	for (uint32_t i = 0; i < grant->server_count; i++)
		if (grant->server[i].family != 4 && grant->server[i].family != 6)
			return false;
	return true;
}

int pg_netcode_token(const struct pg_netcode_grant *grant, const uint8_t private_key[NETCODE_KEY_LEN],
		     uint8_t token[NETCODE_TOKEN_LEN], struct pg_error *error)
{
	struct netcode_token_head head = {
		.protocol_id = grant->protocol_id,
		.created_s = grant->created_s,
		.expires_s = grant->expires_s,
		.timeout_s = grant->timeout_s,
	};
	uint8_t keys[2 * NETCODE_KEY_LEN];

	if (!can_be(grant))
		return error_set(error, PG_ERROR_USAGE,
				 "a connect token names 1 to %u servers and is over after it was made",
				 NETCODE_SERVERS_MAX);
	if (sodium_init() < 0)
		return error_set(error, PG_ERROR_SYSTEM, "libsodium cannot be used");
	randombytes_buf(keys, sizeof(keys));
	randombytes_buf(head.nonce, sizeof(head.nonce));
	memcpy(head.version, NETCODE_VERSION_TEXT, NETCODE_VERSION_LEN);
	seal_private(&head, grant, keys, private_key);
	memset(token, 0, NETCODE_TOKEN_LEN);
	put_servers_and_keys(put(token, &head, sizeof(head)), grant, keys);
	sodium_memzero(keys, sizeof(keys));
	return PG_OK;
}

// ---------------------------------------------------------------- challenges

void netcode_challenge_seal(struct netcode_challenge *out, const struct netcode_challenge_token *token,
			    uint64_t sequence, const uint8_t key[NETCODE_KEY_LEN])
{
	uint8_t nonce[NETCODE_NONCE_LEN];

	netcode_nonce(nonce, sequence);
	out->sequence = sequence;
	crypto_aead_chacha20poly1305_ietf_encrypt(out->sealed, NULL, (const uint8_t *)token, sizeof(*token), NULL, 0,
						  NULL, nonce, key);
}

bool netcode_challenge_open(struct netcode_challenge_token *out, const struct netcode_challenge *challenge,
			    const uint8_t key[NETCODE_KEY_LEN])
{
	uint8_t nonce[NETCODE_NONCE_LEN];

	netcode_nonce(nonce, challenge->sequence);
	return crypto_aead_chacha20poly1305_ietf_decrypt((uint8_t *)out, NULL, NULL, challenge->sealed,
							 NETCODE_CHALLENGE_LEN, NULL, 0, nonce, key) == 0;
}
