// SPDX-License-Identifier: BSD-3-Clause
// replication_fixture.c: see replication_fixture.h.

#include "replication_fixture.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "game/waiting.h"
#include "part_fixture.h"
#include "replication/members.h"

#define FIRST 1000 // tick
#define METRE_UM 1000000
#define RANKS 2048

static const struct world_plan allowed = {
	.low_m = {-100, -100, -10},
	.high_m = {100, 100, 50},
	.quantum_m = 0.01F,
	.tick_hz = 30,
	.max_speed_mps = 1000,
	.jitter_ms = 5000,
	.settle_ms = 500,
	.rewind_ms = 500,
	.interpolation_ms = 100,
	.reach_m = 100,
	.body_radius_m = 0.3F,
	.body_height_m = 1.8F,
	.eye_m = 1.6F,
};

static struct world_part *part_of(const struct world_rules *rules)
{
	struct world_part_plan plan = {
		.capacity = RANKS, .frames = 64, .first = FIRST, .late_max = 8 * WORLD_TOLD_PER_TICK};

	for (unsigned axis = 0; axis < 3; axis++)
		plan.size[axis] = rules->end[axis] >> WORLD_UNIT_BITS;
	return make_part(&plan);
}

static void make_replica(struct replication_fixture *fixture)
{
	const struct session_shard *shard = fixture->sessions->shard[0];
	struct replica *replica = fixture->replica;
	struct pg_error error;

	fixture->plan = (struct pg_world_plan){.name = "meadow",
					       .combat.judged = 1,
					       .tick_hz = allowed.tick_hz,
					       .radius_um = 64 * METRE_UM,
					       .quantum_um = METRE_UM / 100,
					       .hearers = 256};
	replica->plan = &fixture->plan;
	if (world_rules_make(&replica->rules, &allowed, "meadow", shard->tsc_hz, &error) != 0)
		fail_msg("%s", error.message);
	replica->part = part_of(&replica->rules);
	fixture->parts = (struct world_parts){.count = 1, .part = {replica->part}};
	replica->parts = &fixture->parts;
	replica->numbers = (struct numbers){.count = RANKS, .back = world_memory(RANKS * sizeof(uint32_t))};
	replica->slot_after = world_memory(RANKS * sizeof(uint32_t));
	replica->tick_cycles = shard->tsc_hz / allowed.tick_hz;
	replica->parts_per_cycle = ((uint64_t)WORLD_TOLD_PER_TICK << 32) / replica->tick_cycles;
	replica->tick = FIRST;
	replica->began = fixture->sessions->now;
	replica->begins = fixture->sessions->now - FIRST * replica->tick_cycles;
	replica->radius = (uint32_t)(fixture->plan.radius_um / fixture->plan.quantum_um);
	replica->counts = &fixture->counts;
}

struct replication_fixture *replication_fixture_open(struct session_fixture *sessions)
{
	struct replication_fixture *fixture = world_memory(sizeof(*fixture));
	struct replication *replication = world_memory(sizeof(*replication));

	fixture->sessions = sessions;
	fixture->replication = replication;
	fixture->replica = world_memory(sizeof(*fixture->replica));
	fixture->waiting = world_memory(sizeof(*fixture->waiting));
	make_replica(fixture);
	replication->shard = sessions->shard[0];
	replication->replicas = 1;
	replication->replica = fixture->replica;
	replication->members = world_memory(sessions->capacity * sizeof(*replication->members));
	replication->observers = world_memory(sessions->capacity * sizeof(*replication->observers));
	replication->crowd = world_memory(REPLICATION_CROWD_MAX * sizeof(*replication->crowd));
	replication->waiting = fixture->waiting;
	sessions->shard[0]->replication = replication;
	return fixture;
}

void replication_fixture_close(struct replication_fixture *fixture)
{
	fixture->sessions->shard[0]->replication = NULL;
	free(fixture->replica->part);
	free(fixture->replica->numbers.back);
	free(fixture->replica->slot_after);
	free(fixture->replication->members);
	free(fixture->replication->observers);
	free(fixture->replication->crowd);
	free(fixture->replica);
	free(fixture->waiting);
	free(fixture->replication);
	free(fixture);
}

void replication_fixture_move(struct replication_fixture *fixture, uint32_t slot, float x, float y)
{
	const struct motion motion = {{x, y, 0}, {0, 0, 0}};

	record_move(&fixture->sessions->store.records[slot], (const uint8_t *)&motion);
	replication_moved(fixture->replication, slot, fixture->sessions->now);
}

void replication_fixture_enter(struct replication_fixture *fixture, uint32_t slot, float x, float y)
{
	member_leaves(fixture->replication, slot);
	member_joins(fixture->replication, slot, 1, fixture->sessions->now);
	replication_fixture_move(fixture, slot, x, y);
}

void replication_fixture_tick(struct replication_fixture *fixture, bool rerank)
{
	struct replica *replica = fixture->replica;
	struct world_part *part = replica->part;

	if (rerank && part->published - part->reranked >= part->frames)
		sort_ranks(part);
	else
		rerank = false;
	fixture->sessions->now += replica->tick_cycles;
	replica->began = fixture->sessions->now;
	publish(part, ++replica->tick, rerank);
	// As a tick does: who keeps ranks asks between any two changes.
	for (uint32_t slot = 0; slot < fixture->sessions->capacity; slot++)
		if (fixture->replication->members[slot].placed)
			(void)member_rank(replica, &fixture->replication->members[slot]);
}
