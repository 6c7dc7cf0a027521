// SPDX-License-Identifier: BSD-3-Clause
// port/pool.h: a pool of packet buffers, laid out so that a burst of them fits the first-level cache, each with the
// address at which a device finds it.

#ifndef POLLGATE_PORT_POOL_H
#define POLLGATE_PORT_POOL_H

#include <rte_mempool.h>

#include "pollgate.h"

/// Make a pool and check it (pool_check).
/// @return the caller's to free with rte_mempool_free; NULL: `error` is filled
struct rte_mempool *pool_make(const struct pg_pool_plan *plan, struct pg_error *error);

/// Can a device reach every buffer? Three things must hold: a buffer's device address is right, its bytes are contiguous at
/// that address, and the pool is not flagged as one that no device uses. Virtual devices never use device addresses, so they
/// would not notice. This is for the start: every buffer is looked at.
int pool_check(struct rte_mempool *pool, struct pg_error *error);

#endif
