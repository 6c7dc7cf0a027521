// SPDX-License-Identifier: BSD-3-Clause
// netcode/addresses.h: which client, or which attempt to connect, a datagram's address belongs to. One worker's own.
//
// Two tables, neither of which grows: an index of this worker's clients, and the attempts that were challenged and have not
// answered yet ("encryption mappings" of the standard).

#ifndef POLLGATE_NETCODE_ADDRESSES_H
#define POLLGATE_NETCODE_ADDRESSES_H

#include "limit/hash.h"
#include "netcode/places.h"
#include "table/netcode_record.h"

#define ADDRESS_NONE UINT32_MAX

/// Clients of this worker by their address.
struct address_index {
	struct places places; // private
	const struct netcode_record *records;
	struct hash_secret secret;
};

/// Bytes of its places.
size_t address_index_size(uint32_t capacity);

/// @param places  address_index_size() bytes, zeroed
void address_index_init(struct address_index *index, uint32_t *places, uint32_t capacity,
			const struct netcode_record *records, const struct hash_secret *secret);

/// The record has the address already.
void address_index_add(struct address_index *index, uint32_t slot);
void address_index_remove(struct address_index *index, uint32_t slot);

/// @return a slot, or ADDRESS_NONE
uint32_t address_index_find(const struct address_index *index, const struct peer *peer);

/// Somebody whose token was good, and who was challenged.
struct attempt {
	uint64_t over; // TSC; 0: free
	uint64_t client_id;
	struct peer peer;
	int32_t timeout_s;
	uint8_t token[NETCODE_TAG_LEN];
	uint8_t to_server[NETCODE_KEY_LEN];
	uint8_t to_client[NETCODE_KEY_LEN];
} CACHE_ALIGNED;

#define ATTEMPT_SETS 4096
#define ATTEMPT_WAYS 4

/// Several attempts of one address are apart: whoever sends a token of his own from somebody else's address does not take that
/// one's keys away.
struct attempts {
	struct attempt set[ATTEMPT_SETS][ATTEMPT_WAYS];
};

/// Those of an address, and others.
/// @return ATTEMPT_WAYS of them
struct attempt *attempts_of(struct attempts *attempts, const struct peer *peer, const struct hash_secret *secret);

ALWAYS_INLINE bool attempt_is(const struct attempt *attempt, const struct peer *peer, uint64_t now)
{
	return attempt->over > now && peer_equal(&attempt->peer, peer);
}

/// The place for an attempt with this token: its own, or one that is over, or the one that will be over first.
struct attempt *attempt_place(struct attempt *set, const struct peer *peer, const uint8_t token[NETCODE_TAG_LEN],
			      uint64_t now);

#endif
