// SPDX-License-Identifier: BSD-3-Clause
// replication/plain_players.c: see plain_players.h.

#include "replication/plain_players.h"

#include <string.h>

#include "replication/about.h"
#include "wire/plain.h"
#include "world/full.h"

// ---------------------------------------------------------------- in the world

static struct replica *world_of(const struct replication *replication, const struct plain_session *session)
{
	const uint8_t world = replication->listener_world[peer_listener(&session->peer)];

	return world != 0 && world <= replication->replicas ? &replication->replica[world - 1] : NULL;
}

uint32_t plain_player_rank(const struct replica *replica, struct plain_player *player)
{
	return player->rank = world_rank_now(replica->part, player->rank, &player->ranked);
}

/// @return false: there is no room; the next movement tries again
static bool put_in(struct replica *replica, struct plain_player *player, uint32_t slot, uint32_t player_id,
		   uint64_t now)
{
	const struct world_place at = world_mover_where(&player->mover);
	struct admitted admitted;

	if (!replica_admit(replica, player_id, WORLD_PLAYER, &at, now, &admitted))
		return false;
	replica->slot_after[admitted.number - replica->numbers.first] = REPLICA_ENTITY | REPLICA_PLAIN | slot;
	player->number = admitted.number;
	player->rank = admitted.rank;
	player->ranked = admitted.ranked;
	player->joined = player->looked = replica->tick;
	player->reach = 0;
	player->choice = (struct plain_choice){.tick = replica->tick - WORLD_TURN_TICKS};
	counter_set(&replica->counts->players, replica->counts->players + 1);
	return true;
}

static void enter(struct replication *replication, struct replica *replica, uint32_t slot,
		  const struct plain_session *session, uint64_t now)
{
	struct plain_player *player = &replication->plain_players[slot];
	const struct motion motion = session->motion;
	enum pg_world_move move = PG_WORLD_MOVE_BOUNDS;

	if (world_mover_enter(&player->mover, &replica->rules, &motion, now)) {
		const bool has_room = put_in(replica, player, slot, session->player_id, now);

		move = has_room ? PG_WORLD_MOVE_TAKEN : PG_WORLD_MOVE_FULL;
		player->world = has_room ? (uint8_t)(replica - replication->replica + 1) : 0;
	}
	counter_add(&replica->counts->moves[move], 1);
}

void plain_player_moved(struct replication *replication, uint32_t slot, struct plain_session *session, uint64_t now)
{
	struct plain_player *player = &replication->plain_players[slot];
	struct replica *replica = world_of(replication, session);
	struct motion motion = session->motion;
	struct world_place at;
	enum pg_world_move move;

	if (!replica)
		return;
	if (player->world == 0) {
		enter(replication, replica, slot, session, now);
		return;
	}
	move = world_mover_move(&player->mover, &replica->rules, &motion, now);
	counter_add(&replica->counts->moves[move], 1);
	if (move != PG_WORLD_MOVE_TAKEN) {
		world_mover_says(&player->mover, &replica->rules, &motion);
		plain_move_session(session, &motion);
	}
	if (move == PG_WORLD_MOVE_STALE) // it goes on as it did
		return;
	at = world_mover_where(&player->mover);
	world_part_move(replica->part, plain_player_rank(replica, player), &at, replica_told_at(replica, now));
}

void plain_player_leaves(void *context, uint32_t slot)
{
	struct replication *replication = context;
	struct plain_player *player = &replication->plain_players[slot];
	struct replica *replica;

	if (player->world == 0)
		return;
	replica = &replication->replica[player->world - 1];
	world_part_remove(replica->part, plain_player_rank(replica, player));
	replica->slot_after[player->number - replica->numbers.first] = 0;
	numbers_give_back(&replica->numbers, player->number);
	player->world = 0;
	counter_set(&replica->counts->players, replica->counts->players - 1);
}

// ---------------------------------------------------------------- what it sees

/// From the first look of a tick until the next frame is begun, everybody can be looked for; by each player once, so that questions
/// cost no more than ticks do.
static bool can_look(const struct replica *replica, const struct plain_player *player)
{
	if (replica->tick == player->joined || replica->tick == player->looked)
		return false;
	switch (replica->stage) {
	case TICK_LOOK:
		return replica->at != 0;
	case TICK_SEND:
	case TICK_UNTOLD:
	case TICK_TIDY:
	case TICK_OVER:
		return replica->looked == replica->tick;
	default:
		return false;
	}
}

/// Where somebody is in this tick's frame.
/// @return NULL: not yet, or not any more
static const struct world_frame *frame_with(const struct world_part *part, uint32_t rank_now, uint32_t tick,
					    uint32_t *rank)
{
	if (!world_has_frame(part, tick) || world_number(part, rank_now) == WORLD_NOBODY)
		return NULL;
	*rank = world_rank_at(part, rank_now, tick);
	return *rank != WORLD_NOBODY ? world_frame_at(part, tick) : NULL;
}

/// What was chosen before a re-rank is in ranks of before, which are known for one re-rank.
static COLD void take_new_ranks(const struct replica *replica, struct plain_choice *choice)
{
	const struct world_part *part = replica->part;
	uint32_t kept = 0;

	if (replica->parts->count != 1 || choice->order != part->reranked_before)
		return;
	for (uint32_t i = 0; i < choice->count; i++) {
		const uint32_t rank = part->becomes[world_rank_of(choice->who[i])];

		choice->who[kept] = world_refer(replica->own, rank);
		kept += rank != WORLD_NOBODY;
	}
	choice->count = kept;
	choice->order = world_parts_order(replica->parts);
}

/// Can what was chosen be told still? Between two turns are eight ticks, or up to fifteen if there was a re-rank.
static bool is_recent(const struct replica *replica, struct plain_choice *choice)
{
	if (unlikely(choice->order != world_parts_order(replica->parts)))
		take_new_ranks(replica, choice);
	return choice->order == world_parts_order(replica->parts) &&
	       replica->tick - choice->tick < 2 * WORLD_TURN_TICKS;
}

/// @return false: nobody can be looked for just now
static bool choose(const struct replication *replication, const struct replica *replica, struct plain_player *player,
		   uint32_t rank)
{
	const struct world_frame *frame = world_frame_at(replica->part, replica->tick);
	const struct world_turn turn = {
		.x = frame->x[rank],
		.y = frame->y[rank],
		.z = frame->z[rank],
		.self = world_refer(replica->own, rank),
		.reach = player->reach,
	};
	struct world_choice found;

	if (!replication->kernels->choose(replica->interest, &turn, &found))
		return false;
	player->reach = found.reach;
	player->choice.order = world_parts_order(replica->parts);
	player->choice.tick = replica->tick;
	player->choice.count = found.enters;
	memcpy(player->choice.who, found.enter, found.enters * sizeof(found.enter[0]));
	counter_add(&replica->counts->looks, 1);
	counter_add(&replica->counts->looks_capped, found.more);
	counter_add(&replica->counts->looks_cut, found.cut);
	return true;
}

/// What is told of those who are seen.
struct told {
	unsigned count;
	const struct full_body *body[WORLD_SLOTS_MAX];
	struct full_body made[WORLD_SLOTS_MAX]; // of whom there was none
};

/// From the table of its frame, where there is one.
/// @param made  room for another one
/// @return NULL: they are not there
static const struct full_body *body_of(const struct replica *replica, world_reference who, struct full_body *made)
{
	const struct world_part *part = replica->parts->part[world_part_of(who)];
	const struct full_body *table = full_table(part, replica->tick);
	const uint32_t rank_now = world_rank_of(who);
	const struct world_frame *frame;
	uint32_t rank;

	if (likely(table != NULL))
		return table[rank_now].is_there ? &table[rank_now] : NULL;
	frame = frame_with(part, rank_now, replica->tick, &rank);
	if (!frame)
		return NULL;
	*made = full_of(part, frame, rank_now, rank);
	return made;
}

/// @return how many there was no room to look for
static uint32_t find_bodies(const struct replica *replica, const struct plain_choice *choice, unsigned most,
			    struct told *told)
{
	uint32_t i = 0;

	told->count = 0;
	for (; i < choice->count && told->count < most; i++) {
		const struct full_body *body = body_of(replica, choice->who[i], &told->made[told->count]);

		if (body)
			told->body[told->count++] = body;
	}
	return choice->count - i;
}

/// Another worker that was kept from its CPU publishes this frame soon: without it, whoever is there would be missing.
static bool is_soon_published(const struct replica *replica, const struct plain_choice *choice)
{
	for (uint32_t i = 0; i < choice->count; i++) {
		const struct world_part *part = replica->parts->part[world_part_of(choice->who[i])];
		const uint32_t late = replica->tick - world_published(part);

		if (unlikely(late != 0 && late <= WORLD_TURN_TICKS))
			return true;
	}
	return false;
}

/// Of the nearest, as many as there is room for.
static size_t put_state(const struct replica *replica, const struct plain_choice *choice, uint8_t epoch, uint8_t *at,
			size_t room)
{
	struct world_state head = {.tick = (uint16_t)replica->tick, .epoch = epoch};
	const unsigned most = (unsigned)(8 * (room - sizeof(head) - BITS_SLACK) / FULL_BITS);
	struct told told;
	const uint32_t left_out = find_bodies(replica, choice, most, &told);

	head.exceptions = (uint8_t)told.count;
	memcpy(at, &head, sizeof(head));
	counter_add(&replica->counts->told_in_full, told.count);
	counter_add(&replica->counts->left_out, left_out);
	return (size_t)(full_put_all(at + sizeof(head), told.body, told.count) - at);
}

void plain_player_turn(const struct replication *replication, const struct replica *replica, uint32_t rank)
{
	const uint32_t slot = replica_plain_slot(replica, rank);
	struct plain_player *player;

	if (slot == REPLICATION_NOBODY)
		return;
	player = &replication->plain_players[slot];
	if (replica->tick != player->joined && replica->tick - player->looked <= 2 * WORLD_TURN_TICKS)
		(void)choose(replication, replica, player, rank);
}

/// @return bytes; 0: nothing can be told just now
static size_t look(const struct replication *replication, const struct replica *replica, struct plain_player *player,
		   uint8_t epoch, uint8_t *at, size_t room)
{
	uint32_t rank;
	size_t bytes;

	if (player->world == 0 || !can_look(replica, player))
		return 0;
	rank = plain_player_rank(replica, player);
	if (!is_recent(replica, &player->choice) && !choose(replication, replica, player, rank))
		return 0;
	if (replica->tick - player->looked <= WORLD_TURN_TICKS && is_soon_published(replica, &player->choice))
		return 0;
	player->looked = replica->tick;
	bytes = put_state(replica, &player->choice, epoch, at, room);
	counter_add(&replica->counts->states, 1);
	counter_add(&replica->counts->state_bytes, bytes);
	return bytes;
}

void plain_player_bring_sight(const struct replication *replication, uint32_t slot)
{
	const struct plain_player *player = &replication->plain_players[slot];
	const struct plain_choice *choice = &player->choice;
	const struct replica *replica;

	if (player->world == 0)
		return;
	replica = &replication->replica[player->world - 1];
	for (uint32_t i = 0; i < choice->count; i++) {
		const struct world_part *part = replica->parts->part[world_part_of(choice->who[i])];
		const struct full_body *table = full_table(part, replica->tick);

		if (table)
			prefetch(&table[world_rank_of(choice->who[i])]);
	}
}

uint16_t plain_player_looks(struct replication *replication, uint32_t slot, const struct plain_session *session,
			    uint8_t *payload)
{
	const struct plain_look *question = (const struct plain_look *)payload;
	struct plain_sight *sight = (struct plain_sight *)payload;
	const uint32_t room = question->header.packet_size;
	const uint8_t epoch = question->epoch;
	struct plain_player *player = &replication->plain_players[slot];
	const struct replica *replica = world_of(replication, session);
	size_t bytes = sizeof(*sight);

	sight->is_there = player->world != 0;
	sight->about = 0;
	sight->motion = session->motion;
	if (replica) {
		sight->about = (uint16_t)about_write(replica, epoch, sight->rest);
		bytes += sight->about;
		bytes += look(replication, replica, player, epoch, payload + bytes, room - bytes);
	}
	sight->header.packet_size = (uint32_t)bytes;
	return (uint16_t)bytes;
}
