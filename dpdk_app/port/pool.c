// SPDX-License-Identifier: BSD-3-Clause
// port/pool.c: see pool.h.

#include "port/pool.h"

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memory.h>

#include "stats/error.h"

// ---------------------------------------------------------------- layout

/// Without huge pages, DPDK lets no buffer cross the border of an ordinary page, for the sake of devices that go by
/// physical addresses. Then every buffer begins at the same offset of a page of its own, so the headers of a whole
/// burst, and its frames, fall into the same sets of the first-level cache and push each other out. Where addresses
/// are virtual for devices too, they run on over every border, and buffers lie one behind the other.
///
/// That is for virtual devices alone. To a card behind an IOMMU two pages are one, but the cards that qemu emulates
/// (e1000e, igb, vmxnet3: net_tx_pkt_add_raw_fragment) do not send a frame that lies on two pages of the host, and
/// nobody is told. DPDK's own layout never asks that of a card, on huge pages either.
///
/// RTE_MEMPOOL_F_NO_IOVA_CONTIG would do the same, but it leaves all buffers without an address: it is for pools of
/// which no device knows. So the pool's handler is a copy of the one that DPDK chose, with another layout.
#define TIGHT_OPS "pollgate_tight"

static bool addresses_run_on(void)
{
	return rte_eal_iova_mode() == RTE_IOVA_VA;
}

/// Is no card among the devices?
static bool all_virtual(void)
{
	struct rte_eth_dev_info info;
	uint16_t id;

	RTE_ETH_FOREACH_DEV(id) {
		if (rte_eth_dev_info_get(id, &info) < 0 || !info.device ||
		    strcmp(rte_bus_name(rte_dev_bus(info.device)), "vdev") != 0)
			return false;
	}
	return true;
}

/// As DPDK's own, for pages without borders.
static ssize_t tight_size(const struct rte_mempool *pool, uint32_t objects, uint32_t page_shift, size_t *chunk_min,
			  size_t *align)
{
	(void)page_shift;
	return rte_mempool_op_calc_mem_size_helper(pool, objects, 0, 0, chunk_min, align);
}

static int tight_populate(struct rte_mempool *pool, unsigned objects, void *memory, rte_iova_t address, size_t length,
			  rte_mempool_populate_obj_cb_t *add, void *add_argument)
{
	const size_t step = (size_t)pool->header_size + pool->elt_size + pool->trailer_size;
	const unsigned n = (unsigned)RTE_MIN((size_t)objects, length / step);

	for (unsigned i = 0; i < n; i++) {
		const size_t offset = i * step + pool->header_size;
		void *object = RTE_PTR_ADD(memory, offset);

		add(pool, add_argument, object, address == RTE_BAD_IOVA ? RTE_BAD_IOVA : address + offset);
		rte_mempool_ops_enqueue_bulk(pool, &object, 1);
	}
	return (int)n;
}

/// Lay the pool out tightly, unless its buffers are handled by hardware with a layout of its own.
static int use_tight_layout(struct rte_mempool *pool)
{
	struct rte_mempool_ops ops = *rte_mempool_get_ops(pool->ops_index);
	int rc;

	if (ops.populate || ops.calc_mem_size)
		return 0;
	rc = rte_mempool_set_ops_byname(pool, TIGHT_OPS, NULL);
	if (rc == 0) // an earlier pool has registered it
		return 0;
	snprintf(ops.name, sizeof(ops.name), TIGHT_OPS);
	ops.calc_mem_size = tight_size;
	ops.populate = tight_populate;
	rc = rte_mempool_register_ops(&ops);
	return rc < 0 ? rc : rte_mempool_set_ops_byname(pool, TIGHT_OPS, NULL);
}

/// What rte_pktmbuf_pool_create does, but for the layout.
/// @return 0 or -errno
static int fill_pool(struct rte_mempool *pool, uint16_t data_room)
{
	struct rte_pktmbuf_pool_private about = {.mbuf_data_room_size = data_room};
	int rc = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);

	if (rc == 0 && addresses_run_on() && all_virtual())
		rc = use_tight_layout(pool);
	if (rc < 0)
		return rc;
	rte_pktmbuf_pool_init(pool, &about);
	rc = rte_mempool_populate_default(pool);
	if (rc < 0)
		return rc;
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return 0;
}

// ---------------------------------------------------------------- check

/// A page of the memory that DPDK manages.
struct page {
	const uint8_t *begin;
	size_t size;
	rte_iova_t address; // for devices
};

struct inspection {
	struct page page; // of the last look-up: the next is mostly in the same
	struct pg_error *error;
	int rc;
};

/// The address that a device has to use for a byte of ours. Physical ones are asked of the kernel, once per page.
static rte_iova_t device_address(struct inspection *inspection, const uint8_t *byte)
{
	struct page *page = &inspection->page;
	const struct rte_memseg *segment;

	if (page->begin && byte >= page->begin && byte < page->begin + page->size)
		return page->address + (rte_iova_t)(byte - page->begin);
	segment = rte_mem_virt2memseg(byte, NULL);
	if (!segment || segment->iova == RTE_BAD_IOVA) // EAL makes no way to it for a device
		return RTE_BAD_IOVA;
	*page = (struct page){segment->addr, segment->len, rte_mem_virt2iova(segment->addr)};
	return page->address + (rte_iova_t)(byte - page->begin);
}

static void check_buffer(struct rte_mempool *pool, void *argument, void *object, unsigned index)
{
	struct inspection *inspection = argument;
	const struct rte_mbuf *m = object;
	const uint8_t *first = m->buf_addr, *last = first + m->buf_len - 1;
	const rte_iova_t given = rte_mbuf_iova_get(m), expected = device_address(inspection, first);

	if (inspection->rc != PG_OK)
		return;
	if (expected == RTE_BAD_IOVA || given != expected)
		inspection->rc = error_set(inspection->error, PG_ERROR_INTERNAL,
					   "mbuf pool %s: buffer %u has device address 0x%" PRIx64 " where 0x%" PRIx64
					   " is right (IOVA mode %s); a card would not find it",
					   pool->name, index, given, expected, addresses_run_on() ? "VA" : "PA");
	else if (device_address(inspection, last) != given + m->buf_len - 1)
		inspection->rc = error_set(
			inspection->error, PG_ERROR_INTERNAL,
			"mbuf pool %s: buffer %u is in two pieces for a device; a card would write the second "
			"somewhere else",
			pool->name, index);
}

int pool_check(struct rte_mempool *pool, struct pg_error *error)
{
	struct inspection inspection = {.error = error, .rc = PG_OK};

	if (pool->flags & RTE_MEMPOOL_F_NON_IO)
		return error_set(error, PG_ERROR_INTERNAL,
				 "mbuf pool %s is marked as one that no device uses; a card would not get its buffers",
				 pool->name);
	if (rte_mempool_obj_iter(pool, check_buffer, &inspection) != pool->size)
		return error_set(error, PG_ERROR_INTERNAL, "mbuf pool %s has not the %u buffers that it was made for",
				 pool->name, pool->size);
	return inspection.rc;
}

static struct rte_mempool *no_memory(const struct pg_pool_plan *plan, int number, struct pg_error *error)
{
	error_set(error, PG_ERROR_MEMORY, "mbuf pool %s: %u mbufs of %u bytes: %s", plan->name, plan->mbufs,
		  plan->data_room_bytes, rte_strerror(number));
	return NULL;
}

struct rte_mempool *pool_make(const struct pg_pool_plan *plan, struct pg_error *error)
{
	const unsigned object = (unsigned)sizeof(struct rte_mbuf) + plan->data_room_bytes;
	struct rte_mempool *pool = rte_mempool_create_empty(plan->name, plan->mbufs, object, plan->cache,
							    sizeof(struct rte_pktmbuf_pool_private), plan->node, 0);
	int rc;

	if (!pool)
		return no_memory(plan, rte_errno, error);
	rc = fill_pool(pool, plan->data_room_bytes);
	if (rc == 0 && pool_check(pool, error) == PG_OK)
		return pool;
	rte_mempool_free(pool);
	return rc == 0 ? NULL : no_memory(plan, -rc, error);
}
