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

/// Of the nearest, as many as there is room for.
static size_t put_state(const struct replica *replica, const struct world_choice *choice, uint8_t epoch, uint8_t *at,
			size_t room)
{
	struct world_state head = {.tick = (uint16_t)replica->tick, .epoch = epoch};
	struct bit_writer writer = bits_write(at + sizeof(head));
	const unsigned most = (unsigned)(8 * (room - sizeof(head) - BITS_SLACK) / FULL_BITS);

	for (uint32_t i = 0; i < choice->enters && head.exceptions < most; i++) {
		const uint32_t rank_now = world_rank_of(choice->enter[i]);
		const struct world_part *part = replica->parts->part[world_part_of(choice->enter[i])];
		uint32_t rank;
		const struct world_frame *frame = frame_with(part, rank_now, replica->tick, &rank);

		if (frame)
			full_put(&writer, part, frame, rank_now, rank, head.exceptions++);
	}
	memcpy(at, &head, sizeof(head));
	counter_add(&replica->counts->told_in_full, head.exceptions);
	counter_add(&replica->counts->left_out, choice->enters - head.exceptions);
	return (size_t)(bits_end(&writer) - at);
}

/// @return bytes; 0: nothing can be told just now
static size_t look(const struct replication *replication, const struct replica *replica, struct plain_player *player,
		   uint8_t epoch, uint8_t *at, size_t room)
{
	const struct world_frame *frame = world_frame_at(replica->part, replica->tick);
	struct world_choice choice;
	struct world_turn turn = {.reach = player->reach};
	uint32_t rank;
	size_t bytes;

	if (player->world == 0 || !can_look(replica, player))
		return 0;
	rank = plain_player_rank(replica, player);
	turn.x = frame->x[rank];
	turn.y = frame->y[rank];
	turn.z = frame->z[rank];
	turn.self = world_refer(replica->own, rank);
	if (!replication->kernels->choose(replica->interest, &turn, &choice))
		return 0;
	player->reach = choice.reach;
	player->looked = replica->tick;
	bytes = put_state(replica, &choice, epoch, at, room);
	counter_add(&replica->counts->looks, 1);
	counter_add(&replica->counts->looks_capped, choice.more);
	counter_add(&replica->counts->looks_cut, choice.cut);
	counter_add(&replica->counts->states, 1);
	counter_add(&replica->counts->state_bytes, bytes);
	return bytes;
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
