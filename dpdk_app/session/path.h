// SPDX-License-Identifier: BSD-3-Clause
// session/path.h: where a player is: asked at a new address and at the old one, believed where the old one is silent.
//
// PROTOCOL.md, "Moving". Whoever copies a player's datagrams to the gateway faster than they come themselves, and carries the
// challenges, proves an address, too. But the player still answers at the old one.

#ifndef POLLGATE_SESSION_PATH_H
#define POLLGATE_SESSION_PATH_H

#include "session/handshake.h"

/// What a worker process remembers of a session that was heard from another address; of others, nothing is touched. After a
/// crash nobody is suspected. Times are shard_ms(), modulo 2^32.
struct path_state {
	struct peer before;    // where it was before it moved
	uint32_t connection;   // record's `connections`: all else is of that one
	uint32_t moved_in;     // challenged_ms then: of which second the challenge was that it answered
	uint32_t suspected_ms; // both addresses have answered
	uint32_t asked_ms;     // since when the proved address has not answered
	uint32_t asked_last_ms;
	uint32_t challenged_last_ms; // wherever that went to
	uint32_t answered_ms;        // when it did
	bool moved, suspected, asked, answered;
};

/// A datagram that is authentic, and the newest, came from an address that is not proved. Write a PATH_CHALLENGE for there over
/// it, if one is to be sent now; the proved address is asked, too, by way of the outbox.
/// @param payload  PATH_CHALLENGE's length writable bytes; the datagram is not shorter
/// @return bytes written, or 0
COLD uint16_t path_challenge(struct session_shard *shard, uint32_t slot, const struct peer *from, uint8_t *payload,
			     uint64_t now);

/// A PATH_RESPONSE was opened: does it come from where its token was sent to, in time? If not, it is as if it had not come: its
/// counter is not used up. Whoever copies datagrams from elsewhere would use up the player's own answer.
COLD bool path_response_counts(const struct session_shard *shard, uint32_t slot, const struct peer *peer,
			       const uint8_t *payload, uint16_t length, uint64_t now);

/// It is taken.
COLD struct handshake_outcome path_answered(struct session_shard *shard, uint32_t slot, const struct peer *peer,
					    const uint8_t *payload, uint16_t length, uint64_t now);

#endif
