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

#include <intel-ipsec-mb.h>

#include "compiler.h"

#define CIPHER_KEY_LEN 16
#define CIPHER_SALT_LEN 4
#define CIPHER_TAG_LEN 16

/// The best of the library's code for this CPU. One per worker.
struct cipher_code {
	IMB_MGR *manager;
	aes_gcm_enc_dec_t encrypt;
	aes_gcm_enc_dec_t decrypt;
	aes_gcm_pre_t prepare;
};

/// One direction.
struct cipher_key {
	struct gcm_key_data data;
	uint8_t salt[CIPHER_SALT_LEN];
} CACHE_ALIGNED;

/// One session's.
struct cipher {
	struct cipher_key open, seal;
};

/// @return false when the library does not run on this CPU; cipher_code_free() also after that
bool cipher_code_init(struct cipher_code *code);
void cipher_code_free(struct cipher_code *code);

void cipher_key_init(const struct cipher_code *code, struct cipher_key *key, const uint8_t secret[CIPHER_KEY_LEN],
		     const uint8_t salt[CIPHER_SALT_LEN]);

/// Bring the lines of a key that a packet of a few hundred bytes reads.
ALWAYS_INLINE void cipher_prefetch(const struct cipher_key *key);

/// Decrypt in place and compare the tag in constant time. What lies between `clear` and the tag is garbage after false.
/// @param clear   bytes at the beginning that are authenticated only
/// @param length  tag included, at least clear + CIPHER_TAG_LEN
ALWAYS_INLINE bool cipher_open(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			       uint8_t *packet, size_t clear, size_t length);

/// Encrypt in place and write the tag into the last bytes. No counter is ever used twice with one key.
ALWAYS_INLINE void cipher_seal(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			       uint8_t *packet, size_t clear, size_t length);

#endif
