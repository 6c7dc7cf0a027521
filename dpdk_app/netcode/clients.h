// SPDX-License-Identifier: BSD-3-Clause
// netcode/clients.h: what all workers know together: which slots are free, which client ids are connected, which connect
// token came from which address.
//
// Looked at for requests and responses and when a client goes, never for a client's packets. It is behind one lock, because
// each of these is a question and its answer in one step: that a token is used, an id is taken. Nobody waits for the lock:
// who does not get it soon gives up, and the packet comes again a tenth of a second later.

#ifndef POLLGATE_NETCODE_CLIENTS_H
#define POLLGATE_NETCODE_CLIENTS_H

#include "limit/hash.h"
#include "netcode/places.h"
#include "table/netcode_record.h"

#define NETCODE_NONE UINT32_MAX

struct netcode_clients {
	// set before the workers start
	uint32_t capacity;
	uint32_t use_mask;               // sets of uses - 1
	struct netcode_record *records;  // in the state file
	struct netcode_history *history; // in the state file
	struct places ids;               // private: by client id
	uint64_t *free;                  // private: bit n: slot n is free
	struct hash_secret secret;

	// behind the lock
	_Atomic uint32_t lock CACHE_ALIGNED;
	bool adopted;
	uint32_t connected;
	uint32_t cursor; // word of `free` at which the next look begins
};

/// Bytes of private memory.
size_t netcode_clients_size(uint32_t capacity);

/// Nothing is read of what a dead process left.
/// @param memory   netcode_clients_size() bytes, zeroed, kept by the caller
void netcode_clients_open(struct netcode_clients *clients, struct netcode_record *records, uint32_t capacity,
			  struct netcode_history *history, void *memory, const struct hash_secret *secret);

/// Take over what a dead process left: whole records stay, others are freed. Before any packet; once, whoever calls it. With
/// the lock held.
void netcode_clients_adopt(struct netcode_clients *clients);

/// @return false: another worker has it, and does not let go of it soon
bool netcode_lock(struct netcode_clients *clients);
void netcode_unlock(struct netcode_clients *clients);

// What follows is asked with the lock held.

/// @return the slot of a connected client, or NETCODE_NONE
uint32_t netcode_client(const struct netcode_clients *clients, uint64_t client_id);

/// Records from here on were never written. Without the lock, too.
ALWAYS_INLINE uint32_t netcode_used(const struct netcode_clients *clients)
{
	return __atomic_load_n(&clients->history->used, __ATOMIC_ACQUIRE);
}

ALWAYS_INLINE bool netcode_is_full(const struct netcode_clients *clients)
{
	return clients->connected == clients->capacity;
}

/// Take a free slot for a client whose id is not connected.
/// @return its slot, whose record is the caller's to fill; NETCODE_NONE: there is none
uint32_t netcode_claim(struct netcode_clients *clients, uint64_t client_id);

/// Give a slot back: its record's phase is NETCODE_FREE from now on.
void netcode_release(struct netcode_clients *clients, uint32_t slot);

/// Where the use of a token is kept. A new one takes the place of one that is over or, where all are in use, of the one that
/// will be over first.
/// @param now_s  Unix time
/// @return NULL: another address used it
struct netcode_use *netcode_use(struct netcode_clients *clients, const uint8_t token[NETCODE_TAG_LEN],
				uint64_t expires_s, const struct peer *peer, uint64_t now_s);

/// The use of a token that is still kept, or NULL.
struct netcode_use *netcode_use_of(struct netcode_clients *clients, const uint8_t token[NETCODE_TAG_LEN]);

#endif
