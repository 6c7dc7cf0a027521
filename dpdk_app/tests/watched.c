// SPDX-License-Identifier: BSD-3-Clause
// watched.c: see watched.h.

#include "watched.h"

#include <stdlib.h>
#include <string.h>

#include "wire/zero.h"

#define KEPT_MAX 1024

struct session_fixture *fixture;

/// Everything that was ever sealed by the gateway, of whatever process.
struct sealing {
	uint8_t key[CIPHER_KEY_LEN];
	uint8_t nonce[12];
};
static struct sealing *sealings;
static size_t sealing_count, sealing_room;
static struct sealing kept[KEPT_MAX];
static aes_gcm_enc_dec_t real_encrypt;
static cipher_seal_long real_seal_long;

static void log_sealing(const struct gcm_key_data *key, const uint8_t *nonce)
{
	struct sealing *sealing;

	if (sealing_count == sealing_room)
		abort();
	sealing = &sealings[sealing_count++];
	memcpy(sealing->key, key->expanded_keys, sizeof(sealing->key)); // the first round key of AES is the key
	memcpy(sealing->nonce, nonce, sizeof(sealing->nonce));
}

static void encrypt_and_log(const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out,
			    const uint8_t *in, uint64_t len, const uint8_t *nonce, const uint8_t *clear,
			    uint64_t clear_len, uint8_t *tag, uint64_t tag_len)
{
	log_sealing(key, nonce);
	real_encrypt(key, context, out, in, len, nonce, clear, clear_len, tag, tag_len);
}

static void seal_long_and_log(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			      uint8_t *packet, size_t clear, size_t length)
{
	const cipher_nonce nonce = cipher_nonce_of(key, counter);

	log_sealing(&key->data, (const uint8_t *)&nonce);
	real_seal_long(code, key, counter, packet, clear, length);
}

static void log_sealings(void)
{
	real_seal_long = fixture->shard[0]->code.seal_long;
	real_encrypt = fixture->shard[0]->code.encrypt;
	for (unsigned shard = 0; shard < FIXTURE_SHARDS; shard++) {
		fixture->shard[shard]->code.encrypt = encrypt_and_log;
		fixture->shard[shard]->code.seal_long = seal_long_and_log;
	}
}

size_t sealings_logged(void)
{
	return sealing_count;
}

void sealings_keep(void)
{
	assert_uint_in_range(sealing_count, 0, KEPT_MAX);
	memcpy(kept, sealings, sealing_count * sizeof(*sealings));
}

void sealings_go_back(size_t count)
{
	assert_uint_in_range(count, 0, KEPT_MAX);
	sealing_count = count;
	memcpy(sealings, kept, sealing_count * sizeof(*sealings));
}

static int compare_sealings(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sealing));
}

/// Sorts a copy, so that the log can be cut back.
void assert_no_nonce_was_used_twice(void)
{
	struct sealing *sorted = malloc((sealing_count + 1) * sizeof(*sorted));

	assert_non_null(sorted);
	memcpy(sorted, sealings, sealing_count * sizeof(*sorted));
	qsort(sorted, sealing_count, sizeof(*sorted), compare_sealings);
	for (size_t i = 1; i < sealing_count; i++)
		if (compare_sealings(&sorted[i - 1], &sorted[i]) == 0)
			fail_msg("one of %zu sealings repeats another's key and nonce", sealing_count);
	free(sorted);
}

int open_watched_fixture(void **state UNUSED)
{
	fixture = fixture_open(16, STORE_SOCKETS);
	sealing_count = 0;
	sealing_room = 100000;
	sealings = malloc(sealing_room * sizeof(*sealings));
	assert_non_null(sealings);
	log_sealings();
	return 0;
}

int close_watched_fixture(void **state UNUSED)
{
	assert_no_nonce_was_used_twice();
	fixture_close(fixture);
	free(sealings);
	return 0;
}

uint32_t restart(void)
{
	const uint32_t going_on = fixture_restart(fixture);

	log_sealings();
	return going_on;
}

// ---------------------------------------------------------------- players

uint32_t slot_of(const struct player *player)
{
	return fixture_slot(fixture, player);
}

struct player connected_player(void)
{
	struct player player = fixture_issue(fixture, 7, 600, false);

	assert_true(fixture_connect(fixture, 0, &player));
	return player;
}

void assert_told(struct player *player, const struct peer *where, uint8_t why)
{
	struct outbox *outbox = &fixture->shard[0]->outbox;
	const struct outbox_entry *entry = outbox_oldest(outbox);
	uint8_t datagram[OUTBOX_PAYLOAD];

	assert_int_equal(outbox->count, 1);
	assert_true(peer_equal(&entry->peer, where));
	memcpy(datagram, entry->payload, sizeof(datagram));
	assert_true(player_open(fixture, player, datagram, entry->length));
	assert_int_equal(datagram[0], SESSION_CLOSE);
	assert_int_equal(datagram[sizeof(struct session_header)], why);
	assert_true(all_zero(datagram + sizeof(struct session_header) + 1, 7));
	outbox_remove(outbox);
}

void assert_nobody_is_connected(const struct player *player)
{
	const struct session_record *record = fixture_record(fixture, player);

	assert_int_equal(record->phase, RECORD_IDLE);
	assert_int_equal(record->owner, RECORD_NO_OWNER);
	assert_int_equal(fixture->stats[0].connected, 0);
}

struct handshake_outcome control(const struct player *player, const struct peer *from, enum session_kind kind,
				 const void *body, uint16_t body_len)
{
	uint8_t opened[PLAYER_BUFFER] = {(uint8_t)kind};
	uint8_t *copy = malloc(SESSION_AROUND + body_len); // of exactly its size
	struct handshake_outcome outcome;

	assert_non_null(copy);
	memcpy(opened + sizeof(struct session_header), body, body_len);
	memcpy(copy, opened, SESSION_AROUND + body_len);
	outcome = handshake_control(fixture->shard[0], slot_of(player), from, copy,
				    (uint16_t)(SESSION_AROUND + body_len), fixture->now);
	free(copy);
	return outcome;
}
