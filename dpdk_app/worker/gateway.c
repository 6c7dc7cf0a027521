// SPDX-License-Identifier: BSD-3-Clause
// worker/gateway.c: the life of the data plane, as pollgate.h tells it.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "port/eal.h"
#include "port/port.h"
#include "worker/worker.h"

#define START_TIMEOUT_MS 5000
#define STATE_MAGIC 0x6574617473677001ULL

/// First line of the state file; the workers' regions follow.
struct state_header {
	uint64_t magic;
	uint32_t abi_version;
	uint32_t capacity;
	uint32_t workers;
} CACHE_ALIGNED;

struct pg_gateway {
	struct pg_plan plan;
	struct pg_stats_page *page;
	const struct hot_path *hot_path;
	struct rte_mempool *pool[PG_POOLS_MAX];
	struct port port[PG_PORTS_MAX];
	struct worker *worker[PG_WORKERS_MAX];
	struct assembly assembly;
	struct listeners listeners;
	struct policy policy[2]; // the one in use, and the one that the next reload fills
	unsigned policy_in_use;
	uint64_t generation;
	bool running;
};

// ---------------------------------------------------------------- memory

/// Zeroed pages, not yet placed: they land on the node of the CPU that touches them first.
static void *pages_alloc(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, size, MADV_HUGEPAGE); // fewer TLB misses where the kernel grants it
	return memory;
}

static void pages_free(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}

static size_t region_stride(uint32_t capacity)
{
	return (session_region_size(capacity) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

size_t pg_state_size(uint32_t capacity, uint32_t workers)
{
	return sizeof(struct state_header) + workers * region_stride(capacity);
}

/// A fresh file becomes ours; one of another shape is refused.
static int claim_state(const struct pg_plan *plan, void *state, size_t size, struct pg_error *error)
{
	struct state_header *header = state;
	const struct state_header wanted = {
		.magic = STATE_MAGIC,
		.abi_version = PG_ABI_VERSION,
		.capacity = plan->session_capacity,
		.workers = plan->worker_count,
	};

	if (size < pg_state_size(plan->session_capacity, plan->worker_count))
		return error_set(error, PG_ERROR_USAGE, "the session state has %zu bytes, %zu are needed", size,
				 pg_state_size(plan->session_capacity, plan->worker_count));
	if (header->magic == 0)
		*header = wanted;
	if (header->magic != wanted.magic || header->abi_version != wanted.abi_version ||
	    header->capacity != wanted.capacity || header->workers != wanted.workers)
		return error_set(error, PG_ERROR_USAGE, "the session state was made for another configuration");
	return PG_OK;
}

// ---------------------------------------------------------------- parts

static bool worker_plan_fits(const struct pg_worker_plan *worker, uint32_t port_count)
{
	if (worker->queue_count > PG_QUEUES_PER_WORKER_MAX || !rte_lcore_is_enabled(worker->lcore))
		return false;
	for (uint32_t i = 0; i < worker->queue_count; i++)
		if (worker->queue[i].port >= port_count)
			return false;
	return true;
}

static int check_plan(const struct pg_plan *plan, struct pg_error *error)
{
	if (plan->abi_version != PG_ABI_VERSION)
		return error_set(error, PG_ERROR_USAGE, "the plan is for ABI %u, this library has %u",
				 plan->abi_version, PG_ABI_VERSION);
	if (plan->port_count > PG_PORTS_MAX || plan->worker_count > PG_WORKERS_MAX || plan->pool_count > PG_POOLS_MAX ||
	    plan->listener_count > PG_LISTENERS_MAX)
		return error_set(error, PG_ERROR_USAGE, "the plan has more parts than this build can hold");
	for (uint32_t i = 0; i < plan->port_count; i++)
		if (plan->port[i].pool >= plan->pool_count || plan->port[i].address_count > PG_ADDRESSES_MAX)
			return error_set(error, PG_ERROR_USAGE, "port %s: its part of the plan is out of range",
					 plan->port[i].name);
	for (uint32_t i = 0; i < plan->worker_count; i++)
		if (!worker_plan_fits(&plan->worker[i], plan->port_count))
			return error_set(error, PG_ERROR_USAGE, "worker %u: its part of the plan is out of range", i);
	return PG_OK;
}

static int make_pools(struct pg_gateway *g, struct pg_error *error)
{
	for (uint32_t i = 0; i < g->plan.pool_count; i++) {
		const struct pg_pool_plan *p = &g->plan.pool[i];

		g->pool[i] = rte_pktmbuf_pool_create(p->name, p->mbufs, p->cache, 0, p->data_room_bytes, p->node);
		if (!g->pool[i])
			return error_set(error, PG_ERROR_MEMORY, "mbuf pool %s: %u mbufs of %u bytes: %s", p->name,
					 p->mbufs, p->data_room_bytes, rte_strerror(rte_errno));
	}
	return PG_OK;
}

static int open_ports(struct pg_gateway *g, struct pg_error *error)
{
	for (uint32_t i = 0; i < g->plan.port_count; i++) {
		const struct pg_port_plan *p = &g->plan.port[i];
		const int rc = port_open(&g->port[i], p, g->plan.listener_port[0], g->pool[p->pool], error);

		if (rc != PG_OK)
			return rc;
		g->port[i].base = g->page->port[i];
		port_refresh(&g->port[i], &g->page->port[i]);
	}
	return PG_OK;
}

static void add_queue(struct pg_gateway *g, struct worker *w, const struct pg_queue_ref *ref)
{
	struct port *port = &g->port[ref->port];
	struct worker_queue *q = &w->queue[w->queue_count];
	const uint32_t port_bit = 1U << ref->port;

	if (ref->queue >= port->queues) // the device has fewer than planned
		return;
	w->queue_count++;
	*q = (struct worker_queue){
		.run = g->hot_path->run[port->rx_offload][port->tx_offload],
		.gate = {.identity = &port->identity,
			 .listeners = &g->listeners,
			 .policy = &g->policy[g->policy_in_use],
			 .worker = w->worker,
			 .port_bit = port_bit,
			 .sessions = &w->sessions,
			 .sources = &w->sources,
			 .host = &w->host,
			 .stats = w->stats,
			 .arrivals = &w->stats->received},
		.port = port,
		.port_stats = &g->page->port[ref->port],
		.counts = &w->stats->port[ref->port],
		.port_id = port->id,
		.queue = ref->queue,
		.rx_offload = port->rx_offload,
		.tx_offload = port->tx_offload,
	};
	q->inbox_gate = q->gate;
	q->inbox_gate.arrivals = &w->stats->handed_in;
	q->inbox_gate.settles_here = true;
	g->assembly.census.ports[w->worker] |= port_bit;
}

#define INBOX_PACKETS 1024

/// With one worker there is nobody to hand anything over.
static int make_inbox(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	char name[RTE_RING_NAMESIZE];

	if (g->plan.worker_count == 1)
		return PG_OK;
	snprintf(name, sizeof(name), "inbox%u", w->worker);
	w->inbox = rte_ring_create(name, INBOX_PACKETS, (int)rte_lcore_to_socket_id(w->lcore), RING_F_SC_DEQ);
	if (!w->inbox)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for its inbox: %s", w->worker,
				 rte_strerror(rte_errno));
	g->assembly.inbox[w->worker] = w->inbox;
	return PG_OK;
}

static int make_worker(struct pg_gateway *g, uint32_t i, void *state, struct pg_error *error)
{
	const struct pg_worker_plan *p = &g->plan.worker[i];
	const uint32_t capacity = g->plan.session_capacity;
	struct worker *w = g->worker[i] = pages_alloc(sizeof(*w));

	if (w)
		w->index = pages_alloc(session_index_size(capacity));
	if (!w || !w->index)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for an index of %u sessions", i,
				 capacity);
	w->stats = &g->page->worker[i];
	w->assembly = &g->assembly;
	w->worker = i;
	w->region =
		(struct session_region *)((uint8_t *)state + sizeof(struct state_header) + i * region_stride(capacity));
	w->session_capacity = capacity;
	w->lcore = p->lcore;
	w->current = &g->policy[g->policy_in_use];
	w->policy = w->current;
	w->announce = true;
	handling_bounds_init(&w->bounds, rte_get_tsc_hz());
	if (getrandom(&w->secret, sizeof(w->secret), 0) != sizeof(w->secret))
		return error_set(error, PG_ERROR_SYSTEM, "the kernel gave no random bytes");
	counter_set(&w->stats->policy_generation, w->current->generation);
	for (uint32_t k = 0; k < p->queue_count; k++)
		add_queue(g, w, &p->queue[k]);
	g->assembly.census.active[i] = &w->stats->sessions_active;
	return make_inbox(g, w, error);
}

static void first_policy(struct pg_gateway *g)
{
	g->generation = 1;
	// A restarted worker goes on counting, so that a reader never sees a generation go back.
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		if (g->page->worker[i].policy_generation >= g->generation)
			g->generation = g->page->worker[i].policy_generation + 1;
	policy_init(&g->policy[0], &g->plan.policy, g->generation, rte_get_tsc_hz());
}

static int open_gateway(struct pg_gateway *g, void *state, size_t state_size, struct pg_error *error)
{
	int rc = check_plan(&g->plan, error);

	if (rc == PG_OK)
		rc = claim_state(&g->plan, state, state_size, error);
	if (rc == PG_OK)
		rc = make_pools(g, error);
	if (rc == PG_OK)
		rc = open_ports(g, error);
	if (rc != PG_OK)
		return rc;
	listeners_init(&g->listeners, g->plan.listener_port, g->plan.listener_count);
	first_policy(g);
	g->assembly.census.capacity = g->plan.session_capacity;
	g->assembly.census.tables = g->plan.worker_count;
	worker_stats_settle(g->page->worker, g->plan.worker_count);
	for (uint32_t i = 0; i < g->plan.worker_count && rc == PG_OK; i++)
		rc = make_worker(g, i, state, error);
	return rc;
}

// ---------------------------------------------------------------- life

struct pg_gateway *pg_open(const struct pg_plan *plan, struct pg_stats_page *page, void *state, size_t state_size,
			   struct pg_error *error)
{
	struct pg_gateway *g = calloc(1, sizeof(*g));

	if (!g) {
		error_set(error, PG_ERROR_MEMORY, "out of memory");
		return NULL;
	}
	g->plan = *plan;
	g->page = page;
	g->hot_path = hot_path_select(plan->isa);
	if (!g->hot_path) {
		error_set(error, PG_ERROR_SYSTEM, "this CPU does not run x86-64-%s code; use isa: auto", plan->isa);
	} else if (open_gateway(g, state, state_size, error) == PG_OK) {
		page->tsc_hz = rte_get_tsc_hz();
		snprintf(page->isa, sizeof(page->isa), "%s", g->hot_path->isa);
		return g;
	}
	pg_close(g);
	return NULL;
}

/// @return false when the workers were not all found so within timeout_ms
static bool await_workers(const struct pg_gateway *g, bool (*reached)(const struct pg_gateway *, const struct worker *),
			  uint32_t timeout_ms)
{
	const uint64_t deadline = rte_rdtsc() + (uint64_t)timeout_ms * rte_get_tsc_hz() / 1000;

	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		while (!reached(g, g->worker[i])) {
			if (rte_rdtsc() > deadline)
				return false;
			rte_delay_us_sleep(200);
		}
	return true;
}

static bool has_turned(const struct pg_gateway *g, const struct worker *w)
{
	(void)g;
	return counter_get(&w->stats->heartbeat_tsc) != 0;
}

static bool has_policy(const struct pg_gateway *g, const struct worker *w)
{
	return __atomic_load_n(&w->stats->policy_generation, __ATOMIC_ACQUIRE) == g->generation;
}

static bool has_returned(const struct pg_gateway *g, const struct worker *w)
{
	(void)g;
	return rte_eal_get_lcore_state(w->lcore) == WAIT;
}

int pg_start(struct pg_gateway *g, struct pg_error *error)
{
	g->running = true;
	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		const int rc = rte_eal_remote_launch(worker_main, g->worker[i], g->worker[i]->lcore);

		if (rc < 0)
			return error_set(error, PG_ERROR_SYSTEM, "worker %u: lcore %u is not free: %s", i,
					 g->worker[i]->lcore, rte_strerror(-rc));
	}
	if (!await_workers(g, has_turned, START_TIMEOUT_MS))
		return error_set(error, PG_ERROR_TIMEOUT, "a worker did not begin to poll within %u ms",
				 START_TIMEOUT_MS);
	return PG_OK;
}

int pg_apply(struct pg_gateway *g, const struct pg_policy *policy, uint32_t timeout_ms, struct pg_error *error)
{
	const unsigned next = 1 - g->policy_in_use;

	// The other one is free: every worker had acknowledged before the last call returned, or it failed.
	if (!await_workers(g, has_policy, timeout_ms))
		return error_set(error, PG_ERROR_TIMEOUT, "a worker still uses the policy before the last");
	policy_init(&g->policy[next], policy, ++g->generation, rte_get_tsc_hz());
	g->policy_in_use = next;
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		atomic_store_explicit(&g->worker[i]->policy, &g->policy[next], memory_order_release);
	if (!await_workers(g, has_policy, timeout_ms))
		return error_set(error, PG_ERROR_TIMEOUT, "a worker did not take the new policy within %u ms",
				 timeout_ms);
	return PG_OK;
}

/// A link that comes up may lead to another switch: say again who we are.
static void announce_port(struct pg_gateway *g, uint32_t port)
{
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		for (unsigned k = 0; k < g->worker[i]->queue_count; k++)
			if (g->worker[i]->queue[k].port == &g->port[port] && g->worker[i]->queue[k].queue == 0)
				atomic_store_explicit(&g->worker[i]->announce, true, memory_order_relaxed);
}

void pg_housekeep(struct pg_gateway *g)
{
	for (uint32_t i = 0; i < g->plan.port_count; i++) {
		const bool was_up = g->page->port[i].link_up;

		port_refresh(&g->port[i], &g->page->port[i]);
		if (!was_up && g->page->port[i].link_up)
			announce_port(g, i);
	}
	for (uint32_t i = 0; i < g->plan.pool_count; i++) {
		g->page->pool[i].available = rte_mempool_avail_count(g->pool[i]);
		g->page->pool[i].size = g->pool[i]->size;
	}
}

int pg_stop(struct pg_gateway *g, uint32_t timeout_ms, struct pg_error *error)
{
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		atomic_store_explicit(&g->worker[i]->stop, true, memory_order_relaxed);
	if (g->running && !await_workers(g, has_returned, timeout_ms))
		return error_set(error, PG_ERROR_TIMEOUT, "a worker did not stop within %u ms", timeout_ms);
	for (uint32_t i = 0; i < g->plan.worker_count && g->running; i++)
		rte_eal_wait_lcore(g->worker[i]->lcore);
	g->running = false;
	pg_housekeep(g);
	return PG_OK;
}

void pg_close(struct pg_gateway *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->plan.port_count; i++)
		port_stop(&g->port[i]);
	for (uint32_t i = 0; i < g->plan.port_count; i++)
		port_close(&g->port[i]);
	for (uint32_t i = 0; i < g->plan.pool_count; i++)
		rte_mempool_free(g->pool[i]);
	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		if (!g->worker[i])
			continue;
		rte_ring_free(g->worker[i]->inbox);
		pages_free(g->worker[i]->index, session_index_size(g->plan.session_capacity));
		pages_free(g->worker[i], sizeof(*g->worker[i]));
	}
	free(g);
	rte_eal_cleanup();
}
