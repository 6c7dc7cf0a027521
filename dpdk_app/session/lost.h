// SPDX-License-Identifier: BSD-3-Clause
// session/lost.h: what whoever talks to nobody is told.

#ifndef POLLGATE_SESSION_LOST_H
#define POLLGATE_SESSION_LOST_H

#include "session/shard.h"

/// A sealed datagram of a slot. If the session is known, nobody owns it and it had a connection, its sender is told so: by the
/// CLOSE that was said lately, or by a RESET, for which all handshakes must have left time. That is written over the datagram.
/// @return its bytes, or 0
COLD uint16_t lost_answer(struct session_shard *shard, uint32_t slot, const struct peer *peer, uint8_t *payload,
			  uint16_t length, uint64_t now);

#endif
