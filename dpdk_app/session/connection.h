// SPDX-License-Identifier: BSD-3-Clause
// session/connection.h: the life of a confirmed session: begin, close, go on after a crash.

#ifndef POLLGATE_SESSION_CONNECTION_H
#define POLLGATE_SESSION_CONNECTION_H

#include "session/side.h"

/// New traffic keys from the record's two nonces; counters, windows, ids and conversation from the start. Of a slot that is ours.
COLD void connection_begin(struct session_side *side, uint32_t slot, const struct peer *peer, uint16_t max_datagram,
			   uint64_t now);

/// Seal a CLOSE for the peer into the outbox (unless `reason` is that the peer said so himself, SESSION_CLOSED_LEFT), forget the
/// conversation, give the slot up. The session may be confirmed again if it still stands.
COLD void connection_close(struct session_side *side, uint32_t slot, enum session_close_reason reason, uint64_t now);

/// Look at the next `budget` slots of ours: idle, expired and revoked ones are closed. Also those that gave up.
/// @return how many were closed
uint32_t connection_sweep(struct session_side *side, uint64_t now, uint32_t budget);

/// First of all in the worker's thread: connections that a dead worker process left. Keys are derived again; those whose
/// messages died with it are closed as restarted.
/// @return connections that go on
uint32_t connection_adopt(struct session_side *side, uint64_t now);

#endif
