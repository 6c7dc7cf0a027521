// SPDX-License-Identifier: BSD-3-Clause
// crypto/cipher.h: AES-128-GCM (NIST SP 800-38D) both ways, by intel-ipsec-mb.
//
// A prepared key is 1,008 bytes (1,280 from release 2.0 of the library on), of which a short packet needs a few lines: they lie in memory of the worker process,
// apart from the records, two keys to a session, each on its own lines.

#ifndef POLLGATE_CRYPTO_CIPHER_H
#define POLLGATE_CRYPTO_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <intel-ipsec-mb.h>

#include "compiler.h"

#define CIPHER_KEY_LEN 16
#define CIPHER_SALT_LEN 4
#define CIPHER_TAG_LEN 16

/// The library's code, by what it needs of the CPU.
enum cipher_level { CIPHER_AVX512, CIPHER_AVX2, CIPHER_SSE };

/// Lengths whose keys are brought exactly: whole blocks, and blocks with one more begun, of so many bytes at most.
#define CIPHER_BROUGHT_BYTES 256
#define CIPHER_BROUGHT (CIPHER_BROUGHT_BYTES / 16 * 2 + 1)

/// The best of the library's code for this CPU. One per worker.
struct cipher_code {
	IMB_MGR *manager;
	aes_gcm_enc_dec_t encrypt;
	aes_gcm_enc_dec_t decrypt;
	aes_gcm_pre_t prepare;
	uint32_t lines[CIPHER_BROUGHT]; // of a key, one bit each: see cipher_lines()
};

/// One direction. What a short packet needs of it are its first lines and its last.
struct cipher_key {
	struct gcm_key_data data;
	uint8_t salt[CIPHER_SALT_LEN];
} CACHE_ALIGNED;
#define CIPHER_KEY_LINES (sizeof(struct cipher_key) / CACHE_LINE)
static_assert(CIPHER_KEY_LINES <= 32, "a bit for each line");

/// One session's.
struct cipher {
	struct cipher_key open, seal;
};

/// @return false when the library does not run on this CPU; cipher_code_free() also after that
bool cipher_code_init(struct cipher_code *code);

/// The same with the library's lesser code, for tests: what a CPU of that level has.
bool cipher_code_init_at(struct cipher_code *code, enum cipher_level level);
void cipher_code_free(struct cipher_code *code);

void cipher_key_init(const struct cipher_code *code, struct cipher_key *key, const uint8_t secret[CIPHER_KEY_LEN],
		     const uint8_t salt[CIPHER_SALT_LEN]);

/// Overwrite the keys of a connection that is over.
void cipher_forget(struct cipher *cipher);

/// The lines of a key that change what comes of a packet with so many sealed bytes, one bit each; of longer ones than
/// CIPHER_BROUGHT_BYTES, some. The library does not say where it keeps what, and each release and each level keeps it
/// elsewhere, so cipher_code_init() finds out by changing one line after the other.
ALWAYS_INLINE uint32_t cipher_lines(const struct cipher_code *code, size_t sealed)
{
	const size_t length = sealed / 16 * 2 + (sealed % 16 != 0);

	return code->lines[length < CIPHER_BROUGHT ? length : CIPHER_BROUGHT - 1];
}

/// Bring these of a key: cipher_lines(). Round keys are in the first three always.
ALWAYS_INLINE void cipher_bring(const struct cipher_key *key, uint32_t lines)
{
	const uint8_t *base = (const uint8_t *)key;

	prefetch(base);
	prefetch(base + CACHE_LINE);
	prefetch(base + (size_t)2 * CACHE_LINE);
	for (uint32_t rest = lines & ~7U; rest; rest &= rest - 1)
		prefetch(base + (size_t)__builtin_ctz(rest) * CACHE_LINE);
}

/// Bring the lines of a key that a packet with so many sealed bytes reads.
ALWAYS_INLINE void cipher_prefetch(const struct cipher_code *code, const struct cipher_key *key, size_t sealed)
{
	cipher_bring(key, cipher_lines(code, sealed));
}

typedef uint64_t cipher_nonce __attribute__((vector_size(16))); // of which 12 bytes count

/// Salt and counter: what no two packets under one key have in common. One store: a load of what was stored in pieces waits
/// until all before it is done, so that no two packets' cryptography would overlap.
ALWAYS_INLINE cipher_nonce cipher_nonce_of(const struct cipher_key *key, uint64_t counter)
{
	uint32_t salt;

	memcpy(&salt, key->salt, sizeof(salt));
	return (cipher_nonce){salt | counter << 32, counter >> 32};
}

/// Decrypt in place and compare the tag in constant time. What lies between `clear` and the tag is garbage after false.
/// @param clear   bytes at the beginning that are authenticated only
/// @param length  tag included, at least clear + CIPHER_TAG_LEN
ALWAYS_INLINE bool cipher_open(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			       uint8_t *packet, size_t clear, size_t length)
{
	struct gcm_context_data context;
	uint64_t is[2], should[2];
	const cipher_nonce nonce = cipher_nonce_of(key, counter);

	code->decrypt(&key->data, &context, packet + clear, packet + clear, length - clear - CIPHER_TAG_LEN,
		      (const uint8_t *)&nonce, packet, clear, (uint8_t *)is, CIPHER_TAG_LEN);
	memcpy(should, packet + length - CIPHER_TAG_LEN, CIPHER_TAG_LEN);
	return ((is[0] ^ should[0]) | (is[1] ^ should[1])) == 0;
}

/// Encrypt in place and write the tag into the last bytes. No counter is ever used twice with one key.
ALWAYS_INLINE void cipher_seal(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			       uint8_t *packet, size_t clear, size_t length)
{
	struct gcm_context_data context;
	const cipher_nonce nonce = cipher_nonce_of(key, counter);

	code->encrypt(&key->data, &context, packet + clear, packet + clear, length - clear - CIPHER_TAG_LEN,
		      (const uint8_t *)&nonce, packet, clear, packet + length - CIPHER_TAG_LEN, CIPHER_TAG_LEN);
}

#endif
