// SPDX-License-Identifier: BSD-3-Clause
// test_secrets.c: what only the gateway can make: cookies, tokens, decoys, what tells connections apart, random bytes.

#include "unit.h"

#include <string.h>

#include "crypto/secrets.h"
#include "rig.h"

static const uint8_t of_ours[GATEWAY_SECRET_LEN] = {42}, of_others[GATEWAY_SECRET_LEN] = {43};
static const uint8_t key[SESSION_KEY_LEN] = {1, 2, 3}, other_key[SESSION_KEY_LEN] = {1, 2, 4};
static const uint8_t nonce_a[SESSION_NONCE_LEN] = {10}, nonce_b[SESSION_NONCE_LEN] = {11};

static struct gateway_secret secret;

static int make_secret(void **state UNUSED)
{
	gateway_secret_init(&secret, of_ours);
	return 0;
}

static struct peer peer4(uint32_t address, uint16_t port, uint8_t listener)
{
	struct peer peer;

	peer_set4(&peer, BE32(address));
	peer_set_channel(&peer, BE16(port), listener);
	return peer;
}

// ---------------------------------------------------------------- cookies

#define MADE UINT64_C(0x0000123456789abc) // TSC

static bool is_good(const uint8_t *cookie, struct peer peer, uint32_t session, const uint8_t *nonce)
{
	uint64_t made;

	return cookie_check(cookie, &secret, (struct cookie_for){&peer, session, nonce}, &made);
}

static void make_cookie(uint8_t *cookie, struct peer peer, uint32_t session, const uint8_t *nonce, uint64_t time)
{
	cookie_make(cookie, &secret, (struct cookie_for){&peer, session, nonce}, time);
}

static void a_good_cookie_tells_when_it_was_made(void **state UNUSED)
{
	static const uint64_t times[] = {0, 1, MADE, MADE + 1, UINT64_MAX};
	const struct peer peer = peer4(0x14000001, 5000, 0);
	uint8_t cookie[SESSION_COOKIE_LEN];

	for (size_t i = 0; i < COUNT(times); i++) {
		uint64_t made;

		make_cookie(cookie, peer, 7, nonce_a, times[i]);
		assert_true(cookie_check(cookie, &secret, (struct cookie_for){&peer, 7, nonce_a}, &made));
		assert_true(made == times[i]);
	}
}

static void a_cookie_for_anything_else_is_forged(void **state UNUSED)
{
	const struct peer peer = peer4(0x14000001, 5000, 0);
	uint8_t cookie[SESSION_COOKIE_LEN];

	make_cookie(cookie, peer, 7, nonce_a, MADE);
	assert_true(is_good(cookie, peer, 7, nonce_a));
	assert_false(is_good(cookie, peer4(0x14000002, 5000, 0), 7, nonce_a));
	assert_false(is_good(cookie, peer4(0x14000001, 5001, 0), 7, nonce_a));
	assert_false(is_good(cookie, peer4(0x14000001, 5000, 1), 7, nonce_a));
	assert_false(is_good(cookie, peer, 8, nonce_a));
	assert_false(is_good(cookie, peer, 7, nonce_b));
	for (size_t bit = 0; bit < sizeof(cookie) * 8; bit++) { // its time among them
		cookie[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(is_good(cookie, peer, 7, nonce_a));
		cookie[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	gateway_secret_init(&secret, of_others);
	assert_false(is_good(cookie, peer, 7, nonce_a));
}

/// Whoever gets cookies learns neither the gateway's clock nor how far apart they were made.
static void the_time_of_a_cookie_is_not_in_clear(void **state UNUSED)
{
	const struct peer peer = peer4(0x14000001, 5000, 0);
	uint8_t cookie[2][SESSION_COOKIE_LEN];
	unsigned differing = 0;

	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t a, b;

		make_cookie(cookie[0], peer, 7, nonce_a, MADE + 2 * i);
		make_cookie(cookie[1], peer, 7, nonce_a, MADE + 2 * i + 1);
		memcpy(&a, cookie[0], sizeof(a));
		memcpy(&b, cookie[1], sizeof(b));
		differing += (unsigned)__builtin_popcountll(a ^ b);
	}
	assert_uint_in_range(differing, 30000, 34000); // half of 64,000 bits
}

static void two_cookies_of_neighbouring_cycles_are_different(void **state UNUSED)
{
	const struct peer peer = peer4(0x14000001, 5000, 0);
	uint8_t cookie[2][SESSION_COOKIE_LEN];

	make_cookie(cookie[0], peer, 7, nonce_a, MADE);
	make_cookie(cookie[1], peer, 7, nonce_a, MADE + 1);
	assert_memory_not_equal(cookie[0], cookie[1], sizeof(uint64_t));
	assert_memory_not_equal(cookie[0] + 8, cookie[1] + 8, SESSION_COOKIE_LEN - 8);
}

// ---------------------------------------------------------------- tokens

static void a_path_token_is_no_part_of_a_cookie(void **state UNUSED)
{
	const struct peer peer = peer4(0x14000001, 5000, 0);
	uint8_t cookie[SESSION_COOKIE_LEN], token[SESSION_PATH_TOKEN_LEN];

	make_cookie(cookie, peer, 7, nonce_a, 100000);
	path_token(token, &secret, &peer, 7, 1, 100000);
	for (size_t at = 0; at + sizeof(token) <= sizeof(cookie); at++)
		assert_memory_not_equal(cookie + at, token, sizeof(token));
}

static void a_path_token_is_for_one_address_connection_and_time(void **state UNUSED)
{
	const struct peer peer = peer4(0x14000001, 5000, 0), other = peer4(0x14000001, 5001, 0);
	uint8_t token[5][SESSION_PATH_TOKEN_LEN];

	path_token(token[0], &secret, &peer, 7, 1, 100000);
	path_token(token[1], &secret, &other, 7, 1, 100000);
	path_token(token[2], &secret, &peer, 8, 1, 100000);
	path_token(token[3], &secret, &peer, 7, 2, 100000);
	path_token(token[4], &secret, &peer, 7, 1, 100001);
	for (size_t i = 1; i < COUNT(token); i++)
		assert_memory_not_equal(token[0], token[i], SESSION_PATH_TOKEN_LEN);
}

/// A number is issued again, connections are counted from the start: only the key is another.
static void no_two_connections_have_the_same_nonce_or_token(void **state UNUSED)
{
	struct connection_marks marks[5];

	connection_marks(&marks[0], &secret, key, 7, 1);
	connection_marks(&marks[1], &secret, key, 7, 2);
	connection_marks(&marks[2], &secret, key, 8, 1);
	connection_marks(&marks[3], &secret, other_key, 7, 1);
	gateway_secret_init(&secret, of_others);
	connection_marks(&marks[4], &secret, key, 7, 1);
	for (size_t i = 0; i < COUNT(marks); i++) {
		assert_memory_not_equal(marks[i].server_nonce, marks[i].reset_token, SESSION_NONCE_LEN);
		for (size_t k = 0; k < i; k++) {
			assert_memory_not_equal(marks[i].server_nonce, marks[k].server_nonce, SESSION_NONCE_LEN);
			assert_memory_not_equal(marks[i].reset_token, marks[k].reset_token, SESSION_RESET_TOKEN_LEN);
		}
	}
}

static void each_number_has_a_decoy_of_its_own_which_stays(void **state UNUSED)
{
	uint8_t decoy[3][SESSION_KEY_LEN];

	decoy_key(decoy[0], &secret, 7);
	decoy_key(decoy[1], &secret, 8);
	decoy_key(decoy[2], &secret, 7);
	assert_memory_equal(decoy[0], decoy[2], SESSION_KEY_LEN);
	assert_memory_not_equal(decoy[0], decoy[1], SESSION_KEY_LEN / 2);
	assert_memory_not_equal(decoy[0] + 16, decoy[1] + 16, SESSION_KEY_LEN / 2);
	assert_memory_not_equal(decoy[0], decoy[0] + 16, SESSION_KEY_LEN / 2);
	gateway_secret_init(&secret, of_others);
	decoy_key(decoy[2], &secret, 7);
	assert_memory_not_equal(decoy[0], decoy[2], SESSION_KEY_LEN);
}

// ---------------------------------------------------------------- random bytes

static void no_draw_repeats_another(void **state UNUSED)
{
	static uint8_t drawn[4096][SESSION_NONCE_LEN];
	struct random_source a, b;

	assert_true(random_source_init(&a));
	assert_true(random_source_init(&b));
	for (size_t i = 0; i < COUNT(drawn); i++)
		random_draw(i % 2 ? &a : &b, drawn[i], sizeof(drawn[i]));
	for (size_t i = 0; i < COUNT(drawn); i++)
		for (size_t k = 0; k < i; k++)
			if (memcmp(drawn[i], drawn[k], SESSION_NONCE_LEN) == 0)
				fail_msg("draws %zu and %zu are the same", i, k);
}

/// Else a secret that was forgotten could be drawn once more.
static void nothing_of_a_seed_is_left_when_something_was_drawn(void **state UNUSED)
{
	struct random_source source = {.seed = {1}}, before = source;
	uint8_t drawn[32];

	random_draw(&source, drawn, sizeof(drawn));
	for (size_t at = 0; at + 8 <= sizeof(drawn); at += 8) {
		assert_memory_not_equal(source.seed + at, before.seed + at, 8);
		assert_memory_not_equal(source.seed + at, drawn + at, 8);
	}
}

int main(void)
{
#define secrets_test(name) cmocka_unit_test_setup(name, make_secret)
	const struct CMUnitTest tests[] = {
		secrets_test(a_good_cookie_tells_when_it_was_made),
		secrets_test(a_cookie_for_anything_else_is_forged),
		secrets_test(the_time_of_a_cookie_is_not_in_clear),
		secrets_test(two_cookies_of_neighbouring_cycles_are_different),
		secrets_test(a_path_token_is_no_part_of_a_cookie),
		secrets_test(a_path_token_is_for_one_address_connection_and_time),
		secrets_test(no_two_connections_have_the_same_nonce_or_token),
		secrets_test(each_number_has_a_decoy_of_its_own_which_stays),
		secrets_test(no_draw_repeats_another),
		secrets_test(nothing_of_a_seed_is_left_when_something_was_drawn),
	};

	return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
