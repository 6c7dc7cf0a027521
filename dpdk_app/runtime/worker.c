// SPDX-License-Identifier: BSD-3-Clause
// runtime/worker.c: see worker.h.

#include "runtime/worker.h"

#include <immintrin.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/confine.h"
#include "runtime/profile_life.h"
#include "runtime/worlds.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_ENOUGH (HUGE_PAGE / 4)

size_t pages_whole(size_t size)
{
	return size < HUGE_ENOUGH ? size : (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

static void *map(size_t size, int flags)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/// At the beginning of a huge page: before Linux 6.7, the kernel takes the next address whatever the size.
static void *map_aligned(size_t size, int flags)
{
	uint8_t *memory = map(size + HUGE_PAGE, flags);
	const size_t before = -(uintptr_t)memory & (HUGE_PAGE - 1);

	if (!memory)
		return NULL;
	if (before > 0)
		munmap(memory, before);
	munmap(memory + before + size, HUGE_PAGE - before);
	return memory + before;
}

static void *map_pages(size_t size, int flags)
{
	void *memory = size % HUGE_PAGE == 0 ? map_aligned(size, flags) : map(size, flags);

	if (memory)
		madvise(memory, size, MADV_HUGEPAGE); // fewer TLB misses where the kernel grants it
	return memory;
}

void *pages_alloc(size_t size)
{
	return map_pages(size, 0);
}

void *pages_reserve(size_t size)
{
	return map_pages(size, MAP_NORESERVE);
}

void pages_free(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}

void pages_withhold(void *memory, size_t size)
{
	if (memory)
		madvise(memory, size, MADV_DONTDUMP);
}

/// On the worker's own CPU, so that the tables' memory is touched first, and therefore placed, there.
static void adopt_sessions(struct worker *w)
{
	struct plain_registry *registry = &w->barrier->registry;
	const uint32_t adopted = plain_table_init(&w->sessions, w->region, w->session_capacity, w->index, registry,
						  &w->stats->sessions_active, &w->secret, pg_tsc());

	counter_add(&w->stats->sessions_recovered, adopted);
	__atomic_store_n(&registry->table[w->number], &w->sessions, __ATOMIC_RELEASE);
}

/// Nobody admits a player before everybody knows theirs, nor takes a packet before all have published where players are.
static void await_everybody(const struct worker *w)
{
	const struct plain_registry *registry = &w->barrier->registry;

	for (uint32_t i = 0; i < registry->tables; i++)
		while (!__atomic_load_n(&registry->table[i], __ATOMIC_ACQUIRE) && !worker_stops(w))
			_mm_pause();
}

void worker_begin(struct worker *w)
{
	off_cpu_begin(&w->off_cpu, pg_tsc_hz());
	thread_keep_capabilities(0); // giving up is never refused
	counter_set(&w->stats->thread, (uint64_t)syscall(SYS_gettid));
	profiles_begin(w);
	worlds_begin(w);
	adopt_sessions(w);
	worlds_watch_addresses(w);
	await_everybody(w);
}

void worker_acknowledge_policy(struct worker *w)
{
	// Released: the control thread reuses the old policy when it sees the new generation.
	__atomic_store_n(&w->stats->policy_generation, w->current->generation, __ATOMIC_RELEASE);
}

bool worker_use_newest_policy(struct worker *w)
{
	const struct policy *policy = atomic_load_explicit(&w->policy, memory_order_acquire);
	const bool fresh = policy != w->current;

	w->current = policy;
	if (unlikely(fresh))
		profiles_use_policy(w);
	return fresh;
}
