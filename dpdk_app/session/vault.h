// SPDX-License-Identifier: BSD-3-Clause
// session/vault.h: where issued sessions are: the records, and what a worker process keeps beside each.
//
// Shared by all workers of a process; each touches what belongs to the sessions that it owns.

#ifndef POLLGATE_SESSION_VAULT_H
#define POLLGATE_SESSION_VAULT_H

#include "message/conversation.h"
#include "session/cipher.h"
#include "session/issued.h"
#include "session/secrets.h"

/// Whose session is a player's? Written by the supervisor alone, read by every worker: open addressing over slots,
/// a hit is a hint that the record confirms.
struct player_index {
	uint32_t mask;    // entries - 1
	uint32_t entry[]; // slot + 1; 0: free; UINT32_MAX: was used
};

struct route;
struct wheel_link;

struct vault {
	// set before the workers start
	uint32_t capacity;            // slots; 0: no listener speaks this profile
	struct issued *records;       // in the state file
	struct player_index *players; // in the state file
	struct cipher *ciphers;       // private; pages of it exist once touched
	struct wheel_link *links;     // private
	struct route *routes;         // private: how frames reach the peer; NULL where the kernel makes them
	uint8_t *ways;          // private: by which socket the kernel reaches the peer; NULL where frames are ours
	uint8_t *conversations; // private, conversation_size() bytes each
	struct cookie_secret cookies; // of the state file
};

ALWAYS_INLINE struct conversation *vault_conversation(const struct vault *vault, uint32_t slot);

/// @return the slot of a player's session, connected or not, or SESSION_NONE
uint32_t vault_player(const struct vault *vault, uint32_t player_id);

#endif
