// SPDX-License-Identifier: BSD-3-Clause
// session_fixture.h: a state with issued sessions, two workers' shards on it, and players at the other end. No packets'
// headers.
//
// The players know wire/PROTOCOL.md, secrets and ciphers, and nothing of handshakes or connections.

#ifndef POLLGATE_TESTS_SESSION_FIXTURE_H
#define POLLGATE_TESTS_SESSION_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/handshake.h"

#define FIXTURE_SHARDS 2

struct session_fixture {
	void *state;
	size_t state_size;
	struct session_store store;
	struct session_shard *shard[FIXTURE_SHARDS];
	struct session_rules rules;
	struct handshake_bucket handshakes[FIXTURE_SHARDS];
	struct pg_worker_stats stats[FIXTURE_SHARDS];
	uint64_t now; // TSC: real at first, then the test's
	uint32_t capacity;
	unsigned reach; // of enum store_reach
	uint8_t *message_memory[FIXTURE_SHARDS];
	void *process; // private memory of the store
};

/// Everything unlimited, idle after 30 s. Ends the process when something is missing.
/// @param reach  of enum store_reach: as the product, one of them, but where frames and datagrams are compared
struct session_fixture *fixture_open(uint32_t capacity, unsigned reach);
void fixture_close(struct session_fixture *fixture);

/// The worker process is gone, with all that was its own; another one has started and adopted.
/// @return connections that go on, of all shards
uint32_t fixture_restart(struct session_fixture *fixture);

/// The same with the shards that there are, which is faster.
uint32_t fixture_restart_in_place(struct session_fixture *fixture);

/// As it was when `state` was copied, for a process that has just started in place. Random numbers are the same each time.
/// @return connections that go on, of all shards
uint32_t fixture_reset(struct session_fixture *fixture, const void *state, uint64_t now);

/// Pass milliseconds.
void fixture_wait(struct session_fixture *fixture, uint64_t ms);

/// A player with an issued session. The player's address is 20.0.0.N, port 5000.
struct player {
	uint32_t id;
	uint32_t session;
	uint8_t key[SESSION_KEY_LEN];
	struct peer peer;
	uint8_t client_nonce[SESSION_NONCE_LEN];
	uint8_t cookie[SESSION_COOKIE_LEN];
	struct exchange_key exchange; // of the attempt
	uint16_t max_datagram;
	uint8_t server_nonce[SESSION_NONCE_LEN]; // of the last WELCOME
	struct cipher cipher;
	uint8_t secret[HASH_LEN];        // of the first key phase
	unsigned open_phase, seal_phase; // of which `cipher` has the keys
	uint32_t sent, newest;           // counters
	struct visible_number now;       // under which it sends; 0: `session`
	struct visible_number before;    // and reads, too
	struct visible_number spare;     // that it has been given; as WELCOME says at first
	uint32_t heard_under;            // the number of the last datagram that it opened
	struct session_welcome welcome;
};

#define PLAYER_BUFFER 1500

struct peer peer_at(uint32_t address, uint16_t port, uint8_t listener);

/// Issue a session for player `id`, with a random key.
struct player fixture_issue(struct session_fixture *fixture, uint32_t id, uint32_t ttl_s, bool once);

uint32_t fixture_slot(const struct session_fixture *fixture, const struct player *player);
struct session_record *fixture_record(const struct session_fixture *fixture, const struct player *player);

/// The number that the slot has when it is issued the next time.
uint32_t fixture_next_number(const struct session_fixture *fixture, uint32_t session);

/// Write a datagram; each returns its length.
uint16_t player_hello(struct player *player, uint8_t *out); // with a new nonce
uint16_t player_confirm(const struct player *player, uint8_t *out);
uint16_t player_seal(const struct session_fixture *fixture, struct player *player, enum session_kind kind,
		     const void *body, uint16_t body_len, uint8_t *out);

/// Use the spare, as on another network.
void player_rename(struct player *player);

/// Is it a number under which this player is spoken to?
bool player_hears(const struct player *player, uint32_t number);

/// Take the spare that an opened DATA gives, if it does.
bool player_take_number(struct player *player, const uint8_t *datagram, uint16_t length);

/// Of the number in use.
struct session_header player_header(const struct player *player, enum session_kind kind, uint16_t length,
				    uint32_t counter);

/// What is sent goes to another key phase.
void player_seal_in(const struct session_fixture *fixture, struct player *player, unsigned phase);

/// Read an answer; false when it is not what it should be.
bool player_take_challenge(struct player *player, const uint8_t *challenge, uint16_t length);
bool player_take_welcome(const struct session_fixture *fixture, struct player *player, uint8_t *welcome,
			 uint16_t length);

/// What the acknowledgement of the player's next DATA is.
struct session_prefix player_prefix(const struct player *player, bool wants_answer);

/// Of the present phase, or the next: then the player goes there.
bool player_open(const struct session_fixture *fixture, struct player *player, uint8_t *sealed, uint16_t length);

/// HELLO, CHALLENGE, CONFIRM, WELCOME by one shard.
/// @return false when any of it did not go as it should
bool fixture_connect(struct session_fixture *fixture, unsigned shard, struct player *player);

/// Get a cookie, and write the CONFIRM that uses it.
uint16_t fixture_ask(struct session_fixture *fixture, unsigned shard, struct player *player, uint8_t *confirm);

#endif
