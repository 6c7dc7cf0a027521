// SPDX-License-Identifier: BSD-3-Clause
// replication/shown.h: a worker's part of a world, copied for an operator between its other work.
//
// Another thread asks by a number that grows, the worker copies some ranks of its newest frame at a time, and says that number when
// it is done. Whatever it copies from is its own: no other thread reads a part while it changes.

#ifndef POLLGATE_REPLICATION_SHOWN_H
#define POLLGATE_REPLICATION_SHOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "pollgate_world.h"

struct replication;
struct replica;
struct world_frame;
struct world_part;

struct shown {
	// the asker's
	uint32_t asked; // read with acquire
	uint32_t player_id;

	// the worker's
	uint32_t done; // written with release, after all else
	bool copies;   // it has begun to
	uint32_t at;   // rank up to which it has got
	uint32_t tick; // of the frame
	uint32_t reranked;
	uint32_t entities;
	bool found;
	uint32_t seen;
	uint32_t number[PG_WORLD_SLOTS];

	struct pg_world_entity *entity; // of the part's capacity; pages of it exist once touched
};

/// Copy some more, if somebody asks for it. After the tick's datagrams.
void shown_step(const struct replication *replication, struct replica *replica);

/// Somebody in a frame, with the game's own state of now.
struct pg_world_entity shown_entity(const struct world_part *part, const struct world_frame *frame, uint32_t rank);

#endif
