// SPDX-License-Identifier: BSD-3-Clause
// port/port.h: one device: configured, started, described.
//
// The control thread writes a port, nearly all of it while it opens the port. Workers only read it.

#ifndef POLLGATE_PORT_H
#define POLLGATE_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "net/identity.h"
#include "pollgate.h"
#include "port/card.h"
#include "port/losses.h"
#include "port/memif.h"
#include "port/notices.h"
#include "port/outputs.h"
#include "port/watch.h"

struct port {
	// per packet
	_Atomic uint16_t
		longest_frame; // that can leave, without a tag; ANY_LENGTH but in trouble, 0 while the link is down
	uint16_t id;           // of DPDK
	bool rx_offload;       // the device verifies checksums: all, or some of them
	uint8_t tx_offload;    // bits of enum tx_checksum: those that the device computes
	bool keeps_sent;       // the device never frees what it has sent: whoever sends does
	struct identity identity;

	// at start
	const struct pg_port_plan *plan;
	struct rte_mempool *pool;
	uint16_t queues; // pairs in use
	bool own_mbufs;  // all that leaves by this port comes from its pool
	bool rss;
	bool filters_vlans; // the device lets tagged frames in only where it lets all in
	bool foreign_mac;   // the device does not take ours for its own
	bool configured;
	bool started;

	// control thread only: device counters are continued over worker processes
	struct pg_port_stats base;
	struct watch watch;             // of the kernel's interfaces behind the device
	struct observation observation; // what the last look found
	struct losses losses;
	struct memif memif;     // if it is one
	struct outputs outputs; // files that the device writes
	bool has_no_link;       // there is nothing behind it that could be down
	bool link_counts;       // the link was up, or has had its time to come up
	uint64_t opened_ns;
	struct notices notices; // what the device said by itself
	struct card card;       // in its slot

	// control thread only, likewise; found by the engine, which knows the queues
	bool stuck;                    // nothing leaves any more
	struct pg_port_counts counted; // by all of them, ever: bytes read before packets
};

/// Find, configure and start the device of plan. `pool` feeds its receive queues; most traffic is for udp_port.
/// On failure the port is closed again.
/// @param own_mbufs  all that will leave by this port comes from `pool`
int port_open(struct port *port, const struct pg_port_plan *plan, uint16_t udp_port, struct rte_mempool *pool,
	      bool own_mbufs, struct pg_error *error);

/// Stop receiving and transmitting; flushes what a device holds back.
void port_stop(struct port *port);
void port_close(struct port *port);

/// The clock for watching devices.
uint64_t port_clock_ns(void);

/// Refresh the device's state: as the device reports it, as the kernel does, and as its files show.
void port_refresh(struct port *port, struct pg_port_stats *stats);

#endif
