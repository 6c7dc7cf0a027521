// SPDX-License-Identifier: BSD-3-Clause
// runtime/sides.c: see sides.h.

#include "runtime/sides.h"

#include <sodium.h>
#include <sys/random.h>

#include "net/route.h"
#include "runtime/engine.h"
#include "session/connection.h"
#include "stats/error.h"

/// A wheel's tick.
#define TICKS_PER_S 1000

/// Slots that a worker looks at in one turn when all players are to be told that the gateway ends.
#define DISMISSED_PER_TURN 4096

#define MIB (1ULL << 20)

// ---------------------------------------------------------------- what all workers share

/// How many bytes each private array takes, by slot; 0: this engine has none.
struct array_sizes {
	size_t lockers, links, routes, ways;
};

static struct array_sizes array_sizes(const struct pg_gateway *g)
{
	const size_t slots = g->plan.issued_capacity;
	const bool frames = g->plan.engine == PG_ENGINE_DPDK;

	return (struct array_sizes){
		.lockers = slots * sizeof(struct locker),
		.links = slots * sizeof(struct wheel_link),
		.routes = frames ? slots * sizeof(struct route) : 0,
		.ways = frames ? 0 : slots,
	};
}

static bool reserve(void *array, size_t size)
{
	void **where = array;

	*where = size > 0 ? pages_reserve(size) : NULL;
	pages_withhold(*where, size);
	return size == 0 || *where;
}

static bool reserve_arrays(struct pg_gateway *g)
{
	const struct array_sizes size = array_sizes(g);
	struct vault *vault = &g->sides.vault;

	return reserve(&vault->lockers, size.lockers) && reserve(&vault->links, size.links) &&
	       reserve(&vault->routes, size.routes) && reserve(&vault->ways, size.ways);
}

int sides_open(struct pg_gateway *g, void *state, struct pg_error *error)
{
	struct sides *sides = &g->sides;

	if (g->plan.issued_capacity == 0)
		return PG_OK;
	if (sodium_init() < 0)
		return error_set(error, PG_ERROR_SYSTEM, "libsodium does not run here: no random bytes");
	vault_open(&sides->vault, state);
	if (!reserve_arrays(g))
		return error_set(error, PG_ERROR_MEMORY,
				 "no address space for the connections of %u sessions; a smaller sessions.issued, or a "
				 "higher limit (ulimit -v)",
				 g->plan.issued_capacity);
	if (!post_office_make(&sides->office, g->plan.worker_count, g->plan.engine != PG_ENGINE_DPDK))
		return error_set(error, PG_ERROR_MEMORY, "no memory or descriptors for mail between %u workers",
				 g->plan.worker_count);
	post_init(&sides->control, &sides->office, POST_CONTROL);
	return PG_OK;
}

void sides_close(struct pg_gateway *g)
{
	struct vault *vault = &g->sides.vault;

	if (g->plan.issued_capacity == 0)
		return;
	const struct array_sizes size = array_sizes(g);

	pages_free(vault->lockers, size.lockers);
	pages_free(vault->links, size.links);
	pages_free(vault->routes, size.routes);
	pages_free(vault->ways, size.ways);
	post_office_free(&g->sides.office);
}

// ---------------------------------------------------------------- a worker's own

/// Its share of what messages on their way may take.
static size_t pool_bytes(const struct pg_plan *plan)
{
	return (size_t)(plan->message_memory_mib * MIB / plan->worker_count);
}

static int make_hall(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	struct conversation_hall *hall = &w->side->hall;

	w->message_bytes = message_pool_size(pool_bytes(&g->plan));
	w->messages = pages_reserve(w->message_bytes);
	pages_withhold(w->messages, w->message_bytes);
	hall->compressor = compressor_new((int)g->plan.compression_level);
	if (!w->messages || !hall->compressor)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for messages on their way", w->number);
	hall->pool = message_pool_init(w->messages, pool_bytes(&g->plan));
	hall->stats = &w->stats->messages;
	hall->gateway = true;
	counter_set(&hall->stats->memory_used, 0); // what a dead worker had is gone
	return PG_OK;
}

int side_make(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	struct session_side *side;

	if (g->plan.issued_capacity == 0)
		return PG_OK;
	side = w->side = pages_alloc(sizeof(*side));
	if (!side)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for its side of the sessions",
				 w->number);
	pages_withhold(side, sizeof(*side));
	if (!cipher_code_init(&side->code))
		return error_set(error, PG_ERROR_SYSTEM,
				 "profile session needs a CPU with AES instructions (AES-NI), this one has none");
	if (!random_source_init(&side->random) ||
	    getrandom(&side->secret, sizeof(side->secret), 0) != sizeof(side->secret))
		return error_set(error, PG_ERROR_SYSTEM, "the kernel gave no random bytes");
	post_init(&w->post, &g->sides.office, w->number);
	side->vault = &g->sides.vault;
	side->stats = w->stats;
	side->tsc_hz = pg_tsc_hz();
	side->worker = (uint8_t)w->number;
	side->relay = &w->post.relay;
	side_use_policy(side, w->current);
	return make_hall(g, w, error);
}

void side_free(struct worker *w)
{
	if (!w->side)
		return;
	cipher_code_free(&w->side->code);
	compressor_free(w->side->hall.compressor);
	pages_free(w->messages, w->message_bytes);
	pages_free(w->side, sizeof(*w->side));
}

// ---------------------------------------------------------------- in its thread

void side_begin(struct worker *w)
{
	struct session_side *side = w->side;
	const uint64_t now = pg_tsc();

	if (!side)
		return;
	wheel_init(&side->wheel, side->vault->links, side->tsc_hz / TICKS_PER_S, now);
	counter_add(&w->stats->sessions_recovered, connection_adopt(side, now));
}

static bool is_ours(const struct session_side *side, uint32_t slot)
{
	const struct issued *record = &side->vault->records[slot];

	return issued_owner(record) == side->worker && record->phase == ISSUED_CONNECTED;
}

/// Tell our players that the gateway ends: as many as the outbox takes, the others in later turns.
static COLD void dismiss(struct worker *w, uint64_t now)
{
	struct session_side *side = w->side;
	const uint32_t used = vault_used(side->vault);

	for (unsigned i = 0; i < DISMISSED_PER_TURN && w->dismissed < used; i++) {
		if (side->outbox.count == OUTBOX_SIZE)
			return;
		if (is_ours(side, w->dismissed))
			connection_close(side, w->dismissed, SESSION_CLOSED_SHUTDOWN, now);
		w->dismissed++;
	}
	if (w->dismissed >= used && side->outbox.count == 0)
		atomic_store_explicit(&w->dismissal, DISMISSAL_DONE, memory_order_relaxed);
}

void side_keep_house(struct worker *w, uint64_t now, uint32_t slots)
{
	connection_sweep(w->side, now, slots);
	if (unlikely(atomic_load_explicit(&w->dismissal, memory_order_relaxed) == DISMISSAL_ASKED))
		dismiss(w, now);
}
