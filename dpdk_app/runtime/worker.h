// SPDX-License-Identifier: BSD-3-Clause
// runtime/worker.h: one poll loop, run to completion, sharing nothing writable with another: what it needs whatever
// engine brings its packets.

#ifndef POLLGATE_WORKER_H
#define POLLGATE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "game/game.h"
#include "pipeline/pipeline.h"
#include "pollgate.h"
#include "runtime/mail.h"
#include "runtime/task.h"
#include "stats/histogram.h"
#include "stats/off_cpu.h"

/// Where all workers meet: at the start, at the end, and at a session that is not theirs.
struct barrier {
	// set before launch
	struct plain_registry registry;

	// written by the workers
	_Atomic uint32_t finished; // loops that receive no more
};

/// Are the players of the session and netcode profiles told that the gateway ends?
enum dismissal { DISMISSAL_NONE, DISMISSAL_ASKED, DISMISSAL_DONE };

struct worker {
	// read-mostly: set before launch
	struct pg_worker_stats *stats;
	struct handling_bounds bounds;
	struct barrier *barrier;
	const struct pg_worker_plan *plan;
	const struct engine_parts *parts; // what its engine does for its tasks
	uint32_t number;                  // our place in the barrier
	uint32_t spoken;                  // bit n: a listener speaks profile n
	struct plain_region *region;
	void *index; // plain_index_size() bytes, zero
	uint32_t session_capacity;
	struct hash_secret secret;
	struct session_shard *shard; // of the session profile; NULL: no listener speaks it
	void *messages;              // memory of its message pool
	size_t message_bytes;
	struct game *game;             // what its players say to game processes; NULL: they are of profile plain
	struct netcode_shard *netcode; // of the netcode profile; NULL: no listener speaks it
	size_t netcode_bytes;
	void *worlds_memory; // of its parts of worlds; NULL: there are none
	size_t worlds_bytes;

	// written by the control thread
	_Atomic(const struct policy *) policy CACHE_ALIGNED;
	atomic_bool stop;
	atomic_uint dismissal; // enum dismissal; the worker says when it is done

	// written by the worker
	struct off_cpu off_cpu CACHE_ALIGNED;
	struct plain_table sessions CACHE_ALIGNED;
	struct source_limits sources;
	struct host_buckets host;
	struct handshake_bucket handshakes; // of all profiles
	const struct policy *current;       // policy in use
	struct mail mail;                   // mail of other workers; made where there is a shard
	uint32_t dismissed;                 // slots up to here are told that the gateway ends
	struct tasks tasks;                 // between bursts
};

/// First of all in a loop's own thread: adopt the sessions that a dead worker left, and wait for everybody to have done
/// so. The control thread bounds the wait.
void worker_begin(struct worker *w);

/// @return true when the policy is a new one: w->current, which is to be used from now on, and then acknowledged
bool worker_use_newest_policy(struct worker *w);

/// Has it players who are to be told that the gateway ends?
ALWAYS_INLINE bool worker_has_players_to_tell(const struct worker *w)
{
	return w->shard || w->netcode;
}

/// The policy of w->current is in use everywhere in this worker.
void worker_acknowledge_policy(struct worker *w);

/// Round a size up to whole huge pages if it fills a good part of one: the kernel grants only whole ones. For memory that
/// every packet reads.
/// @return the size to allocate and free instead
size_t pages_whole(size_t size);

/// Zeroed pages, not yet placed: they land on the node of the CPU that touches them first.
/// @return NULL when there are none
void *pages_alloc(size_t size);

/// As pages_alloc(), for memory that may never be touched as a whole: it need not be available now.
void *pages_reserve(size_t size);
void pages_free(void *memory, size_t size);

/// Leave them out of core dumps: there are keys in them, or what players say.
void pages_withhold(void *memory, size_t size);

ALWAYS_INLINE bool worker_stops(const struct worker *w)
{
	return atomic_load_explicit(&w->stop, memory_order_relaxed);
}

/// A burst of `answers` has been offered to its queue, `took` cycles after off_cpu_mark_handling(); the time of these in
/// which others had the CPU is not handling.
ALWAYS_INLINE void worker_count_handling(struct worker *w, unsigned answers, uint64_t took)
{
	took -= off_cpu_part(&w->off_cpu, w->off_cpu.handling_mark, took);
	counter_add(&w->stats->handling[handling_bucket(&w->bounds, took)], answers);
	counter_add(&w->stats->handling_cycles, took * answers);
}

/// A turn of the loop, from `began` to `ended`, moved something or did not.
ALWAYS_INLINE void worker_count_turn(struct worker *w, bool moved, uint64_t began, uint64_t ended)
{
	const uint64_t took = ended - began, off = off_cpu_part(&w->off_cpu, w->off_cpu.turn_mark, took);

	counter_add(moved ? &w->stats->cycles_busy : &w->stats->cycles_idle, took - off);
	if (unlikely(off > 0))
		counter_add(&w->stats->cycles_off_cpu, off);
	w->off_cpu.turn_mark = w->off_cpu.total;
	counter_set(&w->stats->heartbeat_tsc, ended);
}

/// The loop had nothing to do from `began` to `ended`, and may have slept: then the CPU was not taken from it.
ALWAYS_INLINE void worker_count_nap(struct worker *w, uint64_t began, uint64_t ended)
{
	counter_add(&w->stats->cycles_idle, ended - began);
	if (ended - began > w->off_cpu.ask_after)
		off_cpu_slept(&w->off_cpu, ended - began, ended);
	counter_set(&w->stats->heartbeat_tsc, ended);
}

/// Settle the counters of `count` workers that died together: what they held is counted as lost, so that the laws of
/// conservation hold for the whole run. Before the next ones start.
/// @param letters  messages of the operator that were on their way to them, since the page was made
void worker_stats_settle(struct pg_worker_stats *stats, uint32_t count, uint64_t letters);

#endif
