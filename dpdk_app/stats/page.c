// SPDX-License-Identifier: BSD-3-Clause
// stats/page.c: the statistics page: made by the supervisor, written by workers, copied for readers.

#include <string.h>

#include "compiler.h"
#include "pollgate.h"

#define PAGE_MAGIC 0x6574616767616c70ULL

static_assert(sizeof(struct pg_stats_page) % sizeof(uint64_t) == 0, "copied word by word");

size_t pg_stats_page_size(void)
{
	return sizeof(struct pg_stats_page);
}

void pg_stats_page_init(struct pg_stats_page *page, uint32_t workers, uint32_t ports, uint32_t pools)
{
	page->magic = PAGE_MAGIC;
	page->abi_version = PG_ABI_VERSION;
	page->worker_count = workers;
	page->port_count = ports;
	page->pool_count = pools;
}

int pg_stats_snapshot(const struct pg_stats_page *page, struct pg_stats_page *out)
{
	const uint64_t *from = (const uint64_t *)page;
	uint64_t *to = (uint64_t *)out;

	if (page->magic != PAGE_MAGIC || page->abi_version != PG_ABI_VERSION)
		return PG_ERROR_USAGE;
	// Backwards: `received` lies before the counters of where packets ended and is stored before them, so
	// reading it last never shows a packet that ended without having arrived.
	for (size_t i = sizeof(*page) / sizeof(*from); i-- > 0;)
		to[i] = counter_get(&from[i]);
	return PG_OK;
}
