// SPDX-License-Identifier: BSD-3-Clause
// test_key_store.c: keys that lie in one another's gaps are as good as whole ones, and take half of the memory.

#include "unit.h"

#include <stdlib.h>

#include "crypto/key_store.h"
#include "rig.h"
#include "session/path.h"
#include "session/store.h"
#include "session_fixture.h"

#define SESSIONS 37 // not a multiple of a group

/// Lines that code for different CPUs keeps: AVX-512 with VAES, AVX2, SSE; and what none does.
static const uint32_t kept_lines[] = {0xe007, 0x003f, 0x00ff, 0xffff, 0x8001, 0x0001};
#define REAL 3

/// Nobody's line is another's, and all lie in the memory.
static void keys_have_lines_of_their_own(void **state UNUSED)
{
	for (size_t i = 0; i < sizeof(kept_lines) / sizeof(kept_lines[0]); i++) {
		const struct key_places places = key_places_find(kept_lines[i]);
		const size_t lines = key_store_size(&places, SESSIONS) / CACHE_LINE;
		const struct key_store store = {places, zeroed_lines(lines * CACHE_LINE)};
		bool *taken = calloc(lines, sizeof(*taken));

		assert_non_null(taken);
		for (uint32_t session = 0; session < SESSIONS; session++) {
			const struct session_keys keys = key_store_at(&store, session);
			const uint8_t *key[] = {(const uint8_t *)keys.open, (const uint8_t *)keys.seal};

			for (uint32_t bit = 0; bit < 64; bit++) {
				const size_t line = (size_t)(key[bit / 32] - store.memory) / CACHE_LINE + bit % 32;

				if (!(kept_lines[i] & 1U << bit % 32))
					continue;
				assert_true(line < lines);
				assert_false(taken[line]);
				taken[line] = true;
			}
		}
		free(taken);
		free(store.memory);
	}
}

static void keys_take_little_more_than_the_lines_that_are_kept(void **state UNUSED)
{
	for (size_t i = 0; i < REAL; i++) {
		const struct key_places places = key_places_find(kept_lines[i]);
		const size_t least = 2 * (size_t)__builtin_popcount(kept_lines[i]) * CACHE_LINE;

		assert_uint_in_range(key_store_size(&places, 1024), 1024 * least, 1024 * (least + CACHE_LINE));
		assert_int_equal(places.group_bytes / CACHE_LINE % 2, 1);
	}
}

/// What this key sealed, a whole one opens, and the other way round, at every length.
static void assert_equal_to_whole(const struct cipher_code *code, const struct cipher_key *key,
				  const struct cipher_key *whole)
{
	uint8_t text[1400], one[1400], other[1400];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
	for (size_t length = 28; length <= sizeof(text); length += length < 300 ? 1 : 41) {
		memcpy(one, text, length);
		memcpy(other, text, length);
		cipher_seal(code, key, length, one, 12, length);
		cipher_seal(code, whole, length, other, 12, length);
		assert_memory_equal(one, other, length);
		assert_true(cipher_open(code, key, length, one, 12, length));
		assert_memory_equal(one, text, length - CIPHER_TAG_LEN);
	}
}

static void a_key_among_others_seals_as_one_that_lies_alone_until_it_is_forgotten(void **state UNUSED)
{
	static const uint8_t salt[CIPHER_SALT_LEN] = {4, 3, 2, 1};
	const struct key_places places = key_places_find(cipher_lines_kept());
	const struct key_store store = {places, zeroed_lines(key_store_size(&places, SESSIONS))};
	uint8_t secret[CIPHER_KEY_LEN] = {0};
	struct cipher_code code;
	struct cipher_key whole;

	assert_true(cipher_code_init(&code));
	for (uint32_t session = 0; session < SESSIONS; session++) {
		secret[0] = (uint8_t)session;
		secret[1] = 0;
		key_store_set(&store, &code, key_store_at(&store, session).open, secret, salt);
		secret[1] = 1;
		key_store_set(&store, &code, key_store_at(&store, session).seal, secret, salt);
	}
	key_store_forget(&store, 3); // and no other
	for (uint32_t session = 0; session < SESSIONS; session++) {
		if (session == 3)
			continue;
		secret[0] = (uint8_t)session;
		secret[1] = 0;
		cipher_key_init(&code, &whole, secret, salt);
		assert_equal_to_whole(&code, key_store_at(&store, session).open, &whole);
		secret[1] = 1;
		cipher_key_init(&code, &whole, secret, salt);
		assert_equal_to_whole(&code, key_store_at(&store, session).seal, &whole);
	}
	cipher_code_free(&code);
	free(store.memory);
}

// ---------------------------------------------------------------- all that a player takes

/// Bytes of a connected player on kernel sockets, beside what messages on their way take: 1.7 KiB. What is remembered of who moved
/// (session/path.h) is touched only then, so its pages do not exist for those who stay.
#define PLAYER_MOST 1741
#define PLAYERS 100000

static void a_connected_player_takes_no_more_memory_than_is_said(void **state UNUSED)
{
	const size_t local = store_local_size(PLAYERS, STORE_SOCKETS) - store_local_size(0, STORE_SOCKETS);
	const size_t kept = pg_state_size(16, 1, PLAYERS) - pg_state_size(16, 1, 1);

	assert_uint_in_range((local + kept) / PLAYERS - sizeof(struct path_state), 1, PLAYER_MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_have_lines_of_their_own),
		cmocka_unit_test(keys_take_little_more_than_the_lines_that_are_kept),
		cmocka_unit_test(a_key_among_others_seals_as_one_that_lies_alone_until_it_is_forgotten),
		cmocka_unit_test(a_connected_player_takes_no_more_memory_than_is_said),
	};

	return cmocka_run_group_tests_name("key_store", tests, NULL, NULL);
}
