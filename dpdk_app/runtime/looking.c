// SPDX-License-Identifier: BSD-3-Clause
// runtime/looking.c: an operator looks at a world: every worker is asked for its part (pollgate_world.h).

#include <string.h>
#include <time.h>

#include "pollgate_world.h"
#include "replication/replication.h"
#include "runtime/engine.h"
#include "stats/error.h"

#define LOOK_LIMIT_MS 1000
#define POLL_NS 500000

static struct shown *shown_of(const struct pg_gateway *g, uint32_t worker, uint32_t world)
{
	return &g->worker[worker]->shard->replication->replica[world].shown;
}

static void ask(const struct pg_gateway *g, uint32_t world, uint32_t player_id)
{
	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		struct shown *shown = shown_of(g, i, world);

		shown->player_id = player_id;
		__atomic_store_n(&shown->asked, shown->asked + 1, __ATOMIC_RELEASE);
	}
}

/// Has every worker answered? One that was too late for a look before may still be writing: that one is waited for first.
static bool wait(const struct pg_gateway *g, uint32_t world, uint64_t deadline)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};

	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		struct shown *shown = shown_of(g, i, world);

		while (__atomic_load_n(&shown->done, __ATOMIC_ACQUIRE) != shown->asked) {
			if (pg_tsc() > deadline)
				return false;
			nanosleep(&pause, NULL);
		}
	}
	return true;
}

static void put_together(const struct pg_gateway *g, uint32_t world, struct pg_world_look *look)
{
	*look = (struct pg_world_look){.parts = g->plan.worker_count};
	for (uint32_t i = 0; i < look->parts; i++) {
		const struct shown *shown = shown_of(g, i, world);

		look->part[i] = (struct pg_world_part){shown->tick, shown->entities, shown->entity};
		if (!shown->found)
			continue;
		look->found = true;
		look->seen = shown->seen;
		memcpy(look->number, shown->number, sizeof(look->number));
	}
}

int pg_world_look(const struct pg_gateway *g, uint32_t world, uint32_t player_id, struct pg_world_look *look,
		  struct pg_error *error)
{
	const uint64_t deadline = pg_tsc() + LOOK_LIMIT_MS * (pg_tsc_hz() / 1000);

	if (world >= g->plan.world_count)
		return error_set(error, PG_ERROR_USAGE, "there is no world %u", world);
	if (wait(g, world, deadline)) {
		ask(g, world, player_id);
		if (wait(g, world, deadline)) {
			put_together(g, world, look);
			return PG_OK;
		}
	}
	return error_set(error, PG_ERROR_TIMEOUT, "the workers had no time within %u ms to show world %s",
			 LOOK_LIMIT_MS, g->plan.world[world].name);
}
