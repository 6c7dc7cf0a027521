// SPDX-License-Identifier: BSD-3-Clause
// replication_fixture.c: see replication_fixture.h.

#include "replication_fixture.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "game/waiting.h"
#include "part_fixture.h"
#include "replication/members.h"

#define METRE_UM 1000000
#define RANKS FIXTURE_NUMBERS

static const struct world_plan allowed = {
	.low_m = {FIXTURE_LOW_M, FIXTURE_LOW_M, -10},
	.high_m = {1000, 1000, 50},
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

/// Zeroed; goes with the fixture.
static void *memory_of(struct replication_fixture *fixture, size_t bytes)
{
	assert_true(fixture->memories < FIXTURE_MEMORIES);
	return fixture->memory[fixture->memories++] = world_memory(bytes);
}

static void plan_world(struct pg_world_plan *plan, const char *name, uint32_t entities)
{
	*plan = (struct pg_world_plan){
		.combat.judged = 1,
		.tick_hz = allowed.tick_hz,
		.radius_um = 64 * METRE_UM,
		.quantum_um = METRE_UM / 100,
		.neighbours = WORLD_SLOTS_MAX,
		.hearers = 256,
		.entities = entities,
	};
	memcpy(plan->name, name, strlen(name));
	for (unsigned axis = 0; axis < 3; axis++) {
		plan->low_um[axis] = (int64_t)allowed.low_m[axis] * METRE_UM;
		plan->high_um[axis] = (int64_t)allowed.high_m[axis] * METRE_UM;
	}
}

static void make_part_of(struct replication_fixture *fixture, struct replica *replica)
{
	struct world_part_plan plan = {.capacity = RANKS,
				       .frames = 64,
				       .first = FIXTURE_FIRST,
				       .readers = fixture->workers,
				       .behind = 4,
				       .late_max = 8 * WORLD_TOLD_PER_TICK};

	for (unsigned axis = 0; axis < 3; axis++)
		plan.size[axis] = replica->rules.end[axis] >> WORLD_UNIT_BITS;
	replica->part = world_part_init(memory_of(fixture, world_part_bytes(&plan)), &plan);
}

static void make_entities(struct replication_fixture *fixture, struct replica *replica, uint32_t world)
{
	struct entities *entities = &replica->entities;

	entities->capacity = fixture->plan[world].entities;
	entities->mask = entities_places(entities->capacity) - 1;
	entities->of = memory_of(fixture, (entities->capacity + 1) * sizeof(*entities->of));
	entities->place = memory_of(fixture, (entities->mask + 1) * sizeof(*entities->place));
	entities->all = &fixture->all[world];
}

static void make_numbers(struct replication_fixture *fixture, struct replica *replica, unsigned worker)
{
	replica->numbers = (struct numbers){
		.first = worker * FIXTURE_NUMBERS,
		.count = FIXTURE_NUMBERS,
		.back = memory_of(fixture, FIXTURE_NUMBERS * sizeof(*replica->numbers.back)),
	};
	replica->slot_after = memory_of(fixture, FIXTURE_NUMBERS * sizeof(*replica->slot_after));
	replica->states = (struct world_game_states){
		.first = replica->numbers.first,
		.count = FIXTURE_NUMBERS,
		.of = memory_of(fixture, FIXTURE_NUMBERS * sizeof(*replica->states.of)),
	};
	replica->part->states = &replica->states;
}

static void make_replica(struct replication_fixture *fixture, unsigned worker, uint32_t world)
{
	const struct session_shard *shard = fixture->sessions->shard[worker];
	struct replica *replica = &fixture->of[worker]->replica[world];
	struct pg_error error;

	replica->plan = &fixture->plan[world];
	if (world_rules_make(&replica->rules, &allowed, replica->plan->name, shard->tsc_hz, &error) != 0)
		fail_msg("%s", error.message);
	make_part_of(fixture, replica);
	replica->own = worker;
	replica->tick_cycles = shard->tsc_hz / allowed.tick_hz;
	replica->parts_per_cycle = ((uint64_t)WORLD_TOLD_PER_TICK << 32) / replica->tick_cycles;
	replica->tick = FIXTURE_FIRST;
	replica->began = fixture->sessions->now;
	replica->begins = fixture->sessions->now - FIXTURE_FIRST * replica->tick_cycles;
	replica->due = UINT64_MAX;
	replica->radius = (uint32_t)(replica->plan->radius_um / replica->plan->quantum_um);
	replica->counts = &fixture->sessions->stats[worker].world[world];
	make_numbers(fixture, replica, worker);
	make_entities(fixture, replica, world);
	fixture->parts[world].part[worker] = replica->part;
	fixture->parts[world].count = fixture->workers;
}

static void make_replication(struct replication_fixture *fixture, unsigned worker)
{
	struct replication *replication = memory_of(fixture, sizeof(*replication));
	const uint32_t capacity = fixture->sessions->capacity;

	fixture->of[worker] = replication;
	replication->shard = fixture->sessions->shard[worker];
	replication->kernels = world_kernels_select("auto");
	replication->replicas = FIXTURE_WORLDS;
	replication->replica = memory_of(fixture, FIXTURE_WORLDS * sizeof(*replication->replica));
	replication->members = memory_of(fixture, capacity * sizeof(*replication->members));
	replication->observers = memory_of(fixture, capacity * sizeof(*replication->observers));
	replication->states = memory_of(fixture, capacity * sizeof(*replication->states));
	replication->crowd = memory_of(fixture, REPLICATION_CROWD_MAX * sizeof(*replication->crowd));
	replication->waiting = memory_of(fixture, sizeof(*replication->waiting));
	memset(replication->listener_world, 1, sizeof(replication->listener_world));
	replication_init(replication);
	replication->shard->replication = replication;
}

static void make_reading(struct replication_fixture *fixture, unsigned worker, uint32_t world)
{
	struct replica *replica = &fixture->of[worker]->replica[world];

	replica->reading = memory_of(fixture, sizeof(*replica->reading));
	world_reading_init(replica->reading, &fixture->parts[world], worker);
	replica->parts = &replica->reading->parts;
}

struct replication_fixture *replication_fixture_open_for(struct session_fixture *sessions, unsigned workers,
							 uint32_t entities)
{
	struct replication_fixture *fixture = world_memory(sizeof(*fixture));

	fixture->sessions = sessions;
	fixture->workers = workers;
	fixture->tick = FIXTURE_FIRST;
	plan_world(&fixture->plan[0], "meadow", entities);
	plan_world(&fixture->plan[1], "cave", entities);
	for (unsigned worker = 0; worker < workers; worker++)
		make_replication(fixture, worker);
	for (uint32_t world = 0; world < FIXTURE_WORLDS; world++) {
		for (unsigned worker = 0; worker < workers; worker++)
			make_replica(fixture, worker, world);
		for (unsigned worker = 0; worker < workers; worker++)
			make_reading(fixture, worker, world);
	}
	fixture->replication = fixture->of[0];
	fixture->replica = &fixture->replication->replica[0];
	fixture->waiting = fixture->replication->waiting;
	return fixture;
}

struct replication_fixture *replication_fixture_open(struct session_fixture *sessions)
{
	return replication_fixture_open_for(sessions, 1, 0);
}

void replication_fixture_close(struct replication_fixture *fixture)
{
	for (unsigned worker = 0; worker < fixture->workers; worker++) {
		struct session_shard *shard = fixture->sessions->shard[worker];

		shard->replication = NULL;
		shard->ctx.fillers = shard->ctx.listeners = 0;
	}
	for (unsigned i = 0; i < fixture->memories; i++)
		free(fixture->memory[i]);
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

/// As a tick does: who keeps ranks asks between any two changes.
static void take_new_ranks(struct replication_fixture *fixture, unsigned worker, uint32_t world)
{
	struct replication *replication = fixture->of[worker];
	struct replica *replica = &replication->replica[world];

	entities_take_new_ranks(replica, 0, replica->part->count);
	for (uint32_t slot = 0; slot < fixture->sessions->capacity; slot++)
		if (replication->members[slot].placed && replication->members[slot].world == world + 1)
			(void)member_rank(replica, &replication->members[slot]);
}

static void publish_part(struct replication_fixture *fixture, unsigned worker, uint32_t world, bool rerank)
{
	struct replica *replica = &fixture->of[worker]->replica[world];
	const bool sorts = rerank && world_rerank_begin(replica->part);

	while (sorts && !world_rerank_step(replica->part, RANKS))
		;
	replica->tick = fixture->tick;
	replica->began = fixture->sessions->now;
	publish(replica->part, fixture->tick, sorts);
	take_new_ranks(fixture, worker, world);
}

void replication_fixture_tick(struct replication_fixture *fixture, bool rerank)
{
	fixture->tick++;
	fixture->sessions->now += fixture->replica->tick_cycles;
	for (uint32_t world = 0; world < FIXTURE_WORLDS; world++) {
		for (unsigned worker = 0; worker < fixture->workers; worker++)
			publish_part(fixture, worker, world, rerank);
		for (unsigned worker = 0; worker < fixture->workers; worker++)
			world_read(fixture->of[worker]->replica[world].reading, fixture->tick);
	}
}

uint32_t replication_fixture_find(const struct world_part *part, uint32_t identity, enum world_sort sort)
{
	for (uint32_t rank = 0; rank < part->count; rank++)
		if (part->number[rank] != WORLD_NOBODY && part->identity[rank] == identity && part->sort[rank] == sort)
			return rank;
	return WORLD_NOBODY;
}

static uint32_t entities_there(const struct replica *replica)
{
	uint32_t there = 0;

	for (uint32_t i = 0; i < replica->entities.never; i++)
		there += replica->entities.of[i].is_there;
	return there;
}

bool replication_fixture_is_sound(const struct replica *replica)
{
	uint32_t players = 0, entities = 0;

	for (uint32_t i = 0; i < FIXTURE_NUMBERS; i++) {
		const uint32_t after = replica->slot_after[i];

		if (after == 0 && replica->states.of[i].length != 0)
			return false;
		entities += (after & REPLICA_ENTITY) != 0;
		players += after != 0 && !(after & REPLICA_ENTITY);
	}
	return players == replica->counts->players && entities == replica->counts->entities &&
	       entities == entities_there(replica) &&
	       players + entities + replica->numbers.waiting == replica->numbers.never;
}
