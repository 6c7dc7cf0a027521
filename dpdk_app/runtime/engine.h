// SPDX-License-Identifier: BSD-3-Clause
// runtime/engine.h: what an engine has to do for the gateway: bring packets to the workers, take their answers away.
//
// The gateway (gateway.c) owns what all engines share: session state, policy, statistics, start and end. An engine
// owns its devices or sockets and the loops that serve them.

#ifndef POLLGATE_RUNTIME_ENGINE_H
#define POLLGATE_RUNTIME_ENGINE_H

#include "netcode/shard.h"
#include "pollgate.h"
#include "runtime/shards.h"
#include "runtime/worker.h"
#include "runtime/worlds.h"
#include "session/state.h"

/// Everything that is there once per process. The engine reads it; what it makes of its own hangs on `devices`.
struct pg_gateway {
	struct pg_plan plan;
	struct pg_stats_page *page;
	const struct engine *engine;
	void *devices; // the engine's own
	const struct hot_path *hot_path;
	struct worker *worker[PG_WORKERS_MAX];
	struct barrier barrier;
	struct listeners listeners;
	struct shards shards;                                               // of the session profile
	struct game_link *game_link[PG_WORKERS_MAX][PG_GAME_PROCESSES_MAX]; // of game processes; NULL: none
	struct netcode_store netcode;                                       // of the netcode profile
	void *netcode_memory;                                               // private, of the store
	struct worlds worlds;
	void *recording; // NULL: nothing is written down
	size_t recording_size;
	struct policy policy[2]; // the one in use, and the one that the next reload fills
	unsigned policy_in_use;
	uint64_t generation;
	struct state_dropped dropped; // of what a process of another version left
	bool resumes;                 // a process before this one served with the same page and state
	bool running;
};

struct engine {
	size_t worker_size; // of the engine's worker, which begins with a struct worker
	bool frames;        // it brings frames of devices, from pools; else datagrams

	/// Open what all workers share: pools and devices. NULL in g->devices is what close() expects on failure too.
	int (*open)(struct pg_gateway *g, struct pg_error *error);

	/// Give a worker, whose common part is made, its queues or sockets.
	int (*attach)(struct pg_gateway *g, struct worker *w, struct pg_error *error);

	/// Start a worker's loop.
	int (*launch)(struct pg_gateway *g, struct worker *w, struct pg_error *error);
	bool (*has_returned)(const struct worker *w);
	void (*join)(struct worker *w); // after has_returned

	/// Refresh what devices say of themselves in the page. A few times a second.
	void (*housekeep)(struct pg_gateway *g);

	/// Free a worker's queues or sockets, and then what all shared. Both also after a failure half-way.
	void (*detach)(struct worker *w);
	void (*close)(struct pg_gateway *g);
};

#define ENGINE(NAME, name) extern const struct engine name##_engine;
#include "engines.def"

#endif
