// SPDX-License-Identifier: BSD-3-Clause
// port/pool.c: see pool.h.

#include "port/pool.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

/// Without huge pages, DPDK lets no buffer cross the border of an ordinary page, for the sake of devices that go by
/// physical addresses. Then every buffer begins at the same offset of a page of its own, so the headers of a whole
/// burst, and its frames, fall into the same sets of the first-level cache and push each other out. Where addresses
/// are virtual for devices too, no border matters, and buffers lie one behind the other.
static unsigned layout_flags(void)
{
	return rte_eal_iova_mode() == RTE_IOVA_VA ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0;
}

/// What rte_pktmbuf_pool_create does, but for the flags, which it does not take.
struct rte_mempool *pool_make(const struct pg_pool_plan *plan)
{
	struct rte_pktmbuf_pool_private about = {.mbuf_data_room_size = plan->data_room_bytes};
	const unsigned object = (unsigned)sizeof(struct rte_mbuf) + plan->data_room_bytes;
	struct rte_mempool *pool = rte_mempool_create_empty(plan->name, plan->mbufs, object, plan->cache, sizeof(about),
							    plan->node, layout_flags());
	int rc;

	if (!pool)
		return NULL;
	rte_pktmbuf_pool_init(pool, &about);
	rc = rte_mempool_populate_default(pool);
	if (rc < 0) {
		rte_mempool_free(pool);
		rte_errno = -rc;
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}
