// SPDX-License-Identifier: BSD-3-Clause
// replication/near.c: see near.h.

#include "replication/near.h"

#include "world/search.h"

/// Of all parts. One that is behind is looked at in its own newest frame; one that is ahead may not have any older one.
static uint32_t newest_of(const struct world_parts *parts, uint32_t newest)
{
	for (uint32_t i = 0; i < parts->count; i++) {
		const uint32_t published = world_published(parts->part[i]);

		newest = (int32_t)(published - newest) > 0 ? published : newest;
	}
	return newest;
}

/// Everybody within the radius, as far as there is room to look at them.
static uint32_t find(struct replication *replication, const struct replica *replica, uint32_t rank)
{
	const uint32_t newest = world_published(replica->part);
	const struct world_frame *frame = world_frame_at(replica->part, newest);
	const struct world_sphere sphere = {.middle = {frame->x[rank], frame->y[rank], frame->z[rank]},
					    .radius = (int32_t)replica->radius};
	struct world_search search = {.when = {.tick = newest_of(replica->parts, newest)}};
	struct world_crowd crowd = {.room = REPLICATION_CROWD_MAX, .inside = replication->crowd};

	while (!world_search_sphere(replica->parts, &search, &sphere, WORLD_RANKS_MAX, &crowd))
		;
	return crowd.count < crowd.room ? crowd.count : crowd.room;
}

/// One of them, of whatever worker.
static void tell(const struct replication *replication, const struct replica *replica, world_reference who,
		 const struct outgoing *event, const struct broadcast *broadcast, uint64_t now)
{
	const struct world_part *part = replica->parts->part[world_part_of(who)];
	const uint32_t rank = world_rank_of(who);
	struct session_shard *shard = replication->shard;

	if (part->sort[rank] != WORLD_PLAYER)
		return;
	if (part != replica->part) {
		(void)session_relay(shard, part->identity[rank], event, now); // counted there
		return;
	}

	const uint32_t slot = replica_slot(replica, rank);

	if (slot != REPLICATION_NOBODY)
		(void)session_deliver_broadcast(shard, record_session(&shard->store->records[slot]), broadcast, now);
}

bool near_tell(struct replication *replication, uint32_t slot, const struct outgoing *event, uint64_t now)
{
	struct member *member = &replication->members[slot];
	struct replica *replica;
	struct broadcast broadcast;
	uint32_t rank, found, told = 0;

	if (member->world == 0 || !member->placed)
		return false;
	replica = &replication->replica[member->world - 1];
	rank = member_rank(replica, member);
	if (rank >= replica->part->count || replica_slot(replica, rank) != slot)
		return false; // it has just come: in no frame yet
	found = find(replication, replica, rank);
	world_crowd_nearest(replication->crowd, found, replica->plan->hearers + 1); // itself among them
	broadcast_begin(&replication->shard->ctx, &broadcast, event);
	for (uint32_t i = 0; i < found && told < replica->plan->hearers; i++) {
		const world_reference who = replication->crowd[i].who;

		if (who == world_refer(replica->own, rank))
			continue;
		tell(replication, replica, who, event, &broadcast, now);
		told++;
	}
	broadcast_end(&replication->shard->ctx, &broadcast);
	return true;
}
