// SPDX-License-Identifier: BSD-3-Clause
// session/relay.h: a message for a player, from any source to the player's session.

#ifndef POLLGATE_SESSION_RELAY_H
#define POLLGATE_SESSION_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery/delivery.h"

struct session_shard;

/// Takes messages for sessions that another worker owns. An engine with several workers has one for each.
struct relay {
	/// Copy a message for a session of worker `owner`, who gives it to session_deliver().
	/// @return false when that worker has too much to do: the message is lost
	bool (*pass)(struct relay *relay, uint8_t owner, uint32_t session, const struct outgoing *message);

	/// Tell worker `owner` that a session which it has connected is over: it calls older_ended().
	/// @return false when that worker has too much to do: its sweep finds it
	bool (*end)(struct relay *relay, uint8_t owner, uint32_t session);
};

/// Queue a message for a session, if it is ours and connected: from another worker, or from the operator. What becomes of
/// it is counted here.
enum pg_loss session_deliver(struct session_shard *shard, uint32_t session, const struct outgoing *message,
			     uint64_t now);

/// Likewise, of a message that others get, too.
enum pg_loss session_deliver_broadcast(struct session_shard *shard, uint32_t session, const struct broadcast *broadcast,
				       uint64_t now);

/// Send a player a message: to the player's session if it is ours, else through shard->relay.
/// @return PG_LOSS_NONE: it is queued, or handed to the player's worker; else it is counted as lost
enum pg_loss session_relay(struct session_shard *shard, uint32_t player_id, const struct outgoing *message,
			   uint64_t now);

/// Something was queued for, owed to or acknowledged by a session of ours: when is it due?
/// @param ids  message ids have moved on: the next process is to know, should we die
void session_note(struct session_shard *shard, uint32_t slot, bool ids);

#endif
