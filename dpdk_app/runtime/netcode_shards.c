// SPDX-License-Identifier: BSD-3-Clause
// runtime/netcode_shards.c: see netcode_shards.h.

#include "runtime/netcode_shards.h"

#include <sys/random.h>

#include "runtime/engine.h"
#include "runtime/game_links.h"
#include "stats/error.h"

static size_t private_size(const struct pg_gateway *g)
{
	return netcode_store_size(g->plan.netcode.capacity, g->engine->frames);
}

int netcode_shards_open(struct pg_gateway *g, void *state, struct pg_error *error)
{
	const struct state_parts parts = state_parts(state);

	g->netcode_memory = pages_reserve(private_size(g));
	if (!g->netcode_memory)
		return error_set(error, PG_ERROR_MEMORY, "no address space for %u netcode clients",
				 g->plan.netcode.capacity);
	pages_withhold(g->netcode_memory, private_size(g));
	if (!netcode_store_open(&g->netcode, &g->plan.netcode, parts.netcode, parts.netcode_history, g->netcode_memory,
				g->engine->frames))
		return error_set(error, PG_ERROR_SYSTEM,
				 "the kernel gave no random bytes, or libsodium does not run here");
	return PG_OK;
}

void netcode_shards_close(struct pg_gateway *g)
{
	pages_free(g->netcode_memory, private_size(g));
}

/// The attempts and the index lie behind the shard.
static size_t worker_size(const struct pg_gateway *g)
{
	return whole_lines(sizeof(struct netcode_shard)) + netcode_shard_size(g->plan.netcode.capacity);
}

int netcode_shard_make(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	struct netcode_setup setup = {
		.store = &g->netcode,
		.stats = w->stats,
		.rules = &w->current->sessions,
		.handshakes = &w->handshakes,
		.tsc_hz = pg_tsc_hz(),
		.worker = (uint8_t)w->number,
	};

	w->netcode_bytes = worker_size(g);
	w->netcode = pages_alloc(w->netcode_bytes);
	if (!w->netcode)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for its netcode clients", w->number);
	pages_withhold(w->netcode, w->netcode_bytes);
	if (getrandom(&setup.secret, sizeof(setup.secret), 0) != sizeof(setup.secret))
		return error_set(error, PG_ERROR_SYSTEM, "the kernel gave no random bytes");
	setup.memory = (uint8_t *)w->netcode + whole_lines(sizeof(struct netcode_shard));
	netcode_shard_init(w->netcode, &setup);
	return game_make(g, w, error);
}

void netcode_shard_free(struct worker *w)
{
	game_free(w);
	pages_free(w->netcode, w->netcode_bytes);
}

void netcode_shard_adopt(struct worker *w)
{
	counter_add(&w->stats->sessions_recovered, netcode_shard_begin(w->netcode, pg_tsc()));
	if (!w->shard)
		game_heed(w->game); // before the first packet: it may be for a process
}

void netcode_shard_use_new_policy(struct worker *w)
{
	w->netcode->rules = &w->current->sessions;
	if (!w->shard)
		game_use_routes(w->game, &w->current->game);
}
