// SPDX-License-Identifier: BSD-3-Clause
// netcode_fixture.c: see netcode_fixture.h.

#include "netcode_fixture.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Of unit tests and fuzz targets alike.
#define REQUIRE(condition)                                                              \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static const uint8_t private_key[NETCODE_KEY_LEN] = "a key of thirty-two bytes, so it";
static const struct pg_netcode_server server = {4, {10, 0, 0, 1}, 8082};
static uint64_t unix_now_s;

static uint64_t unix_s(void)
{
	return unix_now_s;
}

static void *lines(size_t bytes)
{
	const size_t size = whole_lines(bytes);
	void *memory = aligned_alloc(CACHE_LINE, size);

	REQUIRE(memory);
	memset(memory, 0, size);
	return memory;
}

// ---------------------------------------------------------------- the gateway

static void start(struct netcode_fixture *f)
{
	const struct hash_secret secret = {{3, 5, 7, 11}, 13, 17};

	f->memory[0] = lines(netcode_store_size(f->plan.capacity, false));
	REQUIRE(netcode_store_open(&f->store, &f->plan, f->records, f->history, f->memory[0], false));
	f->store.unix_s = unix_s;
	for (unsigned i = 0; i < FIXTURE_WORKERS; i++) {
		struct netcode_setup setup = {
			.store = &f->store,
			.stats = &f->stats[i],
			.rules = &f->rules,
			.handshakes = &f->handshakes[i],
			.secret = secret,
			.memory = f->memory[1 + i] = lines(netcode_shard_size(f->plan.capacity)),
			.tsc_hz = FIXTURE_HZ,
			.worker = (uint8_t)i,
		};

		f->shard[i] = lines(sizeof(*f->shard[i]));
		netcode_shard_init(f->shard[i], &setup);
		counter_set(&f->stats[i].connected, 0);
		netcode_shard_begin(f->shard[i], f->now);
	}
}

static void stop(struct netcode_fixture *f)
{
	for (unsigned i = 0; i < FIXTURE_WORKERS; i++)
		free(f->shard[i]);
	for (unsigned i = 0; i <= FIXTURE_WORKERS; i++)
		free(f->memory[i]);
}

struct netcode_fixture *netcode_open_fixture(uint32_t capacity)
{
	struct netcode_fixture *f = lines(sizeof(*f));

	f->now = 1000 * FIXTURE_HZ;
	unix_now_s = FIXTURE_UNIX_S;
	f->plan = (struct pg_netcode_plan){
		.capacity = capacity,
		.server_count = 1,
		.protocol_id = FIXTURE_PROTOCOL,
		.server = {server},
	};
	memcpy(f->plan.private_key, private_key, NETCODE_KEY_LEN);
	f->records = lines(capacity * sizeof(*f->records));
	f->history = lines(netcode_history_size(capacity));
	f->stats = lines(FIXTURE_WORKERS * sizeof(*f->stats));
	start(f);
	return f;
}

void netcode_close_fixture(struct netcode_fixture *f)
{
	stop(f);
	free(f->records);
	free(f->history);
	free(f->stats);
	free(f);
}

void netcode_restart(struct netcode_fixture *f)
{
	stop(f);
	start(f);
}

void netcode_wait(struct netcode_fixture *f, double s)
{
	f->now += (uint64_t)(s * FIXTURE_HZ);
	unix_now_s = FIXTURE_UNIX_S + (f->now - 1000 * FIXTURE_HZ) / FIXTURE_HZ;
}

struct netcode_reply netcode_deliver(struct netcode_fixture *f, unsigned worker, const struct peer *peer,
				     const void *datagram, size_t length)
{
	struct netcode_shard *shard = f->shard[worker];
	const uint32_t slot = netcode_client_at(shard, peer);
	struct netcode_reply reply;
	// Exactly as long as what came: a sanitizer sees who writes or reads beyond it.
	uint8_t *buffer = malloc(length + 1);

	REQUIRE(buffer);
	if (length > 0)
		memcpy(buffer, datagram, length);
	buffer = realloc(buffer, length > 0 ? length : 1);
	reply.outcome = slot != ADDRESS_NONE ? netcode_take_client(shard, slot, buffer, (uint16_t)length, f->now) :
					       netcode_take_stranger(shard, peer, buffer, (uint16_t)length, f->now);
	reply.length = reply.outcome.drop == PG_DROP_NONE ? reply.outcome.answer : 0;
	REQUIRE(reply.length <= length); // whoever sent it from somebody else's address gained nothing
	memcpy(reply.bytes, buffer, reply.length);
	if (reply.outcome.learn)
		f->store.sockets[reply.outcome.slot] = 1;
	free(buffer);
	return reply;
}

// ---------------------------------------------------------------- players

void netcode_player_regrant(struct netcode_player *player)
{
	const uint8_t *at = player->token + sizeof(struct netcode_token_head) + sizeof(uint32_t);
	struct pg_error error;

	REQUIRE(pg_netcode_token(&player->grant, private_key, player->token, &error) == PG_OK);
	for (uint32_t i = 0; i < player->grant.server_count; i++)
		at += player->grant.server[i].family == 4 ? 7 : 19;
	memcpy(player->to_server, at, NETCODE_KEY_LEN);
	memcpy(player->to_client, at + NETCODE_KEY_LEN, NETCODE_KEY_LEN);
}

void netcode_player_init(struct netcode_player *player, uint64_t client_id, uint16_t port)
{
	memset(player, 0, sizeof(*player));
	peer_set4(&player->peer, htonl(0x0a000002));
	peer_set_channel(&player->peer, htons(port), 0);
	player->grant = (struct pg_netcode_grant){
		.protocol_id = FIXTURE_PROTOCOL,
		.client_id = client_id,
		.created_s = unix_now_s,
		.expires_s = unix_now_s + 30,
		.timeout_s = 5,
		.server_count = 1,
		.server = {server},
		.user_data = {0xab, (uint8_t)client_id},
	};
	netcode_player_regrant(player);
}

struct netcode_request netcode_player_request(const struct netcode_player *player)
{
	const struct netcode_token_head *head = (const struct netcode_token_head *)player->token;
	struct netcode_request request = {.protocol_id = head->protocol_id, .expires_s = head->expires_s};

	memcpy(request.version, NETCODE_VERSION_TEXT, NETCODE_VERSION_LEN);
	memcpy(request.nonce, head->nonce, sizeof(request.nonce));
	memcpy(request.sealed, head->sealed, sizeof(request.sealed));
	return request;
}

enum netcode_kind netcode_hear(struct netcode_player *player, const uint8_t *packet, uint16_t length, uint8_t *body)
{
	struct netcode_header header = {.kind = packet[0] & 0x0f, .prefix = packet[0]};
	const unsigned bytes = packet[0] >> 4;

	if (length < 1 + bytes + NETCODE_TAG_LEN)
		return NETCODE_KINDS;
	memcpy(&header.sequence, packet + 1, bytes);
	header.head = (uint16_t)(1 + bytes);
	header.length = (uint16_t)(length - header.head - NETCODE_TAG_LEN);
	if (!netcode_open(body, packet, &header, FIXTURE_PROTOCOL, player->to_client))
		return NETCODE_KINDS;
	player->heard = header.sequence;
	return header.kind;
}

struct netcode_reply netcode_say(struct netcode_fixture *f, unsigned worker, struct netcode_player *player,
				 enum netcode_kind kind, const void *body, uint16_t length)
{
	uint8_t packet[2048];
	const uint16_t n =
		netcode_seal(packet, kind, player->sequence++, body, length, FIXTURE_PROTOCOL, player->to_server);

	return netcode_deliver(f, worker, &player->peer, packet, n);
}

struct netcode_reply netcode_ask(struct netcode_fixture *f, unsigned worker, struct netcode_player *player)
{
	const struct netcode_request request = netcode_player_request(player);
	const struct netcode_reply reply = netcode_deliver(f, worker, &player->peer, &request, sizeof(request));
	uint8_t body[2048];

	if (reply.length > 0 && netcode_hear(player, reply.bytes, reply.length, body) == NETCODE_CHALLENGE)
		memcpy(&player->challenge, body, sizeof(player->challenge));
	return reply;
}

struct netcode_reply netcode_answer(struct netcode_fixture *f, unsigned worker, struct netcode_player *player)
{
	const struct netcode_reply reply =
		netcode_say(f, worker, player, NETCODE_RESPONSE, &player->challenge, sizeof(player->challenge));
	uint8_t body[2048];

	if (reply.length > 0 && netcode_hear(player, reply.bytes, reply.length, body) == NETCODE_KEEP_ALIVE)
		memcpy(&player->told, body, sizeof(player->told));
	return reply;
}

void netcode_get_in(struct netcode_fixture *f, unsigned worker, struct netcode_player *player)
{
	struct netcode_reply reply = netcode_ask(f, worker, player);

	REQUIRE(reply.outcome.drop == PG_DROP_NONE);
	REQUIRE((reply.bytes[0] & 0x0f) == NETCODE_CHALLENGE);
	reply = netcode_answer(f, worker, player);
	REQUIRE(reply.outcome.drop == PG_DROP_NONE);
	REQUIRE((reply.bytes[0] & 0x0f) == NETCODE_KEEP_ALIVE);
}

unsigned netcode_egress_of(struct netcode_fixture *f, unsigned worker, struct netcode_player *players, unsigned n,
			   enum netcode_kind kind)
{
	unsigned looks = 1000, found = 0;

	for (;;) {
		const uint32_t slot = netcode_next(f->shard[worker], &looks, f->now);
		uint8_t packet[2048], body[2048];
		unsigned player = 0;
		uint16_t length;

		if (slot == NETCODE_NONE)
			return found;
		length = netcode_write(f->shard[worker], slot, packet, f->now);
		while (player < n && !peer_equal(&players[player].peer, &f->records[slot].peer))
			player++;
		REQUIRE(player < n);
		found += netcode_hear(&players[player], packet, length, body) == kind;
	}
}
