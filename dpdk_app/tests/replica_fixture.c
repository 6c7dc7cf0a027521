// SPDX-License-Identifier: BSD-3-Clause
// replica_fixture.c: see replica_fixture.h.

#include "unit.h"

#include "replica_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "game/waiting.h"
#include "part_fixture.h"
#include "rules_fixture.h"
#include "world/search.h"

#define RANKS 2048
#define FRAMES 64
#define QUANTUM_UM 10000
#define MICROMETRES 1e6F

static void *memory_of(struct replica_fixture *fixture, size_t bytes)
{
	void *memory = world_memory(bytes);

	assert_true(fixture->memories < REPLICA_MEMORIES);
	fixture->memory[fixture->memories++] = memory;
	return memory;
}

static void plan_world(struct pg_world_plan *plan, const char *name, uint32_t entities)
{
	memcpy(plan->name, name, strlen(name));
	for (unsigned axis = 0; axis < 3; axis++) {
		plan->low_um[axis] = (int64_t)(town.low_m[axis] * MICROMETRES);
		plan->high_um[axis] = (int64_t)(town.high_m[axis] * MICROMETRES);
	}
	plan->tick_hz = town.tick_hz;
	plan->quantum_um = QUANTUM_UM;
	plan->neighbours = WORLD_SLOTS_MAX;
	plan->entities = entities;
}

static struct world_part_plan part_plan(const struct replica_fixture *fixture)
{
	struct world_part_plan plan = small_plan(RANKS);

	for (unsigned axis = 0; axis < 3; axis++)
		plan.size[axis] = (int32_t)((town.high_m[axis] - town.low_m[axis]) / town.quantum_m) + 1;
	plan.frames = FRAMES;
	plan.readers = fixture->workers;
	plan.behind = 4;
	return plan;
}

static void make_entities(struct replica_fixture *fixture, struct replica *replica, uint32_t world)
{
	struct entities *entities = &replica->entities;

	entities->capacity = fixture->plan[world].entities;
	entities->mask = entities_places(entities->capacity) - 1;
	entities->of = memory_of(fixture, (entities->capacity + 1) * sizeof(*entities->of));
	entities->place = memory_of(fixture, (entities->mask + 1) * sizeof(*entities->place));
	entities->all = &fixture->all[world];
}

static void make_numbers(struct replica_fixture *fixture, struct replica *replica, unsigned worker)
{
	replica->numbers.first = worker * REPLICA_NUMBERS;
	replica->numbers.count = REPLICA_NUMBERS;
	replica->numbers.back = memory_of(fixture, REPLICA_NUMBERS * sizeof(uint32_t));
	replica->slot_after = memory_of(fixture, REPLICA_NUMBERS * sizeof(uint32_t));
	replica->states.first = replica->numbers.first;
	replica->states.count = REPLICA_NUMBERS;
	replica->states.of = memory_of(fixture, REPLICA_NUMBERS * sizeof(*replica->states.of));
	replica->part->states = &replica->states;
}

static void make_replica(struct replica_fixture *fixture, unsigned worker, uint32_t world)
{
	struct replica *replica = &fixture->replication[worker]->replica[world];
	const struct world_part_plan part = part_plan(fixture);

	replica->plan = &fixture->plan[world];
	replica->rules = rules_at(&town, fixture->sessions->shard[0]->tsc_hz);
	replica->part = world_part_init(memory_of(fixture, world_part_bytes(&part)), &part);
	replica->own = worker;
	replica->tick = part.first;
	replica->tick_cycles = fixture->sessions->shard[0]->tsc_hz / town.tick_hz;
	replica->parts_per_cycle = ((uint64_t)WORLD_TOLD_PER_TICK << 32) / replica->tick_cycles;
	replica->began = fixture->sessions->now;
	replica->due = UINT64_MAX;
	replica->counts = &fixture->sessions->stats[worker].world[world];
	make_numbers(fixture, replica, worker);
	make_entities(fixture, replica, world);
	fixture->parts[world].part[worker] = replica->part;
	fixture->parts[world].count = fixture->workers;
	fixture->tick = part.first;
}

static void make_replication(struct replica_fixture *fixture, unsigned worker)
{
	struct replication *replication = memory_of(fixture, sizeof(*replication));
	const uint32_t capacity = fixture->sessions->capacity;

	fixture->replication[worker] = replication;
	replication->shard = fixture->sessions->shard[worker];
	replication->kernels = world_kernels_select("auto");
	replication->replicas = REPLICA_WORLDS;
	replication->replica = memory_of(fixture, REPLICA_WORLDS * sizeof(*replication->replica));
	replication->members = memory_of(fixture, capacity * sizeof(*replication->members));
	replication->observers = memory_of(fixture, capacity * sizeof(*replication->observers));
	replication->states = memory_of(fixture, capacity * sizeof(*replication->states));
	replication->crowd = memory_of(fixture, REPLICATION_CROWD_MAX * sizeof(*replication->crowd));
	replication->waiting = memory_of(fixture, sizeof(struct waiting));
	memset(replication->listener_world, 1, sizeof(replication->listener_world));
	replication_init(replication);
	replication->shard->replication = replication;
}

static void make_reading(struct replica_fixture *fixture, unsigned worker, uint32_t world)
{
	struct replica *replica = &fixture->replication[worker]->replica[world];

	replica->reading = memory_of(fixture, sizeof(*replica->reading));
	world_reading_init(replica->reading, &fixture->parts[world], worker);
	replica->parts = &replica->reading->parts;
}

struct replica_fixture *replica_fixture_open(struct session_fixture *sessions, unsigned workers, uint32_t entities)
{
	struct replica_fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->sessions = sessions;
	fixture->workers = workers;
	plan_world(&fixture->plan[0], "meadow", entities);
	plan_world(&fixture->plan[1], "cave", entities);
	for (unsigned worker = 0; worker < workers; worker++)
		make_replication(fixture, worker);
	for (uint32_t world = 0; world < REPLICA_WORLDS; world++) {
		for (unsigned worker = 0; worker < workers; worker++)
			make_replica(fixture, worker, world);
		for (unsigned worker = 0; worker < workers; worker++)
			make_reading(fixture, worker, world);
	}
	return fixture;
}

void replica_fixture_close(struct replica_fixture *fixture)
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

/// Whoever keeps a rank hears of new ones.
static void take_new_ranks(struct replica_fixture *fixture, unsigned worker, uint32_t world)
{
	struct replication *replication = fixture->replication[worker];
	struct replica *replica = &replication->replica[world];

	entities_take_new_ranks(replica, 0, replica->part->count);
	for (uint32_t slot = 0; slot < fixture->sessions->capacity; slot++)
		if (replication->members[slot].placed && replication->members[slot].world == world + 1)
			(void)member_rank(replica, &replication->members[slot]);
}

static void publish_part(struct replica_fixture *fixture, unsigned worker, uint32_t world)
{
	struct replica *replica = &fixture->replication[worker]->replica[world];
	const bool sorts = world_rerank_begin(replica->part);

	while (sorts && !world_rerank_step(replica->part, RANKS))
		;
	replica->tick = fixture->tick;
	replica->began = fixture->sessions->now;
	world_part_begin(replica->part, fixture->tick, sorts);
	while (!world_part_step(replica->part, RANKS))
		;
	take_new_ranks(fixture, worker, world);
}

void replica_fixture_tick(struct replica_fixture *fixture)
{
	fixture->tick++;
	for (uint32_t world = 0; world < REPLICA_WORLDS; world++) {
		for (unsigned worker = 0; worker < fixture->workers; worker++)
			publish_part(fixture, worker, world);
		for (unsigned worker = 0; worker < fixture->workers; worker++)
			world_read(fixture->replication[worker]->replica[world].reading, fixture->tick);
	}
}

uint32_t replica_fixture_find(const struct world_part *part, uint32_t identity, enum world_sort sort)
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

bool replica_fixture_is_sound(const struct replica *replica)
{
	uint32_t players = 0, entities = 0;

	for (uint32_t i = 0; i < REPLICA_NUMBERS; i++) {
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
