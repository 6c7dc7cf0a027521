// SPDX-License-Identifier: BSD-3-Clause
// session/cipher.h: AES-128-GCM (NIST SP 800-38D) both ways, by intel-ipsec-mb.
//
// A prepared key is 1,008 bytes, of which a short packet needs a few lines: they lie in memory of the worker process,
// apart from the records, two keys to a session, each on its own lines.

#ifndef POLLGATE_SESSION_CIPHER_H
#define POLLGATE_SESSION_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <intel-ipsec-mb.h>

#include "compiler.h"

#define CIPHER_KEY_LEN 16
#define CIPHER_SALT_LEN 4
#define CIPHER_TAG_LEN 16

/// In which lines of a prepared key the library's code keeps the powers of the hash key.
enum cipher_layout {
	CIPHER_WIDE,   // AVX-512 with VAES: 48 powers, the first ones last
	CIPHER_MIDDLE, // AVX2: 8 powers, the first ones last
	CIPHER_NARROW, // SSE and AVX: 8 powers twice, all of them from 128 bytes on
};

/// The best of the library's code for this CPU. One per worker.
struct cipher_code {
	IMB_MGR *manager;
	aes_gcm_enc_dec_t encrypt;
	aes_gcm_enc_dec_t decrypt;
	aes_gcm_pre_t prepare;
	enum cipher_layout layout;
};

/// Keys are 17 lines apart, an odd number: in all of them the same lines are hot, and 16 lines apart those of all
/// sessions would share a quarter of the cache's sets (10,000 sessions: 570 cycles to open and seal 28 bytes, not 220).
#define CIPHER_KEY_LINES 17

/// One direction. The salt lies with the last of the powers.
struct cipher_key {
	struct gcm_key_data data;
	uint8_t salt[CIPHER_SALT_LEN];
	uint8_t apart[CIPHER_KEY_LINES * CACHE_LINE - sizeof(struct gcm_key_data) - CIPHER_SALT_LEN];
} CACHE_ALIGNED;
static_assert(sizeof(struct cipher_key) == CIPHER_KEY_LINES * CACHE_LINE, "an odd number of lines");

/// One session's.
struct cipher {
	struct cipher_key open, seal;
};

/// @return false when the library does not run on this CPU; cipher_code_free() also after that
bool cipher_code_init(struct cipher_code *code);

/// The same with the library's lesser code, for tests: what this CPU has up to `layout`.
bool cipher_code_init_at(struct cipher_code *code, enum cipher_layout layout);
void cipher_code_free(struct cipher_code *code);

void cipher_key_init(const struct cipher_code *code, struct cipher_key *key, const uint8_t secret[CIPHER_KEY_LEN],
		     const uint8_t salt[CIPHER_SALT_LEN]);

/// Overwrite the keys of a connection that is over.
void cipher_forget(struct cipher *cipher);

/// The lines of a key that change what comes of a packet with so many sealed bytes, one bit each. By experiment
/// (tests/test_cipher.c repeats it for every length and all code that the CPU has): the round keys are lines 0 to 2.
ALWAYS_INLINE uint32_t cipher_lines(enum cipher_layout layout, size_t sealed)
{
	const uint32_t salt = 1U << 15;

	if (likely(layout == CIPHER_WIDE)) {
		// H to H^3 in line 15, four more powers in each line below; a packet needs one for each of its blocks.
		const size_t more = sealed > 48 ? (sealed - 48 + 63) / 64 : 0;

		return 0x7 | (0xffffU & 0xffffU << (15 - (more < 12 ? more : 12)));
	}
	if (layout == CIPHER_MIDDLE)
		return salt | 0x27 | (sealed > 48 ? 0x10 : 0) | (sealed > 112 ? 0x08 : 0);
	return salt | 0x27 | (sealed >= 128 ? 0xf8 : 0);
}

/// Bring the lines of a key that a packet with so many sealed bytes reads.
ALWAYS_INLINE void cipher_prefetch(const struct cipher_code *code, const struct cipher_key *key, size_t sealed)
{
	const uint8_t *base = (const uint8_t *)key;

	prefetch(base);
	prefetch(base + CACHE_LINE);
	prefetch(base + (size_t)2 * CACHE_LINE);
	prefetch(base + (size_t)15 * CACHE_LINE);
	for (uint32_t rest = cipher_lines(code->layout, sealed) & 0x7ff8; rest; rest &= rest - 1)
		prefetch(base + (size_t)__builtin_ctz(rest) * CACHE_LINE);
}

/// Salt and counter: what no two packets under one key have in common.
ALWAYS_INLINE void cipher_nonce(uint8_t nonce[12], const struct cipher_key *key, uint64_t counter)
{
	memcpy(nonce, key->salt, CIPHER_SALT_LEN);
	memcpy(nonce + CIPHER_SALT_LEN, &counter, sizeof(counter));
}

/// Decrypt in place and compare the tag in constant time. What lies between `clear` and the tag is garbage after false.
/// @param clear   bytes at the beginning that are authenticated only
/// @param length  tag included, at least clear + CIPHER_TAG_LEN
ALWAYS_INLINE bool cipher_open(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			       uint8_t *packet, size_t clear, size_t length)
{
	struct gcm_context_data context;
	uint64_t is[2], should[2];
	uint8_t nonce[12];

	cipher_nonce(nonce, key, counter);
	code->decrypt(&key->data, &context, packet + clear, packet + clear, length - clear - CIPHER_TAG_LEN, nonce,
		      packet, clear, (uint8_t *)is, CIPHER_TAG_LEN);
	memcpy(should, packet + length - CIPHER_TAG_LEN, CIPHER_TAG_LEN);
	return ((is[0] ^ should[0]) | (is[1] ^ should[1])) == 0;
}

/// Encrypt in place and write the tag into the last bytes. No counter is ever used twice with one key.
ALWAYS_INLINE void cipher_seal(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			       uint8_t *packet, size_t clear, size_t length)
{
	struct gcm_context_data context;
	uint8_t nonce[12];

	cipher_nonce(nonce, key, counter);
	code->encrypt(&key->data, &context, packet + clear, packet + clear, length - clear - CIPHER_TAG_LEN, nonce,
		      packet, clear, packet + length - CIPHER_TAG_LEN, CIPHER_TAG_LEN);
}

#endif
