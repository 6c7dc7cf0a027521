// SPDX-License-Identifier: BSD-3-Clause
// engine/dpdk/dpdk.c: the DPDK engine as runtime/engine.h asks for it: pools, ports, queues, launching and ending loops.

#include "engine/dpdk/dpdk.h"

#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "engine/dpdk/inbox.h"
#include "pipeline/profile.h"
#include "port/pool.h"
#include "port/promises.h"
#include "runtime/engine.h"
#include "stats/error.h"

static struct dpdk_devices *devices_of(const struct pg_gateway *g)
{
	return g->devices;
}

static struct dpdk_worker *dpdk_worker_of(struct worker *w)
{
	return (struct dpdk_worker *)w;
}

static int make_pools(struct pg_gateway *g, struct pg_error *error)
{
	for (uint32_t i = 0; i < g->plan.pool_count; i++) {
		devices_of(g)->pool[i] = pool_make(&g->plan.pool[i], error);
		if (!devices_of(g)->pool[i])
			return error->code;
	}
	return PG_OK;
}

static bool serves(const struct pg_worker_plan *worker, uint32_t port)
{
	for (uint32_t k = 0; k < worker->queue_count; k++)
		if (worker->queue[k].port == port)
			return true;
	return false;
}

/// Does all that leaves by this port come from its pool? What sessions send on their own is taken from that of their
/// worker's first port, whichever way it leaves; an answer lies where its request lay, and leaves where that came in.
bool sends_own_mbufs(const struct pg_plan *plan, uint32_t port)
{
	if (plan->issued_capacity == 0) // no listener has sessions that do
		return true;
	for (uint32_t i = 0; i < plan->worker_count; i++) {
		const struct pg_worker_plan *worker = &plan->worker[i];

		for (uint32_t k = 0; k < worker->queue_count && serves(worker, port); k++)
			if (plan->port[worker->queue[k].port].pool != plan->port[port].pool)
				return false;
	}
	return true;
}

/// What left by a port, by the counters that outlive this process. Packets are counted before bytes, and both when the
/// driver has taken them, so bytes are read first.
static void count_transmitted(struct pg_gateway *g, uint32_t port)
{
	struct pg_port_counts *sum = &devices_of(g)->port[port].counted;

	*sum = (struct pg_port_counts){0};
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		sum->tx_bytes += counter_get(&g->page->worker[i].port[port].tx_bytes);
	atomic_thread_fence(memory_order_acquire);
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		sum->tx_packets += counter_get(&g->page->worker[i].port[port].tx_packets);
}

static int open_ports(struct pg_gateway *g, struct pg_error *error)
{
	struct dpdk_devices *devices = devices_of(g);

	for (uint32_t i = 0; i < g->plan.port_count; i++) {
		const struct pg_port_plan *p = &g->plan.port[i];
		struct port *port = &devices->port[i];
		const int rc = port_open(port, p, g->plan.listener_port[0], devices->pool[p->pool],
					 sends_own_mbufs(&g->plan, i), error);

		if (rc != PG_OK)
			return rc;
		identity_expect(&port->identity, &g->plan);
		port->base = g->page->port[i];
		count_transmitted(g, i);
		port_refresh(port, &g->page->port[i]);
	}
	return PG_OK;
}

static int open_devices(struct pg_gateway *g, struct pg_error *error)
{
	int rc;

	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		if (!rte_lcore_is_enabled(g->plan.worker[i].lcore))
			return error_set(error, PG_ERROR_USAGE, "worker %u: lcore %u is not one of EAL's", i,
					 g->plan.worker[i].lcore);
	g->devices = calloc(1, sizeof(struct dpdk_devices));
	if (!g->devices)
		return error_set(error, PG_ERROR_MEMORY, "out of memory");
	rc = make_pools(g, error);
	return rc == PG_OK ? open_ports(g, error) : rc;
}

static void add_queue(struct pg_gateway *g, struct dpdk_worker *w, const struct pg_queue_ref *ref)
{
	struct port *port = &devices_of(g)->port[ref->port];
	struct worker_queue *q = &w->queue[w->queue_count];
	const uint32_t port_bit = 1U << ref->port;

	if (ref->queue >= port->queues) // the device has fewer than planned
		return;
	w->queue_count++;
	*q = (struct worker_queue){
		.run = g->hot_path->run[port->rx_offload][port->tx_offload != TX_CHECKSUM_NONE],
		.ingress = {.identity = &port->identity,
			    .listeners = &g->listeners,
			    .policy = w->common.current,
			    .worker = w->common.number,
			    .port_bit = port_bit,
			    .port = ref->port,
			    .completes = port->tx_offload,
			    .sessions = &w->common.sessions,
			    .sources = &w->common.sources,
			    .host = &w->common.host,
			    .announcer = &w->announcer[ref->port],
			    .shard = w->common.shard,
			    .netcode = w->common.netcode,
			    .stats = w->common.stats,
			    .arrivals = &w->common.stats->received},
		.port = port,
		.port_stats = &g->page->port[ref->port],
		.counts = &w->common.stats->port[ref->port],
		.port_id = port->id,
		.queue = ref->queue,
		.rx_offload = port->rx_offload,
		.tx_offload = port->tx_offload != TX_CHECKSUM_NONE,
	};
	ingress_speak(&q->ingress, &g->plan);
	q->inbox_ingress = q->ingress;
	q->inbox_ingress.arrivals = &w->common.stats->handed_in;
	q->inbox_ingress.settles_here = true;
	g->barrier.registry.ports[w->common.number] |= port_bit;
	if (w->queue_of[ref->port])
		return;
	w->queue_of[ref->port] = q;
	announcer_init(&w->announcer[ref->port], pg_tsc_hz(), w->common.secret.addend);
	w->announcer[ref->port].membership.older_until = &devices_of(g)->older_querier_until[ref->port];
}

static int attach(struct pg_gateway *g, struct worker *common, struct pg_error *error)
{
	struct dpdk_worker *w = dpdk_worker_of(common);

	w->devices = devices_of(g);
	w->announce = true;
	for (uint32_t k = 0; k < common->plan->queue_count; k++)
		add_queue(g, w, &common->plan->queue[k]);
	return inbox_make(w, g->plan.worker_count, error);
}

// ---------------------------------------------------------------- life

static int launch(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	const int rc = rte_eal_remote_launch(dpdk_loop, w, w->plan->lcore);

	(void)g;
	if (rc < 0)
		return error_set(error, PG_ERROR_SYSTEM, "worker %u: lcore %u is not free: %s", w->number,
				 w->plan->lcore, rte_strerror(-rc));
	return PG_OK;
}

static bool has_returned(const struct worker *w)
{
	return rte_eal_get_lcore_state(w->plan->lcore) == WAIT;
}

static void join(struct worker *w)
{
	rte_eal_wait_lcore(w->plan->lcore);
}

/// A link that comes up may lead to another switch: say again who we are.
static void announce_port(struct pg_gateway *g, uint32_t port)
{
	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		struct dpdk_worker *w = dpdk_worker_of(g->worker[i]);

		for (unsigned k = 0; k < w->queue_count; k++)
			if (w->queue[k].port == &devices_of(g)->port[port] && w->queue[k].queue == 0)
				atomic_store_explicit(&w->announce, true, memory_order_relaxed);
	}
}

static bool queue_stands(struct worker_queue *q, const struct observation *observation, uint64_t now_ns)
{
	const struct transmit_totals now = {
		.accepted = counter_get(&q->counts->tx_packets),
		.refused = counter_get(&q->refused),
		.left = observation->tx_packets,
		.lost = observation->tx_dropped,
	};

	return progress_stands(&q->progress, &now, observation->state < PG_DEVICE_DOWN, now_ns);
}

/// Only of a driver that leaves what it accepts in a ring of the kernel's. What stands is not set right by waiting.
static void look_for_standing_queues(struct pg_gateway *g, struct port *port)
{
	const uint64_t now_ns = port_clock_ns();

	for (uint32_t i = 0; i < g->plan.worker_count && port->watch.sends_from_ring; i++) {
		struct dpdk_worker *w = dpdk_worker_of(g->worker[i]);

		for (unsigned k = 0; k < w->queue_count; k++)
			if (w->queue[k].port == port)
				port->stuck |= queue_stands(&w->queue[k], &port->observation, now_ns);
	}
}

static struct pg_address address_of(const struct identity *id, const struct conflict *conflict)
{
	struct pg_address address = {.family = conflict->family};

	if (conflict->family == 4)
		memcpy(address.bytes, &id->v4[conflict->index].address, sizeof(be32));
	else
		memcpy(address.bytes, id->v6[conflict->index], sizeof(address.bytes));
	return address;
}

/// Report address conflicts that workers saw.
static void note_conflicts(struct pg_gateway *g, uint32_t port)
{
	struct pg_port_stats *stats = &g->page->port[port];

	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		struct dpdk_worker *w = dpdk_worker_of(g->worker[i]);

		if (!w->queue_of[port])
			continue;

		const struct conflict conflict = announcer_take_conflict(&w->announcer[port]);

		if (conflict.family == 0)
			continue;
		stats->conflict_address = address_of(&devices_of(g)->port[port].identity, &conflict);
		mac_copy(stats->conflict_mac, conflict.mac);
		__atomic_store_n(&stats->conflicts_seen, stats->conflicts_seen + 1, __ATOMIC_RELEASE);
	}
}

static void housekeep(struct pg_gateway *g)
{
	struct dpdk_devices *devices = devices_of(g);

	for (uint32_t i = 0; i < g->plan.port_count; i++) {
		const bool was_up = g->page->port[i].link_up;

		look_for_standing_queues(g, &devices->port[i]);
		count_transmitted(g, i);
		port_refresh(&devices->port[i], &g->page->port[i]);
		if (!was_up && g->page->port[i].link_up)
			announce_port(g, i);
		note_conflicts(g, i);
	}
	for (uint32_t i = 0; i < g->plan.pool_count; i++) {
		g->page->pool[i].available = rte_mempool_avail_count(devices->pool[i]);
		g->page->pool[i].size = devices->pool[i]->size;
	}
}

static void detach(struct worker *w)
{
	inbox_free(dpdk_worker_of(w));
}

static void close_devices(struct pg_gateway *g)
{
	struct dpdk_devices *devices = devices_of(g);

	if (devices) {
		for (uint32_t i = 0; i < g->plan.port_count; i++)
			port_stop(&devices->port[i]);
		for (uint32_t i = 0; i < g->plan.port_count; i++)
			port_close(&devices->port[i]);
		for (uint32_t i = 0; i < g->plan.pool_count; i++) {
			if (PROMISES && devices->pool[i])
				promises_enforce_returned(devices->pool[i]);
			rte_mempool_free(devices->pool[i]);
		}
		free(devices);
	}
	rte_eal_cleanup();
}

const struct engine dpdk_engine = {
	.worker_size = sizeof(struct dpdk_worker),
	.frames = true,
	.open = open_devices,
	.attach = attach,
	.launch = launch,
	.has_returned = has_returned,
	.join = join,
	.housekeep = housekeep,
	.detach = detach,
	.close = close_devices,
};
