// SPDX-License-Identifier: BSD-3-Clause
// game/game.h: one worker's part of the game bus: the processes that are attached, and what is said to them in this turn.

#ifndef POLLGATE_GAME_GAME_H
#define POLLGATE_GAME_GAME_H

#include "game/link.h"
#include "game/routes.h"
#include "netcode/shard.h"
#include "session/shard.h"

/// Sessions that moved and whose positions nobody was told yet: as many as a burst brings.
#define GAME_MOVED_MAX 256

struct game {
	// set before the worker starts
	struct pg_worker_stats *stats;
	struct pg_process_counts *counts; // by process
	struct session_shard *shard;      // NULL: no listener has profile session
	struct netcode_shard *netcode;    // NULL: no listener has profile netcode
	uint32_t first_client; // as which clients of netcode come behind the slots of sessions: their capacity
	uint64_t tsc_hz;
	uint16_t port[PG_LISTENERS_MAX]; // UDP, of each listener
	int bells;                       // readable when a process rings a worker that sleeps; -1: this one never does

	// written by the control thread
	_Atomic(struct game_link *) arriving[PG_GAME_PROCESSES_MAX] CACHE_ALIGNED;
	_Atomic uint32_t changed; // bits: a link arrives, leaves, or is to be otherwise

	// written by the worker
	const struct game_routes *routes CACHE_ALIGNED;
	struct game_link *link[PG_GAME_PROCESSES_MAX]; // NULL: nobody of this name was ever there
	uint32_t linked;                               // bits: there is a link, which is not broken
	uint32_t present;                              // bits: and a process at its other end
	uint32_t heard;                                // bits: and what its process writes is read
	uint32_t ending;                               // bits: to its end, and then nothing more
	uint32_t movers;                               // bits: who wants to hear of movements
	uint32_t filled;                               // bits: something is reserved and not committed
	uint32_t listing;                              // bits: who is still to be told of some who are in
	uint32_t disowned;                             // bits: of processes that are gone something is left in worlds
	uint64_t turn_ended;                           // TSC
	uint64_t received;                             // packets of the worker, by then
	uint32_t first;                                // process whose orders the next turn begins with
	uint32_t moved_count;
	uint32_t moved[GAME_MOVED_MAX];                 // slots
	uint8_t owned_times[PG_GAME_PROCESSES_MAX];     // in struct entity_owner
	uint32_t disowned_world[PG_GAME_PROCESSES_MAX]; // where taking away has got to
	uint32_t disowned_at[PG_GAME_PROCESSES_MAX];
	uint8_t *scratch; // SESSION_MESSAGE_MAX bytes: a body that is to be checked before it is used
};

/// @param game  zeroed, cache-aligned; what is set before the worker starts is filled in, one of its shards at least
void game_init(struct game *game);

/// The routes from now on.
void game_use_routes(struct game *game, const struct game_routes *routes);

/// A process has written what cannot be, or costs more than it may: its link is left alone until the control thread takes it away.
COLD void game_give_up(struct game *game, unsigned process, const char *why);

/// Does what the control thread asked for.
COLD void game_heed(struct game *game);

ALWAYS_INLINE void game_count_order(const struct game *game, unsigned process, enum pg_order_refusal refusal)
{
	counter_add(&game->counts[process].orders, 1);
	if (unlikely(refusal != PG_ORDER_REFUSED_NONE))
		counter_add(&game->counts[process].refused[refusal], 1);
}

/// Reads no more of those whose rings have been read to their ends.
COLD void game_end(struct game *game);

ALWAYS_INLINE bool game_is_asked(const struct game *game)
{
	return atomic_load_explicit(&game->changed, memory_order_relaxed) != 0;
}

#endif
