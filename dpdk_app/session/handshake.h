// SPDX-License-Identifier: BSD-3-Clause
// session/handshake.h: HELLO, CONFIRM and what else is said about a session rather than in it. Rare: off the fast path.
//
// A HELLO leaves nothing behind. State changes only by a CONFIRM whose cookie proves the address and whose proof
// proves the key.

#ifndef POLLGATE_SESSION_HANDSHAKE_H
#define POLLGATE_SESSION_HANDSHAKE_H

#include "session/connection.h"

/// The result of a control datagram. The answer is written over the datagram.
struct handshake_outcome {
	enum pg_drop drop;       // PG_DROP_NONE: handled as `message`
	enum pg_message message; // of a handled one
	uint16_t answer;         // bytes; 0: none. Never more than came, unless the address is proved
	bool elsewhere;          // not handled: another worker owns the session, `owner`
	bool moved;              // the peer's address is a new one: where answers go is to be learned again
	uint8_t owner;
};

/// HELLO and CONFIRM: not sealed.
/// @param conforms  its source sends no more than it may: others come last when the budget is short
COLD struct handshake_outcome handshake_receive(struct session_shard *shard, const struct peer *peer, uint8_t *payload,
						uint16_t length, bool conforms, uint64_t now);

/// CLOSE and PATH_RESPONSE of slot, which is ours and connected: opened, the tag was right, the counter is marked.
COLD struct handshake_outcome handshake_control(struct session_shard *shard, uint32_t slot, const struct peer *peer,
						const uint8_t *payload, uint16_t length, uint64_t now);

#endif
