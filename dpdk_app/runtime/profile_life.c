// SPDX-License-Identifier: BSD-3-Clause
// runtime/profile_life.c: see profile_life.h.

#include "runtime/profile_life.h"

#include "pipeline/profile.h"
#include "runtime/engine.h"
#include "runtime/netcode_shards.h"
#include "runtime/shards.h"
#include "runtime/worker_tasks.h"

static uint32_t expire_addresses(struct worker *w, uint64_t now, uint32_t slots)
{
	const uint32_t expired = plain_expire(&w->sessions, now, w->current->sessions.idle_timeout, slots);

	if (unlikely(expired > 0))
		counter_add(&w->stats->sessions_expired, expired);
	return w->sessions.region->high_water;
}

/// Its table is part of every worker: all profiles ask it whose worker's an address is.
static const struct profile_life plain_life = {.sweep = expire_addresses};

static const struct profile_life session_life = {
	.open = shards_open,
	.make = shard_make,
	.begin = shard_begin,
	.use_policy = shard_use_new_policy,
	.sweep = shard_sweep,
	.add_tasks = worker_add_session_tasks,
	.free = shard_free,
	.close = shards_close,
};

static const struct profile_life netcode_life = {
	.open = netcode_shards_open,
	.make = netcode_shard_make,
	.begin = netcode_shard_adopt,
	.use_policy = netcode_shard_use_new_policy,
	.add_tasks = worker_add_netcode_tasks,
	.free = netcode_shard_free,
	.close = netcode_shards_close,
};

static const struct profile_life *const lives[PG_PROFILES] = {
	[PG_PROFILE_PLAIN] = &plain_life,
	[PG_PROFILE_SESSION] = &session_life,
	[PG_PROFILE_NETCODE] = &netcode_life,
};

/// Of the first of a set of profiles that keeps something, which is taken out of the set.
/// @return NULL when there are no more
static const struct profile_life *next_life(uint32_t *profiles)
{
	while (*profiles != 0) {
		const struct profile_life *life = lives[__builtin_ctz(*profiles)];

		*profiles &= *profiles - 1;
		if (life)
			return life;
	}
	return NULL;
}

int profiles_open(struct pg_gateway *g, void *state, struct pg_error *error)
{
	uint32_t left = profiles_spoken(&g->plan);
	int rc = PG_OK;

	for (const struct profile_life *life = next_life(&left); life && rc == PG_OK; life = next_life(&left))
		if (life->open)
			rc = life->open(g, state, error);
	return rc;
}

int profiles_make(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	uint32_t left = w->spoken;
	int rc = PG_OK;

	for (const struct profile_life *life = next_life(&left); life && rc == PG_OK; life = next_life(&left))
		if (life->make)
			rc = life->make(g, w, error);
	return rc;
}

void profiles_begin(struct worker *w)
{
	uint32_t left = w->spoken;

	for (const struct profile_life *life = next_life(&left); life; life = next_life(&left))
		if (life->begin)
			life->begin(w);
}

void profiles_use_policy(struct worker *w)
{
	uint32_t left = w->spoken;

	for (const struct profile_life *life = next_life(&left); life; life = next_life(&left))
		if (life->use_policy)
			life->use_policy(w);
}

void profiles_add_sweeps(struct worker *w)
{
	uint32_t left = w->spoken;

	for (const struct profile_life *life = next_life(&left); life; life = next_life(&left))
		if (life->sweep)
			worker_add_sweep(w, life);
}

void profiles_add_tasks(struct worker *w)
{
	uint32_t left = w->spoken;

	for (const struct profile_life *life = next_life(&left); life; life = next_life(&left))
		if (life->add_tasks)
			life->add_tasks(w);
}

void profiles_free(struct worker *w)
{
	uint32_t left = w->spoken;

	for (const struct profile_life *life = next_life(&left); life; life = next_life(&left))
		if (life->free)
			life->free(w);
}

void profiles_close(struct pg_gateway *g)
{
	uint32_t left = profiles_spoken(&g->plan);

	for (const struct profile_life *life = next_life(&left); life; life = next_life(&left))
		if (life->close)
			life->close(g);
}
