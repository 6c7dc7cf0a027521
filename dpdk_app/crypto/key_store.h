// SPDX-License-Identifier: BSD-3-Clause
// crypto/key_store.h: the prepared keys of many sessions, so close together as this CPU's code lets them be.
//
// The library wants a key of 16 lines or more, of which its code for one CPU reads a few: round keys at the beginning, and
// powers of the hash's key somewhere behind (cipher_lines_kept()). So keys lie in one another's gaps: two sessions' four keys,
// of 64 lines, in 25 where the code has AVX-512 with VAES, with all lines of each where the library looks for them. The
// lines of different keys are never the same, so nothing is shared between those who write them.

#ifndef POLLGATE_CRYPTO_KEY_STORE_H
#define POLLGATE_CRYPTO_KEY_STORE_H

#include "crypto/cipher.h"

#define KEY_GROUP_SHIFT_MAX 3
#define KEY_GROUP_MAX (1U << KEY_GROUP_SHIFT_MAX)

/// Where a group of sessions has its keys.
struct key_places {
	uint32_t kept;                                           // lines of a key, one bit each
	uint32_t group_shift;                                    // a group has 2^this sessions
	uint32_t group_bytes;                                    // whole lines, an odd number: see key_places_find()
	uint16_t open_at[KEY_GROUP_MAX], seal_at[KEY_GROUP_MAX]; // bytes from the group's beginning
};

struct key_store {
	struct key_places places;
	uint8_t *memory;
};

/// The keys of one session. Of each only the lines in key_places.kept are its own: neither is to be copied.
struct session_keys {
	struct cipher_key *open, *seal;
};

/// The places of keys of which these lines are read.
struct key_places key_places_find(uint32_t kept);

/// Bytes that the keys of so many sessions take.
size_t key_store_size(const struct key_places *places, uint32_t sessions);

ALWAYS_INLINE struct session_keys key_store_at(const struct key_store *store, uint32_t session)
{
	const struct key_places *places = &store->places;
	const uint32_t place = session & ((1U << places->group_shift) - 1);
	uint8_t *group = store->memory + (size_t)(session >> places->group_shift) * places->group_bytes;

	return (struct session_keys){
		.open = (struct cipher_key *)(group + places->open_at[place]),
		.seal = (struct cipher_key *)(group + places->seal_at[place]),
	};
}

/// Prepare one of a session's keys.
void key_store_set(const struct key_store *store, const struct cipher_code *code, struct cipher_key *key,
		   const uint8_t secret[CIPHER_KEY_LEN], const uint8_t salt[CIPHER_SALT_LEN]);

/// Overwrite the keys of a connection that is over.
void key_store_forget(const struct key_store *store, uint32_t session);

#endif
