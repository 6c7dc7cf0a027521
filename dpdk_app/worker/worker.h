// SPDX-License-Identifier: BSD-3-Clause
// worker/worker.h: one poll loop on one lcore, run to completion, sharing nothing writable with another.

#ifndef POLLGATE_WORKER_H
#define POLLGATE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ring.h>

#include "pipeline/pipeline.h"
#include "pollgate.h"
#include "port/port.h"
#include "stats/histogram.h"

/// A queue pair that this worker serves, with the loop that was chosen for its port.
struct worker_queue {
	burst_run *run;
	struct gate gate;       // for what this queue receives
	struct gate inbox_gate; // for what other workers received on this port
	const struct port *port;
	const struct pg_port_stats *port_stats; // link state, when a packet does not leave
	struct pg_port_counts *counts;
	uint16_t port_id;
	uint16_t queue;
	bool rx_offload;
	bool tx_offload;
};

/// Where all workers meet: at the start, at the end, and at a session that is not theirs.
struct assembly {
	// set before launch
	struct session_census census;
	struct rte_ring *inbox[PG_WORKERS_MAX]; // of each worker: packets for its sessions; none with one worker

	// written by the workers
	_Atomic uint32_t departed; // loops that receive no more
};

struct worker {
	// read-mostly: set before launch
	struct pg_worker_stats *stats;
	struct handling_bounds bounds;
	struct assembly *assembly;
	struct rte_ring *inbox; // assembly->inbox[worker]
	uint32_t worker;        // our place in the assembly
	struct session_region *region;
	void *index; // session_index_size() bytes, zero
	uint32_t session_capacity;
	uint32_t lcore;
	struct hash_secret secret;
	struct listeners *listeners;
	struct worker_queue queue[PG_QUEUES_PER_WORKER_MAX];
	unsigned queue_count;

	// written by the control thread
	_Atomic(const struct policy *) policy CACHE_ALIGNED;
	atomic_bool stop;
	atomic_bool announce; // tell the neighbours who we are; cleared by the worker

	// written by the worker
	struct session_table sessions CACHE_ALIGNED;
	struct source_limits sources;
	struct host_buckets host;
	const struct policy *current; // policy in use
};

/// The poll loop; given to rte_eal_remote_launch with a struct worker. Returns after worker.stop.
int worker_main(void *worker);

/// Settle the counters of `count` workers that died together: what they held is counted as lost, so that the laws of
/// conservation hold for the whole run. Before the next ones start.
void worker_stats_settle(struct pg_worker_stats *stats, uint32_t count);

#endif
