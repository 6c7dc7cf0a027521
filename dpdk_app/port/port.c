// SPDX-License-Identifier: BSD-3-Clause
// port/port.c: see port.h.

#include "port/port.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "net/mld.h"
#include "port/capability.h"
#include "stats/error.h"

/// Drivers return a bare -1 for any failure; taken for an error number it would read "Operation not permitted".
static const char *driver_reason(int rc)
{
	return rc == -1 ? "the driver does not say why" : rte_strerror(rc < 0 ? -rc : rc);
}

static int refuse(const struct port *port, struct pg_error *error, const char *what, int rc)
{
	return error_set(error, PG_ERROR_DEVICE, "port %s (%s): %s: %s", port->plan->name, port->plan->device, what,
			 driver_reason(rc));
}

static int setup_queues(struct port *port, const struct rte_eth_dev_info *info, const struct rte_eth_conf *conf,
			struct pg_error *error)
{
	uint16_t rx_descriptors = (uint16_t)port->plan->rx_descriptors;
	uint16_t tx_descriptors = (uint16_t)port->plan->tx_descriptors;
	const int node = rte_eth_dev_socket_id(port->id);
	struct rte_eth_txconf txconf = info->default_txconf;
	struct rte_eth_rxconf rxconf = info->default_rxconf;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_descriptors, &tx_descriptors);

	if (rc < 0)
		return refuse(port, error, "the descriptor counts were refused", rc);
	// The pool was made for those of the plan.
	if (rx_descriptors > port->plan->rx_descriptors || tx_descriptors > port->plan->tx_descriptors)
		return error_set(
			error, PG_ERROR_DEVICE,
			"port %s (%s): the device takes %u receive and %u transmit descriptors where %u and %u "
			"were asked; set rx_descriptors: %u and tx_descriptors: %u",
			port->plan->name, port->plan->device, rx_descriptors, tx_descriptors,
			port->plan->rx_descriptors, port->plan->tx_descriptors, rx_descriptors, tx_descriptors);
	txconf.offloads = conf->txmode.offloads;
	rxconf.offloads = conf->rxmode.offloads;
	for (uint16_t q = 0; q < port->queues; q++) {
		rc = rte_eth_rx_queue_setup(port->id, q, rx_descriptors, (unsigned)node, &rxconf, port->pool);
		if (rc < 0)
			return refuse(port, error, "a receive queue could not be set up", rc);
		rc = rte_eth_tx_queue_setup(port->id, q, tx_descriptors, (unsigned)node, &txconf);
		if (rc < 0)
			return refuse(port, error, "a transmit queue could not be set up", rc);
	}
	return PG_OK;
}

/// A tap is a wire to this host's kernel, and what its driver calls the port's MAC is that of the kernel's end.
/// Not so with `remote`: then it stands in for that interface.
static bool mac_is_the_peers(const struct port *port)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port->id, &info) < 0 || strcmp(info.driver_name, "net_tap") != 0)
		return false;

	const struct rte_devargs *devargs = rte_dev_devargs(info.device);

	return !devargs || !devargs->args || !strstr(devargs->args, "remote=");
}

/// The MAC that answers carry is the configured one, even where the device cannot be told. A card that cannot takes frames
/// to another one only where it takes all.
static void set_mac(struct port *port)
{
	const bool peers = mac_is_the_peers(port);
	struct rte_ether_addr mac;

	if (port->plan->has_mac) {
		memcpy(mac.addr_bytes, port->plan->mac, MAC_LEN);
		port->foreign_mac = !peers && rte_eth_dev_default_mac_addr_set(port->id, &mac) != 0 &&
				    capability_is_card(port->plan);
	} else if (rte_eth_macaddr_get(port->id, &mac) < 0) {
		memset(&mac, 0, sizeof(mac));
	} else if (peers) {
		mac.addr_bytes[MAC_LEN - 1] ^= 1; // two ends of a wire need two addresses
	}
	identity_set_mac(&port->identity, mac.addr_bytes);
}

/// Neighbour discovery and queries for listeners come through multicast: let in our own groups and that of all nodes, or all
/// where the filter is too simple.
static void join_groups(const struct port *port)
{
	struct rte_ether_addr groups[PG_ADDRESSES_MAX + 1];
	const uint8_t ours = mld_groups(&port->identity);
	uint8_t group[16];
	unsigned n = 0;

	if (port->identity.v6_count == 0)
		return;
	multicast_mac6(all_nodes6, groups[n++].addr_bytes);
	for (unsigned i = 0; i < port->identity.v6_count; i++) {
		if (!(ours & 1U << i))
			continue;
		solicited_node(port->identity.v6[i], group);
		multicast_mac6(group, groups[n++].addr_bytes);
	}
	if (rte_eth_dev_set_mc_addr_list(port->id, groups, n) != 0)
		rte_eth_allmulticast_enable(port->id);
}

static int set_promiscuous(const struct port *port, struct pg_error *error)
{
	const bool all = port->plan->promiscuous || port->foreign_mac || port->filters_vlans;
	const int rc = all ? rte_eth_promiscuous_enable(port->id) : rte_eth_promiscuous_disable(port->id);

	// A device without a filter has nothing to switch.
	if (rc < 0 && rc != -ENOTSUP)
		return refuse(port, error, "promiscuous mode could not be set", rc);
	return PG_OK;
}

static int configure(struct port *port, struct pg_error *error)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	struct capability can;
	int rc = rte_eth_dev_info_get(port->id, &info);

	if (rc < 0)
		return refuse(port, error, "the device does not describe itself", rc);
	can = capability_choose(port->plan, &info, port->own_mbufs, &conf);
	if (can.queues == 0)
		return error_set(error, PG_ERROR_DEVICE, "port %s (%s): the device has no queue pair", port->plan->name,
				 port->plan->device);
	port->queues = can.queues;
	port->rx_offload = can.verifies;
	port->tx_offload = can.completes;
	port->rss = can.rss;
	port->filters_vlans = can.filters_vlans;
	rc = rte_eth_dev_configure(port->id, port->queues, port->queues, &conf);
	if (rc < 0)
		return refuse(port, error, "the device refused its configuration", rc);
	port->configured = true;
	return setup_queues(port, &info, &conf, error);
}

// ---------------------------------------------------------------- a fault of a driver

/// net_null with copy=1 frees nothing that is sent over it, from DPDK 25.07 on. The device itself is asked, by a frame
/// that goes nowhere, so that a release which mends it is believed.
static bool keeps_what_it_sends(const struct port *port)
{
	struct rte_eth_dev_info info;
	struct rte_mbuf *m;

	if (rte_eth_dev_info_get(port->id, &info) < 0 || strcmp(info.driver_name, "net_null") != 0)
		return false;
	m = rte_pktmbuf_alloc(port->pool);
	if (!m)
		return false;
	m->data_len = ETHERNET_MIN;
	m->pkt_len = ETHERNET_MIN;

	const unsigned in_use = rte_mempool_in_use_count(port->pool);
	const bool sent = rte_eth_tx_burst(port->id, 0, &m, 1) == 1;

	if (sent && rte_mempool_in_use_count(port->pool) < in_use)
		return false;
	rte_pktmbuf_free(m);
	return sent;
}

/// Drivers that say "up" with nothing behind them that could be down: files, memory of this process, nothing.
static bool has_no_link(const char *driver)
{
	return strcmp(driver, "net_null") == 0 || strcmp(driver, "net_pcap") == 0 || strcmp(driver, "net_ring") == 0;
}

/// A virtual device has no such directory.
static void begin_card(struct port *port)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", port->plan->device);
	card_begin(&port->card, path);
}

static void begin_watch(struct port *port)
{
	struct rte_eth_dev_info info;
	const struct rte_devargs *devargs;
	const char *arguments;

	begin_card(port);
	watch_begin(&port->watch, port->id);
	losses_begin(&port->losses, port->watch.count > 0 ? port->watch.interface[0].index : 0);
	port->opened_ns = port_clock_ns();
	if (rte_eth_dev_info_get(port->id, &info) < 0)
		return;
	devargs = rte_dev_devargs(info.device);
	arguments = devargs ? devargs->args : NULL;
	port->has_no_link = has_no_link(info.driver_name);
	memif_begin(&port->memif, info.driver_name, arguments);
	if (strcmp(info.driver_name, "net_pcap") == 0)
		outputs_begin(&port->outputs, arguments);
}

static int open_device(struct port *port, struct pg_error *error)
{
	int rc = rte_eth_dev_get_port_by_name(port->plan->device, &port->id);

	if (rc < 0)
		return error_set(error, PG_ERROR_DEVICE, "port %s: no device %s came up", port->plan->name,
				 port->plan->device);
	rc = configure(port, error);
	if (rc != PG_OK)
		return rc;
	notices_begin(&port->notices, port->id);
	set_mac(port);
	rc = rte_eth_dev_start(port->id);
	if (rc < 0)
		return refuse(port, error, "the device did not start", rc);
	port->started = true;
	port->keeps_sent = keeps_what_it_sends(port);
	join_groups(port);
	rc = set_promiscuous(port, error);
	if (rc == PG_OK)
		begin_watch(port);
	return rc;
}

int port_open(struct port *port, const struct pg_port_plan *plan, uint16_t udp_port, struct rte_mempool *pool,
	      bool own_mbufs, struct pg_error *error)
{
	int rc;

	*port = (struct port){.plan = plan,
			      .pool = pool,
			      .own_mbufs = own_mbufs,
			      .id = RTE_MAX_ETHPORTS,
			      .longest_frame = ANY_LENGTH,
			      .observation.longest_frame = ANY_LENGTH,
			      .watch.netlink.fd = -1};
	losses_prepare(&port->losses);
	identity_init(&port->identity, plan->address, plan->address_count, udp_port);
	rc = open_device(port, error);
	if (rc != PG_OK) {
		port_stop(port);
		port_close(port);
	}
	return rc;
}

void port_stop(struct port *port)
{
	if (port->started)
		rte_eth_dev_stop(port->id);
	port->started = false;
}

void port_close(struct port *port)
{
	watch_end(&port->watch);
	if (port->configured) {
		notices_end(&port->notices);
		rte_eth_dev_close(port->id);
	}
	port->configured = false;
}
