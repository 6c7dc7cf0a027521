// SPDX-License-Identifier: BSD-3-Clause
// session_fixture.c: see session_fixture.h.

#include "session_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "session/state.h"

#define MESSAGE_BYTES ((size_t)1 << 20)

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	(void)fprintf(stderr, "session fixture: %s\n", what);
	abort();
}

static void open_shard(struct session_fixture *fixture, uint8_t worker)
{
	struct session_shard *shard = zeroed_lines(sizeof(*shard));
	struct pg_error error;
	struct shard_setup setup = {
		.store = &fixture->store,
		.stats = &fixture->stats[worker],
		.rules = &fixture->rules,
		.handshakes = &fixture->handshakes[worker],
		.secret = RIG_SECRET,
		.message_bytes = MESSAGE_BYTES,
		.tsc_hz = pg_tsc_hz(),
		.compression_level = 6,
		.worker = worker,
	};

	setup.message_memory = fixture->message_memory[worker] = zeroed_lines(message_pool_size(MESSAGE_BYTES));
	require(session_shard_init(shard, &setup, &error) == PG_OK, "a shard cannot be made here");
	fixture->shard[worker] = shard;
}

static uint32_t begin(struct session_fixture *fixture)
{
	uint32_t going_on = 0;

	for (unsigned worker = 0; worker < FIXTURE_SHARDS; worker++)
		going_on += session_shard_begin(fixture->shard[worker], fixture->now);
	return going_on;
}

/// What a worker process has beside the state.
/// @return connections that go on
static uint32_t open_process(struct session_fixture *fixture)
{
	store_open(&fixture->store, fixture->state);
	fixture->process = zeroed_lines(store_local_size(fixture->capacity, fixture->reach));
	store_attach_local(&fixture->store, fixture->process, fixture->reach);
	for (uint8_t worker = 0; worker < FIXTURE_SHARDS; worker++)
		open_shard(fixture, worker);
	return begin(fixture);
}

static void close_process(struct session_fixture *fixture)
{
	for (unsigned worker = 0; worker < FIXTURE_SHARDS; worker++) {
		session_shard_free(fixture->shard[worker]);
		free(fixture->shard[worker]);
		free(fixture->message_memory[worker]);
	}
	free(fixture->process);
}

struct session_fixture *fixture_open(uint32_t capacity, unsigned reach)
{
	struct session_fixture *fixture = zeroed_lines(sizeof(*fixture));
	struct pg_error error;

	fixture->capacity = capacity;
	fixture->reach = reach;
	fixture->now = pg_tsc();
	fixture->rules.idle_timeout = 30 * pg_tsc_hz();
	fixture->rules.phases = (struct phase_rules){PHASE_DATAGRAMS, PHASE_SECONDS};
	fixture->rules.delivery = (struct delivery_rules){
		.millisecond = pg_tsc_hz() / 1000,
		.flush_after = pg_tsc_hz() / 200,
		.acknowledge_after = pg_tsc_hz() / 40,
		.resend_after_min = pg_tsc_hz() / 10,
		.queue_bytes = 65536,
	};
	for (unsigned i = 0; i < PG_COMPRESSIBLE; i++)
		fixture->rules.delivery.compress_min[i] = UINT32_MAX;
	fixture->state_size = pg_state_size(16, FIXTURE_SHARDS, capacity);
	fixture->state = zeroed_lines(fixture->state_size);
	require(pg_state_init(fixture->state, fixture->state_size, 16, FIXTURE_SHARDS, capacity, &error) == PG_OK,
		"no state");
	(void)open_process(fixture);
	return fixture;
}

void fixture_close(struct session_fixture *fixture)
{
	close_process(fixture);
	pg_state_release(fixture->state);
	free(fixture->state);
	free(fixture);
}

uint32_t fixture_restart(struct session_fixture *fixture)
{
	close_process(fixture);
	return open_process(fixture);
}

uint32_t fixture_restart_in_place(struct session_fixture *fixture)
{
	memset(fixture->process, 0, store_local_size(fixture->capacity, fixture->reach));
	for (unsigned worker = 0; worker < FIXTURE_SHARDS; worker++) {
		struct session_shard *shard = fixture->shard[worker];

		memset(fixture->message_memory[worker], 0, (shard->ctx.pool->touched + 1) * (size_t)POOL_BLOCK);
		message_pool_init(fixture->message_memory[worker], MESSAGE_BYTES);
		memset(&shard->connections, 0, sizeof(shard->connections));
		fixture->stats[worker].messages.memory_used = 0;
		shard->outbox = (struct outbox){0};
		shard->exchanges = (struct exchanges){.until = 0};
		memset(&shard->farewells, 0, sizeof(shard->farewells));
		memset(&shard->phases, 0, sizeof(shard->phases));
		shard->cookie_time = 0;
		shard->limits_version = 0;
		shard->rules = NULL; // none before
		session_shard_use(shard, &fixture->rules);
		fixture->handshakes[worker] = (struct handshake_bucket){0};
		shard->cursor = 0;
	}
	return begin(fixture);
}

uint32_t fixture_reset(struct session_fixture *fixture, const void *state, uint64_t now)
{
	memcpy(fixture->state, state, fixture->state_size);
	store_open(&fixture->store, fixture->state);
	memset(fixture->stats, 0, sizeof(fixture->stats));
	fixture->now = now;
	for (uint8_t worker = 0; worker < FIXTURE_SHARDS; worker++)
		fixture->shard[worker]->random = (struct random_source){.seed = {worker}};
	return fixture_restart_in_place(fixture);
}

void fixture_wait(struct session_fixture *fixture, uint64_t ms)
{
	fixture->now += ms * (pg_tsc_hz() / 1000);
}

// ---------------------------------------------------------------- players

struct peer peer_at(uint32_t address, uint16_t port, uint8_t listener)
{
	struct peer peer;

	peer_set4(&peer, BE32(address));
	peer_set_channel(&peer, BE16(port), listener);
	return peer;
}

struct player fixture_issue(struct session_fixture *fixture, uint32_t id, uint32_t ttl_s, bool once)
{
	struct player player = {.id = id, .peer = peer_at(0x14000000 + id, 5000, 0), .max_datagram = 1400};
	struct pg_issue_request request = {.player_id = id, .ttl_s = ttl_s, .once = once};
	struct pg_error error;

	memset(request.key, (int)(id * 7 + 1), sizeof(request.key));
	memcpy(player.key, request.key, sizeof(player.key));
	require(pg_session_issue(fixture->state, &request, &player.session, &error) == PG_OK,
		"a session was not issued");
	return player;
}

uint32_t fixture_slot(const struct session_fixture *fixture, const struct player *player)
{
	return session_slot(&fixture->store.numbers, player->session);
}

struct session_record *fixture_record(const struct session_fixture *fixture, const struct player *player)
{
	return &fixture->store.records[fixture_slot(fixture, player)];
}

uint32_t fixture_next_number(const struct session_fixture *fixture, uint32_t session)
{
	const struct session_numbers *numbers = &fixture->store.numbers;

	return session_number_next(numbers, session_slot(numbers, session), session);
}

/// The same in every run, another for every number. To multiply takes a while: shares are made in advance.
static void player_draw_share(struct player *player, uint64_t number)
{
	static struct exchange_key made[16];
	struct exchange_key *key = &made[number % 16];
	const uint8_t secret[EXCHANGE_LEN] = {1, (uint8_t)(number % 16)};

	if (key->secret[0] == 0)
		exchange_begin(key, secret);
	player->exchange = *key;
}

uint16_t player_hello(struct player *player, uint8_t *out)
{
	static uint64_t nonces;
	struct session_hello hello = {
		.header = {.kind = SESSION_HELLO, .length = sizeof(hello), .session = player->session},
		.version = SESSION_VERSION,
	};

	nonces++;
	memcpy(player->client_nonce, &nonces, sizeof(nonces));
	player_draw_share(player, nonces);
	memcpy(hello.client_nonce, player->client_nonce, sizeof(hello.client_nonce));
	memcpy(out, &hello, sizeof(hello));
	return sizeof(hello);
}

bool player_take_challenge(struct player *player, const uint8_t *challenge, uint16_t length)
{
	struct session_challenge answer;
	const struct session_header should = {
		.kind = SESSION_CHALLENGE, .length = sizeof(answer), .session = player->session};

	if (length != sizeof(answer))
		return false;
	memcpy(&answer, challenge, sizeof(answer));
	memcpy(player->cookie, answer.cookie, sizeof(player->cookie));
	return proof_is_right(PROOF_OF_CHALLENGE, player->key, challenge, length) &&
	       memcmp(&answer.header, &should, sizeof(should)) == 0 &&
	       memcmp(answer.client_nonce, player->client_nonce, SESSION_NONCE_LEN) == 0;
}

uint16_t player_confirm(const struct player *player, uint8_t *out)
{
	struct session_confirm confirm = {
		.header = {.kind = SESSION_CONFIRM, .length = player->max_datagram, .session = player->session},
		.version = SESSION_VERSION,
		.max_datagram = player->max_datagram,
	};

	memcpy(confirm.client_nonce, player->client_nonce, SESSION_NONCE_LEN);
	memcpy(confirm.cookie, player->cookie, SESSION_COOKIE_LEN);
	memcpy(confirm.client_share, player->exchange.share, EXCHANGE_LEN);
	memset(out, 0, player->max_datagram);
	memcpy(out, &confirm, sizeof(confirm));
	proof_write(PROOF_OF_CONFIRM, player->key, out, player->max_datagram);
	return player->max_datagram;
}

static struct traffic_keys keys_of(const struct player *player, unsigned phase)
{
	uint8_t secret[HASH_LEN];
	struct traffic_keys keys;

	memcpy(secret, player->secret, sizeof(secret));
	for (unsigned i = 0; i < phase; i++)
		next_secret(secret, secret);
	traffic_keys_derive(&keys, secret);
	return keys;
}

void player_seal_in(const struct session_fixture *fixture, struct player *player, unsigned phase)
{
	const struct traffic_keys keys = keys_of(player, phase);

	player->seal_phase = phase;
	cipher_key_init(&fixture->shard[0]->code, &player->cipher.seal, keys.to_gateway, keys.to_gateway_salt);
}

static void open_in(const struct session_fixture *fixture, struct player *player, unsigned phase)
{
	const struct traffic_keys keys = keys_of(player, phase);

	player->open_phase = phase;
	cipher_key_init(&fixture->shard[0]->code, &player->cipher.open, keys.to_client, keys.to_client_salt);
}

static bool derive(const struct session_fixture *fixture, struct player *player, const uint8_t *welcome)
{
	struct transcript transcript = {.session = player->session};
	uint8_t agreed[EXCHANGE_LEN];

	memcpy(transcript.client_nonce, player->client_nonce, SESSION_NONCE_LEN);
	memcpy(transcript.server_nonce, player->server_nonce, SESSION_NONCE_LEN);
	memcpy(transcript.client_share, player->exchange.share, EXCHANGE_LEN);
	memcpy(transcript.server_share, welcome + offsetof(struct session_welcome, server_share), EXCHANGE_LEN);
	if (!exchange_agree(agreed, &player->exchange, transcript.server_share))
		return false;
	connection_secret(player->secret, player->key, agreed, &transcript);
	player_seal_in(fixture, player, 0);
	open_in(fixture, player, 0);
	return true;
}

static uint32_t number_now(const struct player *player)
{
	return player->now.number ? player->now.number : player->session;
}

void player_rename(struct player *player)
{
	player->before = player->now;
	player->before.number = number_now(player);
	player->now = player->spare;
	player->spare.number = 0;
}

struct session_header player_header(const struct player *player, enum session_kind kind, uint16_t length,
				    uint32_t counter)
{
	return (struct session_header){
		.kind = (uint8_t)kind,
		.flags = player->seal_phase % 2,
		.length = length,
		.session = number_now(player),
		.counter = counter + player->now.offset[0],
	};
}

bool player_hears(const struct player *player, uint32_t number)
{
	return number == number_now(player) || (number != 0 && number == player->before.number);
}

static uint32_t offset_of(const struct player *player, uint32_t number)
{
	return number == number_now(player) ? player->now.offset[1] : player->before.offset[1];
}

bool player_take_number(struct player *player, const uint8_t *datagram, uint16_t length)
{
	const size_t end = (size_t)length - SESSION_TAG_LEN;
	struct session_message head;
	struct session_number body;

	for (size_t at = SESSION_BEFORE_MESSAGES; at < end; at += sizeof(head) + head.body_len) {
		memcpy(&head, datagram + at, sizeof(head));
		at += head.flags & SESSION_MESSAGE_RELIABLE ? sizeof(uint16_t) : 0;
		if (head.type != SESSION_NUMBER)
			continue;
		require(head.body_len == sizeof(body), "NUMBER of another length");
		memcpy(&body, datagram + at + sizeof(head), sizeof(body));
		if (body.spare == number_now(player))
			return false;
		player->spare.number = body.spare;
		memcpy(player->spare.offset, body.offset, sizeof(body.offset));
		return true;
	}
	return false;
}

static bool open_sealed(const struct session_fixture *fixture, struct player *player, uint8_t *sealed, size_t clear,
			uint16_t length)
{
	struct session_header header;

	memcpy(&header, sealed, sizeof(header));
	if (header.length != length || header.flags > 1 || !player_hears(player, header.session))
		return false;
	header.counter -= offset_of(player, header.session);
	if (header.flags != player->open_phase % 2)
		open_in(fixture, player, player->open_phase + 1);
	if (!cipher_open(&fixture->shard[0]->code, &player->cipher.open, header.counter, sealed, clear, length))
		return false;
	if (player->seal_phase < player->open_phase)
		player_seal_in(fixture, player, player->open_phase);
	player->newest = header.counter;
	player->heard_under = header.session;
	return true;
}

/// It comes under the number issued, also again.
static bool open_welcome(const struct session_fixture *fixture, struct player *player, uint8_t *welcome,
			 uint16_t length)
{
	const struct visible_number now = player->now;
	bool authentic;

	player->now = (struct visible_number){.number = 0};
	authentic = open_sealed(fixture, player, welcome, SESSION_WELCOME_CLEAR, length);
	player->now = now;
	return authentic;
}

bool player_take_welcome(const struct session_fixture *fixture, struct player *player, uint8_t *welcome,
			 uint16_t length)
{
	uint8_t before[SESSION_NONCE_LEN];
	size_t end;

	if (length < sizeof(player->welcome) + SESSION_TAG_LEN || welcome[0] != SESSION_WELCOME)
		return false;
	memcpy(before, player->server_nonce, sizeof(before));
	memcpy(player->server_nonce, welcome + sizeof(struct session_header), SESSION_NONCE_LEN);
	if (!derive(fixture, player, welcome))
		return false;
	if (memcmp(before, player->server_nonce, sizeof(before)) != 0) {
		player->sent = 0;
		player->now = player->before = (struct visible_number){.number = 0};
	}
	if (!open_welcome(fixture, player, welcome, length))
		return false;
	memcpy(&player->welcome, welcome, sizeof(player->welcome));
	player->spare.number = player->welcome.spare;
	memcpy(player->spare.offset, player->welcome.spare_offset, sizeof(player->spare.offset));
	end = sizeof(player->welcome) + player->welcome.limits * sizeof(struct session_limit);
	for (size_t i = end; i < (size_t)length - SESSION_TAG_LEN; i++)
		if (welcome[i] != 0)
			return false;
	return true;
}

bool player_open(const struct session_fixture *fixture, struct player *player, uint8_t *sealed, uint16_t length)
{
	return length >= SESSION_AROUND && open_sealed(fixture, player, sealed, sizeof(struct session_header), length);
}

struct session_prefix player_prefix(const struct player *player, bool wants_answer)
{
	return (struct session_prefix){
		.ack = player->newest,
		.wants = wants_answer ? SESSION_WANTS_ANSWER : 0,
	};
}

uint16_t player_seal(const struct session_fixture *fixture, struct player *player, enum session_kind kind,
		     const void *body, uint16_t body_len, uint8_t *out)
{
	const uint16_t length = (uint16_t)(SESSION_AROUND + body_len);
	const struct session_header header = player_header(player, kind, length, ++player->sent);

	memcpy(out, &header, sizeof(header));
	memcpy(out + sizeof(header), body, body_len);
	cipher_seal(&fixture->shard[0]->code, &player->cipher.seal, player->sent, out, sizeof(header), length);
	return length;
}

uint16_t fixture_ask(struct session_fixture *fixture, unsigned shard, struct player *player, uint8_t *confirm)
{
	uint8_t hello[PLAYER_BUFFER];
	const uint16_t length = player_hello(player, hello);
	const struct handshake_outcome outcome =
		handshake_receive(fixture->shard[shard], &player->peer, hello, length, true, fixture->now);

	if (outcome.drop != PG_DROP_NONE || !player_take_challenge(player, hello, outcome.answer))
		return 0;
	return player_confirm(player, confirm);
}

bool fixture_connect(struct session_fixture *fixture, unsigned shard, struct player *player)
{
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = fixture_ask(fixture, shard, player, datagram);
	const struct handshake_outcome outcome =
		handshake_receive(fixture->shard[shard], &player->peer, datagram, length, true, fixture->now);

	return length != 0 && outcome.drop == PG_DROP_NONE &&
	       player_take_welcome(fixture, player, datagram, outcome.answer);
}
