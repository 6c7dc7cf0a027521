// SPDX-License-Identifier: BSD-3-Clause
// netcode/shard.h: one worker's part of the `netcode` profile.

#ifndef POLLGATE_NETCODE_SHARD_H
#define POLLGATE_NETCODE_SHARD_H

#include "limit/source_limit.h"
#include "net/return_headers.h"
#include "netcode/addresses.h"
#include "netcode/clients.h"
#include "netcode/packet.h"
#include "netcode/payloads.h"
#include "session/shard.h"
#include "session/wheel.h"

/// What all workers share, beside the clients.
struct netcode_store {
	// set before the workers start
	struct netcode_clients clients;
	const struct pg_netcode_plan *plan;    // protocol, private key, our addresses
	struct wheel_link *links;              // by slot
	struct return_headers *return_headers; // by slot: how frames reach the client; NULL where the kernel makes them
	uint8_t *
		sockets; // by slot: by which socket the kernel reaches it, plus 1; 0: not known; NULL where frames are ours
	uint8_t challenge_key[NETCODE_KEY_LEN]; // random in each process

	/// Unix time in seconds; a test has its own.
	uint64_t (*unix_s)(void);
};

struct game;

/// What became of a payload.
enum netcode_heard {
	NETCODE_HEARD,  // a game process has it
	NETCODE_LOST,   // one was to have it, which is counted there
	NETCODE_NOBODY, // no route takes it
};

/// Told of clients, by the worker whose they are: as struct session_watcher.
struct netcode_watcher {
	void (*joined)(struct game *game, uint32_t slot);
	void (*left)(struct game *game, uint32_t slot, enum session_close_reason why);

	/// A payload that is authentic.
	/// @param packet  as it came, sealed
	enum netcode_heard (*said)(struct game *game, uint32_t slot, const uint8_t *packet,
				   const struct netcode_header *header);
};

struct netcode_shard {
	// set before the worker starts
	struct netcode_store *store;
	struct pg_worker_stats *stats;
	uint64_t tsc_hz;
	struct hash_secret secret;           // of addresses
	uint8_t worker;                      // our index: what record.owner says of ours
	struct handshake_bucket *handshakes; // the worker's, of all profiles
	struct game *game; // the worker's part of the game bus, which is handed on here; NULL: there is none
	const struct netcode_watcher *watcher; // of `game`
	struct rate payload_rate;              // of what one client is sent

	// every turn
	const struct session_rules *rules; // of limits and of the handshakes' share of time

	// the worker's own
	struct address_index index;
	struct attempts *attempts;
	struct wheel wheel;               // when which client is to be sent something, or is over
	struct source_limits connections; // requests by source
	uint64_t challenges;              // sequence of the next challenge token
	uint32_t clients;                 // of this worker
	uint32_t dismissed;               // slots up to here were told that the gateway ends
	struct payloads payloads;         // from game processes, that are to leave
	bool sends_payload;               // the first of them is what netcode_next() found
	bool introduced;                  // a keep-alive has left before it
};

/// Packets to a client who is sent nothing else, per second; and those that tell it that it is disconnected.
#define NETCODE_KEEP_ALIVES_PER_S 10
#define NETCODE_DISCONNECTS 10
#define NETCODE_DISCONNECTS_PER_S 200

/// Payloads to one client, per second and at once: with its keep-alives they stay below NETCODE_SEQUENCES_PER_S.
#define NETCODE_PAYLOADS_PER_S 1000
#define NETCODE_PAYLOADS_AT_ONCE 500

/// Bytes of what lies beside the records, private. Of a slot that is never used none is ever touched.
/// @param frames  the process makes frames; else it has sockets
size_t netcode_store_size(uint32_t capacity, bool frames);

/// Take over the state.
/// @param memory  netcode_store_size() bytes, zeroed, kept by the caller
/// @return false: there are no random bytes, or libsodium does not run here
bool netcode_store_open(struct netcode_store *store, const struct pg_netcode_plan *plan, struct netcode_record *records,
			struct netcode_history *history, void *memory, bool frames);

/// What a shard is made from. All of it stays the caller's, and outlives the shard.
struct netcode_setup {
	struct netcode_store *store;
	struct pg_worker_stats *stats;
	const struct session_rules *rules;
	struct handshake_bucket *handshakes; // as in struct netcode_shard
	struct hash_secret secret;
	void *memory; // netcode_shard_size() bytes, zeroed
	uint64_t tsc_hz;
	uint8_t worker;
};

size_t netcode_shard_size(uint32_t capacity);
void netcode_shard_init(struct netcode_shard *shard, const struct netcode_setup *setup);

/// In the worker's own thread, before its first packet: take over the clients that a dead worker left.
/// @return how many
uint32_t netcode_shard_begin(struct netcode_shard *shard, uint64_t now);

/// The gateway ends: tell clients so.
/// @param slots  that are looked at in this turn
/// @return true: all were told
bool netcode_dismiss(struct netcode_shard *shard, uint64_t now, uint32_t slots);

// ---------------------------------------------------------------- clients of this worker

/// A client has proved its address.
/// @return its slot; NETCODE_NONE: there is none. With the lock held
uint32_t netcode_admit(struct netcode_shard *shard, const struct attempt *attempt,
		       const struct netcode_challenge_token *token, uint64_t now);

/// It is gone.
/// @return false: the lock is another's; the slot is a client's still
bool netcode_forget(struct netcode_shard *shard, uint32_t slot);

/// It is connected no more. Its slot is free when all disconnect packets have left; without any at once, or as soon as the
/// lock is ours.
/// @param disconnects  that tell it so
void netcode_end(struct netcode_shard *shard, uint32_t slot, enum session_close_reason why, uint8_t disconnects,
		 uint64_t now);

/// Have a payload leave for a connected client. Of a body that is for several, payloads_begin_body() is called before the
/// first.
/// @param body  NETCODE_PAYLOAD_MAX bytes at most, and at least one
/// @return false: it is lost, and counted as that
bool netcode_send(struct netcode_shard *shard, uint32_t slot, const void *body, uint16_t length, uint64_t now);

/// The sequence of the next packet to a client, advanced before that can leave.
uint64_t netcode_next_sequence(struct netcode_record *record);

/// The same, of a packet that is no client's.
uint64_t netcode_handshake_sequence(struct netcode_shard *shard);

/// @return its bytes
uint16_t netcode_write_keep_alive(struct netcode_shard *shard, uint32_t slot, uint8_t *payload, uint64_t now);

/// When is there something to do for this client next?
uint64_t netcode_due(const struct netcode_shard *shard, uint32_t slot);

#endif
