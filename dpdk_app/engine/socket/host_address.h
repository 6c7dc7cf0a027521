// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/host_address.h: is the interface up that has an address of a port?
//
// A bound socket hears of neither. The kernel goes on taking what comes for the address by other interfaces. Of the control
// thread only.

#ifndef POLLGATE_ENGINE_SOCKET_HOST_ADDRESS_H
#define POLLGATE_ENGINE_SOCKET_HOST_ADDRESS_H

#include <stdbool.h>

#include "pollgate.h"

struct interface_state {
	bool down;       // set down by the operator
	bool no_carrier; // or nothing at its other end
	char name[PG_ABOUT_MAX];
};

/// The worst of the interfaces that have these addresses; of an address that none has by itself (another one of
/// 127.0.0.0/8), nothing.
/// @return false: the kernel did not say
bool host_interfaces_of(const struct pg_address *address, unsigned count, struct interface_state *out);

#endif
