// SPDX-License-Identifier: BSD-3-Clause
// tests/bench_interest.c: what it costs to know who is near whom, in TSC cycles per player and tick. A benchmark, not a test.
//
//   bench_interest [LEVEL [SHUFFLED]]
//
// Players walk at 6 m/s at 60 ticks a second, a new heading every 1.5 s on average; 40 are in a radius of 64 m (spread), 80 % of them in 5 % of the area
// (town), or all within 32 m (crowd). 32 are seen. Walking is not timed. With SHUFFLED nobody is re-ranked: players lie in
// the order in which they came. Means over the ticks but for the tenth at each end; `brute` is one query over everybody, times all players, for every tick.

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "part_fixture.h"
#include "pollgate_stats.h"
#include "world/glimpses.h"
#include "world/grid.h"
#include "world/interest.h"
#include "world/kernels.h"

#define TICKS 160
#define SETTLE 100
#define RADIUS 6400 // 1 cm
#define STEP 10.0   // 6 m/s at 60 Hz
#define BRUTE_QUERIES 64

enum stage { PUBLISH, GRID, SORTS, INTEREST, GLIMPSES, STAGES };
static const char *const stage_names[STAGES] = {"publish", "grid", "sorts", "interest", "glimpses"};

struct walker {
	double x, y, heading, wanted;
};

/// What a session keeps of its observer, in the order in which players came.
struct onlooker {
	uint32_t has, reach, as_of;
	world_reference who[WORLD_SLOTS_MAX];
};

struct row {
	const char *name;
	uint32_t players;
	uint8_t grid_shift, cell_shift;
	double hysteresis;
	uint32_t glimpses;
	double spread;  // side of the square that all are in
	double village; // of the one in its middle that most are in; 0: a disc
};

struct bench {
	const struct row *row;
	const struct world_kernels *kernels;
	bool shuffled;
	struct world_part *part;
	struct world_grid *grid;
	struct world_sweep *sweep;
	struct world_parts parts;
	struct world_interest *interest;
	struct world_glimpses *glimpses;
	struct walker *walker;
	struct onlooker *onlooker; // by number
	uint32_t *rank;            // by number
	uint64_t random;
	uint32_t tick;
	uint64_t samples[STAGES][TICKS];
	uint64_t slowest; // a slice
	uint64_t turns, entered, looked_at, full;
	uint64_t told, strips, strip_bytes;
	uint64_t slices, late; // longer than 50 us
	uint8_t sink[1024];
};

static double uniform(struct bench *b)
{
	return (double)drawn(&b->random) / 4294967296.0;
}

static void place_walker(struct bench *b, uint32_t i)
{
	struct walker *w = &b->walker[i];
	const struct row *row = b->row;
	const bool inner = uniform(b) < 0.8;
	const double side = row->village > 0 && inner ? row->village : row->spread, low = (row->spread - side) / 2;

	w->x = low + uniform(b) * side;
	w->y = low + uniform(b) * side;
	if (row->village < 0) { // a disc
		const double r = sqrt(uniform(b)) * row->spread / 2, a = uniform(b) * 2 * M_PI;

		w->x = row->spread / 2 + r * cos(a);
		w->y = row->spread / 2 + r * sin(a);
	}
	w->heading = w->wanted = uniform(b) * 2 * M_PI;
}

/// Is there somewhere to go? Who lives in the village stays there.
static bool allowed(const struct bench *b, double x, double y, double old_x, double old_y)
{
	const struct row *row = b->row;
	const double middle = row->spread / 2, half = row->village / 2;

	if (row->village < 0)
		return hypot(x - middle, y - middle) < middle;
	if (row->village > 0 && fabs(old_x - middle) < half && fabs(old_y - middle) < half)
		return fabs(x - middle) < half && fabs(y - middle) < half;
	return x >= 0 && y >= 0 && x < row->spread && y < row->spread;
}

static void walk(struct bench *b, uint32_t i)
{
	struct walker *w = &b->walker[i];
	const double turn = M_PI / 60;
	double difference;

	if (uniform(b) < 1 / 90.0)
		w->wanted = uniform(b) * 2 * M_PI;
	difference = remainder(w->wanted - w->heading, 2 * M_PI);
	w->heading += difference > turn ? turn : difference < -turn ? -turn : difference;
	const double vx = STEP * cos(w->heading), vy = STEP * sin(w->heading);

	if (allowed(b, w->x + vx, w->y + vy, w->x, w->y)) {
		w->x += vx;
		w->y += vy;
	} else {
		w->wanted = w->heading = w->heading + M_PI;
	}
	const struct world_place place = {.x = (int32_t)w->x,
					  .y = (int32_t)w->y,
					  .z = 1000,
					  .vx = (int16_t)lrint(8 * vx),
					  .vy = (int16_t)lrint(8 * vy)};

	world_part_move(b->part, b->rank[i], &place, (b->tick + 1) * WORLD_TOLD_PER_TICK);
}

static void make(struct bench *b)
{
	const struct row *row = b->row;
	const int32_t side = (int32_t)row->spread + 1;
	const uint32_t players = row->players;
	const struct world_part_plan part = {.capacity = (players + 1023) / 1024 * 1024,
					     .frames = 64,
					     .first = 1,
					     .size = {side, side, 1 << 14},
					     .late_max = 4096};

	b->part = make_part(&part);
	b->parts = (struct world_parts){.count = 1, .part = {b->part}};
	const struct world_grid_plan grid = {
		.part = b->part, .size = {side, side}, .shift = row->grid_shift, .drift_max = 1 << row->grid_shift};
	const struct world_sweep_plan sweep = {.part = b->part, .size = {side, side}, .shift = row->cell_shift};

	b->grid = world_grid_init(world_memory(world_grid_bytes(&grid)), &grid);
	b->sweep = world_sweep_init(world_memory(world_sweep_bytes(&sweep)), &sweep);
	const struct world_interest_plan interest = {
		.parts = &b->parts,
		.grid = (const struct world_grid *const *)&b->grid,
		.neighbours = 32,
		.radius = RADIUS,
		.leave_radius = RADIUS * 9 / 8,
		.hysteresis = (uint32_t)(row->hysteresis * WORLD_HYSTERESIS_ONE),
	};
	const struct world_glimpses_plan glimpses = {
		.parts = &b->parts,
		.sweep = (const struct world_sweep *const *)&b->sweep,
		.radius = RADIUS,
		.glimpses = row->glimpses,
	};

	b->interest = world_interest_init(world_memory(world_interest_bytes(&interest)), &interest);
	b->glimpses = world_glimpses_init(world_memory(world_glimpses_bytes(&glimpses)), &glimpses);
	b->walker = world_memory(players * sizeof(*b->walker));
	b->onlooker = world_memory(players * sizeof(*b->onlooker));
	b->rank = world_memory(players * sizeof(*b->rank));
	b->tick = 1;
	for (uint32_t i = 0; i < players; i++) {
		const struct world_place place = {0};

		place_walker(b, i);
		b->rank[i] = world_part_add(b->part, i, i, WORLD_PLAYER, &place, 0);
		b->onlooker[i].as_of = 1;
	}
}

/// A slice has ended.
static uint64_t slice(struct bench *b, uint64_t then)
{
	const uint64_t now = pg_tsc();

	if (b->tick <= SETTLE)
		return now;
	b->slices++;
	b->late += (now - then) * 20000 > pg_tsc_hz();
	if (now - then > b->slowest)
		b->slowest = now - then;
	return now;
}

static void publish_tick(struct bench *b, bool rerank)
{
	uint64_t then = pg_tsc();

	world_part_begin(b->part, ++b->tick, rerank);
	while (!world_part_step(b->part, 1024))
		then = slice(b, then);
	slice(b, then);
	if (b->part->reranked == b->tick)
		for (uint32_t rank = 0; rank < b->part->count; rank++)
			b->rank[b->part->number[rank]] = rank;
}

static void grid_tick(struct bench *b)
{
	uint64_t then = pg_tsc();

	world_grid_begin(b->grid);
	while (!world_grid_step(b->grid, 1024))
		then = slice(b, then);
	slice(b, then);
}

static void sort_tick(struct bench *b)
{
	uint64_t then = pg_tsc();

	for (uint32_t units = world_grid_sort_units(b->grid); units > 0 && !world_grid_sort(b->grid, 2048);
	     units -= units < 2048 ? units : 2048)
		then = slice(b, then);
	for (uint32_t units = world_sweep_sort_units(b->sweep); units > 0 && !world_sweep_sort(b->sweep, 2048);
	     units -= units < 2048 ? units : 2048)
		then = slice(b, then);
}

static void follow(struct bench *b, struct onlooker *o)
{
	for (uint32_t left = o->has; left != 0; left &= left - 1) {
		uint32_t as_of = o->as_of, *who = &o->who[__builtin_ctz(left)];

		*who = world_rank_now(b->part, *who, &as_of);
	}
	o->as_of = b->part->reranked;
}

static void turn(struct bench *b, uint32_t rank)
{
	struct onlooker *o = &b->onlooker[b->part->number[rank]];
	const struct world_place here = world_place_at(world_frame_at(b->part, b->tick), rank);
	struct world_choice choice;

	if (o->as_of != b->part->reranked)
		follow(b, o);
	const struct world_turn t = {here.x, here.y, here.z, rank, o->has, o->who, o->reach};

	if (!b->kernels->choose(b->interest, &t, &choice))
		exit(1);
	o->has &= ~choice.leaves;
	o->reach = choice.reach;
	for (uint32_t i = 0; i < choice.enters; i++) {
		const unsigned slot = (unsigned)__builtin_ctz(~o->has);

		o->who[slot] = choice.enter[i];
		o->has |= 1U << slot;
	}
	b->turns++;
	b->entered += choice.enters;
	b->looked_at += choice.looked_at;
	b->full += choice.more;
}

/// Where the session of the next player lies is no secret.
static void prefetch_onlooker(const struct bench *b, uint32_t rank)
{
	const char *o = (const char *)&b->onlooker[b->part->number[rank]];

	if (rank < b->part->count)
		for (unsigned line = 0; line < sizeof(struct onlooker); line += CACHE_LINE)
			prefetch(o + line);
}

static void interest_tick(struct bench *b)
{
	uint64_t then = pg_tsc();

	world_interest_begin(b->interest);
	for (uint32_t rank = 0; rank < b->part->count; rank++) {
		if (!world_has_turn(rank, b->tick)) {
			rank |= WORLD_TURN_RANKS - 1;
			continue;
		}
		prefetch_onlooker(b, rank + 1);
		turn(b, rank);
		if (rank % 64 == 63)
			then = slice(b, then);
	}
}

static void glimpses_tick(struct bench *b)
{
	const struct world_frame *frame = world_frame_at(b->part, b->tick);
	uint64_t then = pg_tsc();

	for (uint32_t rank = 0; rank < b->part->count; rank++) {
		const struct world_strips *strips =
			world_glimpses_at(b->glimpses, frame->x[rank], frame->y[rank], b->tick);

		memcpy(b->sink, strips->at, strips->bytes);
		b->told += strips->glimpses;
		b->strips += strips->strips;
		b->strip_bytes += strips->bytes;
		if (rank % 64 == 63)
			then = slice(b, then);
	}
}

static void timed(struct bench *b, enum stage stage, void (*run)(struct bench *))
{
	const uint64_t then = pg_tsc();

	run(b);
	if (b->tick > SETTLE)
		b->samples[stage][(b->tick - SETTLE - 1) % TICKS] = pg_tsc() - then;
}

static void publish_timed(struct bench *b)
{
	publish_tick(b, b->tick + 1 == SETTLE - 20 && !b->shuffled);
}

static void tick(struct bench *b)
{
	for (uint32_t i = 0; i < b->row->players; i++)
		walk(b, i);
	if (b->tick == SETTLE - 30 && world_rerank_begin(b->part))
		while (!world_rerank_step(b->part, 1 << 20))
			;
	timed(b, PUBLISH, publish_timed);
	timed(b, GRID, grid_tick);
	timed(b, SORTS, sort_tick);
	timed(b, INTEREST, interest_tick);
	timed(b, GLIMPSES, glimpses_tick);
}

/// Everybody, for one.
static uint32_t brute_one(const struct bench *b, uint32_t rank, uint32_t *distance2)
{
	const struct world_frame *frame = world_frame_at(b->part, b->tick);
	const int32_t x = frame->x[rank], y = frame->y[rank], z = frame->z[rank];
	uint32_t found = 0;

	for (uint32_t i = 0; i < b->part->count; i++) {
		const float dx = (float)(frame->x[i] - x), dy = (float)(frame->y[i] - y), dz = (float)(frame->z[i] - z);
		const float d2 = dx * dx + dy * dy + dz * dz;

		distance2[found] = (uint32_t)(d2 < 4e9F ? d2 : 4e9F);
		found += d2 < (float)RADIUS * RADIUS;
	}
	return found;
}

static double brute(struct bench *b)
{
	uint32_t *distance2 = world_memory((b->part->count + 1) * sizeof(*distance2));
	volatile uint32_t found = 0;
	const uint64_t then = pg_tsc();

	for (uint32_t i = 0; i < BRUTE_QUERIES; i++)
		found += brute_one(b, i * (b->part->count / BRUTE_QUERIES), distance2);
	const double cycles = (double)(pg_tsc() - then) / BRUTE_QUERIES;

	free(distance2);
	return cycles;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double mean(const uint64_t *samples)
{
	enum { LEFT_OUT = TICKS / 10 };
	double sum = 0;

	for (unsigned i = LEFT_OUT; i < TICKS - LEFT_OUT; i++)
		sum += (double)samples[i];
	return sum / (TICKS - 2 * LEFT_OUT);
}

static void report(struct bench *b)
{
	const double players = b->row->players;
	double all = 0;

	printf("%-13s", b->row->name);
	for (unsigned stage = 0; stage < STAGES; stage++) {
		qsort(b->samples[stage], TICKS, sizeof(uint64_t), by_value);
		const double cycles = mean(b->samples[stage]) / players;

		all += cycles;
		printf(" %s %.1f", stage_names[stage], cycles);
	}
	printf(" all %.1f; brute %.0f (and keeps no nearest)\n", all, brute(b));
	printf("%13s a turn: %.1f looked at, %.2f enter, %.0f %% full; slices: %" PRIu64 " of %" PRIu64
	       " over 50 us, the longest %.0f us\n",
	       "", (double)b->looked_at / (double)b->turns, (double)b->entered / (double)b->turns,
	       100.0 * (double)b->full / (double)b->turns, b->late, b->slices,
	       (double)b->slowest * 1e6 / (double)pg_tsc_hz());
	printf("%13s glimpses a tick: %.1f in %.1f strips, %.0f bytes; unseen p50 %u p99 %u ticks; %.0f cells written\n",
	       "", (double)b->told / (players * TICKS), (double)b->strips / (players * TICKS),
	       (double)b->strip_bytes / (players * TICKS), world_staleness(b->glimpses, 500),
	       world_staleness(b->glimpses, 990), (double)b->glimpses->written / TICKS);
}

static void run(const struct row *row, const struct world_kernels *kernels, bool shuffled)
{
	struct bench *b = world_memory(sizeof(*b));

	b->row = row;
	b->kernels = kernels;
	b->shuffled = shuffled;
	make(b);
	while (b->tick < SETTLE + TICKS) {
		if (b->tick == SETTLE)
			memset(b->glimpses->stale, 0, sizeof(b->glimpses->stale));
		if (b->tick == SETTLE)
			b->turns = b->entered = b->looked_at = b->full = b->told = b->strips = b->strip_bytes =
				b->glimpses->written = 0;
		tick(b);
	}
	report(b);
	free(b->part);
	free(b->grid);
	free(b->sweep);
	free(b->interest);
	free(b->glimpses);
	free(b->walker);
	free(b->onlooker);
	free(b->rank);
	free(b);
}

int main(int argc, char **argv)
{
	const struct world_kernels *kernels = world_kernels_select(argc > 1 ? argv[1] : "auto");
	const double each = 3.14159265 * RADIUS * RADIUS / 40;
	const struct row rows[] = {
		{"spread-5000", 5000, 11, 13, 1.1, 12, sqrt(5000 * each), 0},
		{"town-5000", 5000, 10, 13, 1.1, 12, sqrt(5000 * each), sqrt(5000 * each * 0.05)},
		{"crowd-5000", 5000, 9, 13, 1.2, 24, 6400, -1},
		{"spread-50000", 50000, 11, 13, 1.1, 12, sqrt(50000 * each), 0},
		{"town-50000", 50000, 10, 13, 1.1, 12, sqrt(50000 * each), sqrt(50000 * each * 0.05)},
	};

	if (kernels == NULL) {
		fprintf(stderr, "bench_interest: this CPU does not run that level\n");
		return 1;
	}
	printf("level %s, cycles per player and tick\n", kernels->isa);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run(&rows[i], kernels, argc > 2);
	return 0;
}
