// SPDX-License-Identifier: BSD-3-Clause
// port/pool.h: a pool of packet buffers, laid out so that a burst of them fits the first-level cache.

#ifndef POLLGATE_PORT_POOL_H
#define POLLGATE_PORT_POOL_H

#include <rte_mempool.h>

#include "pollgate.h"

/// @return the caller's to free with rte_mempool_free; NULL with the reason in rte_errno
struct rte_mempool *pool_make(const struct pg_pool_plan *plan);

#endif
