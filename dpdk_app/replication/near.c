// SPDX-License-Identifier: BSD-3-Clause
// replication/near.c: see near.h.

#include "replication/near.h"

#define RANKS_PER_STEP 1024
#define SEARCHED_WHOLE 64 // a search rounds up to as many ranks

/// Of all parts. One that is behind is looked at in its own newest frame; one that is ahead may not have any older one.
static uint32_t newest_of(const struct world_parts *parts, uint32_t newest)
{
	for (uint32_t i = 0; i < parts->count; i++) {
		const uint32_t published = world_published(parts->part[i]);

		newest = (int32_t)(published - newest) > 0 ? published : newest;
	}
	return newest;
}

bool near_begin(struct replication *replication, struct replica *replica, uint32_t slot, struct near *near)
{
	struct member *member = &replication->members[slot];
	const uint32_t newest = world_published(replica->part);
	const struct world_frame *frame = world_frame_at(replica->part, newest);
	uint32_t rank;

	if (member->world == 0 || &replication->replica[member->world - 1] != replica || !member->placed)
		return false;
	rank = member_rank(replica, member);
	if (rank >= replica->part->count || replica_slot(replica, rank) != slot)
		return false; // it has just come: in no frame yet
	*near = (struct near){
		.search = {.when = {.tick = newest_of(replica->parts, newest)}},
		.sphere = {.middle = {frame->x[rank], frame->y[rank], frame->z[rank]},
			   .radius = (int32_t)replica->radius},
		.self = world_refer(replica->own, rank),
		.order = world_parts_order(replica->parts),
		.most = replica->plan->hearers,
	};
	return true;
}

/// Of those from an index on, the players but the one who is meant.
static void keep_players(const struct replication *replication, const struct replica *replica, struct near *near,
			 uint32_t from)
{
	struct world_inside *crowd = replication->crowd;
	uint32_t kept = from;

	for (uint32_t i = from; i < near->found; i++) {
		const world_reference who = crowd[i].who;
		const struct world_part *part = replica->parts->part[world_part_of(who)];

		if (who != near->self && part->sort[world_rank_of(who)] == WORLD_PLAYER)
			crowd[kept++] = crowd[i];
	}
	near->found = kept;
}

static void keep_nearest(const struct replication *replication, struct near *near)
{
	world_crowd_nearest(replication->crowd, near->found, near->most);
	near->found = near->found < near->most ? near->found : near->most;
}

/// Which player each of them is: that stays so when ranks change.
static void name_players(const struct replication *replication, const struct replica *replica, const struct near *near)
{
	for (uint32_t i = 0; i < near->found; i++) {
		const world_reference who = replication->crowd[i].who;

		replication->crowd[i].who = replica->parts->part[world_part_of(who)]->identity[world_rank_of(who)];
	}
}

enum near_progress near_step(struct replication *replication, const struct replica *replica, struct near *near)
{
	const uint32_t before = near->found;
	struct world_crowd crowd = {.count = before, .room = REPLICATION_CROWD_MAX, .inside = replication->crowd};
	const bool all = world_search_sphere(replica->parts, &near->search, &near->sphere, RANKS_PER_STEP, &crowd);

	near->found = crowd.count;
	keep_players(replication, replica, near, before);
	if (all || near->found > near->most + RANKS_PER_STEP)
		keep_nearest(replication, near);
	if (all)
		name_players(replication, replica, near);
	if (world_parts_order(replica->parts) != near->order)
		return NEAR_VOID;
	return all ? NEAR_FOUND : NEAR_LOOKS;
}

static_assert(4096 + 2 * RANKS_PER_STEP + SEARCHED_WHOLE <= REPLICATION_CROWD_MAX,
	      "there is room for what a step finds beside as many as can be configured");
