// SPDX-License-Identifier: BSD-3-Clause
// crypto/cipher.h: AES-128-GCM (NIST SP 800-38D) both ways, by intel-ipsec-mb.
//
// A prepared key is 1,008 bytes (1,280 from release 2.0 of the library on), of which a short packet needs a few lines. A long
// one needs more where the code works on many blocks at once; there it is sealed by wide.h, or where that does not run, in
// pieces of CIPHER_PIECE bytes, which need no more lines than one of them. So keys take less than half of the memory and of the
// cache (key_store.h).

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

/// Levels of the library's code, by the instructions that each needs.
enum cipher_level { CIPHER_AVX512, CIPHER_AVX2, CIPHER_SSE };

/// Up to this many bytes, cipher_lines() is exact: for whole blocks, and for blocks with one more begun.
#define CIPHER_BROUGHT_BYTES 256
#define CIPHER_BROUGHT (CIPHER_BROUGHT_BYTES / 16 * 2 + 1)

/// Powers of the hash's key that short.h takes from a key.
#define CIPHER_POWERS 3

/// Sealed bytes that are sealed at once, whatever the code.
#define CIPHER_PIECE 128

/// Lines of a key that the code reads, one bit each.
struct cipher_lines_read {
	uint32_t kept;                  // whatever the packet's length
	uint32_t lines[CIPHER_BROUGHT]; // see cipher_lines()
};

struct cipher_code;
struct cipher_key;

/// As cipher_seal() and cipher_open(), of a packet that is too long for the library to do it at once.
typedef void (*cipher_seal_long)(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
				 uint8_t *packet, size_t clear, size_t length);
typedef bool (*cipher_open_long)(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
				 uint8_t *packet, size_t clear, size_t length);

/// The best code of the library for this CPU. Each worker has one.
struct cipher_code {
	IMB_MGR *manager;
	aes_gcm_enc_dec_t encrypt;
	aes_gcm_enc_dec_t decrypt;
	aes_gcm_pre_t prepare;
	cipher_seal_long seal_long;
	cipher_open_long open_long;
	size_t at_once; // sealed bytes that the library takes; more go to the two before
	struct cipher_lines_read read;
	uint16_t powers_at[CIPHER_POWERS]; // where a key has the hash's key, its square and its cube; 0: not known
	uint16_t wide_at;                  // where it has the powers of wide.h; 0: it does not run
};

/// Round keys of AES-128: what is behind them belongs to longer keys, and is ours.
#define CIPHER_ROUND_KEYS_LEN (11 * 16)

/// The key of one direction.
struct cipher_key {
	union {
		struct gcm_key_data data;
		struct {
			uint8_t round_keys[CIPHER_ROUND_KEYS_LEN];
			uint8_t salt[CIPHER_SALT_LEN];
		};
	};
} CACHE_ALIGNED;
static_assert(sizeof(((struct gcm_key_data *)NULL)->expanded_keys) >= CIPHER_ROUND_KEYS_LEN + CIPHER_SALT_LEN,
	      "the salt is in none of the library's fields that are read");
#define CIPHER_KEY_LINES (sizeof(struct cipher_key) / CACHE_LINE)
static_assert(CIPHER_KEY_LINES <= 32, "a bit for each line");

/// The keys of one session.
struct cipher {
	struct cipher_key open, seal;
};

/// @return false when the library does not run on this CPU; cipher_code_free() also after that
bool cipher_code_init(struct cipher_code *code);

/// As cipher_code_init() on a CPU of a lower level, for tests.
bool cipher_code_init_at(struct cipher_code *code, enum cipher_level level);
void cipher_code_free(struct cipher_code *code);

void cipher_key_init(const struct cipher_code *code, struct cipher_key *key, const uint8_t secret[CIPHER_KEY_LEN],
		     const uint8_t salt[CIPHER_SALT_LEN]);

/// Overwrite the keys of a connection that is over.
void cipher_forget(struct cipher *cipher);

/// The lines that the best code for this CPU keeps of a key: see cipher_lines_read. All, where there is none.
uint32_t cipher_lines_kept(void);

/// The lines of a key that a packet with `sealed` sealed bytes reads, one bit each. For packets longer than
/// CIPHER_BROUGHT_BYTES these may not be all lines. The library's layout is not documented, and differs between releases and
/// levels, so cipher_code_init() changes one line after the other and sees which ones change the result.
ALWAYS_INLINE uint32_t cipher_lines(const struct cipher_code *code, size_t sealed)
{
	const size_t length = sealed / 16 * 2 + (sealed % 16 != 0);

	return code->read.lines[length < CIPHER_BROUGHT ? length : CIPHER_BROUGHT - 1];
}

/// Prefetch these lines of a key: cipher_lines(). The first three lines always hold round keys.
ALWAYS_INLINE void cipher_bring(const struct cipher_key *key, uint32_t lines)
{
	const uint8_t *base = (const uint8_t *)key;

	prefetch(base);
	prefetch(base + CACHE_LINE);
	prefetch(base + (size_t)2 * CACHE_LINE);
	for (uint32_t rest = lines & ~7U; rest; rest &= rest - 1)
		prefetch(base + (size_t)__builtin_ctz(rest) * CACHE_LINE);
}

/// Prefetch the lines of a key that a packet with `sealed` sealed bytes reads.
ALWAYS_INLINE void cipher_prefetch(const struct cipher_code *code, const struct cipher_key *key, size_t sealed)
{
	cipher_bring(key, cipher_lines(code, sealed));
}

typedef uint64_t cipher_nonce __attribute__((vector_size(16))); // of which 12 bytes count

/// The nonce is salt and counter: no two packets under one key have the same. It is written with one store: a load of bytes
/// that several stores wrote waits for all stores before it, and the cryptography of two packets would not overlap.
ALWAYS_INLINE cipher_nonce cipher_nonce_of(const struct cipher_key *key, uint64_t counter)
{
	uint32_t salt;

	memcpy(&salt, key->salt, sizeof(salt));
	return (cipher_nonce){salt | counter << 32, counter >> 32};
}

/// Compare in constant time.
ALWAYS_INLINE bool cipher_tag_is(const uint64_t is[2], const uint8_t *packet_tag)
{
	uint64_t should[2];

	memcpy(should, packet_tag, CIPHER_TAG_LEN);
	return ((is[0] ^ should[0]) | (is[1] ^ should[1])) == 0;
}

/// Decrypt in place and compare the tag in constant time. What lies between `clear` and the tag is garbage after false.
/// @param clear   bytes at the beginning that are authenticated only
/// @param length  tag included, at least clear + CIPHER_TAG_LEN
ALWAYS_INLINE bool cipher_open(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			       uint8_t *packet, size_t clear, size_t length)
{
	struct gcm_context_data context;
	uint64_t is[2];
	const cipher_nonce nonce = cipher_nonce_of(key, counter);

	if (unlikely(length - clear - CIPHER_TAG_LEN > code->at_once))
		return code->open_long(code, key, counter, packet, clear, length);
	code->decrypt(&key->data, &context, packet + clear, packet + clear, length - clear - CIPHER_TAG_LEN,
		      (const uint8_t *)&nonce, packet, clear, (uint8_t *)is, CIPHER_TAG_LEN);
	return cipher_tag_is(is, packet + length - CIPHER_TAG_LEN);
}

/// Encrypt in place and write the tag into the last bytes. No counter is ever used twice with one key.
ALWAYS_INLINE void cipher_seal(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			       uint8_t *packet, size_t clear, size_t length)
{
	struct gcm_context_data context;
	const cipher_nonce nonce = cipher_nonce_of(key, counter);

	if (unlikely(length - clear - CIPHER_TAG_LEN > code->at_once)) {
		code->seal_long(code, key, counter, packet, clear, length);
		return;
	}
	code->encrypt(&key->data, &context, packet + clear, packet + clear, length - clear - CIPHER_TAG_LEN,
		      (const uint8_t *)&nonce, packet, clear, packet + length - CIPHER_TAG_LEN, CIPHER_TAG_LEN);
}

#endif
