// SPDX-License-Identifier: BSD-3-Clause
// session/vault.h: where issued sessions are: the records, and what a worker process keeps beside each.
//
// Shared by all workers of a process; each touches what belongs to the sessions that it owns.

#ifndef POLLGATE_SESSION_VAULT_H
#define POLLGATE_SESSION_VAULT_H

#include "crypto/cipher.h"
#include "crypto/secrets.h"
#include "delivery/conversation.h"
#include "session/issued.h"
#include "session/number.h"
#include "session/players.h"

struct route;
struct wheel_link;

/// The part of a session that only the worker process has, beside the record. The fields are in the order in which a packet
/// needs them, so that hot lines lie together: the first and last lines of each key, and the first of the conversation.
///
/// Sessions are an odd number of lines apart: in all of them the same lines are hot, and a power of two apart those of all
/// sessions would share a part of the cache's sets (10,000 sessions, two keys of 16 lines each: 570 cycles to open and seal
/// 28 bytes; of 17 lines each: 220).
struct locker {
	struct cipher cipher;
	struct conversation conversation;
	uint8_t apart[((sizeof(struct cipher) + sizeof(struct conversation)) / CACHE_LINE + 1) % 2 * CACHE_LINE];
};
static_assert(sizeof(struct locker) / CACHE_LINE % 2 == 1, "an odd number of lines");

struct vault {
	// set before the workers start
	uint32_t capacity;              // slots; 0: no listener speaks this profile
	struct session_numbers numbers; // in the state file
	const uint32_t *used;           // in the state file: see vault_used()
	struct issued *records;         // in the state file
	struct player_index *players;   // in the state file
	struct locker *lockers;         // private; pages of it exist once touched
	struct wheel_link *links;       // private
	struct route *routes;           // private: how frames reach the peer; NULL where the kernel makes them
	uint8_t *
		ways; // private: by which socket the kernel reaches the peer, plus 1; 0: not known; NULL where frames are ours
	struct cookie_secret cookies; // of the state file
};

/// Set what of a vault lies in the state: capacity, used, records, players, numbers, cookies.
void vault_open(struct vault *vault, void *state);

/// How the process reaches peers, and so what it keeps of each: the headers of the peer's frames, or a socket of the kernel's.
enum vault_reach { VAULT_FRAMES = 1, VAULT_SOCKETS = 2 };

/// Bytes of private memory: what lies beside the records. Of a slot that is never used none is ever touched.
/// @param reach  of enum vault_reach, one or both
size_t vault_private_size(uint32_t capacity, unsigned reach);

/// Divide the private memory.
/// @param vault   open
/// @param memory  vault_private_size() bytes, zeroed, cache-aligned, kept by the caller
void vault_furnish(struct vault *vault, void *memory, unsigned reach);

ALWAYS_INLINE struct conversation *vault_conversation(const struct vault *vault, uint32_t slot)
{
	return &vault->lockers[slot].conversation;
}

/// Slots from here on were never issued: records of them are all zero, which says that worker 0 owns them. A sweep ends here.
ALWAYS_INLINE uint32_t vault_used(const struct vault *vault)
{
	return __atomic_load_n(vault->used, __ATOMIC_ACQUIRE);
}

/// @return the slot of a player's session that stands, connected or not, or PLAYER_NONE. Without a lock; by the time
///         that the caller looks at the record it may be over
ALWAYS_INLINE uint32_t vault_player(const struct vault *vault, uint32_t player_id)
{
	return player_index_find(vault->players, vault->records, player_id);
}

#endif
