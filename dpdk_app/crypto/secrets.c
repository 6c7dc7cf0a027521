// SPDX-License-Identifier: BSD-3-Clause
// crypto/secrets.c: see secrets.h. SipHash-2-4-128 makes what is short-lived and frequent, HMAC-SHA-256 what tells connections
// apart, ChaCha20 draws.

#include "crypto/secrets.h"

#include <string.h>
#include <sys/random.h>

#include <sodium.h>

#define SIPHASH_LEN 16
static_assert(SIPHASH_LEN == crypto_shorthash_siphashx24_BYTES, "SipHash-2-4-128");
static_assert(SIPHASH_LEN == crypto_shorthash_siphashx24_KEYBYTES, "and its key");

void gateway_secret_init(struct gateway_secret *out, const uint8_t secret[GATEWAY_SECRET_LEN])
{
	static const uint8_t label[] = "pollgate gateway";

	static_assert(sizeof(*out) == 5 * SIPHASH_LEN + HASH_LEN, "without padding");
	static_assert(GATEWAY_SECRET_LEN == HASH_LEN, "uniform: needs no extraction");
	hkdf_expand((uint8_t *)out, sizeof(*out), secret, (struct byte_range){label, sizeof(label) - 1});
}

// ---------------------------------------------------------------- an address is proved

#define TIME_LEN sizeof(uint64_t)
static_assert(TIME_LEN + SIPHASH_LEN == SESSION_COOKIE_LEN, "a time that cannot be read, and its MAC");

static void cookie_mac(uint8_t mac[SIPHASH_LEN], const struct gateway_secret *secret, struct cookie_for whom,
		       uint64_t time)
{
	struct {
		uint64_t time;
		struct peer peer;
		uint32_t session;
		uint8_t nonce[SESSION_NONCE_LEN];
	} __attribute__((packed, aligned(4))) from = {.time = time, .peer = *whom.peer, .session = whom.session};

	memcpy(from.nonce, whom.client_nonce, SESSION_NONCE_LEN);
	crypto_shorthash_siphashx24(mac, (const uint8_t *)&from, sizeof(from), secret->cookie);
}

/// What hides the time of a cookie. Two cookies have different MACs, so each has a mask of its own.
static uint64_t time_mask(const uint8_t mac[SIPHASH_LEN], const struct gateway_secret *secret)
{
	uint64_t mask;

	static_assert(sizeof(mask) == crypto_shorthash_BYTES, "SipHash-2-4");
	crypto_shorthash((uint8_t *)&mask, mac, SIPHASH_LEN, secret->cookie_time);
	return mask;
}

void cookie_make(uint8_t cookie[SESSION_COOKIE_LEN], const struct gateway_secret *secret, struct cookie_for whom,
		 uint64_t time)
{
	uint8_t *mac = cookie + TIME_LEN;
	uint64_t masked;

	cookie_mac(mac, secret, whom, time);
	masked = time ^ time_mask(mac, secret);
	memcpy(cookie, &masked, sizeof(masked));
}

bool cookie_check(const uint8_t cookie[SESSION_COOKIE_LEN], const struct gateway_secret *secret, struct cookie_for whom,
		  uint64_t *time)
{
	uint8_t right[SIPHASH_LEN];
	uint64_t masked;

	memcpy(&masked, cookie, sizeof(masked));
	*time = masked ^ time_mask(cookie + TIME_LEN, secret);
	cookie_mac(right, secret, whom, *time);
	return secrets_equal(right, cookie + TIME_LEN, SIPHASH_LEN);
}

void path_token(uint8_t token[SESSION_PATH_TOKEN_LEN], const struct gateway_secret *secret, const struct peer *peer,
		uint32_t session, uint32_t connection, uint64_t time_ms)
{
	struct {
		uint64_t time_ms;
		struct peer peer;
		uint32_t session, connection;
	} __attribute__((packed, aligned(4)))
	from = {.time_ms = time_ms, .peer = *peer, .session = session, .connection = connection};

	static_assert(SESSION_PATH_TOKEN_LEN == crypto_shorthash_BYTES, "SipHash-2-4");
	crypto_shorthash(token, (const uint8_t *)&from, sizeof(from), secret->path);
}

// ---------------------------------------------------------------- a connection

void decoy_key(uint8_t key[SESSION_KEY_LEN], const struct gateway_secret *secret, uint32_t session)
{
	static_assert(SESSION_KEY_LEN == 2 * SIPHASH_LEN, "two hashes");
	for (uint32_t half = 0; half < 2; half++) {
		const uint32_t from[2] = {session, half};

		crypto_shorthash_siphashx24(key + (size_t)half * SIPHASH_LEN, (const uint8_t *)from, sizeof(from),
					    secret->decoy);
	}
}

uint32_t confirm_mark(const struct gateway_secret *secret, const struct session_confirm *confirm)
{
	uint8_t from[SESSION_NONCE_LEN + EXCHANGE_LEN], hash[crypto_shorthash_BYTES];
	uint32_t mark;

	memcpy(from, confirm->client_nonce, SESSION_NONCE_LEN);
	memcpy(from + SESSION_NONCE_LEN, confirm->client_share, EXCHANGE_LEN);
	crypto_shorthash(hash, from, sizeof(from), secret->mark);
	memcpy(&mark, hash, sizeof(mark));
	return mark;
}

void connection_marks(struct connection_marks *out, const struct gateway_secret *secret,
		      const uint8_t key[SESSION_KEY_LEN], uint32_t session, uint32_t connection)
{
	struct {
		uint8_t key[SESSION_KEY_LEN];
		uint32_t session, connection;
	} from = {.session = session, .connection = connection};

	memcpy(from.key, key, SESSION_KEY_LEN);
	hmac_sha256((uint8_t *)out, (struct byte_range){secret->connection, sizeof(secret->connection)},
		    (struct byte_range){(const uint8_t *)&from, sizeof(from)});
	sodium_memzero(&from, sizeof(from));
}

// ---------------------------------------------------------------- random bytes

bool random_source_init(struct random_source *source)
{
	// libsodium chooses its best code for this CPU, once.
	return sodium_init() >= 0 && getrandom(source->seed, sizeof(source->seed), 0) == sizeof(source->seed);
}

void random_draw(struct random_source *source, uint8_t *out, size_t length)
{
	static const uint8_t of_seed[crypto_stream_chacha20_NONCEBYTES] = {0},
			     of_draw[crypto_stream_chacha20_NONCEBYTES] = {1};
	uint8_t next[sizeof(source->seed)];

	crypto_stream_chacha20(out, length, of_draw, source->seed);
	crypto_stream_chacha20(next, sizeof(next), of_seed, source->seed);
	memcpy(source->seed, next, sizeof(source->seed));
	sodium_memzero(next, sizeof(next));
}
