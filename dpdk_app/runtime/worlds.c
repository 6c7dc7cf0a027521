// SPDX-License-Identifier: BSD-3-Clause
// runtime/worlds.c: see worlds.h.

#include "runtime/worlds.h"

#include <string.h>

#include "game/waiting.h"
#include "pipeline/egress.h"
#include "replication/plain_players.h"
#include "replication/turn.h"
#include "runtime/engine.h"
#include "runtime/recording.h"
#include "runtime/worker_tasks.h"
#include "runtime/worlds_memory.h"
#include "stats/error.h"
#include "world/search.h"

/// Where ticks are rarer than this, movements are acknowledged without waiting for a state.
#define ACKNOWLEDGES_HZ_MIN 16

#define MICROMETRES 1e-6
#define ANY_SPEED (0.99F * INT16_MAX) // as a velocity is told, less the margin of the rules

// ---------------------------------------------------------------- what a world is

static float metres(uint64_t micrometres)
{
	return (float)((double)micrometres * MICROMETRES);
}

static void add_combat(struct world_plan *wanted, const struct pg_combat_plan *combat)
{
	if (!combat->judged)
		return;
	wanted->rewind_ms = combat->rewind_ms;
	wanted->interpolation_ms = combat->interpolation_ms;
	wanted->reach_m = metres(combat->reach_um);
	wanted->body_radius_m = metres(combat->body_radius_um);
	wanted->body_height_m = metres(combat->body_height_um);
	wanted->eye_m = metres(combat->eye_um);
}

static int make_rules(struct replica *replica, struct pg_error *error)
{
	const struct pg_world_plan *plan = replica->plan;
	const float quantum = metres(plan->quantum_um);
	// As fast as a velocity can be told.
	const unsigned parts = WORLD_VELOCITY_PARTS >> world_velocity_shift(plan->tick_hz);
	const float any_speed = quantum * (float)plan->tick_hz * ANY_SPEED / (float)parts;
	struct world_plan wanted = {
		.quantum_m = quantum,
		.tick_hz = plan->tick_hz,
		.max_speed_mps = plan->max_speed_um != 0 ? metres(plan->max_speed_um) : any_speed,
		.max_acceleration_mps2 = metres(plan->max_acceleration_um),
		.jitter_ms = plan->jitter_ms,
		.settle_ms = plan->settle_ms,
	};

	add_combat(&wanted, &plan->combat);
	for (unsigned axis = 0; axis < 3; axis++) {
		wanted.low_m[axis] = (float)((double)plan->low_um[axis] * MICROMETRES);
		wanted.high_m[axis] = (float)((double)plan->high_um[axis] * MICROMETRES);
	}
	return world_rules_make(&replica->rules, &wanted, plan->name, pg_tsc_hz(), error);
}

// ---------------------------------------------------------------- what looks at all parts

static struct world_glimpses_plan glimpses_plan(const struct pg_gateway *g, const struct pg_world_plan *plan,
						uint32_t world, const struct world_parts *parts)
{
	return (struct world_glimpses_plan){
		.parts = parts,
		.sweep = g->worlds.sweep[world],
		.radius = (uint32_t)(plan->radius_um / plan->quantum_um),
		.glimpses = plan->glimpses,
	};
}

static struct world_interest_plan interest_plan(const struct pg_gateway *g, const struct pg_world_plan *plan,
						uint32_t world, const struct world_parts *parts)
{
	return (struct world_interest_plan){
		.parts = parts,
		.grid = g->worlds.grid[world],
		.neighbours = plan->neighbours,
		.radius = (uint32_t)(plan->radius_um / plan->quantum_um),
		.leave_radius = (uint32_t)(plan->leave_radius_um / plan->quantum_um),
		.hysteresis = WORLD_HYSTERESIS_ONE * plan->hysteresis_permille / 1000,
	};
}

// ---------------------------------------------------------------- how it begins

static void add_tiers(struct replica *replica)
{
	const struct pg_world_plan *plan = replica->plan;

	replica->tiers = plan->tier_count;
	for (uint32_t i = 0; i < plan->tier_count; i++) {
		const uint32_t distance = (uint32_t)(plan->tier[i].from_um / plan->quantum_um);

		replica->tier[i] = (struct replica_tier){
			.distance2 = distance * distance,
			.pace = (unsigned)__builtin_ctz(plan->tier[i].every_ticks),
		};
	}
}

static void add_unseen_buckets(struct replica *replica)
{
	for (uint64_t ticks = 0; ticks < OBSERVER_TICKS; ticks++)
		replica->unseen_bucket[ticks] = (uint8_t)unseen_bucket(ticks * 1000000000 / replica->plan->tick_hz);
}

static int begin_world(struct pg_gateway *g, struct worker *w, uint32_t world, struct pg_error *error)
{
	struct replica *replica = &w->shard->replication->replica[world];
	struct world_parts *parts = &g->worlds.parts[world];

	replica->plan = &g->plan.world[world];
	if (make_rules(replica, error) != PG_OK)
		return error->code;
	replica->tick_cycles = pg_tsc_hz() / replica->plan->tick_hz;
	if (g->worlds.begins == 0)
		g->worlds.begins = pg_tsc();
	replica->begins = g->worlds.begins - (WORLDS_TICKS_BEFORE + 1) * replica->tick_cycles;
	replica->parts_per_cycle = ((uint64_t)WORLD_TOLD_PER_TICK << 32) / replica->tick_cycles;
	replica->tick = WORLDS_TICKS_BEFORE;
	replica->began = g->worlds.begins - replica->tick_cycles;
	replica->due = g->worlds.begins;
	replica->numbers.first = w->number * replica->numbers.count;
	replica->states.first = replica->numbers.first;
	replica->states.count = replica->numbers.count;
	replica->part->states = &replica->states;
	replica->counts = &w->stats->world[world];
	replica->radius = (uint32_t)(replica->plan->radius_um / replica->plan->quantum_um);
	replica->leave_radius = (uint32_t)(replica->plan->leave_radius_um / replica->plan->quantum_um);
	replica->told_per_distance2 =
		((uint64_t)UINT8_MAX << 32) / ((uint64_t)replica->leave_radius * replica->leave_radius);
	add_tiers(replica);
	add_unseen_buckets(replica);
	replica->acknowledges = replica->plan->tick_hz >= ACKNOWLEDGES_HZ_MIN;
	replica->state_room = (uint32_t)((uint64_t)replica->plan->budget_kbps * 1000 / 8 / replica->plan->tick_hz);
	replica->parts = &replica->reading->parts;
	replica->own = w->number;
	parts->part[w->number] = replica->part;
	g->worlds.grid[world][w->number] = replica->grid;
	g->worlds.sweep[world][w->number] = replica->sweep;
	parts->count = g->plan.worker_count;
	replica->entities.all = &g->worlds.entities[world];
	counter_set(&replica->counts->players, 0); // of the process before this one
	counter_set(&replica->counts->entities, 0);
	return PG_OK;
}

/// All parts are there: what looks at them.
static int make_interests(const struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	const struct replication *replication = w->shard->replication;

	for (uint32_t world = 0; world < g->plan.world_count; world++) {
		struct replica *replica = &replication->replica[world];

		world_reading_init(replica->reading, &g->worlds.parts[world], w->number);

		const struct world_interest_plan plan = interest_plan(g, &g->plan.world[world], world, replica->parts);
		const struct world_glimpses_plan glimpses =
			glimpses_plan(g, &g->plan.world[world], world, replica->parts);
		const size_t interest_bytes = world_interest_bytes(&plan);

		replica->interest_bytes = interest_bytes + world_glimpses_bytes(&glimpses);
		replica->interest_memory = pages_reserve(replica->interest_bytes);
		if (!replica->interest_memory)
			return error_set(error, PG_ERROR_MEMORY, "worker %u: no address space for world %s", w->number,
					 g->plan.world[world].name);
		replica->interest = world_interest_init(replica->interest_memory, &plan);
		replica->glimpses =
			world_glimpses_init((uint8_t *)replica->interest_memory + interest_bytes, &glimpses);
	}
	return PG_OK;
}

int worlds_make(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	int rc = PG_OK;

	if (g->plan.world_count == 0)
		return PG_OK;
	w->worlds_bytes = worlds_memory_bytes(&g->plan, w->session_capacity);
	w->worlds_memory = pages_reserve(w->worlds_bytes);
	if (!w->worlds_memory)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no address space for its parts of %u worlds",
				 w->number, g->plan.world_count);
	w->shard->replication = worlds_lay_out(&g->plan, w->session_capacity, w->worlds_memory);
	w->shard->replication->shard = w->shard;
	w->shard->replication->kernels = world_kernels_select(g->plan.isa);
	w->shard->replication->replicas = g->plan.world_count;
	memcpy(w->shard->replication->listener_world, g->plan.listener_world, sizeof(g->plan.listener_world));
	for (uint32_t world = 0; world < g->plan.world_count && rc == PG_OK; world++)
		rc = begin_world(g, w, world, error);
	if (rc == PG_OK)
		replication_init(w->shard->replication);
	if (rc == PG_OK)
		recording_open(g, w);
	if (w->number + 1 < g->plan.worker_count)
		return rc;
	for (uint32_t i = 0; i < g->plan.worker_count && rc == PG_OK; i++)
		rc = make_interests(g, i == w->number ? w : g->worker[i], error);
	return rc;
}

void worlds_free(struct worker *w)
{
	const struct replication *replication = w->shard->replication;

	for (uint32_t world = 0; replication && world < replication->replicas; world++)
		if (replication->replica[world].interest_memory)
			pages_free(replication->replica[world].interest_memory,
				   replication->replica[world].interest_bytes);
	if (w->worlds_memory)
		pages_free(w->worlds_memory, w->worlds_bytes);
	w->worlds_memory = NULL;
	w->shard->replication = NULL;
}

// ---------------------------------------------------------------- its task

/// Steps, for as long as packets may wait.
static unsigned run_worlds(struct task *task, uint64_t now)
{
	struct worker *w = task->worker;
	struct replication *replication = w->shard->replication;
	const uint64_t until = now + WORLDS_STEPS_US * (pg_tsc_hz() / 1000000);
	unsigned sent = 0;
	enum turn_step step;

	do {
		now = pg_tsc();
		step = turn_step(replication, now);
		if (step == TURN_SENDS) {
			sent += w->parts->send_egress(w, &world_egress, replication, task->budget, now);
			turn_sent(replication, pg_tsc());
		}
	} while (step != TURN_NOTHING && now < until);
	task->due = turn_due(replication);
	return sent;
}

void worlds_begin(struct worker *w)
{
	if (w->shard && w->shard->replication)
		turn_publish(w->shard->replication, pg_tsc());
}

void worlds_watch_addresses(struct worker *w)
{
	if (!w->shard || !w->shard->replication || !w->shard->replication->plain_players)
		return;
	w->sessions.context = w->shard->replication;
	w->sessions.removed = plain_player_leaves;
}

/// What was said that takes a look through a world.
static unsigned run_waiting(struct task *task, uint64_t now)
{
	const struct worker *w = task->worker;
	const uint64_t until = now + WORLDS_WAITING_US * (pg_tsc_hz() / 1000000);

	do
		waiting_step(w->shard, pg_tsc());
	while (waiting_has_some(w->shard->replication->waiting) && pg_tsc() < until);
	return 0;
}

static bool has_waiting(const struct task *task, uint64_t now)
{
	const struct worker *w = task->worker;

	(void)now;
	return waiting_has_some(w->shard->replication->waiting);
}

static uint64_t next_waiting(const struct task *task)
{
	return has_waiting(task, 0) ? TASK_ALWAYS : TASK_NEVER;
}

void worlds_add_task(struct worker *w)
{
	if (!w->shard->replication)
		return;
	tasks_add(&w->tasks, &(struct task){
				     .worker = w,
				     .run = run_waiting,
				     .ready = has_waiting,
				     .next = next_waiting,
				     .due = TASK_NEVER,
			     });
	tasks_add(&w->tasks, &(struct task){
				     .worker = w,
				     .run = run_worlds,
				     .budget = WORLDS_SENT_AT_ONCE,
				     .due = turn_due(w->shard->replication),
			     });
}
