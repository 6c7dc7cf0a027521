// SPDX-License-Identifier: BSD-3-Clause
// crypto/key_store.c: see key_store.h.

#include "crypto/key_store.h"

#include <sodium.h>

#define GROUP_LINES_MAX ((size_t)2 * KEY_GROUP_MAX * CIPHER_KEY_LINES)

/// The lines of a group that are taken.
struct lines {
	bool taken[GROUP_LINES_MAX];
	uint32_t count; // up to the last that is taken
};

static bool fits(const struct lines *lines, uint32_t kept, uint32_t at)
{
	for (uint32_t rest = kept; rest; rest &= rest - 1)
		if (lines->taken[at + (uint32_t)__builtin_ctz(rest)])
			return false;
	return true;
}

/// Put a key where it fits first.
/// @return where, in bytes
static uint16_t put(struct lines *lines, uint32_t kept)
{
	uint32_t at = 0;

	while (!fits(lines, kept, at))
		at++;
	for (uint32_t rest = kept; rest; rest &= rest - 1) {
		const uint32_t line = at + (uint32_t)__builtin_ctz(rest);

		lines->taken[line] = true;
		if (lines->count <= line)
			lines->count = line + 1;
	}
	return (uint16_t)(at * CACHE_LINE);
}

static struct key_places group_of(uint32_t kept, uint32_t shift)
{
	struct key_places places = {.kept = kept, .group_shift = shift};
	struct lines lines = {.count = 0};

	for (uint32_t i = 0; i < 1U << shift; i++) {
		places.open_at[i] = put(&lines, kept);
		places.seal_at[i] = put(&lines, kept);
	}
	// In all groups the same lines are hot, and a power of two apart they would share a part of the cache's sets.
	places.group_bytes = (lines.count | 1) * CACHE_LINE;
	return places;
}

struct key_places key_places_find(uint32_t kept)
{
	struct key_places best = group_of(kept, 0);

	for (uint32_t shift = 1; shift <= KEY_GROUP_SHIFT_MAX; shift++) {
		const struct key_places places = group_of(kept, shift);

		if (places.group_bytes >> shift < best.group_bytes >> best.group_shift)
			best = places;
	}
	return best;
}

size_t key_store_size(const struct key_places *places, uint32_t sessions)
{
	const size_t groups = ((size_t)sessions + (1U << places->group_shift) - 1) >> places->group_shift;

	return groups * places->group_bytes;
}

static uint8_t *line_of(struct cipher_key *key, uint32_t line)
{
	return (uint8_t *)key + (size_t)line * CACHE_LINE;
}

void key_store_set(const struct key_store *store, const struct cipher_code *code, struct cipher_key *key,
		   const uint8_t secret[CIPHER_KEY_LEN], const uint8_t salt[CIPHER_SALT_LEN])
{
	struct cipher_key whole;

	cipher_key_init(code, &whole, secret, salt);
	for (uint32_t rest = store->places.kept; rest; rest &= rest - 1) {
		const uint32_t line = (uint32_t)__builtin_ctz(rest);

		memcpy(line_of(key, line), line_of(&whole, line), CACHE_LINE);
	}
	sodium_memzero(&whole, sizeof(whole));
}

void key_store_forget(const struct key_store *store, uint32_t session)
{
	const struct session_keys keys = key_store_at(store, session);

	for (uint32_t rest = store->places.kept; rest; rest &= rest - 1) {
		sodium_memzero(line_of(keys.open, (uint32_t)__builtin_ctz(rest)), CACHE_LINE);
		sodium_memzero(line_of(keys.seal, (uint32_t)__builtin_ctz(rest)), CACHE_LINE);
	}
}
