// SPDX-License-Identifier: BSD-3-Clause
// session/shard.h: one worker's shard of the `session` profile: everything that its sessions need and nobody else
// touches.

#ifndef POLLGATE_SESSION_SHARD_H
#define POLLGATE_SESSION_SHARD_H

#include "delivery/delivery.h"
#include "delivery/taken.h"
#include "limit/handshake_budget.h"
#include "limit/source_limit.h"
#include "rules.h"
#include "session/exchanges.h"
#include "session/farewells.h"
#include "session/outbox.h"
#include "session/phases.h"
#include "session/relay.h"
#include "session/store.h"
#include "session/wheel.h"

/// The reloadable rules that are not in struct delivery_rules, in the units of the fast path.
struct session_rules {
#define SESSIONS RULE_FIELD // as configured
#include "settings.def"
	uint64_t idle_timeout; // TSC; of every profile
	struct phase_rules phases;
	struct handshake_budget handshake;        // of a worker
	struct rate connection[PG_LISTENERS_MAX]; // connections that a source proves: limits.connections_pps
	struct rate session[PG_LISTENERS_MAX];    // datagrams of one session whose tag proved right: limits.session_pps
	struct delivery_rules delivery;
	// As clients are told.
	struct session_limit message_limit[PG_REQUESTS];
	struct session_limit datagram_limit[PG_LISTENERS_MAX]; // of no rate: none
	uint8_t message_limits;
	uint64_t limits_digest; // of all of these: others have another
};

struct game;
struct replication;

/// Told of connections, by the worker whose they are.
struct session_watcher {
	/// Connected: its record is whole.
	void (*joined)(struct game *game, uint32_t slot);

	/// Closed, or replaced: its record still says whose it was.
	void (*left)(struct game *game, uint32_t slot, enum session_close_reason why);
};

struct session_shard {
	// set before the worker starts
	struct session_store *store;
	struct cipher_code code;
	struct pg_worker_stats *stats;
	uint64_t tsc_hz;
	struct delay_clock delays;           // of the TSC
	struct hash_secret secret;           // of source addresses
	uint8_t worker;                      // our index: what issued.owner says of ours
	struct relay *relay;                 // takes messages for players of other workers; NULL: there are none
	struct handshake_bucket *handshakes; // the worker's, of all profiles
	struct game *game; // the worker's part of the game bus, which is handed on here; NULL: there is none
	const struct session_watcher *watcher; // of `game`
	struct replication *replication;       // the worlds of its players, likewise; NULL: there are none

	// every turn
	const struct session_rules *rules;
	uint64_t limits_digest;  // of them
	uint16_t limits_version; // one more for each time that clients are to be told

	// the worker's own
	struct delivery_context ctx;
	struct random_source random;
	struct wheel wheel;               // when which session's next packet is due
	struct outbox outbox;             // sealed datagrams that are no answers and not from a delivery: CLOSE, mostly
	struct source_limits connections; // proved CONFIRMs by source, and by session
	struct exchanges exchanges;
	struct farewells farewells;
	struct kept_phases phases;
	uint64_t cookie_time; // TSC, of the last one that was made
	uint32_t cursor;      // next slot that the sweep looks at
};

/// What a shard is made from. All of it stays the caller's, and outlives the shard.
struct shard_setup {
	struct session_store *store; // open, with its local part attached
	struct pg_worker_stats *stats;
	const struct session_rules *rules;   // the first; a new policy brings others
	struct relay *relay;                 // as in struct session_shard
	struct handshake_bucket *handshakes; // as in struct session_shard
	struct hash_secret secret;
	void *message_memory; // message_pool_size(message_bytes), zeroed, cache-aligned
	size_t message_bytes;
	uint64_t tsc_hz;
	int compression_level;
	uint8_t worker;
};

/// Make a shard of zeroed memory, in whatever thread. Nothing is read of what a dead worker left.
/// @return PG_OK; PG_ERROR_SYSTEM when this CPU does not run the cipher or there are no random bytes, PG_ERROR_MEMORY.
///         To be freed all the same
int session_shard_init(struct session_shard *shard, const struct shard_setup *setup, struct pg_error *error);
void session_shard_free(struct session_shard *shard);

/// In the worker's own thread, before its first packet: take over what a dead worker left.
/// @return connections that go on
uint32_t session_shard_begin(struct session_shard *shard, uint64_t now);

/// The rules from now on.
ALWAYS_INLINE void session_shard_use(struct session_shard *shard, const struct session_rules *rules)
{
	if (shard->rules && shard->limits_digest != rules->limits_digest)
		shard->limits_version++;
	shard->limits_digest = rules->limits_digest;
	shard->rules = rules;
	shard->ctx.rules = &rules->delivery;
}

#endif
