// SPDX-License-Identifier: BSD-3-Clause
// test_vectors.c: the C code against wire/session_vectors.json, which an independent implementation wrote in Python.

#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/cipher.h"
#include "crypto/keys.h"
#include "crypto/replay.h"
#include "delivery/delivery.h"
#include "rig.h"
#include "session_vectors.h"

#define POOL_BYTES ((size_t)1 << 20)

static void secrets_are_agreed(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(vector_exchange); i++) {
		struct exchange_key client, server;
		uint8_t agreed[EXCHANGE_LEN];

		exchange_begin(&client, vector_exchange[i].client_secret.at);
		exchange_begin(&server, vector_exchange[i].server_secret.at);
		assert_memory_equal(client.share, vector_exchange[i].client_share.at, EXCHANGE_LEN);
		assert_memory_equal(server.share, vector_exchange[i].server_share.at, EXCHANGE_LEN);
		assert_true(exchange_agree(agreed, &server, client.share));
		assert_memory_equal(agreed, vector_exchange[i].agreed.at, EXCHANGE_LEN);
	}
}

static void traffic_keys_are_derived(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(vector_derive); i++) {
		struct transcript transcript = {.session = (uint32_t)vector_derive[i].session};
		uint8_t secret[HASH_LEN];
		struct traffic_keys keys;

		memcpy(transcript.client_nonce, vector_derive[i].client_nonce.at, SESSION_NONCE_LEN);
		memcpy(transcript.server_nonce, vector_derive[i].server_nonce.at, SESSION_NONCE_LEN);
		memcpy(transcript.client_share, vector_derive[i].client_share.at, EXCHANGE_LEN);
		memcpy(transcript.server_share, vector_derive[i].server_share.at, EXCHANGE_LEN);
		connection_secret(secret, vector_derive[i].key.at, vector_derive[i].agreed.at, &transcript);
		assert_memory_equal(secret, vector_derive[i].secret.at, HASH_LEN);
		traffic_keys_derive(&keys, secret);
		assert_memory_equal(keys.to_gateway, vector_derive[i].client_key.at, TRAFFIC_KEY_LEN);
		assert_memory_equal(keys.to_gateway_salt, vector_derive[i].client_salt.at, TRAFFIC_SALT_LEN);
		assert_memory_equal(keys.to_client, vector_derive[i].gateway_key.at, TRAFFIC_KEY_LEN);
		assert_memory_equal(keys.to_client_salt, vector_derive[i].gateway_salt.at, TRAFFIC_SALT_LEN);
		next_secret(secret, secret);
		assert_memory_equal(secret, vector_derive[i].next_secret.at, HASH_LEN);
	}
}

static void windows_tell_what_is_fresh(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(vector_replay); i++) {
		struct replay replay = {0};

		for (size_t k = 0; k < vector_replay[i].steps.n; k++) {
			const struct vector_step *step = &vector_replay[i].steps.at[k];

			if (replay_fresh(&replay, step->counter) != step->fresh)
				fail_msg("%s: step %zu", vector_replay[i].name, k);
			if (step->fresh)
				replay_mark(&replay, step->counter);
		}
	}
}

/// Of a datagram that ends in a proof.
static void check_proof(size_t i)
{
	const struct vector_bytes proved = vector_datagrams[i].datagram;
	const uint8_t *key = vector_datagrams[i].proof_key.at;
	uint8_t datagram[SESSION_DATAGRAM_MAX];

	memcpy(datagram, proved.at, proved.n - SESSION_TAG_LEN);
	memset(datagram + proved.n - SESSION_TAG_LEN, 0, SESSION_TAG_LEN);
	assert_true(proved.at[0] == SESSION_CHALLENGE || proved.at[0] == SESSION_CONFIRM ||
		    proved.at[0] == SESSION_DENIED);

	const enum proof what = proved.at[0] == SESSION_CHALLENGE ? PROOF_OF_CHALLENGE :
				proved.at[0] == SESSION_CONFIRM   ? PROOF_OF_CONFIRM :
								    PROOF_OF_DENIED;

	assert_true(proof_is_right(what, key, proved.at, proved.n));
	proof_write(what, key, datagram, proved.n);
	assert_memory_equal(datagram, proved.at, proved.n);
}

static void proofs_hold_and_are_made_alike(void **state UNUSED)
{
	unsigned proofs = 0;

	for (size_t i = 0; i < COUNT(vector_datagrams); i++) {
		if (vector_datagrams[i].proof_key.n == 0)
			continue;
		check_proof(i);
		proofs++;
	}
	assert_true(proofs >= 7);
}

static void check_sealed(const struct cipher_code *code, size_t i)
{
	const struct vector_bytes sealed = vector_datagrams[i].datagram, secret = vector_datagrams[i].secret;
	const size_t clear = vector_datagrams[i].clear_bytes;
	uint8_t datagram[SESSION_DATAGRAM_MAX];
	struct cipher_key key;

	assert_int_equal(sealed.n, clear + secret.n + SESSION_TAG_LEN);
	cipher_key_init(code, &key, vector_datagrams[i].key.at, vector_datagrams[i].salt.at);
	memcpy(datagram, sealed.at, sealed.n);
	assert_true(cipher_open(code, &key, vector_datagrams[i].counter, datagram, clear, sealed.n));
	assert_memory_equal(datagram + clear, secret.at, secret.n);
	memset(datagram + clear + secret.n, 0, SESSION_TAG_LEN);
	cipher_seal(code, &key, vector_datagrams[i].counter, datagram, clear, sealed.n);
	assert_memory_equal(datagram, sealed.at, sealed.n);
}

static void sealed_datagrams_are_opened_and_sealed_alike(void **state UNUSED)
{
	struct cipher_code code;
	unsigned sealed = 0;

	assert_true(cipher_code_init(&code));
	for (size_t i = 0; i < COUNT(vector_datagrams); i++) {
		if (vector_datagrams[i].key.n == 0)
			continue;
		check_sealed(&code, i);
		sealed++;
	}
	assert_true(sealed >= 20);
	cipher_code_free(&code);
}

/// The first bytes of each kind, by the structures of wire/session.h.
static void headers_lie_where_the_structures_say(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(vector_datagrams); i++) {
		struct session_header header;

		memcpy(&header, vector_datagrams[i].datagram.at, sizeof(header));
		assert_int_equal(header.length, vector_datagrams[i].datagram.n);
		assert_int_equal(header.session, vector_datagrams[i].session);
		assert_int_equal(header.counter, vector_datagrams[i].counter);
	}
}

/// Under a spare: the header's counter has its offset, the nonce has not.
static void counters_of_headers_have_the_offset_of_their_number(void **state UNUSED)
{
	struct cipher_code code;

	assert_true(cipher_code_init(&code));
	for (size_t i = 0; i < COUNT(vector_numbers); i++) {
		const struct vector_bytes sealed = vector_numbers[i].datagram;
		uint8_t datagram[SESSION_DATAGRAM_MAX];
		struct session_header header;
		struct cipher_key key;

		memcpy(datagram, sealed.at, sealed.n);
		memcpy(&header, datagram, sizeof(header));
		assert_int_equal(header.session, vector_numbers[i].spare);
		cipher_key_init(&code, &key, vector_numbers[i].key.at, vector_numbers[i].salt.at);
		assert_true(cipher_open(&code, &key, (uint32_t)(header.counter - vector_numbers[i].offset), datagram,
					sizeof(header), sealed.n));
		assert_memory_equal(datagram + sizeof(header), vector_numbers[i].secret.at, vector_numbers[i].secret.n);
	}
	cipher_code_free(&code);
}

/// What becomes of a DATA with these messages at a gateway that has just connected?
static const char *fate_of(struct delivery_context *ctx, struct vector_bytes secret)
{
	struct delivery *c = zeroed_lines(delivery_size());
	uint8_t *body = malloc(secret.n ? secret.n : 1); // of exactly its size
	struct delivered delivered;
	const uint64_t skipped = ctx->stats->skipped;
	struct intake intake;

	assert_non_null(body);
	memcpy(body, secret.at, secret.n);
	delivery_begin(ctx, c, 0, SESSION_DATAGRAM_MAX - SESSION_DATA_MIN);
	intake_begin(&intake, body, (uint16_t)secret.n, 1, 1000);
	while (intake_next(ctx, c, &intake, &delivered))
		;
	delivery_end(ctx, c, PG_LOSS_CLOSED);
	free(body);
	free(c);
	if (intake.violation)
		return "closes";
	if (intake.refused)
		return "refused";
	return ctx->stats->skipped != skipped ? "skipped" : "taken";
}

static void messages_are_taken_skipped_and_refused_alike(void **state UNUSED)
{
	static const struct delivery_rules rules = {.queue_bytes = 65536, .millisecond = 1000000};
	void *memory = zeroed_lines(message_pool_size(POOL_BYTES));
	struct pg_message_stats stats = {0};
	struct delivery_context ctx = {
		.rules = &rules,
		.pool = message_pool_init(memory, POOL_BYTES),
		.compressor = compressor_new(6),
		.stats = &stats,
		.gateway = true,
	};

	for (size_t i = 0; i < COUNT(vector_data); i++)
		assert_string_equal(fate_of(&ctx, vector_data[i].secret), vector_data[i].fate);
	compressor_free(ctx.compressor);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_are_agreed),
		cmocka_unit_test(traffic_keys_are_derived),
		cmocka_unit_test(windows_tell_what_is_fresh),
		cmocka_unit_test(proofs_hold_and_are_made_alike),
		cmocka_unit_test(sealed_datagrams_are_opened_and_sealed_alike),
		cmocka_unit_test(headers_lie_where_the_structures_say),
		cmocka_unit_test(counters_of_headers_have_the_offset_of_their_number),
		cmocka_unit_test(messages_are_taken_skipped_and_refused_alike),
	};

	return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
