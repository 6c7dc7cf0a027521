// SPDX-License-Identifier: BSD-3-Clause
// session/older.h: sessions of a player who was issued a newer one.
//
// From when a session is issued, those that the player had before are over: no packet of theirs is taken any more. Their
// connections are still there, and with them the player in its world, until their workers look. Whoever's newest session connects
// does not wait for that: older connections of the same worker are closed first, and other workers are told. Nobody comes into a
// world while an older connection of its player is there.

#ifndef POLLGATE_SESSION_OLDER_H
#define POLLGATE_SESSION_OLDER_H

#include "session/shard.h"

/// A session of ours connects: those that its player had before end, here now, and where another worker has them as soon as that
/// reads its mail. If its mailbox is full, its sweep finds them.
COLD void older_end(struct session_shard *shard, uint32_t slot, uint64_t now);

/// Another worker told us of a session of ours.
COLD void older_ended(struct session_shard *shard, uint32_t session, uint64_t now);

/// Is this the newest session of its player, and has none of those before it a connection any more?
COLD bool older_are_gone(const struct session_shard *shard, uint32_t slot);

#endif
