// SPDX-License-Identifier: BSD-3-Clause
// aead.h: AES-128-GCM (NIST SP 800-38D) of one direction, by OpenSSL's libcrypto.

#ifndef POLLGATE_CLIENT_AEAD_H
#define POLLGATE_CLIENT_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY_LEN 16
#define AEAD_SALT_LEN 4
#define AEAD_TAG_LEN 16

struct aead; // a prepared key, with its salt

struct aead *aead_new(void); // NULL: out of memory
void aead_free(struct aead *aead);
bool aead_set_key(struct aead *aead, const uint8_t key[AEAD_KEY_LEN], const uint8_t salt[AEAD_SALT_LEN], bool seal);

/// Decrypt and compare the tag.
/// @param clear  bytes at the beginning that are authenticated only; they are copied
/// @param out    length bytes; those of the tag are not written; garbage after false
bool aead_open(struct aead *aead, uint64_t counter, const uint8_t *packet, size_t clear, size_t length, uint8_t *out);

/// Encrypt in place and write the tag into the last bytes. No counter is ever used twice with one key.
bool aead_seal(struct aead *aead, uint64_t counter, uint8_t *packet, size_t clear, size_t length);

#endif
