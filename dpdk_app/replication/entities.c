// SPDX-License-Identifier: BSD-3-Clause
// replication/entities.c: see entities.h.

#include "replication/entities.h"

#include "replication/plain_players.h"
#include "replication/replication.h"

#define GOLDEN 0x9E3779B1U // 2^32 divided by the golden ratio: Knuth, The Art of Computer Programming 6.4

// ---------------------------------------------------------------- by identity

uint32_t entities_places(uint32_t capacity)
{
	uint32_t places = 64;

	while (places < 2 * capacity)
		places *= 2;
	return places;
}

static uint32_t place_of(const struct entities *entities, uint32_t identity)
{
	const uint32_t hash = identity * GOLDEN;

	return (hash ^ hash >> 15) & entities->mask;
}

/// @return where it is, or would be
static uint32_t find_place(const struct entities *entities, uint32_t identity)
{
	uint32_t at = place_of(entities, identity);

	while (entities->place[at] != 0 && entities->of[entities->place[at] - 1].identity != identity)
		at = (at + 1) & entities->mask;
	return at;
}

/// @return 1 and its index; 0: there is none
static uint32_t find_index(const struct entities *entities, uint32_t identity)
{
	return entities->capacity != 0 ? entities->place[find_place(entities, identity)] : 0;
}

static struct entity *find(const struct entities *entities, uint32_t identity)
{
	const uint32_t found = find_index(entities, identity);

	return found != 0 ? &entities->of[found - 1] : NULL;
}

/// Those behind it move up, so that none has a hole before it.
static void leave_place(struct entities *entities, uint32_t at)
{
	uint32_t hole = at;

	for (uint32_t next = (at + 1) & entities->mask; entities->place[next] != 0;
	     next = (next + 1) & entities->mask) {
		const uint32_t wanted = place_of(entities, entities->of[entities->place[next] - 1].identity);

		if (((next - wanted) & entities->mask) < ((next - hole) & entities->mask))
			continue;
		entities->place[hole] = entities->place[next];
		hole = next;
	}
	entities->place[hole] = 0;
}

// ---------------------------------------------------------------- which are free

static uint32_t take_index(struct entities *entities)
{
	uint32_t index;

	if (entities->free == 0)
		return entities->never++;
	index = entities->free - 1;
	entities->free = entities->of[index].next;
	return index;
}

static void give_index_back(struct entities *entities, uint32_t index)
{
	entities->of[index].is_there = false;
	entities->of[index].next = entities->free;
	entities->free = index + 1;
}

/// One more of all workers' together?
static bool count_one(struct entities *entities)
{
	if (__atomic_fetch_add(entities->all, 1, __ATOMIC_RELAXED) < entities->capacity)
		return true;
	__atomic_fetch_sub(entities->all, 1, __ATOMIC_RELAXED);
	return false;
}

// ---------------------------------------------------------------- in the world

/// In a world's own numbers.
static bool place_in(const struct replica *replica, const struct motion *motion, uint64_t now,
		     struct world_place *place)
{
	struct world_mover mover;

	if (!world_mover_enter(&mover, &replica->rules, motion, now))
		return false;
	*place = world_mover_where(&mover);
	return true;
}

static uint32_t rank_of(const struct replica *replica, struct entity *entity)
{
	return entity->rank = world_rank_now(replica->part, entity->rank, &entity->ranked);
}

static bool is_owned(const struct entity *entity, struct entity_owner owner)
{
	return entity->owner.process == owner.process && entity->owner.times == owner.times;
}

static void take_away(struct replica *replica, struct entity *entity)
{
	struct entities *entities = &replica->entities;

	world_part_remove(replica->part, rank_of(replica, entity));
	world_game_state_clear(replica->part, entity->number);
	replica->slot_after[entity->number - replica->numbers.first] = 0;
	numbers_give_back(&replica->numbers, entity->number);
	leave_place(entities, find_place(entities, entity->identity));
	give_index_back(entities, (uint32_t)(entity - entities->of));
	__atomic_fetch_sub(entities->all, 1, __ATOMIC_RELAXED);
	counter_set(&replica->counts->entities, replica->counts->entities - 1);
}

/// Somewhere in the part.
static bool put_in(struct replica *replica, struct entity *entity, const struct world_place *place, uint64_t now)
{
	struct admitted admitted;

	if (!replica_admit(replica, entity->identity, WORLD_OTHER, place, now, &admitted))
		return false;
	entity->number = admitted.number;
	entity->rank = admitted.rank;
	entity->ranked = admitted.ranked;
	return true;
}

static enum entity_outcome begin(struct replica *replica, struct entity_owner owner, uint32_t identity,
				 const struct world_place *place, uint64_t now)
{
	struct entities *entities = &replica->entities;
	uint32_t index;
	struct entity *entity;

	if (!count_one(entities))
		return ENTITY_FULL;
	index = take_index(entities);
	entity = &entities->of[index];
	*entity = (struct entity){.identity = identity, .owner = owner, .is_there = true};
	if (!put_in(replica, entity, place, now)) {
		give_index_back(entities, index);
		__atomic_fetch_sub(entities->all, 1, __ATOMIC_RELAXED);
		return ENTITY_FULL;
	}
	replica->slot_after[entity->number - replica->numbers.first] = REPLICA_ENTITY | index;
	entities->place[find_place(entities, identity)] = index + 1;
	counter_set(&replica->counts->entities, replica->counts->entities + 1);
	return ENTITY_DONE;
}

static void move(struct replica *replica, struct entity *entity, const struct world_place *place, uint64_t now)
{
	world_part_move(replica->part, rank_of(replica, entity), place, replica_told_at(replica, now));
}

// ---------------------------------------------------------------- orders

enum entity_outcome entity_spawn(struct replica *replica, struct entity_owner owner, uint32_t identity,
				 const struct motion *motion, uint64_t now)
{
	const uint32_t found = find_index(&replica->entities, identity);
	struct entity *entity;
	struct world_place place;

	if (replica->entities.capacity == 0)
		return ENTITY_FULL;
	if (!place_in(replica, motion, now, &place))
		return ENTITY_PLACE;
	if (found == 0)
		return begin(replica, owner, identity, &place, now);
	entity = &replica->entities.of[found - 1];
	if (is_owned(entity, owner)) {
		move(replica, entity, &place, now);
		return ENTITY_DONE;
	}
	if (entity->owner.process != owner.process)
		return ENTITY_TAKEN;
	take_away(replica, entity); // of the process that had the name before
	return begin(replica, owner, identity, &place, now);
}

enum entity_outcome entity_move(struct replica *replica, struct entity_owner owner, uint32_t identity,
				const struct motion *motion, uint64_t now)
{
	struct entity *entity = find(&replica->entities, identity);
	struct world_place place;

	if (!entity || !is_owned(entity, owner))
		return ENTITY_NONE;
	if (!place_in(replica, motion, now, &place))
		return ENTITY_PLACE;
	move(replica, entity, &place, now);
	return ENTITY_DONE;
}

enum entity_outcome entity_say(struct replica *replica, struct entity_owner owner, uint32_t identity,
			       const uint8_t *state, uint8_t length)
{
	const struct entity *entity = find(&replica->entities, identity);

	if (!entity || !is_owned(entity, owner))
		return ENTITY_NONE;
	world_game_state_set(replica->part, entity->number, identity, state, length);
	return ENTITY_DONE;
}

enum entity_outcome entity_despawn(struct replica *replica, struct entity_owner owner, uint32_t identity)
{
	struct entity *entity = find(&replica->entities, identity);

	if (!entity || !is_owned(entity, owner))
		return ENTITY_NONE;
	take_away(replica, entity);
	return ENTITY_DONE;
}

static void take_new_rank(struct replica *replica, uint32_t number)
{
	const uint32_t after = replica->slot_after[number - replica->numbers.first];

	if (!(after & REPLICA_ENTITY))
		return;
	if (after & REPLICA_PLAIN)
		(void)plain_player_rank(replica, &replica->plain_players[after & ~(REPLICA_ENTITY | REPLICA_PLAIN)]);
	else
		(void)rank_of(replica, &replica->entities.of[after & ~REPLICA_ENTITY]);
}

void entities_take_new_ranks(struct replica *replica, uint32_t from, uint32_t to)
{
	const struct world_part *part = replica->part;

	if (replica->entities.never == 0 && !replica->plain_players)
		return;
	for (uint32_t rank = from; rank < to && rank < part->count; rank++)
		if (part->number[rank] != WORLD_NOBODY)
			take_new_rank(replica, part->number[rank]);
}

bool entities_forget(struct replica *replica, struct entity_owner owner, uint32_t *at, uint32_t n)
{
	struct entities *entities = &replica->entities;

	for (; n > 0 && *at < entities->never; n--, ++*at) {
		struct entity *entity = &entities->of[*at];

		if (entity->is_there && entity->owner.process == owner.process && entity->owner.times != owner.times)
			take_away(replica, entity);
	}
	return *at >= entities->never;
}
