// SPDX-License-Identifier: BSD-3-Clause
// replication/members.h: who comes into a world, and leaves it.

#ifndef POLLGATE_REPLICATION_MEMBERS_H
#define POLLGATE_REPLICATION_MEMBERS_H

#include "replication/replication.h"

/// A player comes into a world, and is nowhere in it, unless its record says where it was last.
/// @param world  as struct member has it; 0: it is in none
void member_joins(struct replication *replication, uint32_t slot, uint8_t world, uint64_t now);

/// In which world the player is by its record: as struct member has it.
uint8_t member_world(const struct replication *replication, uint32_t slot);
void member_leaves(struct replication *replication, uint32_t slot);

#endif
