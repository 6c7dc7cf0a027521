// SPDX-License-Identifier: BSD-3-Clause
// session/players.h: whose session is a player's? Written by the supervisor alone, read by every worker without a lock.
//
// Open addressing over slots, in the state file. There are two halves: what was removed leaves a mark behind, and when
// the marks are too many, those that stand are put into the other half, which is then published. So a reader never
// misses a player who stands.
//
// A worker process can write to it. What the supervisor goes by is in struct player_writer, in its own memory; of the
// places it believes only slots that there are, and no walk is longer than a half.

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
	uint32_t place[] CACHE_ALIGNED; // two halves of: slot + 1; 0: free; UINT32_MAX: a mark
};

/// Where a walk over the slots of a player has got. Begins zeroed.
struct player_walk {
	uint32_t version, seen;
};

/// The one who writes it.
struct player_writer {
	struct player_index *index;
	const struct session_record *records;
	uint32_t capacity; // slots that there are
	uint32_t mask;     // as published
	uint32_t version;  // as published
	uint32_t filled;   // places of that half that are not free, marks among them
};

/// Bytes of an index of `capacity` sessions.
size_t player_index_size(uint32_t capacity);

/// A worker, any thread of it: the slot of a player's session, connected or not, or PLAYER_NONE.
uint32_t player_index_find(const struct player_index *index, const struct session_record *records, uint32_t player_id);

/// Likewise, of all slots that are entered as the player's: of the session that stands, and of those that are over and whose
/// connections were not closed when they ended. The next one, or PLAYER_NONE; one may come again.
uint32_t player_index_next(const struct player_index *index, const struct session_record *records, uint32_t player_id,
			   struct player_walk *walk);

/// @param index  zeroed
void player_writer_init(struct player_writer *writer, struct player_index *index, const struct session_record *records,
			uint32_t capacity);

/// The same as player_index_find(), for the one who writes.
uint32_t player_writer_find(const struct player_writer *writer, uint32_t player_id);

/// The same as player_index_next().
uint32_t player_writer_next(const struct player_writer *writer, uint32_t player_id, struct player_walk *walk);

/// Enter a slot whose record names its player. The slot is not in the index, which has room for all slots.
void player_writer_enter(struct player_writer *writer, uint32_t slot);

/// Take out a slot, if it is there. Its record still names the player with whom it was entered.
void player_writer_remove(struct player_writer *writer, uint32_t slot);

#endif
