// SPDX-License-Identifier: BSD-3-Clause
// replication/replication.h: which of a worker's sessions is in which world, where, and what it is told of that world.
//
// A world knows entities by rank, a session shard knows players by slot: here is which is which. A player comes into a world
// with its connection, and is somewhere in it from its first movement on. At each tick the worker publishes where its players
// are, looks who is near whom, and sends every player a datagram (turn.h).

#ifndef POLLGATE_REPLICATION_REPLICATION_H
#define POLLGATE_REPLICATION_REPLICATION_H

#include "replication/entities.h"
#include "replication/numbers.h"
#include "replication/shown.h"
#include "session/shard.h"
#include "stats/histogram.h"
#include "world/game_state.h"
#include "world/glimpses.h"
#include "world/grid.h"
#include "world/interest.h"
#include "world/journal.h"
#include "world/kernels.h"
#include "world/motion.h"
#include "world/observer.h"
#include "world/part.h"
#include "world/reading.h"
#include "world/rules.h"

#define REPLICATION_NOBODY UINT32_MAX

/// Room for those around a player who hear what it says to everyone near, while they are looked for.
#define REPLICATION_CROWD_MAX 8192

/// Everybody of a part gets another rank so often.
#define REPLICATION_RERANK_S 4

struct plain_player;
struct world_inside;
struct waiting;

/// A session in a world. A movement touches the first line alone, a state neither.
struct member {
	struct world_mover mover;
	uint32_t number; // in the world
	uint32_t rank;   // as of the re-rank of tick `ranked`: member_rank()
	uint32_t ranked;
	uint8_t world;  // 1 and its index; 0: it is in none
	uint8_t epoch;  // of what it is told
	bool placed;    // it is somewhere
	bool announces; // it is nowhere, and is to hear that it is no more where it was

	uint32_t reach;       // how far it looked last; 0: it has not yet
	uint32_t announced;   // counter of the first datagram that said so; 0: none did yet
	uint64_t announce_at; // TSC of the next one; 0: at once
	uint32_t stay;        // in a world, or in none: another one each time that it comes or goes
	uint32_t waits;       // messages of this stay that wait for a look through the world
} CACHE_ALIGNED;
static_assert(offsetof(struct member, announces) < CACHE_LINE && offsetof(struct member, reach) == CACHE_LINE,
	      "two lines");

/// What a game says of a session's player, in whichever world it is, until the connection ends.
struct member_state {
	uint8_t length;
	uint8_t bytes[WORLD_STATE_BYTES_MAX];
};

/// Where a tick is.
enum tick_stage {
	TICK_OVER,
	TICK_PUBLISH,
	TICK_GRID,
	TICK_RECORDS,
	TICK_LOOK,
	TICK_SEND,
	TICK_UNTOLD, // it was cut short, or is held: who gets no state is noted
	TICK_TIDY,
};

enum reranking {
	RERANKING_NOT,
	RERANKING_SORTS,
	RERANKING_READY, // the next frame is in new ranks
};

/// From where on somebody is told of less often.
struct replica_tier {
	uint32_t distance2; // quanta^2
	uint32_t pace;      // of observer_pace()
};

/// A worker's share of one world.
struct replica {
	// set before the worker starts
	const struct pg_world_plan *plan;
	struct world_rules rules;
	struct world_part *part; // ours
	struct world_grid *grid; // likewise
	struct world_sweep *sweep;
	struct world_glimpses *glimpses;
	struct world_interest *interest;
	void *interest_memory; // with the glimpses
	size_t interest_bytes;
	uint32_t own;                    // which of the parts is ours
	struct world_reading *reading;   // of all workers' parts
	const struct world_parts *parts; // as it has them
	struct numbers numbers;          // of our entities
	uint32_t *slot_after; // by number, less the first of ours: the player's and 1; or REPLICA_ENTITY; 0: neither
	struct entities entities;
	struct plain_player *plain_players; // of the worker; NULL: none can be in a world
	struct world_game_states states;    // of players and entities of ours
	uint64_t begins;                    // TSC of tick 0
	uint64_t tick_cycles;
	uint64_t parts_per_cycle;      // WORLD_TOLD_PER_TICK in a tick; times 2^32
	uint32_t radius, leave_radius; // quanta
	uint64_t told_per_distance2;   // what observers have of a distance, by its square; times 2^32
	uint32_t state_room;           // bytes of a state at most
	struct replica_tier tier[PG_WORLD_TIERS_MAX];
	uint32_t tiers;
	uint8_t glimpse_shift;                 // of cells for glimpses, in quanta; 0: there are none
	uint8_t unseen_bucket[OBSERVER_TICKS]; // of so many ticks
	bool acknowledges;                     // movements, with the states of its ticks
	bool tells_in_full; // whoever has seen nothing before: on some worker a player of profile plain
	struct pg_world_counts *counts;

	// the worker's
	enum tick_stage stage;
	uint32_t tick;   // that the stage is of
	uint64_t began;  // TSC at which that one did
	uint32_t at;     // rank up to which it has got; of what is sent, how many ranks
	uint32_t first;  // rank that is sent to first: where the last tick that was cut short had got
	uint32_t sent;   // ranks that such a tick had sent to
	bool sheds;      // and those states are counted
	uint32_t looked; // tick of the last look at all of our ranks
	uint64_t due;    // TSC of the next tick
	uint32_t
		ages; // of baselines that states of the last tick were against, as bits: tables of records are made for them
	uint32_t to_tidy, tidied; // units of the grid's sort in this tick
	enum reranking reranking;
	bool journaled;     // what is done to the part is written down
	bool to_write_down; // and everybody is to be, once

	struct shown shown CACHE_ALIGNED; // with another thread
} CACHE_ALIGNED;

struct replication {
	// set before the worker starts
	struct session_shard *shard;
	const struct world_kernels *kernels;
	struct tick_bounds tick_bounds;
	uint32_t replicas;
	struct replica *replica;
	struct member *members;             // by slot; pages of it exist once touched
	struct observer *observers;         // likewise
	struct member_state *states;        // likewise
	struct plain_player *plain_players; // by slot of the plain table; likewise; NULL: no such listener has a world
	struct world_inside *crowd;         // scratch space, of REPLICATION_CROWD_MAX
	struct waiting *waiting;            // what is said that takes a look through a world: the dispatch's own
	struct world_journal journal;
	struct filler filler; // of the shard's deliveries
	struct acknowledged_listener listener;
	uint8_t listener_world[PG_LISTENERS_MAX]; // as in struct pg_plan

	// the worker's
	struct replica *active; // whose tick goes on now
	uint32_t sending;       // slot whose datagram of the tick is being written; REPLICATION_NOBODY
	uint32_t sending_rank;  // the rank of that player
};

/// The session of somebody of ours.
/// @return REPLICATION_NOBODY: a hole, or not a player
ALWAYS_INLINE uint32_t replica_slot(const struct replica *replica, uint32_t rank)
{
	const uint32_t number = replica->part->number[rank];

	if (unlikely(number == WORLD_NOBODY))
		return REPLICATION_NOBODY;

	const uint32_t after = replica->slot_after[number - replica->numbers.first];

	return likely(!(after & REPLICA_ENTITY)) ? after - 1 : REPLICATION_NOBODY;
}

/// Now, as a part wants to be told when somebody was somewhere: in parts of a tick.
ALWAYS_INLINE uint32_t replica_told_at(const struct replica *replica, uint64_t now)
{
	const uint64_t since = now > replica->began ? now - replica->began : 0;

	return replica->tick * WORLD_TOLD_PER_TICK + (uint32_t)(since * replica->parts_per_cycle >> 32);
}

/// Who has come: a number in the world, and a rank of our part as of this re-rank.
struct admitted {
	uint32_t number, rank, ranked;
};

/// Somebody comes who is at this place now.
/// @return false: there is no number or no rank left until somebody goes
ALWAYS_INLINE bool replica_admit(struct replica *replica, uint32_t identity, enum world_sort sort,
				 const struct world_place *place, uint64_t now, struct admitted *admitted)
{
	const uint32_t number = numbers_take(&replica->numbers);
	uint32_t rank;

	if (number == NUMBERS_NONE)
		return false;
	rank = world_part_add(replica->part, number, identity, sort, place, replica_told_at(replica, now));
	if (rank == WORLD_NOBODY) {
		numbers_give_back(&replica->numbers, number);
		return false;
	}
	*admitted = (struct admitted){number, rank, replica->part->reranked};
	return true;
}

ALWAYS_INLINE uint32_t member_rank(const struct replica *replica, struct member *member)
{
	return member->rank = world_rank_now(replica->part, member->rank, &member->ranked);
}

/// Is a movement of this player's acknowledged by a state, so soon that it need not be otherwise?
ALWAYS_INLINE bool replication_acknowledges(const struct replication *replication, uint32_t slot)
{
	const struct member *member = &replication->members[slot];

	return member->placed && replication->replica[member->world - 1].acknowledges;
}

/// Prefetch what a datagram to a player is filled from.
ALWAYS_INLINE void replication_bring(const struct replication *replication, uint32_t slot)
{
	observer_prefetch(&replication->observers[slot]);
}

/// Prefetch what a movement changes, and what it acknowledges.
ALWAYS_INLINE void replication_bring_move(const struct replication *replication, uint32_t slot)
{
	prefetch_for_write(&replication->members[slot]);
	observer_prefetch_heard(&replication->observers[slot]);
}

/// Prefetch where a movement puts its player: once replication_bring_move() has brought what says where that is.
ALWAYS_INLINE void replication_bring_place(const struct replication *replication, uint32_t slot)
{
	const struct member *member = &replication->members[slot];

	if (likely(member->placed))
		prefetch_for_write(world_part_line(replication->replica[member->world - 1].part, member->rank));
}

/// After a movement of one of our sessions was taken into its record. What the world's rules do not allow is put right there,
/// and the player is told.
void replication_moved(struct replication *replication, uint32_t slot, uint64_t now);

/// A game process puts one of our players somewhere, whatever the rules say of speed. Where there is no world, everywhere is
/// somewhere.
/// @return false: there is no such place in the player's world; nothing is changed
bool replication_place(struct replication *replication, uint32_t slot, const struct motion *motion, uint64_t now);

/// A game process puts one of our players into another world, or into none. It is nowhere there until it moves, unless it is told
/// where, or was where it can be in the other one, too; in its own world this is replication_place(). The player is told.
/// @param world   1 and its index; 0: none
/// @param motion  NULL: not said
/// @return false: there is no such place in that world; nothing is changed
bool replication_enter(struct replication *replication, uint32_t slot, uint8_t world, const struct motion *motion,
		       uint64_t now);

/// A game process says something of one of our players, which whoever sees it is told.
/// @param length  at most WORLD_STATE_BYTES_MAX
void replication_say(struct replication *replication, uint32_t slot, const uint8_t *state, uint8_t length);

/// @return 1 and the index of the world of this name; 0: there is none
uint8_t replication_find(const struct replication *replication, const char *name);

/// Let the shard's deliveries tell of who comes, who goes, and what is acknowledged, and ask for states. Before the shard
/// begins.
/// @param replication  what is set before the worker starts is filled in
void replication_init(struct replication *replication);

/// A player whom the active tick has something for.
struct receiver {
	uint32_t slot;
	uint32_t rank; // now
};

/// The next one.
/// @return false: there is none any more
bool replication_next_receiver(struct replication *replication, struct receiver *receiver);

/// The number of a player's session, as issued.
/// @return 0: it is over or lost, and is to be closed
ALWAYS_INLINE uint32_t replication_session(const struct replication *replication, uint32_t slot)
{
	const struct session_record *record = &replication->shard->store->records[slot];

	return likely(record_is_connected(record)) ? record_session(record) : 0;
}

/// From now on a datagram of the active tick is filled for this player.
ALWAYS_INLINE void replication_sends(struct replication *replication, const struct receiver *receiver)
{
	replication->sending = receiver->slot;
	replication->sending_rank = receiver->rank;
}

/// For nobody any more.
ALWAYS_INLINE void replication_sent(struct replication *replication)
{
	replication->sending = REPLICATION_NOBODY;
}

#endif
