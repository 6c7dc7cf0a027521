// SPDX-License-Identifier: BSD-3-Clause
// tests/bench_world.c: what a world's records and states cost, in TSC cycles per player and tick, and how long states are. A
// benchmark, not a test.
//
//   bench_world [LEVEL [PLAYERS [TICKS]]]
//
// All players walk, each sees 32 others who lie near them by rank, and 6 times a second another one. Acknowledgements take 6 to
// 10 ticks, by player; 2 % of datagrams are lost. Medians over the ticks.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pollgate_stats.h"
#include "world/bits.h"
#include "world/kernels.h"
#include "world_fixture.h"

#define FIRST 100
#define WARM 60
#define AHEAD 2 // players whose lines are fetched
#define NEAR 96 // ranks
#define LOST_PERCENT 2
#define ROOM 1024
#define AGES_TOLD 0x7ffe // 1 to 14
#define CHANGES_OF_1000 100

enum stage { STAGE_RECORDS, STAGE_TURN, STAGE_HEAR, STAGE_STATE, STAGES };
static const char *const stage_names[STAGES] = {
	[STAGE_RECORDS] = "records: 14 tables",
	[STAGE_TURN] = "turn",
	[STAGE_HEAR] = "acknowledgements",
	[STAGE_STATE] = "state",
};

struct bench {
	const struct world_kernels *kernels;
	struct walkers *walkers;
	struct world_parts parts;
	struct observer *observers;
	uint32_t players, ticks, tick;
	double *samples[STAGES];
	uint64_t states, bytes, told, fulls, left_out;
};

static void *lines(size_t bytes)
{
	void *memory = aligned_alloc(CACHE_LINE, whole_lines(bytes));

	if (!memory)
		exit(1);
	return memset(memory, 0, whole_lines(bytes));
}

static uint32_t draw(struct bench *bench, uint32_t below)
{
	return (uint32_t)(walkers_random(bench->walkers) % below);
}

static world_reference somebody_near(struct bench *bench, uint32_t player)
{
	const uint32_t rank = player + draw(bench, NEAR), count = bench->walkers->part.count;

	return world_refer(0, rank < count ? rank : rank - count);
}

static void see(struct bench *bench)
{
	for (uint32_t i = 0; i < bench->players; i++) {
		observer_begin(&bench->observers[i], 1, bench->tick);
		for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++)
			observer_enter(&bench->observers[i], &bench->parts, slot, somebody_near(bench, i));
	}
}

static void change(struct bench *bench)
{
	for (uint32_t i = 0; i < bench->players; i++)
		if (draw(bench, 1000) < CHANGES_OF_1000)
			observer_enter(&bench->observers[i], &bench->parts, draw(bench, WORLD_SLOTS_MAX),
				       somebody_near(bench, i));
}

/// Datagrams are numbered by tick: one each.
static void hear(struct bench *bench, const uint8_t *lost)
{
	for (uint32_t i = 0; i < bench->players; i++)
		if (!lost[i])
			observer_acknowledged(&bench->observers[i], bench->tick - 6 - i % 5, 1);
}

static void say(struct bench *bench)
{
	uint8_t body[ROOM];

	for (uint32_t i = 0; i < bench->players; i++) {
		if (i + AHEAD < bench->players)
			observer_prefetch(&bench->observers[i + AHEAD]);

		const struct world_told told =
			bench->kernels->state(&bench->observers[i], &bench->parts, bench->tick, body, ROOM);

		bench->states++;
		bench->bytes += told.bytes;
		bench->told += told.records + told.fulls;
		bench->fulls += told.fulls;
		bench->left_out += told.left_out;
	}
}

static void pass(struct bench *bench, uint64_t cycles[STAGES], const uint8_t *lost)
{
	uint64_t now, then;

	bench->tick++;
	walkers_publish(bench->walkers, bench->tick);
	then = pg_tsc();
	walkers_tell(bench->walkers, bench->kernels, AGES_TOLD);
	now = pg_tsc(), cycles[STAGE_RECORDS] = now - then;
	change(bench);
	then = pg_tsc();
	for (uint32_t i = 0; i < bench->players; i++)
		observer_turn(&bench->observers[i], &bench->parts, bench->tick);
	now = pg_tsc(), cycles[STAGE_TURN] = now - then, then = now;
	hear(bench, lost);
	now = pg_tsc(), cycles[STAGE_HEAR] = now - then, then = now;
	say(bench);
	now = pg_tsc(), cycles[STAGE_STATE] = now - then;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void run(struct bench *bench)
{
	uint8_t *lost = lines(bench->players);

	for (uint32_t i = 0; i < WARM + bench->ticks; i++) {
		uint64_t cycles[STAGES];

		for (uint32_t player = 0; player < bench->players; player++)
			lost[player] = draw(bench, 100) < LOST_PERCENT;
		if (i == WARM)
			bench->states = bench->bytes = bench->told = bench->fulls = 0;
		pass(bench, cycles, lost);
		for (unsigned s = 0; s < STAGES && i >= WARM; s++)
			bench->samples[s][i - WARM] = (double)cycles[s] / bench->players;
	}
	free(lost);
}

static void print(const struct bench *bench)
{
	for (unsigned s = 0; s < STAGES; s++) {
		qsort(bench->samples[s], bench->ticks, sizeof(double), by_value);
		printf("%-20s %6.1f cycles (%.1f to %.1f)\n", stage_names[s], bench->samples[s][bench->ticks / 2],
		       bench->samples[s][0], bench->samples[s][bench->ticks - 1]);
	}
	printf("%.1f bytes a state, %.3f a neighbour; %.2f %% in full, %llu left out\n",
	       (double)bench->bytes / (double)bench->states, (double)bench->bytes / (double)bench->told,
	       100.0 * (double)bench->fulls / (double)bench->told, (unsigned long long)bench->left_out);
}

int main(int argc, char **argv)
{
	struct bench bench = {
		.kernels = world_kernels_select(argc > 1 ? argv[1] : "auto"),
		.players = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 5000,
		.ticks = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 300,
		.tick = FIRST,
	};

	if (!bench.kernels || bench.players < NEAR || bench.ticks == 0) {
		fprintf(stderr, "usage: bench_world [LEVEL [PLAYERS [TICKS]]]\n");
		return 2;
	}
	bench.walkers =
		walkers_make((bench.players + WORLD_BLOCK) / WORLD_BLOCK * WORLD_BLOCK, bench.players, FIRST, 16);
	bench.walkers->restless = true;
	bench.parts = (struct world_parts){.count = 1, .part = {&bench.walkers->part}};
	bench.observers = lines(bench.players * sizeof(*bench.observers));
	for (unsigned s = 0; s < STAGES; s++)
		bench.samples[s] = lines(bench.ticks * sizeof(double));
	walkers_publish(bench.walkers, FIRST);
	see(&bench);
	run(&bench);
	printf("level %s, %u players\n", bench.kernels->isa, bench.players);
	print(&bench);
	return 0;
}
