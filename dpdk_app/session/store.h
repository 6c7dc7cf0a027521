// SPDX-License-Identifier: BSD-3-Clause
// session/store.h: where issued sessions are: the records, and what a worker process keeps beside each.
//
// Shared by all workers of a process; each touches what belongs to the sessions that it owns.

#ifndef POLLGATE_SESSION_STORE_H
#define POLLGATE_SESSION_STORE_H

#include "crypto/key_store.h"
#include "crypto/secrets.h"
#include "delivery/delivery.h"
#include "session/number.h"
#include "session/players.h"
#include "session/record.h"
#include "session/visible.h"

struct path_state;
struct return_headers;
struct wheel_link;

/// The delivery of a session, which only the worker process has. Sessions are an odd number of lines apart: in all of them
/// the first line is hot, and a power of two apart those of all sessions would share a part of the cache's sets.
struct session_delivery {
	struct delivery delivery;
	uint8_t apart[(sizeof(struct delivery) / CACHE_LINE + 1) % 2 * CACHE_LINE];
};
static_assert(sizeof(struct session_delivery) / CACHE_LINE % 2 == 1, "an odd number of lines");

struct session_store {
	// set before the workers start
	uint32_t capacity;                     // slots; 0: no listener speaks this profile
	struct session_numbers numbers;        // in the state file
	const uint32_t *used;                  // in the state file: see store_used()
	struct session_record *records;        // in the state file
	struct player_index *players;          // in the state file
	struct id_bits *seen;                  // in the state file: as struct inbound has them, while there are any
	struct visible_numbers visible;        // in the state file
	struct key_store keys;                 // private; pages of it exist once touched
	struct session_delivery *deliveries;   // private, likewise
	struct wheel_link *links;              // private
	struct path_state *paths;              // private: of sessions that were heard from elsewhere
	struct return_headers *return_headers; // private: how frames reach the peer; NULL where the kernel makes them
	uint8_t *
		socket_indices; // private: by which socket the kernel reaches the peer, plus 1; 0: not known; NULL where frames are ours
	struct gateway_secret secret; // from the state file's
};

/// Set what of a store lies in the state: capacity, used, records, players, numbers, visible numbers, secret. From now on its sessions are
/// numbered as they are.
void store_open(struct session_store *store, void *state);

/// How the process reaches peers, and so what it keeps of each: the headers of the peer's frames, or a socket of the kernel's.
enum store_reach { STORE_FRAMES = 1, STORE_SOCKETS = 2 };

/// Bytes of private memory: what lies beside the records. Of a slot that is never used none is ever touched.
/// @param reach  of enum store_reach, one or both
size_t store_local_size(uint32_t capacity, unsigned reach);

/// Divide the private memory.
/// @param store   open
/// @param memory  store_local_size() bytes, zeroed, cache-aligned, kept by the caller
void store_attach_local(struct session_store *store, void *memory, unsigned reach);

ALWAYS_INLINE struct session_keys store_keys(const struct session_store *store, uint32_t slot)
{
	return key_store_at(&store->keys, slot);
}

ALWAYS_INLINE struct delivery *store_delivery(const struct session_store *store, uint32_t slot)
{
	return &store->deliveries[slot].delivery;
}

/// Slots from here on were never issued: records of them are all zero, which says that worker 0 owns them. A sweep ends here.
ALWAYS_INLINE uint32_t store_used(const struct session_store *store)
{
	return __atomic_load_n(store->used, __ATOMIC_ACQUIRE);
}

/// @return the slot of a player's session that stands, connected or not, or PLAYER_NONE. Without a lock; by the time
///         that the caller looks at the record it may be over
ALWAYS_INLINE uint32_t store_player(const struct session_store *store, uint32_t player_id)
{
	return player_index_find(store->players, store->records, player_id);
}

#endif
