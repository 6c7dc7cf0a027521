// SPDX-License-Identifier: BSD-3-Clause
// game/aims.c: see aims.h.

#include "game/aims.h"

#include <string.h>

#include "message/attack.h"

#define RANKS_PER_STEP 2048
#define SOUGHT_PER_STEP 8192
#define UNMEASURED_MS 200 // of a round trip, as for what is repeated (delivery/round_trip.h)

/// Nobody's, but not WORLD_NOBODY, which is whoever is in the way.
#define GONE (WORLD_NOBODY - 1)

static struct world_moment moment_of(const struct replica *replica, uint64_t now)
{
	const uint64_t since = now - replica->begins, tick = since / replica->tick_cycles;
	const uint64_t parts = (since - tick * replica->tick_cycles) * replica->parts_per_cycle >> 32;

	return (struct world_moment){(uint32_t)tick,
				     parts < WORLD_MOMENT_PARTS ? (uint32_t)parts : WORLD_MOMENT_PARTS - 1};
}

/// What an acknowledgement of the attacker's takes, with what that varies by.
static uint32_t round_trip_of(const struct replication *replication, const struct replica *replica, uint32_t slot)
{
	const struct session_shard *shard = replication->shard;
	const struct round_trip *measured = &store_delivery(shard->store, slot)->out.round_trip;
	const uint64_t cycles = measured->smoothed != 0 ? measured->smoothed + measured->variance :
							  shard->rules->delivery.millisecond * UNMEASURED_MS;
	const double parts = (double)cycles * replica->rules.parts_per_cycle;

	return parts < (double)UINT16_MAX ? (uint32_t)parts : UINT16_MAX; // more than any rewind
}
static_assert(WORLD_TICK_HZ_MAX * WORLD_MOMENT_PARTS * WORLD_REWIND_MS_MAX / 1000 <= UINT16_MAX,
	      "a round trip is cut off beyond all rewinds");

struct aim aim_of(const struct replication *replication, const struct replica *replica, uint32_t slot,
		  const uint8_t *body, uint32_t length, uint64_t now)
{
	const struct member *member = &replication->members[slot];
	const struct world_place place = world_mover_where(&member->mover);
	struct aim aim = {.from = {place.x, place.y, place.z},
			  .now = moment_of(replica, now),
			  .round_trip = round_trip_of(replication, replica, slot)};
	struct attack_body attack;
	struct attack_view view;

	memcpy(&attack, body, sizeof(attack));
	memcpy(aim.direction, attack.direction, sizeof(aim.direction));
	aim.target = attack.target_id;
	aim.view = world_supposed_view(&replica->rules, aim.now, aim.round_trip);
	if (length == ATTACK_VIEWED) {
		memcpy(&view, body + sizeof(attack), sizeof(view));
		aim.view = world_moment_told(view.tick, view.parts, aim.now);
	}
	return aim;
}

/// Of one of our players.
static world_reference reference_of(const struct replication *replication, struct replica *replica, uint32_t slot)
{
	struct member *member = &replication->members[slot];

	if (member->world == 0 || &replication->replica[member->world - 1] != replica || !member->placed)
		return GONE;
	return world_refer(replica->own, member_rank(replica, member));
}

/// @return GONE where aimed->seeking: a player of another worker is to be looked for in that one's part
static world_reference target_of(const struct replication *replication, struct replica *replica, uint32_t player,
				 struct aimed *aimed)
{
	const struct session_store *store = replication->shard->store;
	const uint32_t slot = player != 0 ? store_player(store, player) : PLAYER_NONE;
	uint8_t owner;

	if (player == 0)
		return WORLD_NOBODY;
	if (slot == PLAYER_NONE)
		return GONE;
	owner = record_owner(&store->records[slot]);
	if (owner == replication->shard->worker)
		return reference_of(replication, replica, slot);
	aimed->seeking = owner < replica->parts->count;
	aimed->part = owner;
	return GONE;
}

static void begin_to_judge(const struct replica *replica, const struct aim *aim, world_reference target,
			   struct aimed *aimed)
{
	struct world_attack attack = {
		.attacker = aimed->attacker,
		.target = target,
		.view = aim->view,
		.now = aim->now,
		.round_trip = aim->round_trip,
	};

	memcpy(attack.from, aim->from, sizeof(attack.from));
	memcpy(attack.direction, aim->direction, sizeof(attack.direction));
	world_judge_begin(&aimed->judging, replica->parts, &replica->rules, &attack);
}

void aim_begin(const struct replication *replication, struct replica *replica, uint32_t slot, bool here,
	       const struct aim *aim, struct aimed *aimed)
{
	world_reference target;

	*aimed = (struct aimed){.order = world_parts_order(replica->parts), .attacker = GONE};
	if (here)
		aimed->attacker = reference_of(replication, replica, slot);
	target = target_of(replication, replica, aim->target, aimed);
	if (!aimed->seeking)
		begin_to_judge(replica, aim, target, aimed);
}

/// Look for the target. Once that is over, the judging begins.
static void seek(const struct replica *replica, const struct aim *aim, struct aimed *aimed)
{
	const struct world_part *part = replica->parts->part[aimed->part];
	const uint32_t to = aimed->rank + SOUGHT_PER_STEP;

	for (; aimed->rank < to && aimed->rank < part->count; aimed->rank++) {
		if (likely(part->identity[aimed->rank] != aim->target) || part->sort[aimed->rank] != WORLD_PLAYER ||
		    part->number[aimed->rank] == WORLD_NOBODY)
			continue;
		aimed->seeking = false;
		begin_to_judge(replica, aim, world_refer(aimed->part, aimed->rank), aimed);
		return;
	}
	if (aimed->rank < part->count)
		return;
	aimed->seeking = false;
	begin_to_judge(replica, aim, GONE, aimed);
}

static struct attack_judgement told(const struct world_parts *parts, const struct world_judgement *judgement)
{
	struct attack_judgement out = {
		.tick = judgement->tick,
		.parts = (uint8_t)judgement->parts,
		.judged = judgement->judged,
		.clamped = judgement->clamped,
		.distance = (uint32_t)judgement->distance,
		.error = (uint32_t)judgement->error,
	};

	if (judgement->who != WORLD_NOBODY) {
		const struct world_part *part = parts->part[world_part_of(judgement->who)];

		out.who = part->identity[world_rank_of(judgement->who)];
		out.sort = part->sort[world_rank_of(judgement->who)];
	}
	return out;
}

enum aim_progress aim_step(const struct replica *replica, const struct aim *aim, struct aimed *aimed,
			   struct attack_judgement *judgement)
{
	bool over = false;

	if (aimed->seeking)
		seek(replica, aim, aimed);
	else
		over = world_judge_step(&aimed->judging, replica->parts, RANKS_PER_STEP);
	if (over)
		*judgement = told(replica->parts, &aimed->judging.judgement);
	if (world_parts_order(replica->parts) != aimed->order)
		return AIM_VOID;
	return over ? AIM_JUDGED : AIM_LOOKS;
}
