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
#include "stats/error.h"
#include "world/search.h"

/// Ticks are counted from before the first: what is younger than a baseline can be is not before 0.
#define TICKS_BEFORE 1024

/// Ranks of those who left since the last re-rank, beside a quarter of the sessions.
#define HOLES_MIN 256

/// Where ticks are rarer than this, movements are acknowledged without waiting for a state.
#define ACKNOWLEDGES_HZ_MIN 16

#define MICROMETRES 1e-6
#define GLIMPSE_CELLS_MAX 65536       // each has room for what its players are told
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

/// Of a second, which is also what attacks are judged by at most (WORLD_REWIND_MS_MAX), and of as long before as a baseline can be.
static uint32_t frames_read(const struct pg_world_plan *plan)
{
	return plan->tick_hz * WORLD_REWIND_MS_MAX / 1000 + WORLD_AGES;
}

/// A worker may be half a second late before the others wait for it.
static uint32_t frames_of(const struct pg_world_plan *plan)
{
	uint32_t frames = 2 * WORLD_AGES;

	while (frames < frames_read(plan) + plan->tick_hz / 2)
		frames *= 2;
	return frames;
}

/// Who is silent for longer than this stands still.
static uint32_t late_max(const struct pg_world_plan *plan)
{
	const uint32_t parts = plan->tick_hz * WORLD_TOLD_PER_TICK * plan->extrapolate_ms / 1000;

	return parts < WORLD_LATE_MAX ? parts : WORLD_LATE_MAX;
}

/// Has a listener of the plain profile a world?
static bool has_plain_players(const struct pg_plan *plan)
{
	for (uint32_t i = 0; i < plan->listener_count; i++)
		if (plan->listener_profile[i] == PG_PROFILE_PLAIN && plan->listener_world[i] != 0)
			return true;
	return false;
}

static struct world_part_plan part_plan(const struct pg_gateway *g, const struct pg_world_plan *plan)
{
	const uint32_t numbers = WORLD_RANKS_MAX / g->plan.worker_count;
	// Any worker's may be all of them: what is not used is never touched.
	const uint32_t sessions =
		g->plan.issued_capacity + (has_plain_players(&g->plan) ? g->plan.session_capacity : 0);
	const uint32_t most = sessions + plan->entities, wanted = most + sessions / 4 + plan->entities / 2 + HOLES_MIN;
	struct world_part_plan part = {
		.capacity = (wanted < numbers ? wanted : numbers) & ~63U,
		.frames = frames_of(plan),
		.ages = WORLD_AGES - 1,
		.first = TICKS_BEFORE,
		.late_max = late_max(plan),
		.velocity_shift = world_velocity_shift(plan->tick_hz),
		.readers = g->plan.worker_count,
		.behind = frames_of(plan) - frames_read(plan),
	};

	for (unsigned axis = 0; axis < 3; axis++)
		part.size[axis] = (int32_t)((plan->high_um[axis] - plan->low_um[axis]) / (int64_t)plan->quantum_um) + 1;
	return part;
}

static uint8_t cell_shift(const struct pg_world_plan *plan)
{
	uint8_t shift = 0;

	while (plan->quantum_um << (shift + 1) <= plan->cell_um && shift < WORLD_POSITION_BITS)
		shift++;
	return shift;
}

static struct world_grid_plan grid_plan(const struct pg_gateway *g, const struct pg_world_plan *plan,
					const struct world_part *part)
{
	const struct world_part_plan of = part_plan(g, plan);
	const uint8_t shift = cell_shift(plan);

	return (struct world_grid_plan){
		.part = part,
		.size = {of.size[0], of.size[1]},
		.shift = shift,
		.drift_max = 1 << shift,
	};
}

/// As great as the radius, so that only the cells around one are in range; or greater, if there were too many.
static uint8_t glimpse_shift(const struct world_part_plan *part, const struct pg_world_plan *plan)
{
	const uint64_t radius = plan->radius_um / plan->quantum_um;
	uint8_t shift = 9; // a place in a cell is told in 8 bits, and rounded in one more

	while (1ULL << shift < radius ||
	       (uint64_t)((part->size[0] >> shift) + 1) * (uint64_t)((part->size[1] >> shift) + 1) > GLIMPSE_CELLS_MAX)
		shift++;
	return shift;
}

static struct world_sweep_plan sweep_plan(const struct pg_gateway *g, const struct pg_world_plan *plan,
					  const struct world_part *part)
{
	const struct world_part_plan of = part_plan(g, plan);

	return (struct world_sweep_plan){
		.part = part, .size = {of.size[0], of.size[1]}, .shift = glimpse_shift(&of, plan)};
}

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

// ---------------------------------------------------------------- memory

/// What a worker has of its worlds lies in one piece, of which only what is used is ever touched.
struct carving {
	uint8_t *memory; // NULL: it is only reckoned
	size_t used;
};

static void *carve(struct carving *from, size_t bytes)
{
	void *at = from->memory ? from->memory + from->used : NULL;

	from->used += whole_lines(bytes);
	return at;
}

static void carve_entities(const struct pg_world_plan *plan, struct carving *from, struct entities *entities)
{
	const uint32_t places = entities_places(plan->entities);

	entities->of = carve(from, plan->entities * sizeof(*entities->of));
	entities->place = carve(from, places * sizeof(*entities->place));
	entities->mask = places - 1;
	entities->capacity = plan->entities;
}

static void carve_world(const struct pg_gateway *g, uint32_t world, struct carving *from, struct replica *replica)
{
	const struct pg_world_plan *plan = &g->plan.world[world];
	const struct world_part_plan part = part_plan(g, plan);
	const uint32_t numbers = WORLD_RANKS_MAX / g->plan.worker_count;
	void *memory = carve(from, world_part_bytes(&part));

	replica->reading = carve(from, sizeof(*replica->reading));
	replica->shown.entity = carve(from, part.capacity * sizeof(*replica->shown.entity));
	replica->numbers.back = carve(from, numbers * sizeof(uint32_t));
	replica->slot_after = carve(from, numbers * sizeof(uint32_t));
	replica->states.of = carve(from, numbers * sizeof(*replica->states.of));
	carve_entities(plan, from, &replica->entities);
	replica->numbers.count = numbers;
	if (memory)
		replica->part = world_part_init(memory, &part);

	const struct world_part reckoned = {.capacity = part.capacity, .frames = part.frames};
	const struct world_grid_plan grid = grid_plan(g, plan, memory ? replica->part : &reckoned);

	memory = carve(from, world_grid_bytes(&grid));
	if (memory)
		replica->grid = world_grid_init(memory, &grid);

	const struct world_sweep_plan sweep = sweep_plan(g, plan, memory ? replica->part : &reckoned);

	memory = carve(from, world_sweep_bytes(&sweep));
	if (memory)
		replica->sweep = world_sweep_init(memory, &sweep);
	replica->glimpse_shift = plan->glimpses != 0 ? sweep.shift : 0;
}

static struct replication *carve_all(const struct pg_gateway *g, uint32_t plain_capacity, struct carving *from)
{
	struct replication *replication = carve(from, sizeof(*replication));
	struct replica unused[1] = {{0}}, *replica = carve(from, g->plan.world_count * sizeof(*replica));
	struct member *members = carve(from, g->plan.issued_capacity * sizeof(*members));
	struct world_inside *crowd = carve(from, REPLICATION_CROWD_MAX * sizeof(*crowd));
	struct waiting *waiting = carve(from, sizeof(*waiting));
	struct observer *observers = carve(from, g->plan.issued_capacity * sizeof(*observers));
	struct member_state *states = carve(from, g->plan.issued_capacity * sizeof(*states));
	const bool has_plain = has_plain_players(&g->plan);
	struct plain_player *plain_players = carve(from, has_plain ? plain_capacity * sizeof(*plain_players) : 0);

	for (uint32_t i = 0; i < g->plan.world_count; i++)
		carve_world(g, i, from, replica ? &replica[i] : unused);
	if (!replication)
		return NULL;
	replication->replica = replica;
	replication->members = members;
	replication->observers = observers;
	replication->states = states;
	replication->plain_players = has_plain ? plain_players : NULL;
	for (uint32_t i = 0; i < g->plan.world_count; i++)
		replica[i].plain_players = replication->plain_players;
	replication->crowd = crowd;
	replication->waiting = waiting;
	return replication;
}

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
	replica->begins = g->worlds.begins - (TICKS_BEFORE + 1) * replica->tick_cycles;
	replica->parts_per_cycle = ((uint64_t)WORLD_TOLD_PER_TICK << 32) / replica->tick_cycles;
	replica->tick = TICKS_BEFORE;
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
	struct carving carving = {0};
	int rc = PG_OK;

	if (g->plan.world_count == 0)
		return PG_OK;
	(void)carve_all(g, w->session_capacity, &carving);
	w->worlds_bytes = carving.used;
	w->worlds_memory = pages_reserve(w->worlds_bytes);
	if (!w->worlds_memory)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no address space for its parts of %u worlds",
				 w->number, g->plan.world_count);
	carving = (struct carving){.memory = w->worlds_memory};
	w->shard->replication = carve_all(g, w->session_capacity, &carving);
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
