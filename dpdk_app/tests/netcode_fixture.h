// SPDX-License-Identifier: BSD-3-Clause
// netcode_fixture.h: workers of the netcode profile without packets around them, and clients who send to them.

#ifndef POLLGATE_TESTS_NETCODE_FIXTURE_H
#define POLLGATE_TESTS_NETCODE_FIXTURE_H

#include "netcode/egress.h"
#include "netcode/packet.h"
#include "netcode/receive.h"
#include "netcode/token.h"

#define FIXTURE_WORKERS 2
#define FIXTURE_HZ 1000000000ULL // a TSC cycle is a nanosecond
#define FIXTURE_PROTOCOL 0x1122334455667788ULL
#define FIXTURE_UNIX_S 1790000000ULL

struct netcode_fixture {
	struct netcode_store store;
	struct netcode_shard *shard[FIXTURE_WORKERS];
	struct pg_worker_stats *stats; // of each
	struct pg_netcode_plan plan;
	struct session_rules rules;
	struct handshake_bucket handshakes[FIXTURE_WORKERS];
	struct netcode_record *records; // the state
	struct netcode_history *history;
	void *memory[1 + FIXTURE_WORKERS]; // private
	uint64_t now;
};

/// @param capacity  clients
struct netcode_fixture *netcode_open_fixture(uint32_t capacity);
void netcode_close_fixture(struct netcode_fixture *fixture);

/// The worker process dies, and another takes over.
void netcode_restart(struct netcode_fixture *fixture);

/// Time goes by, for clocks and workers alike.
void netcode_wait(struct netcode_fixture *fixture, double s);

/// A client as it sees itself.
struct netcode_player {
	struct peer peer;
	struct pg_netcode_grant grant;
	uint8_t token[NETCODE_TOKEN_LEN];
	uint8_t to_server[NETCODE_KEY_LEN], to_client[NETCODE_KEY_LEN];
	uint64_t sequence; // of its next packet
	struct netcode_challenge challenge;
	struct netcode_keep_alive told;
	uint64_t heard; // sequence of the last packet that it got
};

/// One with a token of 30 s for the fixture's server, with 5 s of timeout, at port `port` of 10.0.0.2.
void netcode_player_init(struct netcode_player *player, uint64_t client_id, uint16_t port);

/// Its token is another, as its grant says now.
void netcode_player_regrant(struct netcode_player *player);

/// What became of a datagram, and the answer.
struct netcode_reply {
	struct netcode_outcome outcome;
	uint16_t length; // of the answer
	uint8_t bytes[2048];
};

/// A datagram comes to a worker.
struct netcode_reply netcode_deliver(struct netcode_fixture *fixture, unsigned worker, const struct peer *peer,
				     const void *datagram, size_t length);

struct netcode_request netcode_player_request(const struct netcode_player *player);

/// Send a sealed packet with the next sequence.
struct netcode_reply netcode_say(struct netcode_fixture *fixture, unsigned worker, struct netcode_player *player,
				 enum netcode_kind kind, const void *body, uint16_t length);

/// The steps of getting in. Each keeps what the answer says.
struct netcode_reply netcode_ask(struct netcode_fixture *fixture, unsigned worker, struct netcode_player *player);
struct netcode_reply netcode_answer(struct netcode_fixture *fixture, unsigned worker, struct netcode_player *player);

/// All of them. The test fails when it does not get in.
void netcode_get_in(struct netcode_fixture *fixture, unsigned worker, struct netcode_player *player);

/// Open a packet of the gateway's.
/// @return its kind; NETCODE_KINDS: it is none for this player
enum netcode_kind netcode_hear(struct netcode_player *player, const uint8_t *packet, uint16_t length, uint8_t *body);

/// What a worker sends on its own now, each to be opened by one of these players.
/// @return how many packets of `kind`
unsigned netcode_egress_of(struct netcode_fixture *fixture, unsigned worker, struct netcode_player *players, unsigned n,
			   enum netcode_kind kind);

#endif
