// SPDX-License-Identifier: BSD-3-Clause
// runtime/gateway.c: the life of the data plane, as pollgate.h tells it.

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "pipeline/profile.h"
#include "runtime/engine.h"
#include "runtime/profile_life.h"
#include "runtime/recording.h"
#include "runtime/worker.h"
#include "session/operator_message.h"
#include "session/state.h"
#include "stats/error.h"

#define START_STALL_MS 5000
#define POLL_NS 200000

// ---------------------------------------------------------------- parts

static const struct engine *const engines[PG_ENGINES] = {
#define ENGINE(NAME, name) [PG_ENGINE_##NAME] = &name##_engine,
#include "engines.def"
};

/// @return NULL when this build has none of this number
static const struct engine *engine_of(const struct pg_plan *plan)
{
	return plan->engine < PG_ENGINES ? engines[plan->engine] : NULL;
}

static bool port_plan_fits(const struct pg_plan *plan, const struct pg_port_plan *port)
{
	const bool has_pool = port->pool < plan->pool_count || !engine_of(plan)->frames;

	return has_pool && port->address_count <= PG_ADDRESSES_MAX;
}

static bool worker_plan_fits(const struct pg_worker_plan *worker, uint32_t port_count)
{
	if (worker->queue_count > PG_QUEUES_PER_WORKER_MAX)
		return false;
	for (uint32_t i = 0; i < worker->queue_count; i++)
		if (worker->queue[i].port >= port_count)
			return false;
	return true;
}

static int check_listeners(const struct pg_plan *plan, struct pg_error *error)
{
	for (uint32_t i = 0; i < plan->listener_count; i++) {
		const char *misfit = profile_misfit(plan, i);

		if (misfit)
			return error_set(error, PG_ERROR_USAGE, "the listener at UDP port %u: %s",
					 plan->listener_port[i], misfit);
	}
	return PG_OK;
}

static int check_plan(const struct pg_plan *plan, struct pg_error *error)
{
	if (plan->abi_version != PG_ABI_VERSION)
		return error_set(error, PG_ERROR_USAGE, "the plan is for ABI %u, this library has %u",
				 plan->abi_version, PG_ABI_VERSION);
	if (plan->port_count > PG_PORTS_MAX || plan->worker_count > PG_WORKERS_MAX || plan->pool_count > PG_POOLS_MAX ||
	    plan->listener_count > PG_LISTENERS_MAX)
		return error_set(error, PG_ERROR_USAGE, "the plan has more parts than this build can hold");
	if (check_listeners(plan, error) != PG_OK)
		return PG_ERROR_USAGE;
	for (uint32_t i = 0; i < plan->port_count; i++)
		if (!port_plan_fits(plan, &plan->port[i]))
			return error_set(error, PG_ERROR_USAGE, "port %s: its part of the plan is out of range",
					 plan->port[i].name);
	for (uint32_t i = 0; i < plan->worker_count; i++)
		if (!worker_plan_fits(&plan->worker[i], plan->port_count))
			return error_set(error, PG_ERROR_USAGE, "worker %u: its part of the plan is out of range", i);
	return PG_OK;
}

/// Make the part of a worker that is the same for every engine.
static int make_common(struct pg_gateway *g, struct worker *w, uint32_t number, void *state, struct pg_error *error)
{
	const uint32_t capacity = g->plan.session_capacity;

	w->stats = &g->page->worker[number];
	w->barrier = &g->barrier;
	w->plan = &g->plan.worker[number];
	w->number = number;
	w->spoken = profiles_spoken(&g->plan);
	w->region = state_region(state, number);
	w->session_capacity = capacity;
	w->current = &g->policy[g->policy_in_use];
	w->policy = w->current;
	handling_bounds_init(&w->bounds, pg_tsc_hz());
	if (getrandom(&w->secret, sizeof(w->secret), 0) != sizeof(w->secret))
		return error_set(error, PG_ERROR_SYSTEM, "the kernel gave no random bytes");
	worker_acknowledge_policy(w);
	g->barrier.registry.active[number] = &w->stats->sessions_active;
	return PG_OK;
}

static size_t worker_pages(const struct pg_gateway *g)
{
	return pages_whole(g->engine->worker_size);
}

static size_t index_pages(const struct pg_gateway *g)
{
	return pages_whole(plain_index_size(g->plan.session_capacity));
}

static int make_worker(struct pg_gateway *g, uint32_t number, void *state, struct pg_error *error)
{
	struct worker *w = g->worker[number] = pages_alloc(worker_pages(g));
	int rc;

	if (w)
		w->index = pages_alloc(index_pages(g));
	if (!w || !w->index)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for an index of %u sessions", number,
				 g->plan.session_capacity);
	rc = make_common(g, w, number, state, error);
	if (rc == PG_OK)
		rc = profiles_make(g, w, error);
	return rc == PG_OK ? g->engine->attach(g, w, error) : rc;
}

static void first_policy(struct pg_gateway *g)
{
	g->generation = 1;
	// A restarted worker goes on counting, so that a reader never sees a generation go back.
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		if (g->page->worker[i].policy_generation >= g->generation)
			g->generation = g->page->worker[i].policy_generation + 1;
	policy_init(&g->policy[0], &g->plan.policy, g->generation, pg_tsc_hz());
}

static int open_gateway(struct pg_gateway *g, void *state, size_t state_size, struct pg_error *error)
{
	const struct state_shape shape = {g->plan.session_capacity, g->plan.worker_count, g->plan.issued_capacity,
					  g->plan.netcode.capacity};
	int rc = state_check(state, state_size, &shape, error);

	if (rc == PG_OK)
		rc = g->engine->open(g, error);
	if (rc != PG_OK)
		return rc;
	listeners_init(&g->listeners, g->plan.listener_port, g->plan.listener_count);
	first_policy(g);
	g->barrier.registry.capacity = g->plan.session_capacity;
	g->barrier.registry.tables = g->plan.worker_count;
	pg_stats_settle(g->page, g->plan.worker_count);
	rc = profiles_open(g, state, error);
	for (uint32_t i = 0; i < g->plan.worker_count && rc == PG_OK; i++)
		rc = make_worker(g, i, state, error);
	// Last: a device that cannot be opened must not cost what another version of pollgate would have kept.
	if (rc == PG_OK)
		state_take(state, &shape, &g->dropped);
	return rc;
}

// ---------------------------------------------------------------- life

/// Can this build run the plan, on this CPU? Asked before anything is opened: what a plan that cannot be says of itself, nobody
/// may go by, pg_close() neither.
static int check(const struct pg_gateway *g, struct pg_error *error)
{
	if (!g->engine)
		return error_set(error, PG_ERROR_USAGE, "the plan is for engine %u, which this build does not have",
				 g->plan.engine);
	if (!g->hot_path)
		return error_set(error, PG_ERROR_SYSTEM, "this CPU does not run x86-64-%s code; use isa: auto",
				 g->plan.isa);
	if (g->recording && g->recording_size < pg_recording_least(g->plan.worker_count))
		return error_set(error, PG_ERROR_USAGE, "a recording of %u workers takes %zu bytes at least, not %zu",
				 g->plan.worker_count, pg_recording_least(g->plan.worker_count), g->recording_size);
	return check_plan(&g->plan, error);
}

struct pg_gateway *pg_open_recorded(const struct pg_plan *plan, struct pg_stats_page *page, void *state,
				    size_t state_size, void *recording, size_t size, struct pg_error *error)
{
	struct pg_gateway *g = calloc(1, sizeof(*g));

	if (!g) {
		error_set(error, PG_ERROR_MEMORY, "out of memory");
		return NULL;
	}
	g->plan = *plan;
	g->page = page;
	g->recording = recording;
	g->recording_size = size;
	g->resumes = page->tsc_hz != 0;
	g->engine = engine_of(plan);
	g->hot_path = hot_path_select(plan->isa);
	if (check(g, error) != PG_OK) {
		free(g);
		return NULL;
	}
	if (open_gateway(g, state, state_size, error) != PG_OK) {
		pg_close(g);
		return NULL;
	}
	// The first process's measurement holds for all: with another one, sums of cycles would go back as seconds.
	if (!g->resumes)
		page->tsc_hz = pg_tsc_hz();
	snprintf(page->isa, sizeof(page->isa), "%s", g->hot_path->isa);
	return g;
}

struct pg_gateway *pg_open(const struct pg_plan *plan, struct pg_stats_page *page, void *state, size_t state_size,
			   struct pg_error *error)
{
	return pg_open_recorded(plan, page, state, state_size, NULL, 0, error);
}

/// @return false when the workers were not all found so within timeout_ms
static bool await_workers(const struct pg_gateway *g, bool (*reached)(const struct pg_gateway *, const struct worker *),
			  uint32_t timeout_ms)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	const uint64_t deadline = pg_tsc() + (uint64_t)timeout_ms * pg_tsc_hz() / 1000;

	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		while (!reached(g, g->worker[i])) {
			if (pg_tsc() > deadline)
				return false;
			nanosleep(&pause, NULL);
		}
	return true;
}

static bool has_turned(const struct pg_gateway *g, const struct worker *w)
{
	(void)g;
	return counter_get(&w->stats->heartbeat_tsc) != 0;
}

/// A worker that inherits a million connections makes their keys before its first turn, which takes longer: as long as it has
/// ever more of them, it is waited for.
static bool await_first_turn(const struct pg_gateway *g, const struct worker *w)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	const uint64_t stall = START_STALL_MS * pg_tsc_hz() / 1000;
	uint64_t deadline = pg_tsc() + stall, had = 0;

	while (!has_turned(g, w)) {
		const uint64_t has = counter_get(&w->stats->connected);

		if (has != had)
			deadline = pg_tsc() + stall;
		had = has;
		if (pg_tsc() > deadline)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

static bool has_policy(const struct pg_gateway *g, const struct worker *w)
{
	return __atomic_load_n(&w->stats->policy_generation, __ATOMIC_ACQUIRE) == g->generation;
}

static bool has_returned(const struct pg_gateway *g, const struct worker *w)
{
	return g->engine->has_returned(w);
}

int pg_start(struct pg_gateway *g, struct pg_error *error)
{
	g->running = true;
	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		const int rc = g->engine->launch(g, g->worker[i], error);

		if (rc != PG_OK)
			return rc;
	}
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		if (!await_first_turn(g, g->worker[i]))
			return error_set(error, PG_ERROR_TIMEOUT, "worker %u did not begin to poll within %u ms", i,
					 START_STALL_MS);
	return PG_OK;
}

int pg_apply(struct pg_gateway *g, const struct pg_policy *policy, uint32_t timeout_ms, struct pg_error *error)
{
	const unsigned next = 1 - g->policy_in_use;

	// The other one is free: every worker had acknowledged before the last call returned, or it failed.
	if (!await_workers(g, has_policy, timeout_ms))
		return error_set(error, PG_ERROR_TIMEOUT, "a worker still uses the policy before the last");
	policy_init(&g->policy[next], policy, ++g->generation, pg_tsc_hz());
	g->policy_in_use = next;
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		atomic_store_explicit(&g->worker[i]->policy, &g->policy[next], memory_order_release);
	if (!await_workers(g, has_policy, timeout_ms))
		return error_set(error, PG_ERROR_TIMEOUT, "a worker did not take the new policy within %u ms",
				 timeout_ms);
	return PG_OK;
}

size_t pg_dropped(const struct pg_gateway *g, char *text, size_t size)
{
	size_t length = 0;

	*text = '\0';
	for (uint32_t i = 0; i < g->dropped.count && length < size; i++) {
		const struct dropped_section *one = &g->dropped.section[i];
		const char *comma = i == 0 ? "" : ", ";

		length += (size_t)(one->known == 0 ? snprintf(text + length, size - length,
							      "%s%s (version %u, this build has none)", comma,
							      one->name, one->version) :
						     snprintf(text + length, size - length,
							      "%s%s (version %u, this build has version %u)", comma,
							      one->name, one->version, one->known));
	}
	return length;
}

void pg_housekeep(struct pg_gateway *g)
{
	g->engine->housekeep(g);
}

// ---------------------------------------------------------------- sessions

int pg_send(struct pg_gateway *g, const struct pg_letter *letter, struct pg_error *error)
{
	const struct session_store *store = &g->shards.store;
	struct outgoing message;
	uint8_t owner;
	int rc;

	if (store->capacity == 0)
		return error_set(error, PG_ERROR_USAGE, "no listener has profile session");
	rc = operator_message_open(store, letter, &message, error);
	if (rc != PG_OK)
		return rc;
	owner = record_owner(&store->records[session_slot(&store->numbers, letter->session)]);
	if (owner == RECORD_NO_OWNER) // it ended since it was looked at
		return error_set(error, PG_ERROR_USAGE, "session %u is not connected", letter->session);
	if (!mail_message(&g->shards.control, owner, letter->session, &message))
		return error_set(error, PG_ERROR_TIMEOUT, "worker %u has too much to do; try again", owner);
	return PG_OK;
}

static bool has_dismissed(const struct pg_gateway *g, const struct worker *w)
{
	(void)g;
	return !worker_has_players_to_tell(w) ||
	       atomic_load_explicit(&w->dismissal, memory_order_relaxed) == DISMISSAL_DONE;
}

bool pg_dismiss(struct pg_gateway *g, uint32_t timeout_ms)
{
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		atomic_store_explicit(&g->worker[i]->dismissal, DISMISSAL_ASKED, memory_order_relaxed);
	return await_workers(g, has_dismissed, timeout_ms);
}

// ---------------------------------------------------------------- end

int pg_stop(struct pg_gateway *g, uint32_t timeout_ms, struct pg_error *error)
{
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		atomic_store_explicit(&g->worker[i]->stop, true, memory_order_relaxed);
	if (g->running && !await_workers(g, has_returned, timeout_ms))
		return error_set(error, PG_ERROR_TIMEOUT, "a worker did not stop within %u ms", timeout_ms);
	for (uint32_t i = 0; i < g->plan.worker_count && g->running; i++)
		g->engine->join(g->worker[i]);
	g->running = false;
	pg_housekeep(g);
	return PG_OK;
}

void pg_close(struct pg_gateway *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		if (!g->worker[i])
			continue;
		g->engine->detach(g->worker[i]);
		profiles_free(g->worker[i]);
		pages_free(g->worker[i]->index, index_pages(g));
		pages_free(g->worker[i], worker_pages(g));
	}
	g->engine->close(g);
	profiles_close(g);
	free(g);
}
