// SPDX-License-Identifier: BSD-3-Clause
// bench/interest.c: who is near whom in a world whose players walk, by the world's own interest and by plain ways: see pollgate_bench.h.

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/movers.h"
#include "bench/plain_interest.h"
#include "pollgate_bench.h"
#include "stats/error.h"
#include "world/grid.h"
#include "world/interest.h"
#include "world/kernels.h"

#define QUANTA_PER_M 100.0
#define HEIGHT_M 64
#define NEIGHBOURS PG_BENCH_NEIGHBOURS
#define RADIUS 6400
#define LEAVE_RADIUS 7200
#define HYSTERESIS 1.1
#define RERANK_S 4
#define SLICE_RANKS 1024
#define SLICE_UNITS 2048
#define FASTEST_MPS 6.5 // uphill
#define ROUNDED 2       // quanta

/// What a session keeps of those in sight.
struct onlooker {
	uint32_t has, reach, as_of;
	world_reference who[WORLD_SLOTS_MAX];
};

struct pg_bench_interest {
	struct pg_bench_interest_plan plan;
	struct walks walks;
	const struct world_kernels *kernels;
	struct world_part *part;
	struct world_grid *grid;
	struct world_parts parts;
	struct world_interest *interest;
	struct onlooker *in_turn, *always; // by number
	uint32_t *rank;                    // by number
	uint32_t tick;
	struct plain_interest plain;
};

// ---------------------------------------------------------------- make

static void *lines(size_t bytes)
{
	void *memory = aligned_alloc(CACHE_LINE, whole_lines(bytes));

	return memory ? memset(memory, 0, whole_lines(bytes)) : NULL;
}

static bool make_part(struct pg_bench_interest *b, const int32_t size[3])
{
	const struct world_part_plan plan = {
		.capacity = (b->plan.players + WORLD_BLOCK) / WORLD_BLOCK * WORLD_BLOCK,
		.frames = 64,
		.first = b->tick,
		.size = {size[0], size[1], size[2]},
		.late_max = WORLD_TOLD_PER_TICK,
	};
	void *memory = lines(world_part_bytes(&plan));

	b->part = memory ? world_part_init(memory, &plan) : NULL;
	b->parts = (struct world_parts){.count = 1, .part = {b->part}};
	return b->part != NULL;
}

static bool make_grid(struct pg_bench_interest *b, const int32_t size[3])
{
	const uint32_t cell = b->plan.cell_m * (uint32_t)QUANTA_PER_M;
	struct world_grid_plan plan = {.part = b->part, .size = {size[0], size[1]}};
	void *memory;

	while (2U << plan.shift <= cell)
		plan.shift++;
	plan.drift_max = 1 << plan.shift;
	memory = lines(world_grid_bytes(&plan));
	b->grid = memory ? world_grid_init(memory, &plan) : NULL;
	return b->grid != NULL;
}

static bool make_interest(struct pg_bench_interest *b)
{
	const struct world_interest_plan plan = {
		.parts = &b->parts,
		.grid = (const struct world_grid *const *)&b->grid,
		.neighbours = NEIGHBOURS,
		.radius = RADIUS,
		.leave_radius = LEAVE_RADIUS,
		.hysteresis = (uint32_t)(HYSTERESIS * WORLD_HYSTERESIS_ONE),
	};
	void *memory = lines(world_interest_bytes(&plan));

	b->interest = memory ? world_interest_init(memory, &plan) : NULL;
	return b->interest != NULL;
}

static bool let_walk(struct pg_bench_interest *b)
{
	const struct movers_ground ground = {
		.place = b->plan.place,
		.side_m = b->plan.side_m,
		.players = b->plan.players,
		.seed = b->plan.seed,
	};

	return movers_let_walk(&b->walks, &ground);
}

static void come(struct pg_bench_interest *b)
{
	for (uint32_t i = 0; i < b->plan.players; i++) {
		const struct world_place place = {0};

		b->rank[i] = world_part_add(b->part, i, i, WORLD_PLAYER, &place, 0);
		b->in_turn[i].as_of = b->always[i].as_of = b->tick;
	}
}

static bool make(struct pg_bench_interest *b)
{
	const uint32_t players = b->plan.players;
	const int32_t side = (int32_t)((b->plan.side_m + 2 * WORLD_MARGIN_M) * QUANTA_PER_M) + 1;
	const int32_t size[3] = {side, side, (int32_t)(2 * HEIGHT_M * QUANTA_PER_M)};

	b->tick = 1;
	b->kernels = world_kernels_select("auto");
	b->in_turn = lines(players * sizeof(*b->in_turn));
	b->always = lines(players * sizeof(*b->always));
	b->rank = lines(players * sizeof(*b->rank));
	if (!b->kernels || !b->in_turn || !b->always || !b->rank || !make_part(b, size) || !make_grid(b, size) ||
	    !make_interest(b) || !let_walk(b) || !plain_interest_make(&b->plain, players, size, RADIUS, NEIGHBOURS))
		return false;
	come(b);
	return true;
}

struct pg_bench_interest *pg_bench_interest_open(const struct pg_bench_interest_plan *plan, struct pg_error *error)
{
	struct pg_bench_interest *b = calloc(1, sizeof(*b));

	if (b) {
		b->plan = *plan;
		if (make(b))
			return b;
	}
	pg_bench_interest_close(b);
	(void)error_set(error, PG_ERROR_MEMORY, "no memory for %u players", plan->players);
	return NULL;
}

void pg_bench_interest_close(struct pg_bench_interest *b)
{
	if (!b)
		return;
	plain_interest_free(&b->plain);
	walks_close(&b->walks);
	free(b->in_turn);
	free(b->always);
	free(b->rank);
	free(b->interest);
	free(b->grid);
	free(b->part);
	free(b);
}

// ---------------------------------------------------------------- a tick

static int32_t quanta(double metres)
{
	return (int32_t)(metres * QUANTA_PER_M);
}

static void walk(struct pg_bench_interest *b, uint32_t player)
{
	const struct walk *w = &b->walks.walk[player];
	const double velocity = QUANTA_PER_M * WORLD_VELOCITY_PARTS / b->plan.tick_hz;

	walks_step(&b->walks, player, 1.0 / b->plan.tick_hz);

	const struct world_place place = {
		.x = quanta(w->position[0]),
		.y = quanta(w->position[1]),
		.z = quanta(w->position[2] + HEIGHT_M),
		.vx = (int16_t)lrint((double)w->velocity[0] * velocity),
		.vy = (int16_t)lrint((double)w->velocity[1] * velocity),
		.vz = (int16_t)lrint((double)w->velocity[2] * velocity),
	};

	world_part_move(b->part, b->rank[player], &place, (b->tick + 1) * WORLD_TOLD_PER_TICK);
}

/// As the world does between ticks, so that who is near lies near.
static bool rerank(struct pg_bench_interest *b)
{
	if (b->tick + 1 - b->part->reranked < RERANK_S * b->plan.tick_hz || !world_rerank_begin(b->part))
		return false;
	while (!world_rerank_step(b->part, SLICE_UNITS))
		;
	return true;
}

static void publish(struct pg_bench_interest *b)
{
	const bool reranks = rerank(b);

	world_part_begin(b->part, ++b->tick, reranks);
	while (!world_part_step(b->part, SLICE_RANKS))
		;
	for (uint32_t rank = 0; reranks && rank < b->part->count; rank++)
		b->rank[b->part->number[rank]] = rank;
}

void pg_bench_interest_walk(struct pg_bench_interest *b)
{
	for (uint32_t i = 0; i < b->plan.players; i++)
		walk(b, i);
	publish(b);
	plain_interest_take(&b->plain, world_frame_at(b->part, b->tick));
}

// ---------------------------------------------------------------- time

/// Of this thread: what others have of the CPU meanwhile is left out.
static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// ---------------------------------------------------------------- the world's interest

static void follow(struct pg_bench_interest *b, struct onlooker *o)
{
	for (uint32_t left = o->has; left != 0; left &= left - 1) {
		uint32_t as_of = o->as_of, *who = &o->who[__builtin_ctz(left)];

		*who = world_rank_now(b->part, *who, &as_of);
	}
	o->as_of = b->part->reranked;
}

static void take(struct onlooker *o, const struct world_choice *choice)
{
	o->has &= ~choice->leaves;
	o->reach = choice->reach;
	for (uint32_t i = 0; i < choice->enters; i++) {
		const unsigned slot = (unsigned)__builtin_ctz(~o->has);

		o->who[slot] = choice->enter[i];
		o->has |= 1U << slot;
	}
}

static void turn(struct pg_bench_interest *b, struct onlooker *onlookers, uint32_t rank)
{
	struct onlooker *o = &onlookers[b->part->number[rank]];
	const struct world_place here = world_place_at(world_frame_at(b->part, b->tick), rank);
	struct world_choice choice;

	if (o->as_of != b->part->reranked)
		follow(b, o);

	const struct world_turn turn = {here.x, here.y, here.z, rank, o->has, o->who, o->reach};

	if (b->kernels->choose(b->interest, &turn, &choice))
		take(o, &choice);
}

ALWAYS_INLINE void bring(const struct pg_bench_interest *b, const struct onlooker *onlookers, uint32_t rank)
{
	const char *o = (const char *)&onlookers[b->part->number[rank < b->part->count ? rank : 0]];

	for (size_t line = 0; line < sizeof(struct onlooker); line += CACHE_LINE)
		prefetch(o + line);
}

static void step_grid(struct pg_bench_interest *b)
{
	world_grid_begin(b->grid);
	while (!world_grid_step(b->grid, SLICE_RANKS))
		;
	world_interest_begin(b->interest);
}

/// The next order of cells, a share of it in each tick.
static void sort_grid(struct pg_bench_interest *b)
{
	for (uint32_t units = world_grid_sort_units(b->grid); units > 0 && !world_grid_sort(b->grid, SLICE_UNITS);)
		units -= units < SLICE_UNITS ? units : SLICE_UNITS;
}

static void take_turns(struct pg_bench_interest *b, struct onlooker *onlookers, bool all)
{
	for (uint32_t rank = 0; rank < b->part->count; rank++) {
		if (!all && !world_has_turn(rank, b->tick)) {
			rank |= WORLD_TURN_RANKS - 1;
			continue;
		}
		bring(b, onlookers, rank + 1);
		turn(b, onlookers, rank);
	}
}

uint64_t pg_bench_interest_turns(struct pg_bench_interest *b, uint64_t *grid)
{
	const uint64_t from = cpu_ns();
	uint64_t stepped, turned, sorted;

	step_grid(b);
	stepped = cpu_ns();
	take_turns(b, b->in_turn, false);
	turned = cpu_ns();
	sort_grid(b);
	sorted = cpu_ns();
	*grid = stepped - from + sorted - turned;
	return sorted - from;
}

uint64_t pg_bench_interest_all(struct pg_bench_interest *b)
{
	const uint64_t from = cpu_ns();

	take_turns(b, b->always, true);
	return cpu_ns() - from;
}

// ---------------------------------------------------------------- plain ways

uint64_t pg_bench_interest_brute(struct pg_bench_interest *b, uint32_t *nearest)
{
	const uint64_t from = cpu_ns();

	plain_interest_brute(&b->plain, nearest);
	return cpu_ns() - from;
}

uint64_t pg_bench_interest_grid(struct pg_bench_interest *b, uint32_t *nearest)
{
	const uint64_t from = cpu_ns();

	plain_interest_grid(&b->plain, nearest);
	return cpu_ns() - from;
}

void pg_bench_interest_places(const struct pg_bench_interest *b, double *xyz)
{
	for (uint32_t i = 0; i < b->plan.players; i++) {
		xyz[3 * i] = (double)b->plain.now.x[i];
		xyz[3 * i + 1] = (double)b->plain.now.y[i];
		xyz[3 * i + 2] = (double)b->plain.now.z[i];
	}
}

// ---------------------------------------------------------------- are they right?

static double distance(const struct pg_bench_interest *b, uint32_t from, uint32_t to)
{
	const struct world_frame *frame = world_frame_at(b->part, b->tick);
	const double dx = frame->x[from] - frame->x[to], dy = frame->y[from] - frame->y[to],
		     dz = frame->z[from] - frame->z[to];

	return sqrt(dx * dx + dy * dy + dz * dz);
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static unsigned distances(const struct pg_bench_interest *b, uint32_t self, const uint32_t *nearest,
			  double found[NEIGHBOURS])
{
	unsigned count = 0;

	while (count < NEIGHBOURS && nearest[count] < b->plan.players) {
		found[count] = nearest[count] == self ? -1 : distance(b, self, nearest[count]);
		count++;
	}
	qsort(found, count, sizeof(*found), by_value);
	return count;
}

/// Of as many, as far away: of two who are equally far either may be left out.
uint32_t pg_bench_interest_differ(const struct pg_bench_interest *b, const uint32_t *one, const uint32_t *other)
{
	uint32_t differ = 0;

	for (uint32_t i = 0; i < b->plan.players; i++) {
		double of_one[NEIGHBOURS], of_other[NEIGHBOURS];
		const unsigned count = distances(b, i, one + (size_t)i * NEIGHBOURS, of_one);
		bool same = distances(b, i, other + (size_t)i * NEIGHBOURS, of_other) == count;

		for (unsigned j = 0; j < count && same; j++)
			same = fabs(of_one[j] - of_other[j]) < 0.01;
		differ += !same;
	}
	return differ;
}

/// Whom an onlooker sees, and how far the farthest of them is.
static double farthest_seen(const struct pg_bench_interest *b, uint32_t self, const struct onlooker *o)
{
	double farthest = 0;

	for (uint32_t left = o->has; left != 0; left &= left - 1)
		farthest = fmax(farthest, distance(b, self, o->who[__builtin_ctz(left)]));
	return __builtin_popcount(o->has) < NEIGHBOURS ? RADIUS * HYSTERESIS : farthest;
}

static bool sees(const struct onlooker *o, uint32_t who)
{
	bool seen = false;

	for (uint32_t left = o->has; left != 0; left &= left - 1)
		seen |= o->who[__builtin_ctz(left)] == who;
	return seen;
}

/// Nobody who is missing is nearer than the farthest who is seen by the hysteresis, or was within the radius, less what both can
/// have walked (interest.h).
static double nearest_missing(const struct pg_bench_interest *b, uint32_t rank, const struct onlooker *o,
			      uint32_t ticks)
{
	const double walked = 2 * FASTEST_MPS * QUANTA_PER_M / b->plan.tick_hz * ticks;
	const double by_seen = (farthest_seen(b, rank, o) - walked) / HYSTERESIS;

	return fmin(by_seen, RADIUS) - walked - ROUNDED;
}

static void check_one(struct pg_bench_interest *b, uint32_t rank, struct onlooker *o, const uint32_t *nearest,
		      struct pg_bench_interest_check *check)
{
	const uint32_t ticks = o >= b->always && o < b->always + b->plan.players ? 0 : WORLD_TURN_TICKS;
	double bound;

	if (o->as_of != b->part->reranked)
		follow(b, o);
	bound = nearest_missing(b, rank, o, ticks);
	for (unsigned i = 0; i < NEIGHBOURS && nearest[i] < b->plan.players; i++) {
		const bool missing = !sees(o, nearest[i]);

		check->nearest++;
		check->missing += missing;
		check->wrong += missing && distance(b, rank, nearest[i]) < bound;
	}
}

void pg_bench_interest_check(struct pg_bench_interest *b, bool all, const uint32_t *nearest,
			     struct pg_bench_interest_check *check)
{
	struct onlooker *onlookers = all ? b->always : b->in_turn;

	*check = (struct pg_bench_interest_check){0};
	for (uint32_t rank = 0; rank < b->part->count; rank++)
		check_one(b, rank, &onlookers[b->part->number[rank]], nearest + (size_t)rank * NEIGHBOURS, check);
}
