// SPDX-License-Identifier: BSD-3-Clause
// test_secrets.c: what is derived from an issued key, and what proves a handshake. Values are in test_vectors.c.

#include "unit.h"

#include <string.h>

#include "crypto/secrets.h"
#include "rig.h"

static const uint8_t key[SESSION_KEY_LEN] = {1, 2, 3}, other_key[SESSION_KEY_LEN] = {1, 2, 4};
static const uint8_t nonce_a[SESSION_NONCE_LEN] = {10}, nonce_b[SESSION_NONCE_LEN] = {11};
static const struct cookie_secret secret = {{42}};

static struct peer peer4(uint32_t address, uint16_t port, uint8_t listener)
{
	struct peer peer;

	peer_set4(&peer, BE32(address));
	peer_set_channel(&peer, BE16(port), listener);
	return peer;
}

// ---------------------------------------------------------------- keys and proofs

static void traffic_keys_depend_on_all_that_they_are_made_from(void **state UNUSED)
{
	struct traffic_secrets made[6];

	traffic_secrets_derive(&made[0], key, 7, nonce_a, nonce_b);
	traffic_secrets_derive(&made[1], other_key, 7, nonce_a, nonce_b);
	traffic_secrets_derive(&made[2], key, 8, nonce_a, nonce_b);
	traffic_secrets_derive(&made[3], key, 7, nonce_b, nonce_b);
	traffic_secrets_derive(&made[4], key, 7, nonce_a, nonce_a);
	traffic_secrets_derive(&made[5], key, 7, nonce_b, nonce_a);
	for (size_t i = 0; i < COUNT(made); i++) {
		assert_memory_not_equal(made[i].to_gateway, made[i].to_client, CIPHER_KEY_LEN);
		for (size_t k = 0; k < i; k++) {
			assert_memory_not_equal(made[i].to_gateway, made[k].to_gateway, CIPHER_KEY_LEN);
			assert_memory_not_equal(made[i].to_client, made[k].to_client, CIPHER_KEY_LEN);
		}
	}
}

static void a_proof_holds_for_its_bytes_key_and_kind_alone(void **state UNUSED)
{
	uint8_t datagram[508] = {3, 0, 1};

	proof_write(PROOF_OF_CONFIRM, key, datagram, sizeof(datagram));
	assert_true(proof_is_right(PROOF_OF_CONFIRM, key, datagram, sizeof(datagram)));
	assert_false(proof_is_right(PROOF_OF_CONFIRM, other_key, datagram, sizeof(datagram)));
	assert_false(proof_is_right(PROOF_OF_DENIED, key, datagram, sizeof(datagram)));
	for (size_t bit = 0; bit < sizeof(datagram) * 8; bit++) {
		datagram[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(proof_is_right(PROOF_OF_CONFIRM, key, datagram, sizeof(datagram)));
		datagram[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	proof_write(PROOF_OF_DENIED, key, datagram, 56);
	assert_true(proof_is_right(PROOF_OF_DENIED, key, datagram, 56));
	assert_false(proof_is_right(PROOF_OF_CONFIRM, key, datagram, 56));
}

// ---------------------------------------------------------------- cookies

static enum cookie_verdict check(const uint8_t *cookie, struct peer peer, uint32_t session, const uint8_t *nonce,
				 uint64_t now_ms)
{
	return cookie_check(cookie, &secret, &peer, session, nonce, &now_ms);
}

static void a_cookie_is_good_for_four_seconds(void **state UNUSED)
{
	const struct peer peer = peer4(0x14000001, 5000, 0);
	uint8_t cookie[SESSION_COOKIE_LEN];

	cookie_make(cookie, &secret, &peer, 7, nonce_a, 100000);
	assert_int_equal(check(cookie, peer, 7, nonce_a, 100000), COOKIE_GOOD);
	assert_int_equal(check(cookie, peer, 7, nonce_a, 104000), COOKIE_GOOD);
	assert_int_equal(check(cookie, peer, 7, nonce_a, 104001), COOKIE_OLD);
	assert_int_equal(check(cookie, peer, 7, nonce_a, 99999), COOKIE_GOOD); // by a worker whose clock is read later
}

static void a_good_cookie_tells_when_it_was_made(void **state UNUSED)
{
	const struct peer peer = peer4(0x14000001, 5000, 0);
	uint8_t cookie[SESSION_COOKIE_LEN];
	uint64_t time_ms = 103000;

	cookie_make(cookie, &secret, &peer, 7, nonce_a, 100000);
	assert_int_equal(cookie_check(cookie, &secret, &peer, 7, nonce_a, &time_ms), COOKIE_GOOD);
	assert_int_equal(time_ms, 100000);
}

static void a_cookie_for_anything_else_is_forged(void **state UNUSED)
{
	const struct cookie_secret other = {{43}};
	const struct peer peer = peer4(0x14000001, 5000, 0);
	uint8_t cookie[SESSION_COOKIE_LEN];
	uint64_t time_ms = 100000;

	cookie_make(cookie, &secret, &peer, 7, nonce_a, 100000);
	assert_int_equal(check(cookie, peer4(0x14000002, 5000, 0), 7, nonce_a, 100000), COOKIE_FORGED);
	assert_int_equal(check(cookie, peer4(0x14000001, 5001, 0), 7, nonce_a, 100000), COOKIE_FORGED);
	assert_int_equal(check(cookie, peer4(0x14000001, 5000, 1), 7, nonce_a, 100000), COOKIE_FORGED);
	assert_int_equal(check(cookie, peer, 8, nonce_a, 100000), COOKIE_FORGED);
	assert_int_equal(check(cookie, peer, 7, nonce_b, 100000), COOKIE_FORGED);
	assert_int_equal(cookie_check(cookie, &other, &peer, 7, nonce_a, &time_ms), COOKIE_FORGED);
	for (size_t bit = 0; bit < sizeof(cookie) * 8; bit++) { // its time among them
		cookie[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(check(cookie, peer, 7, nonce_a, 100000), COOKIE_FORGED);
		cookie[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

static void a_path_token_is_no_part_of_a_cookie(void **state UNUSED)
{
	const struct peer peer = peer4(0x14000001, 5000, 0);
	uint8_t cookie[SESSION_COOKIE_LEN], token[SESSION_PATH_TOKEN_LEN];

	cookie_make(cookie, &secret, &peer, 7, nonce_a, 100000);
	path_token(token, &secret, &peer, 7, nonce_a, 100000);
	for (size_t at = 0; at + sizeof(token) <= sizeof(cookie); at++)
		assert_memory_not_equal(cookie + at, token, sizeof(token));
}

static void a_path_token_is_for_one_address_connection_and_time(void **state UNUSED)
{
	const struct peer peer = peer4(0x14000001, 5000, 0), other = peer4(0x14000001, 5001, 0);
	uint8_t token[5][SESSION_PATH_TOKEN_LEN];

	path_token(token[0], &secret, &peer, 7, nonce_a, 100000);
	path_token(token[1], &secret, &other, 7, nonce_a, 100000);
	path_token(token[2], &secret, &peer, 8, nonce_a, 100000);
	path_token(token[3], &secret, &peer, 7, nonce_b, 100000);
	path_token(token[4], &secret, &peer, 7, nonce_a, 100001);
	for (size_t i = 1; i < COUNT(token); i++)
		assert_memory_not_equal(token[0], token[i], SESSION_PATH_TOKEN_LEN);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(traffic_keys_depend_on_all_that_they_are_made_from),
		cmocka_unit_test(a_proof_holds_for_its_bytes_key_and_kind_alone),
		cmocka_unit_test(a_cookie_is_good_for_four_seconds),
		cmocka_unit_test(a_good_cookie_tells_when_it_was_made),
		cmocka_unit_test(a_cookie_for_anything_else_is_forged),
		cmocka_unit_test(a_path_token_is_no_part_of_a_cookie),
		cmocka_unit_test(a_path_token_is_for_one_address_connection_and_time),
		cmocka_unit_test(no_draw_repeats_another),
	};

	return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
