// SPDX-License-Identifier: BSD-3-Clause
// bench/unsealed.h: sealed datagrams without the cryptography, to tell what that costs: as long as they are, with a tag of
// zeros and nothing encrypted.

#ifndef POLLGATE_BENCH_UNSEALED_H
#define POLLGATE_BENCH_UNSEALED_H

#include "crypto/cipher.h"

/// From now on this code seals and opens without doing so. Both ends of a session need it.
void unseal(struct cipher_code *code);

#endif
