// SPDX-License-Identifier: BSD-3-Clause
// replication/plain_players.h: players of the plain profile in a world: what they say of themselves moves them in it, and what
// they see there they ask for.
//
// Nobody has proved where they are, so they are sent nothing: a question is answered in its place and is as long as its answer
// may be. An answer is whole by itself. What somebody has seen before is not remembered.

#ifndef POLLGATE_REPLICATION_PLAIN_PLAYERS_H
#define POLLGATE_REPLICATION_PLAIN_PLAYERS_H

#include "replication/replication.h"
#include "table/table.h"

/// Among slot_after: a session of the plain table.
#define REPLICA_PLAIN 0x40000000U

/// Whom a player sees, as of one look through the world.
struct plain_choice {
	uint64_t order; // of the ranks in `who`: world_parts_order()
	uint32_t tick;
	uint32_t count;
	world_reference who[WORLD_SLOTS_MAX];
};

/// A session of the plain table in its listener's world.
struct plain_player {
	struct world_mover mover;
	uint32_t number; // in the world
	uint32_t rank;   // as of the re-rank of tick `ranked`
	uint32_t ranked;
	uint32_t joined; // tick before the first frame that it is in
	uint32_t looked; // tick of its last look, or before it was there
	uint32_t reach;  // how far it looked then
	uint8_t world;   // 1 and its index: it is somewhere there; 0: it is nowhere

	struct plain_choice choice CACHE_ALIGNED;
} CACHE_ALIGNED;

/// The session of somebody of ours.
/// @return REPLICATION_NOBODY: a hole, or not a player of profile plain
ALWAYS_INLINE uint32_t replica_plain_slot(const struct replica *replica, uint32_t rank)
{
	const uint32_t number = replica->part->number[rank];
	const uint32_t after = number != WORLD_NOBODY ? replica->slot_after[number - replica->numbers.first] : 0;

	return after & REPLICA_PLAIN ? after & ~(REPLICA_ENTITY | REPLICA_PLAIN) : REPLICATION_NOBODY;
}

/// Prefetch what a movement or a question of a session uses of its player.
ALWAYS_INLINE void plain_player_bring(const struct plain_player *player)
{
	for (size_t at = 0; at < sizeof(*player); at += CACHE_LINE)
		prefetch_for_write((const char *)player + at);
}

/// Prefetch what a question of a session is answered with, once its player was brought: those who are told of lie anywhere, but
/// come all at once.
void plain_player_bring_sight(const struct replication *replication, uint32_t slot);

/// Its rank has its turn to look who is near, in the tick's look. Whoever has not asked for a while does not.
void plain_player_turn(const struct replication *replication, const struct replica *replica, uint32_t rank);

/// After a movement of the session was taken into its record. What the world's rules do not allow is put right there.
void plain_player_moved(struct replication *replication, uint32_t slot, struct plain_session *session, uint64_t now);

/// The session in this slot is no more.
/// @param context  the struct replication
void plain_player_leaves(void *context, uint32_t slot);

/// Write what the player sees, over its question, which was checked.
/// @return bytes; no more than the question has
uint16_t plain_player_looks(struct replication *replication, uint32_t slot, const struct plain_session *session,
			    uint8_t *payload);

/// Its rank is one of now, while there is still a way from the one before.
uint32_t plain_player_rank(const struct replica *replica, struct plain_player *player);

#endif
