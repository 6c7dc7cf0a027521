// SPDX-License-Identifier: BSD-3-Clause
// port/interface.h: what the kernel says of one of its network interfaces.

#ifndef POLLGATE_PORT_INTERFACE_H
#define POLLGATE_PORT_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

#include <net/if.h>

struct interface {
	char name[IF_NAMESIZE];
	uint32_t index;
	bool up; // by the operator, with a carrier
	uint32_t mtu;
	uint32_t far_mtu; // of the other end of a veth; 0: not to be had
	uint64_t tx_packets;
	uint64_t tx_dropped;
};

enum interface_answer { INTERFACE_FOUND, INTERFACE_ABSENT, INTERFACE_UNKNOWN };

/// A netlink socket that asks, in the network namespace of this process.
struct interface_netlink {
	int fd; // -1: the kernel gave no socket; every answer is then INTERFACE_UNKNOWN
	uint32_t sequence;
};

void interface_netlink_open(struct interface_netlink *netlink);
void interface_netlink_close(struct interface_netlink *netlink);

/// Ask by index, or with index 0 by name. Does not wait.
/// @return INTERFACE_UNKNOWN: the kernel did not say
enum interface_answer interface_ask(struct interface_netlink *netlink, uint32_t index, const char *name,
				    struct interface *out);

#endif
