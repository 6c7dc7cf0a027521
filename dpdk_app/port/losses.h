// SPDX-License-Identifier: BSD-3-Clause
// port/losses.h: frames that the kernel had no room for in a driver's sockets, and that the driver does not count.
//
// af_packet of DPDK 22.11 counts none of them, and af_xdp only those for which no buffer was free, not those for which
// the ring was full. The sockets are this process's own, so they can be asked. Of the control thread only.

#ifndef POLLGATE_PORT_LOSSES_H
#define POLLGATE_PORT_LOSSES_H

#include <stdint.h>

#define LOSSES_SOCKETS_MAX 64

struct sockets_found {
	unsigned count;
	int fd[LOSSES_SOCKETS_MAX];
};

struct losses {
	struct sockets_found packet;
	struct sockets_found xdp; // before losses_begin(): those of other devices
	uint64_t of_packet;       // so far: what is read is then zero in the kernel
	uint64_t of_xdp;
};

/// Called before the device makes its AF_XDP sockets: remember the sockets that exist already, because an AF_XDP socket does
/// not tell which device made it.
void losses_prepare(struct losses *losses);

/// Called after the device was started: find its sockets.
/// @param index  of the interface behind the device; 0: there is none
void losses_begin(struct losses *losses, uint32_t index);

/// All frames lost so far, with those that the driver has counted.
uint64_t losses_total(struct losses *losses, uint64_t counted_by_driver);

#endif
