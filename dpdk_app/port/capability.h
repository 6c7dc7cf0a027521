// SPDX-License-Identifier: BSD-3-Clause
// port/capability.h: which of a device's capabilities are used. A pure decision: no device is touched.

#ifndef POLLGATE_PORT_CAPABILITY_H
#define POLLGATE_PORT_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>

#include "pollgate.h"

/// The chosen capabilities that struct rte_eth_conf has no field for.
struct capability {
	uint16_t queues;    // pairs
	bool verifies;      // checksums of what it receives: all, or some of them
	uint8_t completes;  // bits of enum tx_checksum: of what it sends
	bool rss;           // spreads flows over the queues
	bool filters_vlans; // lets tagged frames in only where it lets all frames in
};

/// @param own_mbufs  all that leaves by this port comes from its own pool
/// @param conf       out
struct capability capability_choose(const struct pg_port_plan *plan, const struct rte_eth_dev_info *info,
				    bool own_mbufs, struct rte_eth_conf *conf);

/// Is this a device on a bus, and not one of DPDK's virtual devices?
bool capability_is_card(const struct pg_port_plan *plan);

#endif
