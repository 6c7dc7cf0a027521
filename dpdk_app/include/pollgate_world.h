// SPDX-License-Identifier: BSD-3-Clause
// pollgate_world.h: who is where in a world, for operators.

#ifndef POLLGATE_WORLD_H
#define POLLGATE_WORLD_H

#include "pollgate.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pg_world_entity {
	uint32_t number;     // in the world, as players are told
	uint32_t identity;   // of a player the player_id; of others what their game process says
	uint32_t sort;       // 0: a player
	int32_t position[3]; // quanta above the world's lowest corner
	int16_t velocity[3]; // per tick, in parts of a quantum: world_velocity_shift()
	uint8_t state_bytes;
	uint8_t state[32]; // the game's own
};

#define PG_WORLD_SLOTS 32

/// Of one worker.
struct pg_world_part {
	uint32_t tick; // of its frame
	uint32_t entities;
	const struct pg_world_entity *entity; // the gateway's, until the next look
};

struct pg_world_look {
	uint32_t parts;
	struct pg_world_part part[PG_WORKERS_MAX];
	bool found;                      // the player that was asked for
	uint32_t seen;                   // by that player
	uint32_t number[PG_WORLD_SLOTS]; // of these
};

/// Look at a world, as its workers publish it while they go on; in the worker process, one thread at a time.
/// @param world      index
/// @param player_id  of whom is told who is in its slots; 0: of nobody
/// @return PG_OK; PG_ERROR_USAGE: no such world; PG_ERROR_TIMEOUT: a worker had no time for it
int pg_world_look(const struct pg_gateway *gateway, uint32_t world, uint32_t player_id, struct pg_world_look *look,
		  struct pg_error *error);

/// Memory that each worker reserves for worlds, pages of which are taken as they are used; 0: there are none.
size_t pg_worlds_size(const struct pg_plan *plan);

#ifdef __cplusplus
}
#endif

#endif
