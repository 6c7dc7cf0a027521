// SPDX-License-Identifier: BSD-3-Clause
// game/entities.c: see entities.h.

#include "game/entities.h"

#include <string.h>

#include "game/events.h"
#include "game/said.h"
#include "message/finite.h"
#include "replication/replication.h"

#define ENDED_PER_TURN 512 // that are looked at

// ---------------------------------------------------------------- orders

static uint32_t item_bytes(uint16_t type)
{
	switch ((enum game_order_type)type) {
	case GAME_SPAWN:
		return sizeof(struct game_spawn);
	case GAME_MOVE_ENTITIES:
		return sizeof(struct game_position);
	case GAME_STATE:
		return sizeof(struct game_state);
	default:
		return sizeof(uint32_t);
	}
}

static enum pg_order_refusal refusal_of(enum entity_outcome outcome)
{
	static const enum pg_order_refusal of[] = {
		[ENTITY_DONE] = PG_ORDER_REFUSED_NONE,        [ENTITY_FULL] = PG_ORDER_REFUSED_ENTITIES,
		[ENTITY_TAKEN] = PG_ORDER_REFUSED_TAKEN,      [ENTITY_NONE] = PG_ORDER_REFUSED_NO_ENTITY,
		[ENTITY_PLACE] = PG_ORDER_REFUSED_BODY,       [ENTITY_STATE] = PG_ORDER_REFUSED_BODY,
		[ENTITY_PLAYER] = PG_ORDER_REFUSED_NO_PLAYER,
	};

	return of[outcome];
}

static enum entity_outcome spawn(struct replica *replica, struct entity_owner owner, const uint8_t *item,
				 const struct motion *where, uint64_t now)
{
	struct game_spawn said;
	enum entity_outcome outcome;

	memcpy(&said, item, sizeof(said));
	if (said.length > GAME_STATE_MAX)
		return ENTITY_STATE;
	outcome = entity_spawn(replica, owner, said.entity, where, now);
	return outcome == ENTITY_DONE ? entity_say(replica, owner, said.entity, said.state, said.length) : outcome;
}

/// Of an entity of the process, or of any player of ours.
static enum entity_outcome say(const struct game *game, struct replica *replica, struct entity_owner owner,
			       const uint8_t *item)
{
	struct game_state said;
	uint32_t slot;

	memcpy(&said, item, sizeof(said));
	if (said.length > GAME_STATE_MAX)
		return ENTITY_STATE;
	if (replica)
		return entity_say(replica, owner, said.entity, said.state, said.length);
	if (!said_player(game, said.entity, &slot))
		return ENTITY_PLAYER;
	replication_say(game->shard->replication, slot, said.state, said.length);
	return ENTITY_DONE;
}
static_assert(GAME_STATE_MAX == WORLD_STATE_BYTES_MAX, "what players are told");

static enum entity_outcome obey_one(const struct game *game, struct replica *replica, struct entity_owner owner,
				    uint16_t type, const uint8_t *item, uint64_t now)
{
	const uint32_t identity = load32(item);
	uint8_t motion[sizeof(struct motion)];
	struct motion where;

	if (type == GAME_DESPAWN)
		return entity_despawn(replica, owner, identity);
	if (type == GAME_STATE)
		return say(game, replica, owner, item);
	static_assert(offsetof(struct game_spawn, position) == offsetof(struct game_position, position), "read as one");
	memcpy(motion, item + offsetof(struct game_position, position), sizeof(motion));
	if (!floats6_finite(motion))
		return ENTITY_PLACE;
	memcpy(&where, motion, sizeof(where));
	return type == GAME_SPAWN ? spawn(replica, owner, item, &where, now) :
				    entity_move(replica, owner, identity, &where, now);
}

/// If there is room for it.
static COLD void tell_refused(struct game *game, unsigned process, const struct ring_message *order,
			      const struct game_entities *head, uint32_t identity, enum entity_outcome why)
{
	struct game_refused *refused = game_reserve(game, process, sizeof(*refused), GAME_REFUSED);

	if (!refused)
		return;
	*refused = (struct game_refused){.entity = identity, .order = (uint8_t)order->type, .why = (uint8_t)why};
	memcpy(refused->world, head->world, sizeof(refused->world));
}

/// In which world. NULL, and true: none is said, and the order is about players.
static bool find_world(const struct game *game, uint16_t type, const char name[GAME_WORLD_NAME],
		       struct replica **replica)
{
	uint8_t world;

	if (!said_world(game, name, &world))
		return false;
	*replica = world != 0 ? &game->shard->replication->replica[world - 1] : NULL;
	return world != 0 || (type == GAME_STATE && game->shard && game->shard->replication);
}

enum pg_order_refusal entities_obey(struct game *game, unsigned process, const struct ring_message *order,
				    struct slice *slice, uint64_t now)
{
	const struct entity_owner owner = {(uint8_t)process, game->owned_times[process]};
	const uint32_t bytes = item_bytes(order->type);
	enum pg_order_refusal refusal = PG_ORDER_REFUSED_NONE;
	struct game_entities head;
	struct replica *replica;
	uint32_t items;

	if (order->length < sizeof(head) || (order->length - sizeof(head)) % bytes != 0)
		return PG_ORDER_REFUSED_LENGTH;
	items = (order->length - (uint32_t)sizeof(head)) / bytes;
	if (items > GAME_ENTITIES_MAX)
		return PG_ORDER_REFUSED_RECEIVERS;
	memcpy(&head, order->body, sizeof(head));
	if (!find_world(game, order->type, head.world, &replica))
		return PG_ORDER_REFUSED_NO_WORLD;
	slice_spend(slice, items);
	for (uint32_t i = 0; i < items; i++) {
		const uint8_t *item = (const uint8_t *)order->body + sizeof(head) + i * bytes;
		const enum entity_outcome outcome = obey_one(game, replica, owner, order->type, item, now);

		if (likely(outcome == ENTITY_DONE))
			continue;
		refusal = refusal_of(outcome);
		tell_refused(game, process, order, &head, load32(item), outcome);
	}
	return refusal;
}

// ---------------------------------------------------------------- the end

void entities_end(struct game *game, unsigned process)
{
	if (!game->shard || !game->shard->replication)
		return;
	game->owned_times[process]++;
	game->disowned |= 1U << process;
	game->disowned_world[process] = game->disowned_at[process] = 0;
}

static void end_some(struct game *game, unsigned process)
{
	const struct replication *replication = game->shard->replication;
	const struct entity_owner owner = {(uint8_t)process, game->owned_times[process]};
	uint32_t *world = &game->disowned_world[process];

	if (!entities_forget(&replication->replica[*world], owner, &game->disowned_at[process], ENDED_PER_TURN))
		return;
	game->disowned_at[process] = 0;
	if (++*world == replication->replicas)
		game->disowned &= ~(1U << process);
}

void entities_end_some(struct game *game)
{
	for (uint32_t left = game->disowned; left != 0; left &= left - 1)
		end_some(game, (unsigned)__builtin_ctz(left));
}
