// SPDX-License-Identifier: BSD-3-Clause
// runtime/worlds_memory.c: see worlds_memory.h.

#include "runtime/worlds_memory.h"

#include "game/waiting.h"
#include "replication/plain_players.h"
#include "world/search.h"

/// Ranks of those who left since the last re-rank, beside a quarter of the sessions.
#define HOLES_MIN 256

#define GLIMPSE_CELLS_MAX 65536 // each has room for what its players are told

// ---------------------------------------------------------------- how large each piece is

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

/// Has a listener of the plain profile this world?
/// @param world  one of the plan's
static bool has_plain_players_in(const struct pg_plan *plan, const struct pg_world_plan *world)
{
	for (uint32_t i = 0; i < plan->listener_count; i++)
		if (plan->listener_profile[i] == PG_PROFILE_PLAIN && plan->listener_world[i] != 0 &&
		    &plan->world[plan->listener_world[i] - 1] == world)
			return true;
	return false;
}

/// Has a listener of the plain profile a world?
static bool has_plain_players(const struct pg_plan *plan)
{
	for (uint32_t i = 0; i < plan->world_count; i++)
		if (has_plain_players_in(plan, &plan->world[i]))
			return true;
	return false;
}

static struct world_part_plan part_plan(const struct pg_plan *all, const struct pg_world_plan *plan)
{
	const uint32_t numbers = WORLD_RANKS_MAX / all->worker_count;
	// Any worker's may be all of them: what is not used is never touched.
	const uint32_t sessions = all->issued_capacity + (has_plain_players(all) ? all->session_capacity : 0);
	const uint32_t most = sessions + plan->entities, wanted = most + sessions / 4 + plan->entities / 2 + HOLES_MIN;
	struct world_part_plan part = {
		.capacity = (wanted < numbers ? wanted : numbers) & ~63U,
		.frames = frames_of(plan),
		.ages = WORLD_AGES - 1,
		.fulls = has_plain_players_in(all, plan),
		.first = WORLDS_TICKS_BEFORE,
		.late_max = late_max(plan),
		.velocity_shift = world_velocity_shift(plan->tick_hz),
		.readers = all->worker_count,
		.behind = frames_of(plan) - frames_read(plan),
	};

	for (unsigned axis = 0; axis < 3; axis++)
		part.size[axis] = (int32_t)((plan->high_um[axis] - plan->low_um[axis]) / (int64_t)plan->quantum_um) + 1;
	return part;
}

/// Of the power of two, in quanta, that is nearest to what was said: none is more than the root of two away from it.
static uint8_t cell_shift(const struct pg_world_plan *plan)
{
	const uint64_t said = plan->cell_um;
	uint64_t side = plan->quantum_um;
	uint8_t shift = 0;

	for (; 2 * side * side <= said * said && shift < WORLD_POSITION_BITS; side *= 2)
		shift++;
	return shift;
}

static struct world_grid_plan grid_plan(const struct pg_plan *all, const struct pg_world_plan *plan,
					const struct world_part *part)
{
	const struct world_part_plan of = part_plan(all, plan);
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

static struct world_sweep_plan sweep_plan(const struct pg_plan *all, const struct pg_world_plan *plan,
					  const struct world_part *part)
{
	const struct world_part_plan of = part_plan(all, plan);

	return (struct world_sweep_plan){
		.part = part, .size = {of.size[0], of.size[1]}, .shift = glimpse_shift(&of, plan)};
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

static void carve_world(const struct pg_plan *all, uint32_t world, struct carving *from, struct replica *replica)
{
	const struct pg_world_plan *plan = &all->world[world];
	const struct world_part_plan part = part_plan(all, plan);
	const uint32_t numbers = WORLD_RANKS_MAX / all->worker_count;
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
	const struct world_grid_plan grid = grid_plan(all, plan, memory ? replica->part : &reckoned);

	memory = carve(from, world_grid_bytes(&grid));
	if (memory)
		replica->grid = world_grid_init(memory, &grid);

	const struct world_sweep_plan sweep = sweep_plan(all, plan, memory ? replica->part : &reckoned);

	memory = carve(from, world_sweep_bytes(&sweep));
	if (memory)
		replica->sweep = world_sweep_init(memory, &sweep);
	replica->glimpse_shift = plan->glimpses != 0 ? sweep.shift : 0;
	replica->tells_in_full = part.fulls;
}

static struct replication *lay_out(const struct pg_plan *all, uint32_t plain_capacity, struct carving *from)
{
	struct replication *replication = carve(from, sizeof(*replication));
	struct replica unused[1] = {{0}}, *replica = carve(from, all->world_count * sizeof(*replica));
	struct member *members = carve(from, all->issued_capacity * sizeof(*members));
	struct world_inside *crowd = carve(from, REPLICATION_CROWD_MAX * sizeof(*crowd));
	struct waiting *waiting = carve(from, sizeof(*waiting));
	struct observer *observers = carve(from, all->issued_capacity * sizeof(*observers));
	struct member_state *states = carve(from, all->issued_capacity * sizeof(*states));
	const bool has_plain = has_plain_players(all);
	struct plain_player *plain_players = carve(from, has_plain ? plain_capacity * sizeof(*plain_players) : 0);

	for (uint32_t i = 0; i < all->world_count; i++)
		carve_world(all, i, from, replica ? &replica[i] : unused);
	if (!replication)
		return NULL;
	replication->replica = replica;
	replication->members = members;
	replication->observers = observers;
	replication->states = states;
	replication->plain_players = has_plain ? plain_players : NULL;
	for (uint32_t i = 0; i < all->world_count; i++)
		replica[i].plain_players = replication->plain_players;
	replication->crowd = crowd;
	replication->waiting = waiting;
	return replication;
}

size_t worlds_memory_bytes(const struct pg_plan *plan, uint32_t plain_capacity)
{
	struct carving carving = {0};

	(void)lay_out(plan, plain_capacity, &carving);
	return carving.used;
}

struct replication *worlds_lay_out(const struct pg_plan *plan, uint32_t plain_capacity, void *memory)
{
	struct carving carving = {.memory = memory};

	return lay_out(plan, plain_capacity, &carving);
}

/// What looks at all parts, of one worker.
static size_t looking_bytes(const struct pg_plan *all, const struct pg_world_plan *plan)
{
	const struct world_part_plan part_of = part_plan(all, plan);
	const struct world_part part = {.capacity = part_of.capacity};
	const struct world_sweep_plan of = sweep_plan(all, plan, &part);
	const struct world_sweep cells = {
		.columns = ((uint32_t)(of.size[0] - 1) >> of.shift) + 1,
		.rows = ((uint32_t)(of.size[1] - 1) >> of.shift) + 1,
	};
	const struct world_sweep *const sweep[] = {&cells};
	struct world_parts parts = {.count = all->worker_count};

	for (uint32_t i = 0; i < parts.count; i++)
		parts.part[i] = &part;
	return world_interest_bytes(&(struct world_interest_plan){.parts = &parts}) +
	       world_glimpses_bytes(&(struct world_glimpses_plan){.sweep = sweep});
}

size_t pg_worlds_size(const struct pg_plan *plan)
{
	size_t bytes;

	if (plan->world_count == 0)
		return 0;
	bytes = worlds_memory_bytes(plan, plan->session_capacity);
	for (uint32_t world = 0; world < plan->world_count; world++)
		bytes += looking_bytes(plan, &plan->world[world]);
	return bytes;
}
