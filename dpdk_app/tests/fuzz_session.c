// SPDX-License-Identifier: BSD-3-Clause
// fuzz_session.c: the sealed side: any datagrams as HELLO, CONFIRM, CLOSE and PATH_RESPONSE, from any address at any time.
//
// Input: records of flags, address, time (quarters of a second), length (u16, little-endian), bytes. Flags: bits 0 and 1
// the player; bit 2 the header is made right, for this player and length; bit 3 nonce and cookie are the last ones, and the
// proof is made; bit 4 by the second worker; bit 5 it was sealed and opened: what the owner gets of it; bit 6 the path is challenged
// first; bit 7 before it, the worker process starts anew or (odd address) sweeps. Player 3 was revoked, player 2 plays once.

#include <stdlib.h>
#include <string.h>

#include "session/path.h"
#include "session_fixture.h"

enum record_flag { RIGHT_HEADER = 4, RIGHT_PROOF = 8, SECOND = 16, OPENED = 32, CHALLENGE = 64, BREAK = 128 };

#define PLAYERS 4
#define CAPACITY 4
#define DATAGRAM_MAX 1500

struct table {
	struct session_fixture *fixture;
	void *state;
	uint64_t now;
	struct player issued[PLAYERS]; // as they were when `state` was copied
	struct player player[PLAYERS];
	uint8_t token[SESSION_PATH_TOKEN_LEN]; // of the last challenge
};

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void prepare(struct table *t)
{
	t->fixture = fixture_open(CAPACITY, STORE_FRAMES);
	for (uint32_t i = 0; i < PLAYERS; i++)
		t->issued[i] = fixture_issue(t->fixture, i + 1, 60, i == 2);
	require(pg_session_revoke(t->fixture->state, t->issued[3].session));
	t->now = t->fixture->now;
	t->state = malloc(t->fixture->state_size);
	require(t->state != NULL);
	memcpy(t->state, t->fixture->state, t->fixture->state_size);
}

static struct session_record *records(const struct table *t)
{
	return t->fixture->store.records;
}

/// Connections by the records, against the gauges.
static void check_gauges(const struct table *t)
{
	uint64_t connected[FIXTURE_SHARDS] = {0};

	for (uint32_t slot = 0; slot < CAPACITY; slot++) {
		const struct session_record *record = &records(t)[slot];

		if (record->phase == RECORD_IDLE) {
			require(record->owner == RECORD_NO_OWNER);
			continue;
		}
		require(record->owner < FIXTURE_SHARDS);
		connected[record->owner]++;
	}
	for (unsigned shard = 0; shard < FIXTURE_SHARDS; shard++)
		require(t->fixture->stats[shard].connected == connected[shard]);
}

/// Under one secret, counters only grow.
static void check_counters(const struct table *t, const struct session_record *before)
{
	for (uint32_t slot = 0; slot < CAPACITY; slot++)
		if (memcmp(before[slot].secret, records(t)[slot].secret, HASH_LEN) == 0)
			require(records(t)[slot].tx_counter >= before[slot].tx_counter);
}

static void drain(struct session_shard *shard)
{
	const struct outbox_entry *entry;

	while ((entry = outbox_oldest(&shard->outbox)) != NULL) {
		require(entry->length == FAREWELL_LEN && entry->payload[0] == SESSION_CLOSE);
		outbox_remove(&shard->outbox);
	}
}

// ---------------------------------------------------------------- what is not sealed

/// Whose proof is it?
static struct player *prover(struct table *t, const struct peer *peer, const uint8_t *datagram, uint16_t length)
{
	struct session_confirm confirm;

	if (length < SESSION_DATAGRAM_MIN)
		return NULL;
	memcpy(&confirm, datagram, sizeof(confirm));
	for (unsigned i = 0; i < PLAYERS; i++) {
		struct player *player = &t->player[i];
		const struct cookie_for whom = {peer, player->session, confirm.client_nonce};
		uint64_t made;

		if (confirm.header.session == player->session &&
		    proof_is_right(PROOF_OF_CONFIRM, player->key, datagram, length) &&
		    cookie_check(confirm.cookie, &t->fixture->store.secret, whom, &made))
			return player;
	}
	return NULL;
}

static void check_denied(const struct table *t, const uint8_t *answer)
{
	static const uint8_t unproved[SESSION_TAG_LEN];
	struct session_denied denied;

	memcpy(&denied, answer, sizeof(denied));
	require(denied.reason > 0 && denied.reason < PG_DENIALS);
	if (denied.reason == SESSION_DENIED_VERSION) {
		require(memcmp(denied.proof, unproved, sizeof(unproved)) == 0);
		return;
	}
	for (unsigned i = 0; i < PLAYERS; i++)
		if (denied.header.session == t->player[i].session &&
		    proof_is_right(PROOF_OF_DENIED, t->player[i].key, answer, sizeof(denied)))
			return;
	require(false);
}

static void keep_cookie(struct player *player, const uint8_t *challenge)
{
	const struct session_challenge *from = (const struct session_challenge *)challenge;

	memcpy(player->client_nonce, from->client_nonce, SESSION_NONCE_LEN);
	memcpy(player->cookie, from->cookie, SESSION_COOKIE_LEN);
}

static void check_answer(struct table *t, struct player *proved, uint8_t *datagram, uint16_t asked, uint16_t answer)
{
	struct session_header header;

	require(answer >= sizeof(header));
	memcpy(&header, datagram, sizeof(header));
	require(header.length == answer);
	switch (header.kind) {
	case SESSION_CHALLENGE:
		require(answer == sizeof(struct session_challenge) && answer <= asked);
		for (unsigned i = 0; i < PLAYERS; i++) // whoever asked for it
			if (t->player[i].session == header.session)
				keep_cookie(&t->player[i], datagram);
		return;
	case SESSION_DENIED:
		require(answer == sizeof(struct session_denied) && answer <= asked);
		check_denied(t, datagram);
		return;
	default:
		require(header.kind == SESSION_WELCOME && proved != NULL);
		require(player_take_welcome(t->fixture, proved, datagram, answer));
	}
}

static void send_handshake(struct table *t, unsigned worker, const struct peer *peer, uint8_t *datagram,
			   uint16_t length)
{
	struct session_shard *shard = t->fixture->shard[worker];
	const uint32_t entries = shard->outbox.count;
	struct session_record before[CAPACITY];
	uint8_t original[DATAGRAM_MAX];
	struct player *proved = prover(t, peer, datagram, length);
	struct handshake_outcome outcome;

	memcpy(before, records(t), sizeof(before));
	memcpy(original, datagram, length);
	outcome = handshake_receive(shard, peer, datagram, length, true, t->fixture->now);
	require(outcome.drop < PG_DROPS);
	if (outcome.drop != PG_DROP_NONE || outcome.elsewhere)
		require(outcome.answer == 0 && memcmp(original, datagram, length) == 0);
	if (!proved || outcome.drop != PG_DROP_NONE) {
		require(memcmp(before, records(t), sizeof(before)) == 0);
		require(shard->outbox.count == entries && !outcome.moved && outcome.answer <= length);
	}
	check_counters(t, before);
	if (outcome.answer)
		check_answer(t, proved, datagram, length, outcome.answer);
}

// ---------------------------------------------------------------- what was sealed

static void challenge(struct table *t, struct player *player, const struct peer *peer)
{
	struct session_record *record = fixture_record(t->fixture, player);
	uint8_t datagram[DATAGRAM_MAX];
	uint16_t length;

	if (record->phase != RECORD_CONNECTED)
		return;
	length = path_challenge(t->fixture->shard[record->owner], fixture_slot(t->fixture, player), peer, datagram,
				t->fixture->now);
	require(length <= SESSION_DATA_MIN);
	if (length && player_open(t->fixture, player, datagram, length))
		memcpy(t->token, datagram + sizeof(struct session_header), sizeof(t->token));
}

/// What the owner does with an authentic datagram.
static void control(struct table *t, struct player *player, const struct peer *peer, uint8_t *datagram, uint16_t length)
{
	struct session_record *record = fixture_record(t->fixture, player), before = *record;
	struct handshake_outcome outcome;

	if (record->phase != RECORD_CONNECTED || length < SESSION_AROUND)
		return;
	if (datagram[0] == SESSION_PATH_RESPONSE && length == 36 && datagram[12] == 'T')
		memcpy(datagram + 12, t->token, sizeof(t->token));
	outcome = handshake_control(t->fixture->shard[record->owner], fixture_slot(t->fixture, player), peer, datagram,
				    length, t->fixture->now);
	require(outcome.drop < PG_DROPS && outcome.answer == 0 && !outcome.elsewhere);
	if (outcome.drop != PG_DROP_NONE) {
		require(memcmp(&before, record, sizeof(before)) == 0);
		return;
	}
	if (datagram[0] == SESSION_CLOSE) {
		require(record->phase == RECORD_IDLE && record->owner == RECORD_NO_OWNER);
		return;
	}
	require(datagram[0] == SESSION_PATH_RESPONSE);
	require(peer_equal(&record->peer, peer) || !outcome.moved);
	before.peer = record->peer;
	before.challenged = record->challenged;
	require(memcmp(&before, record, sizeof(before)) == 0);
}

// ---------------------------------------------------------------- records of the input

static void make_right(const struct player *player, unsigned flags, uint8_t *datagram, uint16_t length)
{
	struct session_header *header = (struct session_header *)datagram;

	if (flags & RIGHT_HEADER && length >= sizeof(*header)) {
		header->flags = 0;
		header->length = length;
		header->session = player->session;
		header->counter = 0;
	}
	if (flags & RIGHT_PROOF && length >= sizeof(struct session_confirm) + SESSION_TAG_LEN) {
		struct session_confirm *confirm = (struct session_confirm *)datagram;

		confirm->max_datagram = length;
		memcpy(confirm->client_nonce, player->client_nonce, SESSION_NONCE_LEN);
		memcpy(confirm->cookie, player->cookie, SESSION_COOKIE_LEN);
		memcpy(confirm->client_share, player->exchange.share, EXCHANGE_LEN);
		proof_write(PROOF_OF_CONFIRM, player->key, datagram, length);
	}
}

static void break_in(struct table *t, uint8_t address)
{
	if (address & 1) {
		for (unsigned shard = 0; shard < FIXTURE_SHARDS; shard++)
			connection_sweep(t->fixture->shard[shard], t->fixture->now, CAPACITY);
		return;
	}
	fixture_restart_in_place(t->fixture);
}

static void run(struct table *t, const uint8_t *head, const uint8_t *bytes, uint16_t length)
{
	const unsigned flags = head[0];
	const struct peer peer = peer_at(0x14000000 + head[1] / 8, 5000 + head[1] % 4, head[1] / 4 % 2);
	struct player *player = &t->player[flags & 3];
	uint8_t *datagram = calloc(1, DATAGRAM_MAX); // an answer may be longer than a CONFIRM that came again

	if (!datagram)
		abort();
	fixture_wait(t->fixture, 250ULL * head[2]);
	if (flags & BREAK)
		break_in(t, head[1]);
	if (flags & CHALLENGE)
		challenge(t, player, &peer);
	memcpy(datagram, bytes, length);
	make_right(player, flags, datagram, length);
	if (flags & OPENED)
		control(t, player, &peer, datagram, length);
	else
		send_handshake(t, flags & SECOND ? 1 : 0, &peer, datagram, length);
	for (unsigned shard = 0; shard < FIXTURE_SHARDS; shard++)
		drain(t->fixture->shard[shard]);
	check_gauges(t);
	free(datagram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct table t;

	if (!t.fixture)
		prepare(&t);
	fixture_reset(t.fixture, t.state, t.now);
	memcpy(t.player, t.issued, sizeof(t.player));
	while (size >= 5) {
		const uint8_t *head = data;
		size_t length = (size_t)(data[3] | data[4] << 8) % (DATAGRAM_MAX + 1);

		data += 5;
		size -= 5;
		length = length < size ? length : size;
		run(&t, head, data, (uint16_t)length);
		data += length;
		size -= length;
	}
	return 0;
}
