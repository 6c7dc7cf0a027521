// SPDX-License-Identifier: BSD-3-Clause
// port/notices.h: what a device says by itself: that it has to be reset, or that it is being taken away.
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

/// Hear the device of a port. It must stay where it is until notices_end().
void notices_begin(struct notices *notices, uint16_t port_id);
void notices_end(struct notices *notices);

/// PG_DEVICE_WELL when nothing was said.
enum pg_device_state notices_state(const struct notices *notices);

#endif
