// SPDX-License-Identifier: BSD-3-Clause
// port/watch.c: see watch.h.

#include "port/watch.h"

#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_ethdev.h>

#include "port/arguments.h"

/// Arguments of drivers that name an interface which rte_eth_dev_info_get() does not tell.
static const char *const naming[] = {"rx_iface", "rx_iface_in", "tx_iface", "remote"};

#define ETHER_HEADER 14

static void watch_one(struct watch *watch, uint32_t index, const char *name, bool made_here)
{
	struct watched *new = &watch->interface[watch->count];
	struct interface found;

	for (unsigned i = 0; i < watch->count; i++)
		if (name && strcmp(watch->interface[i].name, name) == 0)
			return;
	if (watch->count == WATCHED_MAX)
		return;
	*new = (struct watched){.index = index, .made_here = made_here};
	if (name)
		snprintf(new->name, sizeof(new->name), "%s", name);
	if (interface_ask(&watch->netlink, index, new->name, &found) == INTERFACE_FOUND) {
		memcpy(new->name, found.name, sizeof(new->name));
		new->index = found.index;
		new->mtu = found.mtu;
		new->far_mtu = found.far_mtu;
		new->lost_before = found.tx_dropped;
	}
	watch->count++;
}

static void watch_named(struct watch *watch, const char *arguments)
{
	char name[IF_NAMESIZE];

	for (unsigned k = 0; k < sizeof(naming) / sizeof(*naming); k++)
		for (const char *at = arguments; (at = argument_next(at, naming[k], name, sizeof(name)));)
			watch_one(watch, 0, name, false);
}

static void know_driver(struct watch *watch, const char *driver)
{
	const bool ring = strcmp(driver, "net_af_packet") == 0, pcap = strcmp(driver, "net_pcap") == 0;

	watch->minds_own_mtu = ring || pcap;
	watch->sends_from_ring = ring;
	watch->stops_at_a_refusal = pcap || strcmp(driver, "net_tap") == 0;
}

void watch_begin(struct watch *watch, uint16_t port_id)
{
	struct rte_eth_dev_info info;
	const struct rte_devargs *devargs;

	*watch = (struct watch){.netlink.fd = -1};
	// What is a card for its driver, which knows its link itself, can have an interface, too.
	if (rte_eth_dev_info_get(port_id, &info) < 0 || strncmp(info.driver_name, "net_", 4) != 0 ||
	    strchr(rte_dev_name(info.device), ':'))
		return;
	interface_netlink_open(&watch->netlink);
	know_driver(watch, info.driver_name);
	if (info.if_index != 0)
		watch_one(watch, info.if_index, NULL, strcmp(info.driver_name, "net_tap") == 0);
	devargs = rte_dev_devargs(info.device);
	watch_named(watch, devargs ? devargs->args : NULL);
	if (watch->count == 0)
		interface_netlink_close(&watch->netlink);
}

void watch_end(struct watch *watch)
{
	interface_netlink_close(&watch->netlink);
	watch->count = 0;
}

/// It is not there any more: is there another one with its name?
static enum pg_device_state absent_state(struct watch *watch, const struct watched *w)
{
	struct interface other;

	if (w->made_here || w->name[0] == '\0')
		return PG_DEVICE_REPLACED; // opening the device makes it, or says what is missing
	return interface_ask(&watch->netlink, 0, w->name, &other) == INTERFACE_FOUND ? PG_DEVICE_REPLACED :
										       PG_DEVICE_GONE;
}

/// What both ends of the interface carry: a frame that is longer than a veth's far end takes is lost there.
static uint32_t carried(const struct watch *watch, const struct watched *w, const struct interface *now)
{
	const uint32_t near = watch->minds_own_mtu ? now->mtu : UINT32_MAX;

	return w->far_mtu != 0 && w->far_mtu < near ? w->far_mtu : near;
}

/// An interface that was down may have another wire at its other end.
static void remember_far_end(struct watched *w, const struct interface *now)
{
	if (now->far_mtu != 0 || !now->up)
		w->far_mtu = now->far_mtu;
}

static enum pg_device_state present_state(const struct watch *watch, const struct watched *w,
					  const struct interface *now)
{
	// It comes back with the number that it had when it was in another network namespace meanwhile.
	if (w->was_gone)
		return PG_DEVICE_REPLACED;
	if (!now->up)
		return PG_DEVICE_DOWN;
	return carried(watch, w, now) < w->mtu ? PG_DEVICE_NARROW : PG_DEVICE_WELL;
}

static bool look_at(struct watch *watch, struct watched *w, struct observation *out)
{
	struct interface now;
	enum pg_device_state state;

	switch (interface_ask(&watch->netlink, w->index, w->name, &now)) {
	case INTERFACE_FOUND:
		remember_far_end(w, &now);
		state = present_state(watch, w, &now);
		out->tx_packets += now.tx_packets;
		out->tx_dropped += now.tx_dropped;
		if (state == PG_DEVICE_NARROW)
			out->longest_frame = (uint16_t)(carried(watch, w, &now) + ETHER_HEADER);
		if (w->made_here)
			w->lost = now.tx_dropped - w->lost_before;
		break;
	case INTERFACE_ABSENT:
		state = absent_state(watch, w);
		w->was_gone = true;
		break;
	default:
		return false;
	}
	out->rx_missed += w->lost;
	if (state > out->state) {
		out->state = state;
		snprintf(out->about, sizeof(out->about), "%s", w->name);
	}
	return true;
}

bool watch_look(struct watch *watch, struct observation *out)
{
	*out = (struct observation){.state = PG_DEVICE_WELL, .longest_frame = ANY_LENGTH};
	snprintf(out->about, sizeof(out->about), "%s", watch->interface[0].name);
	for (unsigned i = 0; i < watch->count; i++)
		if (!look_at(watch, &watch->interface[i], out))
			return false;
	if (out->state > PG_DEVICE_NARROW)
		out->longest_frame = 0;
	return true;
}
