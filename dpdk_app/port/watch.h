// SPDX-License-Identifier: BSD-3-Clause
// port/watch.h: do the kernel's interfaces behind a virtual device still serve it?
//
// Drivers of virtual devices say that the link is up whatever their interface does, and never notice that it is gone
// or that another one has its name. So the kernel is asked. Of the control thread only.

#ifndef POLLGATE_PORT_WATCH_H
#define POLLGATE_PORT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "pollgate.h"
#include "port/interface.h"

#define WATCHED_MAX 4
#define ANY_LENGTH UINT16_MAX

struct watched {
	char name[IF_NAMESIZE];
	uint32_t index;   // of the one that was opened
	uint32_t mtu;     // when it was opened; 0: not known
	uint32_t far_mtu; // of a veth's other end, as last known; the right to ask is given up after the opening
	bool made_here;   // by the driver: nobody else makes it again
	bool was_gone;    // the kernel took the driver's sockets off it then, for good

	// of an interface that the driver made: its queue is the device's receive ring
	uint64_t lost_before; // when it was opened
	uint64_t lost;        // since
};

struct watch {
	struct interface_netlink netlink;
	unsigned count; // 0: no interface of the kernel is behind this device
	struct watched interface[WATCHED_MAX];
	bool minds_own_mtu;      // the driver sends through packet sockets, which take no longer frame
	bool sends_from_ring;    // and from a ring of the kernel's, which can stand still
	bool stops_at_a_refusal; // the driver gives back a frame that the kernel refuses, with all that are behind it
};

/// What the kernel reported. With several interfaces, the one in the worst state is reported.
struct observation {
	enum pg_device_state state;
	char about[PG_ABOUT_MAX]; // the interface
	uint16_t longest_frame;   // that can leave, without a tag; ANY_LENGTH: all of ours
	uint64_t tx_packets;      // of all interfaces
	uint64_t tx_dropped;
	uint64_t rx_missed; // since the opening: lost in the queues of interfaces that the driver made
};

/// Find the interfaces behind a device that is open.
void watch_begin(struct watch *watch, uint16_t port_id);
void watch_end(struct watch *watch);

/// @return false: the kernel did not answer
bool watch_look(struct watch *watch, struct observation *out);

#endif
