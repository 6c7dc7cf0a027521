// SPDX-License-Identifier: BSD-3-Clause
// replication/members.c: who comes into a world, moves in it and leaves it.

#include "replication/members.h"

#include <string.h>

#include "session/older.h"

#define EPOCHS 32U // of one process

/// Of the same process: the upper bits are its own.
static uint8_t next_epoch(uint8_t epoch)
{
	return (uint8_t)((epoch & ~(EPOCHS - 1U)) | ((epoch + 1U) & (EPOCHS - 1U)));
}

/// As of now, to whoever sees the player.
static void say_state(const struct replication *replication, struct replica *replica, uint32_t slot)
{
	const struct member_state *state = &replication->states[slot];

	world_game_state_set(replica->part, replication->members[slot].number,
			     replication->shard->store->records[slot].player_id, state->bytes, state->length);
}

void replication_say(struct replication *replication, uint32_t slot, const uint8_t *state, uint8_t length)
{
	const struct member *member = &replication->members[slot];

	replication->states[slot].length = length;
	memcpy(replication->states[slot].bytes, state, length);
	if (member->placed)
		say_state(replication, &replication->replica[member->world - 1], slot);
}

/// Nobody is there twice: an older connection of the player goes first.
/// @return PG_WORLD_MOVE_TAKEN; or why it is not there: the next movement tries again
static enum pg_world_move place(struct replication *replication, struct replica *replica, struct member *member,
				uint32_t slot, uint64_t now)
{
	const struct world_place at = world_mover_where(&member->mover);
	const uint32_t player_id = replication->shard->store->records[slot].player_id;
	struct admitted admitted;

	if (!older_are_gone(replication->shard, slot))
		return PG_WORLD_MOVE_OLDER;
	if (!replica_admit(replica, player_id, WORLD_PLAYER, &at, now, &admitted))
		return PG_WORLD_MOVE_FULL;
	replica->slot_after[admitted.number - replica->numbers.first] = slot + 1;
	if (member->announced != 0) // ticks may have come round since it heard of one
		member->epoch = next_epoch(member->epoch);
	member->announces = false;
	member->number = admitted.number;
	member->rank = admitted.rank;
	member->ranked = admitted.ranked;
	member->placed = true;
	say_state(replication, replica, slot);
	observer_begin(&replication->observers[slot], member->epoch, replica->tick);
	counter_set(&replica->counts->players, replica->counts->players + 1);
	return PG_WORLD_MOVE_TAKEN;
}

static void unplace(struct replica *replica, struct member *member)
{
	if (!member->placed)
		return;
	world_part_remove(replica->part, member_rank(replica, member));
	world_game_state_clear(replica->part, member->number);
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

	world_part_move(replica->part, member_rank(replica, member), &at, replica_told_at(replica, now));
}

/// What holds instead of a movement, and that movement.
struct said_correction {
	struct motion motion;
	struct correction_refused refused;
} PACKED;

static void write_correction(struct said_correction *said, const struct member *member, const struct replica *replica,
			     const struct motion *refused, enum pg_world_move move)
{
	*said = (struct said_correction){.refused = {.why = (uint8_t)move}};
	world_mover_says(&member->mover, &replica->rules, &said->motion);
	memcpy(said->refused.position, refused->position, sizeof(said->refused.position));
	memcpy(said->refused.velocity, refused->velocity, sizeof(said->refused.velocity));
}

/// The record has what the player said: what holds instead goes there, and to the player, unless it was told already.
static COLD void correct(struct replication *replication, const struct replica *replica, const struct member *member,
			 uint32_t slot, enum pg_world_move move, uint64_t now)
{
	struct session_record *record = &replication->shard->store->records[slot];
	struct said_correction said;
	const struct outgoing correction = {.type = SESSION_CORRECTION,
					    .reliable = true,
					    .priority = PRIORITY_URGENT,
					    .body = (const uint8_t *)&said,
					    .length = sizeof(said)};

	write_correction(&said, member, replica, &record->motion, move);
	record_move(record, (const uint8_t *)&said.motion);
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

	enum pg_world_move move = PG_WORLD_MOVE_BOUNDS;

	if (world_mover_enter(&member->mover, &replica->rules, &motion, now))
		move = place(replication, replica, member, slot, now);
	counter_add(&replica->counts->moves[move], 1);
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
		(void)place(replication, replica, member, slot, now); // there is such a place, if there is room or not
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
	const uint8_t epoch = (uint8_t)(record->epoch * EPOCHS | (member->epoch & (EPOCHS - 1U)));

	*member = (struct member){.world = world, .epoch = next_epoch(epoch), .stay = member->stay + 1};
	if (world != 0 && record->motion_version != 0 && record->motion_version % 2 == 0)
		enter(replication, &replication->replica[world - 1], member, slot, now);
}

uint8_t member_world(const struct replication *replication, uint32_t slot)
{
	const struct session_record *record = &replication->shard->store->records[slot];
	const uint8_t world = record_world(record, replication->listener_world[peer_listener(&record->peer)]);

	return world <= replication->replicas ? world : 0;
}

void member_leaves(struct replication *replication, uint32_t slot)
{
	struct member *member = &replication->members[slot];

	if (member->world != 0)
		unplace(&replication->replica[member->world - 1], member);
	member->world = 0;
}

// ---------------------------------------------------------------- from world to world

uint8_t replication_find(const struct replication *replication, const char *name)
{
	for (uint32_t i = 0; i < replication->replicas; i++)
		if (strncmp(replication->replica[i].plan->name, name, sizeof(replication->replica[i].plan->name)) == 0)
			return (uint8_t)(i + 1);
	return 0;
}

/// What the record has of who is somewhere.
static bool was_somewhere(const struct member *member, const struct session_record *record, struct motion *motion)
{
	*motion = record->motion;
	return member->placed;
}

/// What it said in the world before it may still come: that is stale for a while.
static bool begin_there(struct world_mover *mover, const struct world_rules *rules, const struct motion *motion,
			uint64_t now)
{
	return world_mover_enter(mover, rules, motion, now) && world_mover_place(mover, rules, motion, now);
}

static void count_change(struct replication *replication, uint8_t from, uint8_t to)
{
	if (from != 0)
		counter_add(&replication->replica[from - 1].counts->departures, 1);
	if (to != 0)
		counter_add(&replication->replica[to - 1].counts->arrivals, 1);
}

/// Out of the one before anything of the other is there: nobody is in two worlds, also after a crash.
static void change(struct replication *replication, uint32_t slot, uint8_t world, const struct world_mover *mover,
		   const struct motion *motion, uint64_t now)
{
	struct session_shard *shard = replication->shard;
	struct session_record *record = &shard->store->records[slot];
	struct member *member = &replication->members[slot];

	count_change(replication, member->world, world);
	member_leaves(replication, slot);
	record_change_world(record, world != 0 ? world : RECORD_WORLD_NONE);
	*member = (struct member){
		.world = world, .epoch = next_epoch(member->epoch), .stay = member->stay + 1, .announces = true};
	if (motion) {
		member->mover = *mover;
		record_move(record, (const uint8_t *)motion);
		(void)place(replication, &replication->replica[world - 1], member, slot, now);
	}
	delivery_refill(&shard->ctx, store_delivery(shard->store, slot));
	session_note(shard, slot, false);
}

bool replication_enter(struct replication *replication, uint32_t slot, uint8_t world, const struct motion *motion,
		       uint64_t now)
{
	const struct session_record *record = &replication->shard->store->records[slot];
	const struct member *member = &replication->members[slot];
	struct world_mover mover = {0};
	struct motion there;
	bool is_there = motion || was_somewhere(member, record, &there);

	if (member->world == world)
		return !motion || replication_place(replication, slot, motion, now);
	if (motion)
		there = *motion;
	if (is_there && world != 0)
		is_there = begin_there(&mover, &replication->replica[world - 1].rules, &there, now);
	if (motion && world != 0 && !is_there)
		return false;
	change(replication, slot, world, &mover, is_there && world != 0 ? &there : NULL, now);
	return true;
}
