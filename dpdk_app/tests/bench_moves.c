// SPDX-License-Identifier: BSD-3-Clause
// tests/bench_moves.c: what a move of a player costs, and what an attack does, in TSC cycles. A benchmark, not a test.
//
//   bench_moves [PLAYERS]
//
// Players turn all the time, and their moves come in any order. Best of many rounds.

#include "unit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#include "part_fixture.h"
#include "world/judge.h"
#include "world/motion.h"

#define HZ 2600000000ULL
#define ROUNDS 300
#define PLAYERS_MAX 65536
#define SIDE_M 16000

static const struct world_plan plan = {
	.high_m = {SIDE_M, SIDE_M, 500},
	.quantum_m = 0.01F,
	.tick_hz = 60,
	.max_speed_mps = 6,
	.max_acceleration_mps2 = 60,
	.jitter_ms = 250,
	.settle_ms = 500,
	.rewind_ms = 500,
	.interpolation_ms = 100,
	.reach_m = 100,
	.body_radius_m = 0.3F,
	.body_height_m = 1.8F,
	.eye_m = 1.6F,
};

struct bench {
	struct world_rules rules;
	uint32_t players;
	struct world_mover mover[PLAYERS_MAX];
	struct motion motion[PLAYERS_MAX];
	uint32_t order[PLAYERS_MAX];
	struct world_part *part;
	uint64_t seed;
	uint32_t sum; // so that nothing is left out
};

static void best_of(uint64_t *best, uint64_t since)
{
	const uint64_t took = __rdtsc() - since;

	if (took < *best)
		*best = took;
}

static void say(const char *what, uint64_t cycles, uint32_t of)
{
	printf("%-40s %8.1f\n", what, (double)cycles / of);
}

static void make(struct bench *bench)
{
	const int32_t size[3] = {SIDE_M * 100, SIDE_M * 100, 50000};
	struct world_part_plan part = small_plan((bench->players + 63) & ~63U);
	struct pg_error error;

	if (world_rules_make(&bench->rules, &plan, "bench", HZ, &error) != 0) {
		fprintf(stderr, "bench_moves: %s\n", error.message);
		exit(1);
	}
	part.size[0] = part.size[1] = size[0];
	part.size[2] = size[2];
	bench->part = make_part(&part);
	for (uint32_t i = 0; i < bench->players; i++) {
		const struct world_place place = drawn_place(&bench->seed, size);
		const uint32_t other = drawn_below(&bench->seed, i + 1);

		bench->motion[i] = (struct motion){{(float)place.x / 100, (float)place.y / 100, 1}, {5, 0, 0}};
		world_mover_enter(&bench->mover[i], &bench->rules, &bench->motion[i], HZ);
		world_part_add(bench->part, i, i, WORLD_PLAYER, &place, part.first * WORLD_TOLD_PER_TICK);
		bench->order[i] = bench->order[other];
		bench->order[other] = i;
	}
	for (uint32_t i = 1; i <= part.frames; i++)
		publish(bench->part, part.first + i, false);
}

/// Everybody walks on, inside the world.
static void walk(struct bench *bench, unsigned round)
{
	for (uint32_t i = 0; i < bench->players; i++) {
		struct motion *motion = &bench->motion[i];
		const float angle = 0.1F * (float)(round + i % 64);

		motion->velocity[0] = 5 * cosf(angle);
		motion->velocity[1] = 5 * sinf(angle);
		motion->position[0] = fminf(fmaxf(motion->position[0] + motion->velocity[0] / 60, 0), SIDE_M);
		motion->position[1] = fminf(fmaxf(motion->position[1] + motion->velocity[1] / 60, 0), SIDE_M);
	}
}

static void bench_moves(struct bench *bench)
{
	uint64_t best = UINT64_MAX, now = HZ;
	unsigned refused = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		walk(bench, round);
		now += HZ / 60;

		const uint64_t since = __rdtsc();

		for (uint32_t i = 0; i < bench->players; i++) {
			const uint32_t who = bench->order[i];

			refused += world_mover_move(&bench->mover[who], &bench->rules, &bench->motion[who], now) !=
				   PG_WORLD_MOVE_TAKEN;
		}
		best_of(&best, since);
	}
	say("a move", best, bench->players);
	if (refused != 0)
		printf("%u moves were refused: this says nothing\n", refused);
}

static struct world_moment a_while_ago(const struct bench *bench)
{
	return (struct world_moment){world_published(bench->part) - 8, 77};
}

static void bench_history(struct bench *bench)
{
	uint64_t best = UINT64_MAX;

	for (unsigned round = 0; round < ROUNDS; round++) {
		const uint64_t since = __rdtsc();

		for (uint32_t i = 0; i < bench->players; i++) {
			struct world_place place;

			if (world_history_where(bench->part, i, a_while_ago(bench), &place) == WORLD_KNOWN)
				bench->sum += (uint32_t)place.x;
		}
		best_of(&best, since);
	}
	say("where somebody was", best, bench->players);
}

static void bench_searches(struct bench *bench)
{
	const struct world_parts parts = {.count = 1, .part = {bench->part}};
	const struct world_sphere sphere = {{SIDE_M * 50, SIDE_M * 50, 10000}, 6400};
	uint64_t best = UINT64_MAX;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct world_search search = {.when = a_while_ago(bench)};
		struct world_inside inside[64];
		struct world_crowd crowd = {.room = 64, .inside = inside};
		const uint64_t since = __rdtsc();

		world_search_sphere(&parts, &search, &sphere, UINT32_MAX, &crowd);
		best_of(&best, since);
	}
	say("who was in a sphere, for each of all", best, bench->players);
}

static void bench_attacks(struct bench *bench, world_reference target, const char *what, uint32_t of)
{
	const struct world_parts parts = {.count = 1, .part = {bench->part}};
	const struct world_attack attack = {
		.attacker = world_refer(0, 1),
		.target = target,
		.from = {SIDE_M * 50, SIDE_M * 50, 10000},
		.direction = {0.6F, 0.8F, 0.01F},
		.view = a_while_ago(bench),
		.now = {world_published(bench->part), 100},
		.round_trip = 6 * WORLD_MOMENT_PARTS,
	};
	uint64_t best = UINT64_MAX;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct world_judging judging;
		const uint64_t since = __rdtsc();

		world_judge_begin(&judging, &parts, &bench->rules, &attack);
		while (!world_judge_step(&judging, &parts, UINT32_MAX))
			;
		best_of(&best, since);
	}
	say(what, best, of);
}

int main(int argc, char *argv[])
{
	static struct bench bench = {.seed = 1};

	bench.players = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 15000;
	if (bench.players < 2 || bench.players > PLAYERS_MAX) {
		fprintf(stderr, "bench_moves: 2 to %d players\n", PLAYERS_MAX);
		return 1;
	}
	make(&bench);
	printf("%" PRIu32 " players, cycles\n", bench.players);
	bench_moves(&bench);
	bench_history(&bench);
	bench_searches(&bench);
	bench_attacks(&bench, world_refer(0, 2), "an attack at somebody", 1);
	bench_attacks(&bench, WORLD_NOBODY, "an attack at whoever it hits, for each", bench.players);
	free(bench.part);
	return 0;
}
