// SPDX-License-Identifier: BSD-3-Clause
// port/notices.h: events that a device reports: it has to be reset, or it is being removed.
//
// Written by DPDK's interrupt thread, read by the control thread.

#ifndef POLLGATE_PORT_NOTICES_H
#define POLLGATE_PORT_NOTICES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pollgate.h"

struct notices {
	uint16_t port_id;
	atomic_bool asks_reset;
	atomic_bool is_leaving;
};

/// Register for the events of a port's device. The structure must stay where it is until notices_end().
void notices_begin(struct notices *notices, uint16_t port_id);
void notices_end(struct notices *notices);

/// @return PG_DEVICE_WELL when there was no event
enum pg_device_state notices_state(const struct notices *notices);

#endif
