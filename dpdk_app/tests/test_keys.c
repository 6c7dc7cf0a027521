// SPDX-License-Identifier: BSD-3-Clause
// test_keys.c: what both ends derive from an issued key, and what proves a handshake. Values are in test_vectors.c.

#include "unit.h"

#include <string.h>

#include "crypto/keys.h"
#include "rig.h"

static const uint8_t key[SESSION_KEY_LEN] = {1, 2, 3}, other_key[SESSION_KEY_LEN] = {1, 2, 4};
static const uint8_t agreed[EXCHANGE_LEN] = {5}, other_agreed[EXCHANGE_LEN] = {6};

/// Change one byte of each part of the transcript in turn.
static void a_secret_depends_on_all_that_it_is_made_from(void **state UNUSED)
{
	static const size_t parts[] = {
		offsetof(struct transcript, session),      offsetof(struct transcript, client_nonce),
		offsetof(struct transcript, server_nonce), offsetof(struct transcript, client_share),
		offsetof(struct transcript, server_share),
	};
	struct transcript transcript;
	uint8_t secret[3 + COUNT(parts)][HASH_LEN];

	memset(&transcript, 7, sizeof(transcript));
	connection_secret(secret[0], key, agreed, &transcript);
	connection_secret(secret[1], other_key, agreed, &transcript);
	connection_secret(secret[2], key, other_agreed, &transcript);
	for (size_t i = 0; i < COUNT(parts); i++) {
		uint8_t *byte = (uint8_t *)&transcript + parts[i];

		*byte ^= 1;
		connection_secret(secret[3 + i], key, agreed, &transcript);
		*byte ^= 1;
	}
	for (size_t i = 0; i < COUNT(secret); i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(secret[i], secret[k], HASH_LEN);
}

static void both_directions_have_keys_of_their_own(void **state UNUSED)
{
	static const uint8_t secret[HASH_LEN] = {9};
	struct traffic_keys keys;

	traffic_keys_derive(&keys, secret);
	assert_memory_not_equal(keys.to_gateway, keys.to_client, TRAFFIC_KEY_LEN);
	assert_memory_not_equal(keys.to_gateway_salt, keys.to_client_salt, TRAFFIC_SALT_LEN);
}

static void a_proof_holds_for_its_bytes_key_and_kind_alone(void **state UNUSED)
{
	uint8_t datagram[508] = {3, 0, 1};

	proof_write(PROOF_OF_CONFIRM, key, datagram, sizeof(datagram));
	assert_true(proof_is_right(PROOF_OF_CONFIRM, key, datagram, sizeof(datagram)));
	assert_false(proof_is_right(PROOF_OF_CONFIRM, other_key, datagram, sizeof(datagram)));
	assert_false(proof_is_right(PROOF_OF_DENIED, key, datagram, sizeof(datagram)));
	assert_false(proof_is_right(PROOF_OF_CHALLENGE, key, datagram, sizeof(datagram)));
	for (size_t bit = 0; bit < sizeof(datagram) * 8; bit++) {
		datagram[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(proof_is_right(PROOF_OF_CONFIRM, key, datagram, sizeof(datagram)));
		datagram[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	proof_write(PROOF_OF_DENIED, key, datagram, 56);
	assert_true(proof_is_right(PROOF_OF_DENIED, key, datagram, 56));
	assert_false(proof_is_right(PROOF_OF_CONFIRM, key, datagram, 56));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_depends_on_all_that_it_is_made_from),
		cmocka_unit_test(both_directions_have_keys_of_their_own),
		cmocka_unit_test(a_proof_holds_for_its_bytes_key_and_kind_alone),
	};

	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
