// SPDX-License-Identifier: BSD-3-Clause
// session/players.h: whose session is a player's? Written by the supervisor alone, read by every worker without a lock.
//
// Open addressing over slots, in the state file. There are two halves: what was removed leaves a mark behind, and when
// the marks are too many, those that stand are put into the other half, which is then published. So a reader never
// misses a player who stands.

#ifndef POLLGATE_SESSION_PLAYERS_H
#define POLLGATE_SESSION_PLAYERS_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "session/record.h"

#define PLAYER_NONE UINT32_MAX

struct player_index {
	uint32_t mask;                  // places of a half, minus 1
	uint32_t version;               // published; its low bit says which half is to be read
	uint32_t filled;                // the supervisor's: places of that half that are not free, marks among them
	uint32_t place[] CACHE_ALIGNED; // two halves of: slot + 1; 0: free; UINT32_MAX: a mark
};

/// Bytes of an index of `capacity` sessions.
size_t player_index_size(uint32_t capacity);

/// @param index  zeroed
void player_index_init(struct player_index *index, uint32_t capacity);

/// Any thread: the slot of a player's session, connected or not, or PLAYER_NONE.
uint32_t player_index_find(const struct player_index *index, const struct session_record *records, uint32_t player_id);

/// The supervisor: enter a slot whose record names its player. The player is not in the index, and the index has room.
void player_index_enter(struct player_index *index, const struct session_record *records, uint32_t slot);

/// The supervisor: take out a slot that was entered. Its record still names its player.
void player_index_remove(struct player_index *index, const struct session_record *records, uint32_t slot);

#endif
