// SPDX-License-Identifier: BSD-3-Clause
// replication/shown.c: see shown.h.

#include "replication/shown.h"

#include <string.h>

#include "replication/replication.h"

#define RANKS_PER_STEP 512

/// Who is in a player's slots.
static void show_sight(const struct replication *replication, struct replica *replica, uint32_t rank)
{
	const uint32_t slot = replica_slot(replica, rank);
	struct shown *shown = &replica->shown;
	const struct observer *observer;

	if (slot == REPLICATION_NOBODY)
		return;
	observer = &replication->observers[slot];
	shown->found = true;
	shown->seen = 0;
	for (uint32_t left = observer->occupied; left != 0; left &= left - 1) {
		const world_reference who = observer->who[__builtin_ctz(left)];
		const struct world_part *part = replica->parts->part[world_part_of(who)];

		shown->number[shown->seen++] = world_number(part, world_rank_of(who));
	}
}

struct pg_world_entity shown_entity(const struct world_part *part, const struct world_frame *frame, uint32_t rank)
{
	struct pg_world_entity entity = {
		.number = part->number[rank],
		.identity = part->identity[rank],
		.sort = part->sort[rank],
		.position = {frame->x[rank], frame->y[rank], frame->z[rank]},
		.velocity = {frame->vx[rank], frame->vy[rank], frame->vz[rank]},
	};
	struct world_game_said said;

	static_assert(sizeof(entity.state) == sizeof(said.word), "all of it");
	if (world_game_state_read(part, entity.number, entity.identity, &said)) {
		entity.state_bytes = said.length;
		memcpy(entity.state, said.word, sizeof(entity.state));
	}
	return entity;
}

static void show_rank(struct replica *replica, const struct world_frame *frame, uint32_t rank)
{
	const struct world_part *part = replica->part;
	struct shown *shown = &replica->shown;

	if (part->number[rank] == WORLD_NOBODY || frame->x[rank] == WORLD_FAR)
		return;
	shown->entity[shown->entities++] = shown_entity(part, frame, rank);
}

static void begin(const struct replica *replica, struct shown *shown)
{
	shown->at = shown->entities = 0;
	shown->found = false;
	shown->copies = true;
	shown->tick = replica->tick;
	shown->reranked = replica->part->reranked;
}

void shown_step(const struct replication *replication, struct replica *replica)
{
	const uint32_t asked = __atomic_load_n(&replica->shown.asked, __ATOMIC_ACQUIRE);
	const struct world_part *part = replica->part;
	struct shown *shown = &replica->shown;
	const struct world_frame *frame;

	if (likely(asked == shown->done))
		return;
	// Ranks are others after a re-rank, and who came since has none in the frame.
	if (!shown->copies || shown->reranked != part->reranked || !world_has_frame(part, shown->tick))
		begin(replica, shown);
	frame = world_frame_at(part, shown->tick);
	for (uint32_t n = 0; n < RANKS_PER_STEP && shown->at < part->count; n++, shown->at++) {
		if ((int32_t)(part->came[shown->at] - shown->tick) > 0)
			continue;
		show_rank(replica, frame, shown->at);
		if (part->sort[shown->at] == WORLD_PLAYER && part->identity[shown->at] == shown->player_id)
			show_sight(replication, replica, shown->at);
	}
	if (shown->at < part->count)
		return;
	shown->copies = false;
	__atomic_store_n(&shown->done, asked, __ATOMIC_RELEASE);
}
