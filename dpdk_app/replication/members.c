// SPDX-License-Identifier: BSD-3-Clause
// replication/members.c: who comes into a world, moves in it and leaves it.

#include "replication/members.h"

#include <string.h>

/// A player's place as the part wants it: when it was there, in parts of a tick.
static uint32_t told_at(const struct replica *replica, uint64_t now)
{
	const uint64_t since = now > replica->began ? now - replica->began : 0;

	return replica->tick * WORLD_TOLD_PER_TICK + (uint32_t)(since * replica->parts_per_cycle >> 32);
}

static void place(struct replication *replication, struct replica *replica, struct member *member, uint32_t slot,
		  uint64_t now)
{
	const struct world_place at = world_mover_where(&member->mover);
	const uint32_t player_id = replication->shard->store->records[slot].player_id;
	const uint32_t number = numbers_take(&replica->numbers);
	uint32_t rank;

	if (number == NUMBERS_NONE)
		return; // the next movement tries again
	rank = world_part_add(replica->part, number, player_id, WORLD_PLAYER, &at, told_at(replica, now));
	if (rank == WORLD_NOBODY) {
		numbers_give_back(&replica->numbers, number);
		return;
	}
	replica->slot_after[number - replica->numbers.first] = slot + 1;
	member->number = number;
	member->rank = rank;
	member->ranked = replica->part->reranked;
	member->placed = true;
	observer_begin(&replication->observers[slot], member->epoch, replica->tick);
	counter_set(&replica->counts->players, replica->counts->players + 1);
}

static void unplace(struct replica *replica, struct member *member)
{
	if (!member->placed)
		return;
	world_part_remove(replica->part, member_rank(replica, member));
	replica->slot_after[member->number - replica->numbers.first] = 0;
	numbers_give_back(&replica->numbers, member->number);
	member->placed = false;
	counter_set(&replica->counts->players, replica->counts->players - 1);
}

// ---------------------------------------------------------------- movements

/// The entity is where the player is by now.
static void follow(struct replica *replica, struct member *member, uint64_t now)
{
	const struct world_place at = world_mover_where(&member->mover);

	world_part_move(replica->part, member_rank(replica, member), &at, told_at(replica, now));
}

/// The record has what the player said: what holds instead goes there, and to the player, unless it was told already.
static COLD void correct(struct replication *replication, const struct replica *replica, const struct member *member,
			 uint32_t slot, enum pg_world_move move, uint64_t now)
{
	struct session_record *record = &replication->shard->store->records[slot];
	struct motion motion;
	const struct outgoing correction = {.type = SESSION_CORRECTION,
					    .reliable = true,
					    .priority = PRIORITY_URGENT,
					    .body = (const uint8_t *)&motion,
					    .length = sizeof(motion)};

	world_mover_says(&member->mover, &replica->rules, &motion);
	record_move(record, (const uint8_t *)&motion);
	if (move == PG_WORLD_MOVE_STALE)
		return;
	(void)session_deliver(replication->shard, record_session(record), &correction, now); // counted there
}

/// Somebody who is nowhere yet comes to where it says it is, if that is in the world.
static void enter(struct replication *replication, struct replica *replica, struct member *member, uint32_t slot,
		  uint64_t now)
{
	const struct session_record *record = &replication->shard->store->records[slot];
	const struct motion motion = record->motion;

	if (world_mover_enter(&member->mover, &replica->rules, &motion, now)) {
		place(replication, replica, member, slot, now);
		counter_add(&replica->counts->moves[PG_WORLD_MOVE_TAKEN], 1);
	} else {
		counter_add(&replica->counts->moves[PG_WORLD_MOVE_BOUNDS], 1);
	}
}

void replication_moved(struct replication *replication, uint32_t slot, uint64_t now)
{
	struct member *member = &replication->members[slot];
	const struct motion *motion = &replication->shard->store->records[slot].motion;
	struct replica *replica;
	enum pg_world_move move;

	if (member->world == 0)
		return;
	replica = &replication->replica[member->world - 1];
	if (unlikely(!member->placed)) {
		enter(replication, replica, member, slot, now);
		return;
	}
	move = world_mover_move(&member->mover, &replica->rules, motion, now);
	counter_add(&replica->counts->moves[move], 1);
	if (unlikely(move != PG_WORLD_MOVE_TAKEN))
		correct(replication, replica, member, slot, move, now);
	if (unlikely(move == PG_WORLD_MOVE_STALE)) // it goes on as it did
		return;
	follow(replica, member, now);
}

bool replication_place(struct replication *replication, uint32_t slot, const struct motion *motion, uint64_t now)
{
	struct member *member = &replication->members[slot];
	struct replica *replica;

	if (member->world == 0)
		return true;
	replica = &replication->replica[member->world - 1];
	if (!member->placed) {
		if (!world_mover_enter(&member->mover, &replica->rules, motion, now))
			return false;
		place(replication, replica, member, slot, now);
		return true;
	}
	if (!world_mover_place(&member->mover, &replica->rules, motion, now))
		return false;
	follow(replica, member, now);
	return true;
}

// ---------------------------------------------------------------- connections

void member_joins(struct replication *replication, uint32_t slot, uint8_t world, uint64_t now)
{
	const struct session_record *record = &replication->shard->store->records[slot];
	struct member *member = &replication->members[slot];

	*member = (struct member){.world = world, .epoch = (uint8_t)(record->epoch << 5 | (member->epoch + 1) % 32)};
	if (world != 0 && record->motion_version != 0 && record->motion_version % 2 == 0)
		enter(replication, &replication->replica[world - 1], member, slot, now);
}

void member_leaves(struct replication *replication, uint32_t slot)
{
	struct member *member = &replication->members[slot];

	if (member->world != 0)
		unplace(&replication->replica[member->world - 1], member);
	member->world = 0;
}
