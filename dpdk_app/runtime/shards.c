// SPDX-License-Identifier: BSD-3-Clause
// runtime/shards.c: see shards.h.

#include "runtime/shards.h"

#include <sys/random.h>

#include "runtime/engine.h"
#include "runtime/game_links.h"
#include "runtime/profile_life.h"
#include "session/connection.h"
#include "stats/error.h"

#define MIB (1ULL << 20)

// ---------------------------------------------------------------- what all workers share

static unsigned reach(const struct pg_gateway *g)
{
	return g->engine->frames ? STORE_FRAMES : STORE_SOCKETS;
}

static size_t private_size(const struct pg_gateway *g)
{
	return store_local_size(g->plan.issued_capacity, reach(g));
}

int shards_open(struct pg_gateway *g, void *state, struct pg_error *error)
{
	struct shards *shards = &g->shards;

	store_open(&shards->store, state);
	shards->memory = pages_reserve(private_size(g));
	if (!shards->memory)
		return error_set(
			error, PG_ERROR_MEMORY,
			"no address space for the connections of %u sessions; a smaller sessions.capacity, or a "
			"higher limit (ulimit -v)",
			g->plan.issued_capacity);
	pages_withhold(shards->memory, private_size(g));
	store_attach_local(&shards->store, shards->memory, reach(g));
	if (!mailboxes_make(&shards->mailboxes, g->plan.worker_count, !g->engine->frames))
		return error_set(error, PG_ERROR_MEMORY, "no memory or descriptors for mail between %u workers",
				 g->plan.worker_count);
	mail_init(&shards->control, &shards->mailboxes, MAIL_CONTROL, &g->page->letters);
	return PG_OK;
}

void shards_close(struct pg_gateway *g)
{
	pages_free(g->shards.memory, private_size(g));
	mailboxes_free(&g->shards.mailboxes);
}

// ---------------------------------------------------------------- a worker's own

/// Its share of what messages on their way may take.
static size_t pool_bytes(const struct pg_plan *plan)
{
	return (size_t)(plan->message_memory_mib * MIB / plan->worker_count);
}

static int reserve_memory(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	w->shard = pages_alloc(sizeof(*w->shard));
	if (!w->shard)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for its shard of the sessions",
				 w->number);
	pages_withhold(w->shard, sizeof(*w->shard));
	w->message_bytes = message_pool_size(pool_bytes(&g->plan));
	w->messages = pages_reserve(w->message_bytes);
	if (!w->messages)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for messages on their way", w->number);
	pages_withhold(w->messages, w->message_bytes);
	return PG_OK;
}

int shard_make(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	struct shard_setup setup = {
		.store = &g->shards.store,
		.stats = w->stats,
		.rules = &w->current->sessions,
		.relay = &w->mail.relay,
		.handshakes = &w->handshakes,
		.message_bytes = pool_bytes(&g->plan),
		.tsc_hz = pg_tsc_hz(),
		.compression_level = (int)g->plan.compression_level,
		.worker = (uint8_t)w->number,
	};

	if (reserve_memory(g, w, error) != PG_OK)
		return error->code;
	setup.message_memory = w->messages;
	if (getrandom(&setup.secret, sizeof(setup.secret), 0) != sizeof(setup.secret))
		return error_set(error, PG_ERROR_SYSTEM, "the kernel gave no random bytes");
	mail_init(&w->mail, &g->shards.mailboxes, w->number, &w->stats->messages.mailed_out);
	if (session_shard_init(w->shard, &setup, error) != PG_OK)
		return error->code;
	if (worlds_make(g, w, error) != PG_OK)
		return error->code;
	return game_make(g, w, error);
}

void shard_free(struct worker *w)
{
	if (!w->shard)
		return;
	game_free(w);
	worlds_free(w);
	session_shard_free(w->shard);
	pages_free(w->messages, w->message_bytes);
	pages_free(w->shard, sizeof(*w->shard));
}

// ---------------------------------------------------------------- in its thread

void shard_begin(struct worker *w)
{
	counter_add(&w->stats->sessions_recovered, session_shard_begin(w->shard, pg_tsc()));
	if (w->game)
		game_heed(w->game); // before the first packet: it may be for a process
}

void shard_use_new_policy(struct worker *w)
{
	session_shard_use(w->shard, &w->current->sessions);
	if (w->game)
		game_use_routes(w->game, &w->current->game);
}

static bool is_ours(const struct session_shard *shard, uint32_t slot)
{
	const struct session_record *record = &shard->store->records[slot];

	return record_owner(record) == shard->worker && record_is_connected(record);
}

COLD bool shard_dismiss(struct worker *w, uint64_t now, uint32_t slots)
{
	struct session_shard *shard = w->shard;
	const uint32_t used = store_used(shard->store);

	for (unsigned i = 0; i < slots && w->dismissed < used; i++) {
		if (shard->outbox.count == OUTBOX_SIZE)
			return false;
		if (is_ours(shard, w->dismissed))
			connection_close(shard, w->dismissed, SESSION_CLOSED_SHUTDOWN, now);
		w->dismissed++;
	}
	return w->dismissed >= used && shard->outbox.count == 0;
}

uint32_t shard_sweep(struct worker *w, uint64_t now, uint32_t slots)
{
	connection_sweep(w->shard, now, slots);
	// Whoever is told that it is over has to leave first.
	return w->shard->outbox.count < OUTBOX_SIZE ? store_used(w->shard->store) : SWEEP_AGAIN;
}
