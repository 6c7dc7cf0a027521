// SPDX-License-Identifier: BSD-3-Clause
// crypto/wide.h: AES-128-GCM of long packets by instructions that work on four blocks at once (AVX-512 with VAES).
//
// The library's code for these reads 16 lines of a key for a long packet: 48 powers of the hash's key. Keys with so many lines
// take more than twice the memory and the cache (key_store.h), and in pieces that need few lines, each a call, 1,200 bytes
// take twice the time. This code reads the first eight powers, which pieces need as well, and makes eight more of them.

#ifndef POLLGATE_CRYPTO_WIDE_H
#define POLLGATE_CRYPTO_WIDE_H

#include "crypto/cipher.h"

/// Powers of the hash's key that are read: the eighth first, one behind the other.
#define WIDE_POWERS 8

/// Has this CPU the instructions?
bool wide_runs(const struct cipher_code *code);

/// As cipher_seal() and cipher_open(), of code that knows where a key has its powers.
void wide_seal(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter, uint8_t *packet,
	       size_t clear, size_t length);
bool wide_open(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter, uint8_t *packet,
	       size_t clear, size_t length);

#endif
