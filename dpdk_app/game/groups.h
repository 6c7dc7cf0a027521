// SPDX-License-Identifier: BSD-3-Clause
// game/groups.h: a game process's groups of players, as far as one worker serves the players.
//
// Groups are made by their first member and end with their last. Memory is taken once; what is not used is never touched.

#ifndef POLLGATE_GAME_GROUPS_H
#define POLLGATE_GAME_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define GROUPS_MAX 16384      // of a process
#define GROUPS_PER_PLAYER 4   // on the average
#define GROUPS_OF_PLAYER 64   // at most: an order looks at all of them
#define GROUP_NONE UINT32_MAX // no group, no member

/// A player in a group.
struct group_member {
	uint32_t slot;
	uint32_t group;          // index
	uint32_t next, previous; // in the group; of a free one, `next` is the next free one
	uint32_t next_of_player;
};

struct player_group {
	uint32_t id; // as the process names it
	uint32_t first;
	uint32_t members;
	uint32_t next; // with the same hash; of a free one: the next free one
};

struct groups {
	uint64_t factor, summand; // of the hash: who does not know them cannot choose ids that share a bucket
	uint32_t *bucket;         // GROUPS_MAX: index + 1 of the first group
	struct player_group *group;
	struct group_member *member;
	uint32_t *of_player; // by slot: index + 1 of the first membership
	uint32_t slots;
	uint32_t members_max;
	uint32_t groups_used, members_used; // of which all before were used once
	uint32_t groups_free, members_free; // lists of those given back
	uint32_t walk;                      // the member that comes next; GROUP_NONE: that was all
};

/// Bytes for so many players' slots.
size_t groups_size(uint32_t slots);

/// @param memory  zeroed
/// @param secret  random: ids are the game process's choice
void groups_init(struct groups *groups, void *memory, uint32_t slots, const uint64_t secret[2]);

/// Nobody is in any group any more.
void groups_clear(struct groups *groups);

/// @return false: there is no room, or the player is in too many; true also if the player was in
bool groups_join(struct groups *groups, uint32_t id, uint32_t slot);

/// @return false: the player was not in
bool groups_leave(struct groups *groups, uint32_t id, uint32_t slot);

/// The player is gone.
void groups_forget(struct groups *groups, uint32_t slot);

bool groups_has(const struct groups *groups, uint32_t id);

/// So many members leave.
/// @return is the group gone?
bool groups_end(struct groups *groups, uint32_t id, uint32_t members);

/// From now on the walk is through this group: through nobody, if there is no such group.
void groups_walk(struct groups *groups, uint32_t id);

/// Members may leave during a walk; those who join are not met.
/// @return false: that was all
bool groups_walk_next(struct groups *groups, uint32_t *slot);

ALWAYS_INLINE bool groups_walked(const struct groups *groups)
{
	return groups->walk == GROUP_NONE;
}

#endif
