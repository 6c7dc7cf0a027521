// SPDX-License-Identifier: BSD-3-Clause
// bench/world.h: all that a benchmark of a world has: the worker, its players, the clock, and what was measured.

#ifndef POLLGATE_BENCH_WORLD_H
#define POLLGATE_BENCH_WORLD_H

#include "bench/askers.h"
#include "bench/checker.h"
#include "bench/movers.h"
#include "bench/samples.h"
#include "engine/dpdk/dpdk.h"
#include "replication/replication.h"
#include "world/question.h"

#define SAMPLES_MAX 4000000
#define STEPS_MAX 1000000 // of a stage

enum bench_stage {
#define PG_BENCH_STAGE(NAME, ...) STAGE_##NAME,
#include "bench_stages.def"
	STAGES
};

struct world_bench {
	// set before
	const struct pg_bench_world_plan *plan;
	struct dpdk_worker *worker;
	struct worker_queue *queue;
	struct replication *replication;
	struct replica *replica;
	uint64_t hz, theft; // cycles
	uint32_t bursts;    // in which movements come in a tick

	struct movers movers;
	struct askers askers; // of profile plain
	struct checker checker;

	// of the run
	uint64_t now;           // the worker's clock
	uint64_t mark, harness; // TSC since which it works, and of that, what the harness took
	uint32_t tick, burst;   // the next of its bursts
	uint64_t tick_began;    // by the clock
	uint64_t last_sent;     // likewise; 0: not all was sent
	bool measures;
	uint64_t cycles[STAGES]; // of the tick
	struct world_asking asking;
	uint32_t asks; // are left in this tick
	bool asked_in_part;
	uint64_t found; // players in answers

	struct pg_world_counts counts_before;
	uint64_t sent, sent_bytes;
	struct samples stage[STAGES], whole;   // cycles of a tick
	struct samples step[STAGES];           // cycles
	struct samples ticks, holds, handling; // likewise
};

/// What was measured.
void world_bench_tell(struct world_bench *bench, struct pg_bench_world_run *run);

#endif
