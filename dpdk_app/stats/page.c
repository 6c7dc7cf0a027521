// SPDX-License-Identifier: BSD-3-Clause
// stats/page.c: the statistics page: made by the supervisor, written by workers, copied for readers.

#include <string.h>

#include "compiler.h"
#include "pollgate.h"
#include "stats/directory.h"

#define PAGE_MAGIC 0x6574616767616c70ULL
#define COPIES_MAX 4 // names are given far more slowly than a page is copied

static_assert(offsetof(struct pg_stats_page, directory) % sizeof(uint64_t) == 0, "copied word by word");
static_assert(offsetof(struct pg_stats_page, names) % sizeof(uint64_t) == 0, "the same");
static_assert(sizeof(struct pg_stats_names) % sizeof(uint64_t) == 0, "the same");

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
	page->page_bytes = sizeof(*page);
	page->directory_offset = offsetof(struct pg_stats_page, directory);
	page->directory_entries = PG_STATS_ENTRIES;
	page->directory_entry_bytes = sizeof(struct pg_stats_entry);
	page->sets_offset = offsetof(struct pg_stats_page, directory.set);
	page->sets = PG_STATS_SETS;
	page->set_bytes = sizeof(struct pg_stats_set_entry);
	stats_directory_write(&page->directory);
}

static bool page_is_ours(const struct pg_stats_page *page)
{
	return page->magic == PAGE_MAGIC && page->abi_version == PG_ABI_VERSION && page->page_bytes == sizeof(*page);
}

bool pg_stats_page_fits(const struct pg_stats_page *page)
{
	struct pg_stats_directory ours;

	if (!page_is_ours(page) || page->directory_offset != offsetof(struct pg_stats_page, directory))
		return false;
	stats_directory_write(&ours);
	return memcmp(&ours, &page->directory, sizeof(ours)) == 0;
}

static void copy(const uint64_t *from, uint64_t *to)
{
	// Backwards: `received` lies before the counters of where packets ended and is stored before them, so
	// reading it last never shows a packet that ended without having arrived.
	for (size_t i = offsetof(struct pg_stats_page, directory) / sizeof(*from); i-- > 0;)
		to[i] = counter_get(&from[i]);
	// Names forwards, because the beginning of one is written last.
	for (size_t i = 0, first = offsetof(struct pg_stats_page, names) / sizeof(*from);
	     i < sizeof(struct pg_stats_names) / sizeof(*from); i++)
		to[first + i] = __atomic_load_n(&from[first + i], __ATOMIC_ACQUIRE);
}

/// A slot that got another name meanwhile may have the counters of before: all is copied again.
int pg_stats_snapshot(const struct pg_stats_page *page, struct pg_stats_page *out)
{
	uint32_t namings;

	if (!page_is_ours(page))
		return PG_ERROR_USAGE;
	for (unsigned i = 0; i < COPIES_MAX; i++) {
		namings = __atomic_load_n(&page->namings, __ATOMIC_ACQUIRE);
		copy((const uint64_t *)page, (uint64_t *)out);
		if (__atomic_load_n(&page->namings, __ATOMIC_RELAXED) == namings)
			break;
	}
	return PG_OK;
}
