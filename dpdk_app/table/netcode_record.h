// SPDX-License-Identifier: BSD-3-Clause
// table/netcode_record.h: clients of the `netcode` profile, and which address used which connect token.
//
// Both lie in the state file, so a new worker process finds its clients: no pointers inside. A client belongs to the worker
// that its response reached, until it is gone; only that worker writes its record. Whoever else looks holds the lock of
// netcode/clients.h.

#ifndef POLLGATE_TABLE_NETCODE_RECORD_H
#define POLLGATE_TABLE_NETCODE_RECORD_H

#include <stdbool.h>

#include "compiler.h"
#include "net/peer.h"
#include "pollgate.h"
#include "table/netcode_window.h"
#include "wire/netcode.h"

enum netcode_phase {
	NETCODE_FREE, // or being written: a crash then frees the slot
	NETCODE_CONNECTED,
	NETCODE_LEAVING, // the gateway ends: some disconnect packets are still to be sent
};

/// The slot is the client's index.
struct netcode_record {
	// per packet
	uint8_t phase;       // enum netcode_phase; written last at the beginning, first at the end
	uint8_t owner;       // index of a worker
	bool confirmed;      // it sent a packet that only a connected client sends
	uint8_t disconnects; // of NETCODE_LEAVING: that are still to be sent
	int32_t timeout_s;   // 0 or negative: never
	struct peer peer;
	uint32_t conforms_at;   // bucket of limits.session_pps, in the terms of rate_admit_short()
	uint64_t tx_sequence;   // of the next packet; advanced before that is sealed
	uint64_t last_received; // TSC
	uint64_t last_sent;     // TSC

	struct netcode_window window CACHE_ALIGNED;
	uint64_t client_id;
	uint32_t player;              // what game processes call it: netcode_player()
	uint32_t payload_conforms_at; // bucket of the payloads that it is sent, likewise

	uint8_t to_server[NETCODE_KEY_LEN] CACHE_ALIGNED;
	uint8_t to_client[NETCODE_KEY_LEN];

	uint8_t token[NETCODE_TAG_LEN] CACHE_ALIGNED; // tag of the connect token that it came with

	uint8_t user_data[NETCODE_USER_DATA_LEN] CACHE_ALIGNED;
} CACHE_ALIGNED;
static_assert(sizeof(struct netcode_record) == 8 * CACHE_LINE, "eight lines");

/// Game processes have 32 bits for a player, and a client id has 64. So a client is called by its slot, and by how many had
/// that before, modulo 2^11: what is meant for one who is gone does not reach the next one. The highest bit keeps clear of
/// player ids of the `session` profile, which an operator chooses.
#define NETCODE_PLAYERS (1U << 31)
#define NETCODE_PLAYER_TURN (1U << 20) // above all slots
#define NETCODE_PLAYER_SLOT (NETCODE_PLAYER_TURN - 1)

ALWAYS_INLINE bool netcode_player_has(uint32_t player, uint32_t slot)
{
	return player & NETCODE_PLAYERS && (player & NETCODE_PLAYER_SLOT) == slot;
}

/// @param before  who had the slot last; whatever else it is, the slot was never used
static inline uint32_t netcode_player_next(uint32_t before, uint32_t slot)
{
	if (!netcode_player_has(before, slot))
		return NETCODE_PLAYERS | slot;
	return NETCODE_PLAYERS | (before + NETCODE_PLAYER_TURN);
}

/// By what the clients are shared out among processes: of an id of 32 bits as a player of the `session` profile with that id.
ALWAYS_INLINE uint32_t netcode_player_share(uint64_t client_id)
{
	return (uint32_t)(client_id ^ client_id >> 32);
}

/// Who used a connect token. Kept until it is over.
struct netcode_use {
	uint8_t token[NETCODE_TAG_LEN];
	uint64_t expires_s;     // Unix time; 0: free. Written last
	uint64_t next_sequence; // its keys sealed packets to a client with all sequences below
	struct peer peer;
	uint32_t unused[3];
} CACHE_ALIGNED;
static_assert(sizeof(struct netcode_use) == CACHE_LINE, "one line");

#define NETCODE_USE_WAYS 8

/// The section before its uses.
struct netcode_history {
	uint64_t handshake_sequence[PG_WORKERS_MAX]; // by worker: of its next packet that is no client's; 0: none yet
	uint32_t used;                               // records from here on were never written
	struct netcode_use use[] CACHE_ALIGNED;
};

/// Sequences that one second brings: more than it has packets to a client. A connection begins with the time in these, so
/// that keys which a client brings again, even to another process of the gateway, never seal two packets with one sequence.
#define NETCODE_SEQUENCES_PER_S 1024
#define NETCODE_SEQUENCES_BEGIN_S 1767225600 // 2026: a few bytes of sequence are enough for centuries

ALWAYS_INLINE uint64_t netcode_first_sequence(uint64_t now_s)
{
	return now_s > NETCODE_SEQUENCES_BEGIN_S ? (now_s - NETCODE_SEQUENCES_BEGIN_S) * NETCODE_SEQUENCES_PER_S : 0;
}

/// Packets that are no client's, challenges and denials, have sequences of their own: the highest bit, a worker, microseconds.
#define NETCODE_HANDSHAKE_SEQUENCES (1ULL << 63)
#define NETCODE_HANDSHAKE_WORKER_SHIFT 57
static_assert(PG_WORKERS_MAX <= 1 << (63 - NETCODE_HANDSHAKE_WORKER_SHIFT), "bits for each worker");

#define NETCODE_USES_PER_CLIENT 4

/// Uses that are kept for so many clients: a power of two.
static inline uint32_t netcode_history_uses(uint32_t capacity)
{
	uint32_t uses = NETCODE_USE_WAYS;

	while (uses < NETCODE_USES_PER_CLIENT * (uint64_t)capacity)
		uses *= 2;
	return uses;
}

static inline size_t netcode_history_size(uint32_t capacity)
{
	return sizeof(struct netcode_history) + netcode_history_uses(capacity) * sizeof(struct netcode_use);
}

#endif
