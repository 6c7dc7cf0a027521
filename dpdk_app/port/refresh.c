// SPDX-License-Identifier: BSD-3-Clause
// port/refresh.c: what is known of a device at this moment, from whoever knows it: the device, the kernel, its files.

#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "port/port.h"

#define LINK_SETTLES_NS 5000000000ULL // a card's ends agree on how to speak
#define NO_FRAME 1                    // a length that every frame exceeds

uint64_t port_clock_ns(void)
{
	return rte_get_timer_cycles() * 1000 / (rte_get_timer_hz() / 1000000);
}

/// The state comes last: whoever sees it change finds the rest as it belongs to it.
static void tell_state(struct pg_port_stats *stats, enum pg_device_state state, const struct observation *observation)
{
	memcpy(stats->about, observation->about, sizeof(stats->about));
	stats->longest_frame = observation->longest_frame;
	__atomic_store_n(&stats->device, (uint8_t)state, __ATOMIC_RELEASE);
}

/// A link that was never up is one that comes up, until it has had its time.
static enum pg_device_state state_of_card(struct port *port, bool up, uint64_t now_ns)
{
	port->link_counts |= up || now_ns - port->opened_ns >= LINK_SETTLES_NS;
	return up || !port->link_counts ? PG_DEVICE_WELL : PG_DEVICE_DOWN;
}

static void refresh_link_of_driver(struct port *port, struct pg_port_stats *stats)
{
	const uint64_t now_ns = port_clock_ns();
	struct rte_eth_link link = {0};

	port->observation.longest_frame = ANY_LENGTH;
	port->observation.state = PG_DEVICE_WELL;
	if (rte_eth_link_get_nowait(port->id, &link) != 0)
		return;
	stats->link_up = link.link_status == RTE_ETH_LINK_UP;
	stats->link_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	stats->link_known = !port->has_no_link;
	if (port->memif.role != MEMIF_NONE) {
		port->observation.state = memif_state(&port->memif, stats->link_up, now_ns, port->observation.about);
		stats->link_mbps = 0; // memory has none; the driver says 100G
	} else if (!port->has_no_link) {
		port->observation.state = state_of_card(port, stats->link_up, now_ns);
	}
}

static void refresh_link_of_kernel(struct port *port, struct pg_port_stats *stats)
{
	struct observation found;

	if (!watch_look(&port->watch, &found))
		return; // it was not to be asked; what it said last stands
	port->observation = found;
	stats->link_up = port->observation.state < PG_DEVICE_DOWN;
	stats->link_mbps = 0;
	stats->link_known = 1;
}

/// An interface that is down, or a peer that is gone, comes first: it is the larger trouble.
static void refresh_outputs(struct port *port)
{
	char about[PG_ABOUT_MAX];
	const enum pg_device_state state =
		outputs_look(&port->outputs, port->counted.tx_packets, port->counted.tx_bytes, about);

	if (state == PG_DEVICE_WELL || port->observation.longest_frame == 0)
		return;
	port->observation.state = state;
	port->observation.longest_frame = NO_FRAME;
	memcpy(port->observation.about, about, sizeof(about));
}

static enum pg_device_state state_of(const struct port *port)
{
	const enum pg_device_state noticed = notices_state(&port->notices);

	if (noticed != PG_DEVICE_WELL)
		return noticed;
	return port->stuck ? PG_DEVICE_STUCK : port->observation.state;
}

/// Looked for after they were read: registers of a card that is gone read as anything.
static void refresh_counts(struct port *port, struct pg_port_stats *stats)
{
	struct rte_eth_stats device;

	if (rte_eth_stats_get(port->id, &device) != 0 || !card_stands(&port->card))
		return;
	counter_set(&stats->rx_missed,
		    port->base.rx_missed + losses_total(&port->losses, device.imissed) + port->observation.rx_missed);
	counter_set(&stats->rx_errors, port->base.rx_errors + device.ierrors);
	counter_set(&stats->rx_nombuf, port->base.rx_nombuf + device.rx_nombuf);
}

static void refresh_device(struct port *port, struct pg_port_stats *stats)
{
	if (port->watch.count > 0)
		refresh_link_of_kernel(port, stats);
	else
		refresh_link_of_driver(port, stats);
	refresh_outputs(port);
	refresh_counts(port, stats);
}

/// The driver in this process would go on asking registers that are not there.
static void refresh_lost_card(struct port *port, struct pg_port_stats *stats)
{
	port->observation = (struct observation){.state = PG_DEVICE_LEAVING};
	stats->link_up = 0;
}

void port_refresh(struct port *port, struct pg_port_stats *stats)
{
	if (card_stands(&port->card))
		refresh_device(port, stats);
	else
		refresh_lost_card(port, stats);
	atomic_store_explicit(&port->longest_frame, port->observation.longest_frame, memory_order_relaxed);
	stats->queues = port->queues;
	stats->offloads = (port->rx_offload ? PG_OFFLOAD_RX_CHECKSUM : 0) |
			  (port->tx_offload ? PG_OFFLOAD_TX_CHECKSUM : 0) | (port->rss ? PG_OFFLOAD_RSS : 0);
	memcpy(stats->mac, port->identity.mac, sizeof(stats->mac));
	tell_state(stats, state_of(port), &port->observation);
}
