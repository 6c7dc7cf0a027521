// SPDX-License-Identifier: BSD-3-Clause
// worker/worker.c: see worker.h.

#include "worker/worker.h"

#include <immintrin.h>
#include <sys/mman.h>

#include "worker/sides.h"

static void *map(size_t size, int flags)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, size, MADV_HUGEPAGE); // fewer TLB misses where the kernel grants it
	return memory;
}

void *pages_alloc(size_t size)
{
	return map(size, 0);
}

void *pages_reserve(size_t size)
{
	return map(size, MAP_NORESERVE);
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
	struct session_census *census = &w->assembly->census;
	const uint32_t adopted = session_table_init(&w->sessions, w->region, w->session_capacity, w->index, census,
						    &w->stats->sessions_active, &w->secret, pg_tsc());

	counter_add(&w->stats->sessions_recovered, adopted);
	__atomic_store_n(&census->table[w->number], &w->sessions, __ATOMIC_RELEASE);
}

/// Nobody admits a player before everybody knows theirs.
static void await_everybody(const struct worker *w)
{
	const struct session_census *census = &w->assembly->census;

	for (uint32_t i = 0; i < census->tables; i++)
		while (!__atomic_load_n(&census->table[i], __ATOMIC_ACQUIRE) && !worker_stops(w))
			_mm_pause();
}

void worker_begin(struct worker *w)
{
	side_begin(w);
	adopt_sessions(w);
	await_everybody(w);
}

void worker_acknowledge_policy(struct worker *w)
{
	// Released: the control thread reuses the old policy when it sees the new generation.
	__atomic_store_n(&w->stats->policy_generation, w->current->generation, __ATOMIC_RELEASE);
}

bool worker_keep_house(struct worker *w, uint64_t now, uint32_t slots)
{
	const struct policy *policy = atomic_load_explicit(&w->policy, memory_order_acquire);
	const bool fresh = policy != w->current;
	const uint32_t expired = session_expire(&w->sessions, now, policy->idle_timeout, slots);

	w->current = policy;
	if (w->side) {
		if (unlikely(fresh))
			side_use_policy(w->side, policy);
		side_keep_house(w, now, slots);
	}
	if (unlikely(expired > 0))
		counter_add(&w->stats->sessions_expired, expired);
	return fresh;
}
