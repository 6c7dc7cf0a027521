// SPDX-License-Identifier: BSD-3-Clause
// port/port.h: one device: configured, started, described.
//
// Written by the control thread while it opens ports; workers only read.

#ifndef POLLGATE_PORT_H
#define POLLGATE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "net/identity.h"
#include "pollgate.h"

struct port {
	// per packet
	uint16_t id;     // of DPDK
	bool rx_offload; // the device verifies checksums
	bool tx_offload; // the device computes checksums
	struct identity identity;

	// at start
	const struct pg_port_plan *plan;
	struct rte_mempool *pool;
	uint16_t queues; // pairs in use
	bool rss;
	bool configured;
	bool started;

	// control thread only: device counters are continued over worker processes
	struct pg_port_stats base;
};

/// Find, configure and start the device of plan. `pool` feeds its receive queues; most traffic is for udp_port.
/// On failure the port is closed again.
int port_open(struct port *port, const struct pg_port_plan *plan, uint16_t udp_port, struct rte_mempool *pool,
	      struct pg_error *error);

/// Stop receiving and transmitting; flushes what a device holds back.
void port_stop(struct port *port);
void port_close(struct port *port);

/// Refresh what the device says of itself.
void port_refresh(const struct port *port, struct pg_port_stats *stats);

#endif
