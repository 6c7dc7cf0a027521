// SPDX-License-Identifier: BSD-3-Clause
// netcode/receive.h: what becomes of a datagram of the `netcode` profile.

#ifndef POLLGATE_NETCODE_RECEIVE_H
#define POLLGATE_NETCODE_RECEIVE_H

#include "netcode/shard.h"

struct netcode_outcome {
	enum pg_drop drop;       // PG_DROP_NONE: handled as `message`
	enum pg_message message; // of a handled one
	uint16_t answer;         // bytes, written over the datagram: fewer than it had; 0: none
	bool forwarded;          // it is a payload that a game process has, and not counted as `message`
	bool learn;              // the way to the client of `slot` is to be learned from this datagram
	uint32_t slot;
};

/// Is this the address of a connected client? Others are limited by source.
/// @return its slot, or ADDRESS_NONE
ALWAYS_INLINE uint32_t netcode_client_at(const struct netcode_shard *shard, const struct peer *peer)
{
	return address_index_find(&shard->index, peer);
}

/// A datagram from the address of a connected client.
struct netcode_outcome netcode_take_client(struct netcode_shard *shard, uint32_t slot, const uint8_t *payload,
					   uint16_t length, uint64_t now);

/// A datagram from any other address: a request or a response, or nothing of ours.
COLD struct netcode_outcome netcode_take_stranger(struct netcode_shard *shard, const struct peer *peer,
						  uint8_t *payload, uint16_t length, uint64_t now);

#endif
