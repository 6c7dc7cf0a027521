// SPDX-License-Identifier: BSD-3-Clause
// engine/dpdk/dpdk.h: the DPDK engine: a loop that polls queues of devices and never sleeps.

#ifndef POLLGATE_ENGINE_DPDK_DPDK_H
#define POLLGATE_ENGINE_DPDK_DPDK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "port/port.h"
#include "port/progress.h"
#include "runtime/worker.h"

/// Frames that the device of a queue had no room for, in the order in which they leave.
struct held_frames {
	unsigned count;
	bool stood;        // the device had taken nothing for long, and nothing more is held until it does
	uint64_t stood_at; // packets that it had taken then
	uint64_t since;    // TSC: it took something, or the first of these frames came
	struct rte_mbuf *mbuf[PG_HELD_PER_QUEUE];
};

/// A queue pair that a worker serves, with the loop that was chosen for its port.
struct worker_queue {
	burst_run *run;
	struct ingress ingress;       // for what this queue receives
	struct ingress inbox_ingress; // for what other workers received on this port
	const struct port *port;
	const struct pg_port_stats *port_stats; // link state, when a packet does not leave
	struct pg_port_counts *counts;
	uint16_t port_id;
	uint16_t queue;
	bool rx_offload;
	bool tx_offload;

	// written by the worker, rarely
	uint64_t refused; // frames that the device had no room for, and that were given up
	struct held_frames held;

	// control thread only
	struct progress progress;
};

/// What all workers share. Set before launch.
struct dpdk_devices {
	struct rte_mempool *pool[PG_POOLS_MAX];
	struct port port[PG_PORTS_MAX];
	_Atomic uint64_t older_querier_until[PG_PORTS_MAX]; // of struct membership
	struct rte_ring *inbox[PG_WORKERS_MAX]; // of each worker: packets for its sessions; none with one worker
};

struct dpdk_worker {
	struct worker common;

	// read-mostly: set before launch
	struct dpdk_devices *devices;
	struct rte_ring *inbox; // devices->inbox[number]
	struct worker_queue queue[PG_QUEUES_PER_WORKER_MAX];
	unsigned queue_count;
	struct worker_queue *queue_of[PG_PORTS_MAX]; // the first of each port; NULL: none

	// written by the worker
	unsigned announcing;                                    // queue whose announcements are sent next
	unsigned held;                                          // frames of all queues
	struct announcer announcer[PG_PORTS_MAX] CACHE_ALIGNED; // of each port that it has queues of

	// written by the control thread
	atomic_bool announce CACHE_ALIGNED; // tell the neighbours who we are; cleared by the worker
};

/// Does all that leaves by this port of the plan come from the port's own pool?
bool sends_own_mbufs(const struct pg_plan *plan, uint32_t port);

/// The poll loop; given to rte_eal_remote_launch with a struct dpdk_worker. Returns after worker.stop.
int dpdk_loop(void *worker);

#endif
