// SPDX-License-Identifier: BSD-3-Clause
// test_netcode_vectors.c: tokens and packets against wire/netcode_vectors.json, which the reference implementation of netcode
// 1.02 made.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "netcode/packet.h"
#include "netcode/token.h"
#include "netcode_vectors.h"

#define ROOM 2048

// ---------------------------------------------------------------- connect tokens

static struct netcode_request request_of(size_t i)
{
	struct netcode_request request;

	assert_int_equal(vector_tokens[i].request.n, sizeof(request));
	memcpy(&request, vector_tokens[i].request.at, sizeof(request));
	return request;
}

static void requests_of_the_reference_are_read(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(vector_tokens); i++) {
		const struct netcode_request request = request_of(i);
		struct netcode_private token;

		assert_true(request.protocol_id == vector_tokens[i].protocol_id);
		assert_true(request.expires_s == vector_tokens[i].expires_s);
		assert_true(netcode_private_open(&token, &request, vector_tokens[i].private_key.at));
		assert_true(token.client_id == vector_tokens[i].client_id);
		assert_int_equal(token.timeout_s, vector_tokens[i].timeout_s);
		assert_memory_equal(token.to_server, vector_tokens[i].to_server.at, NETCODE_KEY_LEN);
		assert_memory_equal(token.to_client, vector_tokens[i].to_client.at, NETCODE_KEY_LEN);
		assert_memory_equal(token.user_data, vector_tokens[i].user_data.at, NETCODE_USER_DATA_LEN);
	}
}

static void servers_of_a_token_are_those_that_it_was_made_for(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(vector_tokens); i++) {
		const struct netcode_request request = request_of(i);
		struct netcode_private token;
		struct pg_netcode_server other;

		assert_true(netcode_private_open(&token, &request, vector_tokens[i].private_key.at));
		assert_int_equal(token.servers, vector_tokens[i].server_count);
		for (uint32_t k = 0; k < token.servers; k++) {
			other = vector_tokens[i].servers[k];
			assert_true(netcode_private_names(&token, &other, 1));
			other.port++;
			assert_false(netcode_private_names(&token, &other, 1));
			other.port--;
			other.bytes[3] ^= 1;
			assert_false(netcode_private_names(&token, &other, 1));
		}
	}
}

/// Every field of the request is sealed with the token: whoever changes one has none.
static void token_does_not_open_when_a_bit_of_its_request_changed(void **state UNUSED)
{
	const size_t signed_from = offsetof(struct netcode_request, protocol_id);
	struct netcode_private token;

	for (size_t at = signed_from; at < sizeof(struct netcode_request); at++) {
		struct netcode_request request = request_of(0);

		((uint8_t *)&request)[at] ^= 0x10;
		assert_false(netcode_private_open(&token, &request, vector_tokens[0].private_key.at));
	}
}

static void token_does_not_open_with_another_key(void **state UNUSED)
{
	const struct netcode_request request = request_of(0);
	struct netcode_private token;
	uint8_t key[NETCODE_KEY_LEN];

	memcpy(key, vector_tokens[0].private_key.at, sizeof(key));
	key[31] ^= 1;
	assert_false(netcode_private_open(&token, &request, key));
}

/// What the reference puts into a token, we put at the same places; the keys are our own.
static void tokens_that_are_made_are_like_those_of_the_reference(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(vector_tokens); i++) {
		struct pg_netcode_grant grant = {
			.protocol_id = vector_tokens[i].protocol_id,
			.client_id = vector_tokens[i].client_id,
			.created_s = vector_tokens[i].created_s,
			.expires_s = vector_tokens[i].expires_s,
			.timeout_s = vector_tokens[i].timeout_s,
			.server_count = vector_tokens[i].server_count,
		};
		const size_t head = offsetof(struct netcode_token_head, nonce),
			     behind = offsetof(struct netcode_token_head, timeout_s);
		const uint8_t *theirs = vector_tokens[i].token.at;
		uint8_t ours[NETCODE_TOKEN_LEN];
		struct pg_error error;
		size_t keys = behind + 8, last = NETCODE_TOKEN_LEN - 1;

		memcpy(grant.server, vector_tokens[i].servers, sizeof(grant.server));
		memcpy(grant.user_data, vector_tokens[i].user_data.at, sizeof(grant.user_data));
		assert_int_equal(pg_netcode_token(&grant, vector_tokens[i].private_key.at, ours, &error), PG_OK);
		for (uint32_t k = 0; k < grant.server_count; k++)
			keys += grant.server[k].family == 4 ? 7 : 19;
		assert_memory_equal(ours, theirs, head);
		assert_memory_equal(ours + behind, theirs + behind, keys - behind);
		assert_memory_not_equal(ours + keys, theirs + keys, 2 * NETCODE_KEY_LEN);
		while (last >= keys + 2 * NETCODE_KEY_LEN)
			assert_int_equal(ours[last--], 0);
	}
}

static void token_that_is_made_opens(void **state UNUSED)
{
	struct pg_netcode_grant grant = {
		.protocol_id = 7,
		.client_id = 8,
		.created_s = 1,
		.expires_s = 2,
		.timeout_s = 3,
		.server_count = 1,
		.server = {{4, {192, 0, 2, 1}, 8082}},
		.user_data = {1, 2, 3},
	};
	const uint8_t key[NETCODE_KEY_LEN] = {9};
	struct netcode_request request = {.protocol_id = 7, .expires_s = 2};
	const struct netcode_token_head *head;
	uint8_t token[NETCODE_TOKEN_LEN];
	struct netcode_private opened;
	struct pg_error error;

	assert_int_equal(pg_netcode_token(&grant, key, token, &error), PG_OK);
	head = (const struct netcode_token_head *)token;
	memcpy(request.nonce, head->nonce, sizeof(request.nonce));
	memcpy(request.sealed, head->sealed, sizeof(request.sealed));
	assert_true(netcode_private_open(&opened, &request, key));
	assert_true(opened.client_id == 8 && opened.timeout_s == 3);
	assert_true(netcode_private_names(&opened, &grant.server[0], 1));
	assert_memory_equal(opened.user_data, grant.user_data, sizeof(grant.user_data));
	assert_memory_equal(opened.to_server, token + sizeof(*head) + 4 + 7, NETCODE_KEY_LEN);
}

static void token_that_cannot_be_is_not_made(void **state UNUSED)
{
	const uint8_t key[NETCODE_KEY_LEN] = {0};
	struct pg_netcode_grant grant = {.created_s = 1, .expires_s = 2, .server_count = 1, .server = {{4, {1}, 1}}};
	uint8_t token[NETCODE_TOKEN_LEN];
	struct pg_error error;

	assert_int_equal(pg_netcode_token(&grant, key, token, &error), PG_OK);
	grant.server_count = 0;
	assert_int_equal(pg_netcode_token(&grant, key, token, &error), PG_ERROR_USAGE);
	grant.server_count = NETCODE_SERVERS_MAX + 1;
	assert_int_equal(pg_netcode_token(&grant, key, token, &error), PG_ERROR_USAGE);
	grant.server_count = 1;
	grant.expires_s = 1;
	assert_int_equal(pg_netcode_token(&grant, key, token, &error), PG_ERROR_USAGE);
	grant.expires_s = 2;
	grant.server[0].family = 5;
	assert_int_equal(pg_netcode_token(&grant, key, token, &error), PG_ERROR_USAGE);
}

// ---------------------------------------------------------------- packets

static void packets_are_sealed_as_the_reference_seals_them(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(vector_packets); i++) {
		uint8_t packet[ROOM];
		const uint16_t length = netcode_seal(packet, vector_packets[i].kind, vector_packets[i].sequence,
						     vector_packets[i].body.at, (uint16_t)vector_packets[i].body.n,
						     vector_packets[i].protocol_id, vector_packets[i].key.at);

		assert_int_equal(length, vector_packets[i].packet.n);
		assert_memory_equal(packet, vector_packets[i].packet.at, length);
	}
}

/// Those that a client sends; from anybody else they would be ignored.
static void packets_of_the_reference_are_opened(void **state UNUSED)
{
	unsigned opened = 0;

	for (size_t i = 0; i < COUNT(vector_packets); i++) {
		const unsigned kind = vector_packets[i].kind;
		struct netcode_header header;
		uint8_t body[ROOM];
		const enum pg_drop drop =
			netcode_header_read(&header, vector_packets[i].packet.at, (uint16_t)vector_packets[i].packet.n);

		if (kind == NETCODE_DENIED || kind == NETCODE_CHALLENGE) {
			assert_int_equal(drop, PG_DROP_NETCODE_HEADER);
			continue;
		}
		assert_int_equal(drop, PG_DROP_NONE);
		assert_int_equal(header.kind, kind);
		assert_true(header.sequence == vector_packets[i].sequence);
		assert_int_equal(header.length, vector_packets[i].body.n);
		assert_true(netcode_length_fits(kind, header.length));
		assert_true(netcode_open(body, vector_packets[i].packet.at, &header, vector_packets[i].protocol_id,
					 vector_packets[i].key.at));
		assert_memory_equal(body, vector_packets[i].body.at, header.length);
		opened++;
	}
	assert_true(opened > 10);
}

static void packet_does_not_open_when_a_byte_changed(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(vector_packets); i++) {
		uint8_t packet[ROOM];
		struct netcode_header header;

		for (size_t at = 0; at < vector_packets[i].packet.n; at++) {
			memcpy(packet, vector_packets[i].packet.at, vector_packets[i].packet.n);
			packet[at] ^= 1;
			if (netcode_header_read(&header, packet, (uint16_t)vector_packets[i].packet.n) == PG_DROP_NONE)
				assert_false(netcode_open(NULL, packet, &header, vector_packets[i].protocol_id,
							  vector_packets[i].key.at));
		}
	}
}

static void packet_of_another_protocol_does_not_open(void **state UNUSED)
{
	struct netcode_header header;

	assert_int_equal(
		netcode_header_read(&header, vector_packets[0].packet.at, (uint16_t)vector_packets[0].packet.n),
		PG_DROP_NONE);
	assert_false(netcode_open(NULL, vector_packets[0].packet.at, &header, vector_packets[0].protocol_id + 1,
				  vector_packets[0].key.at));
}

// ---------------------------------------------------------------- challenges

static void challenges_of_the_reference_are_opened_and_sealed_alike(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(vector_challenges); i++) {
		struct netcode_challenge theirs = {.sequence = vector_challenges[i].sequence}, ours;
		struct netcode_challenge_token token;

		memcpy(theirs.sealed, vector_challenges[i].sealed.at, sizeof(theirs.sealed));
		assert_true(netcode_challenge_open(&token, &theirs, vector_challenges[i].key.at));
		assert_true(token.client_id == vector_challenges[i].client_id);
		assert_memory_equal(token.user_data, vector_challenges[i].user_data.at, sizeof(token.user_data));
		netcode_challenge_seal(&ours, &token, vector_challenges[i].sequence, vector_challenges[i].key.at);
		assert_memory_equal(&ours, &theirs, sizeof(ours));
		theirs.sequence++;
		assert_false(netcode_challenge_open(&token, &theirs, vector_challenges[i].key.at));
	}
}

// ---------------------------------------------------------------- headers that cannot be

static enum pg_drop read_header(uint8_t prefix, uint16_t length)
{
	uint8_t packet[ROOM] = {prefix};
	struct netcode_header header;

	return netcode_header_read(&header, packet, length);
}

static void packet_of_less_than_18_bytes_is_none(void **state UNUSED)
{
	for (uint16_t length = 0; length < 18; length++)
		assert_int_equal(read_header(0x16, length), PG_DROP_NETCODE_HEADER);
	assert_int_equal(read_header(0x16, 18), PG_DROP_NONE);
}

static void packet_of_a_kind_that_is_none_or_not_a_clients_is_none(void **state UNUSED)
{
	for (uint8_t kind = 0; kind < 16; kind++) {
		const bool good = kind == NETCODE_RESPONSE || kind == NETCODE_KEEP_ALIVE || kind == NETCODE_PAYLOAD ||
				  kind == NETCODE_DISCONNECT;

		assert_int_equal(read_header(0x10 | kind, 400), good ? PG_DROP_NONE : PG_DROP_NETCODE_HEADER);
	}
}

static void sequence_has_one_to_eight_bytes(void **state UNUSED)
{
	for (unsigned bytes = 0; bytes < 16; bytes++)
		assert_int_equal(read_header((uint8_t)(bytes << 4 | NETCODE_DISCONNECT), 400),
				 bytes >= 1 && bytes <= 8 ? PG_DROP_NONE : PG_DROP_NETCODE_HEADER);
}

static void packet_that_ends_before_its_tag_is_none(void **state UNUSED)
{
	for (unsigned bytes = 1; bytes <= 8; bytes++) {
		const uint8_t prefix = (uint8_t)(bytes << 4 | NETCODE_DISCONNECT);
		const uint16_t least = (uint16_t)(1 + bytes + 16);

		assert_int_equal(read_header(prefix, least), PG_DROP_NONE);
		assert_int_equal(read_header(prefix, least - 1), PG_DROP_NETCODE_HEADER);
	}
}

static void bodies_have_the_lengths_of_their_kinds(void **state UNUSED)
{
	for (uint16_t n = 0; n < 1500; n++) {
		assert_int_equal(netcode_length_fits(NETCODE_RESPONSE, n), n == 308);
		assert_int_equal(netcode_length_fits(NETCODE_KEEP_ALIVE, n), n == 8);
		assert_int_equal(netcode_length_fits(NETCODE_PAYLOAD, n), n >= 1 && n <= 1200);
		assert_int_equal(netcode_length_fits(NETCODE_DISCONNECT, n), n == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_of_the_reference_are_read),
		cmocka_unit_test(servers_of_a_token_are_those_that_it_was_made_for),
		cmocka_unit_test(token_does_not_open_when_a_bit_of_its_request_changed),
		cmocka_unit_test(token_does_not_open_with_another_key),
		cmocka_unit_test(tokens_that_are_made_are_like_those_of_the_reference),
		cmocka_unit_test(token_that_is_made_opens),
		cmocka_unit_test(token_that_cannot_be_is_not_made),
		cmocka_unit_test(packets_are_sealed_as_the_reference_seals_them),
		cmocka_unit_test(packets_of_the_reference_are_opened),
		cmocka_unit_test(packet_does_not_open_when_a_byte_changed),
		cmocka_unit_test(packet_of_another_protocol_does_not_open),
		cmocka_unit_test(challenges_of_the_reference_are_opened_and_sealed_alike),
		cmocka_unit_test(packet_of_less_than_18_bytes_is_none),
		cmocka_unit_test(packet_of_a_kind_that_is_none_or_not_a_clients_is_none),
		cmocka_unit_test(sequence_has_one_to_eight_bytes),
		cmocka_unit_test(packet_that_ends_before_its_tag_is_none),
		cmocka_unit_test(bodies_have_the_lengths_of_their_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
