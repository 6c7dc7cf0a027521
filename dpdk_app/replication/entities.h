// SPDX-License-Identifier: BSD-3-Clause
// replication/entities.h: what game processes put into a worker's part of a world beside the players.
//
// An entity has an identity that the game chose, unique in its world: players know it by that, and the worker whose part it is in
// follows from it. It is its process's alone, until the process takes it away or is gone.

#ifndef POLLGATE_REPLICATION_ENTITIES_H
#define POLLGATE_REPLICATION_ENTITIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "world/motion.h"

struct replica;

/// Whose an entity is: a process, as often as its name has been another one's.
struct entity_owner {
	uint8_t process;
	uint8_t times;
};

struct entity {
	uint32_t identity;
	uint32_t number; // in the world
	uint32_t rank;   // as of the re-rank of tick `ranked`
	uint32_t ranked;
	uint32_t next; // of those that are free
	struct entity_owner owner;
	bool is_there;
};

/// Of one worker and world. Only the worker touches it, but for `all`.
struct entities {
	uint32_t capacity; // 0: there are none
	uint32_t never;    // from here on none was ever used
	uint32_t free;     // 1 and the first of those that were; 0: none
	uint32_t mask;     // of `place`
	struct entity *of;
	uint32_t *place; // 1 and an index, by identity: linear probing; 0: nothing
	uint32_t *all;   // of all workers together: at most `capacity`
};

/// In a replica's slot_after: the rest is an entity's index.
#define REPLICA_ENTITY 0x80000000U

enum entity_outcome {
	ENTITY_DONE,
	ENTITY_FULL,   // as many as the world has
	ENTITY_TAKEN,  // another process has one of this identity
	ENTITY_NONE,   // there is none of this identity, or it is another process's
	ENTITY_PLACE,  // the world has no such place or velocity
	ENTITY_STATE,  // it is too long
	ENTITY_PLAYER, // no such player is here
};

uint32_t entities_places(uint32_t capacity);

/// A new one; or one that the process has already is put there.
enum entity_outcome entity_spawn(struct replica *replica, struct entity_owner owner, uint32_t identity,
				 const struct motion *motion, uint64_t now);

enum entity_outcome entity_move(struct replica *replica, struct entity_owner owner, uint32_t identity,
				const struct motion *motion, uint64_t now);

/// The game's own state of it, which whoever sees it is told.
/// @param length  at most WORLD_STATE_BYTES_MAX
enum entity_outcome entity_say(struct replica *replica, struct entity_owner owner, uint32_t identity,
			       const uint8_t *state, uint8_t length);

enum entity_outcome entity_despawn(struct replica *replica, struct entity_owner owner, uint32_t identity);

/// Of those at the ranks from `from` to before `to`: after a re-rank, before the next one.
void entities_take_new_ranks(struct replica *replica, uint32_t from, uint32_t to);

/// Take those away that were the process's before its `owner.times`.
/// @param at  in and out: where it goes on
/// @param n   to look at
/// @return that were all
bool entities_forget(struct replica *replica, struct entity_owner owner, uint32_t *at, uint32_t n);

#endif
