// SPDX-License-Identifier: BSD-3-Clause
// runtime/worlds.h: the memory of worlds, of which each worker has a part, and the task that ticks them.

#ifndef POLLGATE_RUNTIME_WORLDS_H
#define POLLGATE_RUNTIME_WORLDS_H

#include "pollgate.h"
#include "world/grid.h"
#include "world/part.h"
#include "world/sweep.h"

/// What came waits for steps of a tick for so long, and for one step more, of which one sends so many datagrams. 50 us in all is the
/// aim; bench world tells what it is (`hold`).
#define WORLDS_STEPS_US 15

/// What was said that takes a look through a world is looked for so long in a turn, beside the ticks.
#define WORLDS_WAITING_US 20
#define WORLDS_SENT_AT_ONCE 32

/// Where there are worlds, movements wait for no more datagrams of messages than these at once: they are longer than states, and
/// each may be the first that its session sends in this tick.
#define WORLDS_EGRESS_AT_ONCE 16

struct pg_gateway;
struct worker;

/// What the workers of a process share of its worlds.
struct worlds {
	uint32_t entities[PG_WORLDS_MAX];        // of game processes, in all parts of each world
	uint64_t begins;                         // TSC of tick 0 of all of them
	struct world_parts parts[PG_WORLDS_MAX]; // of each world
	const struct world_grid *grid[PG_WORLDS_MAX][WORLD_PARTS_MAX];
	const struct world_sweep *sweep[PG_WORLDS_MAX][WORLD_PARTS_MAX];
};

/// Give a worker its parts, if there are worlds; after its shard is made. With the last worker all get what looks at all parts.
int worlds_make(struct pg_gateway *g, struct worker *w, struct pg_error *error);

/// Also after a failure half-way.
void worlds_free(struct worker *w);

/// Of a worker that has just adopted its sessions, before it takes any packet.
void worlds_begin(struct worker *w);

/// Of a worker that has its table of addresses: who is no more leaves the world, too.
void worlds_watch_addresses(struct worker *w);

/// Of a worker that can send.
void worlds_add_task(struct worker *w);

#endif
