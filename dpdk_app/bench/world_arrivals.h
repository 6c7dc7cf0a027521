// SPDX-License-Identifier: BSD-3-Clause
// bench/world_arrivals.h: what comes to the worker of a benchmark of a world, a burst at a time: movements at their times of the tick, and
// questions of players of profile plain.

#ifndef POLLGATE_BENCH_WORLD_ARRIVALS_H
#define POLLGATE_BENCH_WORLD_ARRIVALS_H

#include "bench/world.h"

/// Bursts of a tick.
uint32_t arrivals_bursts(const struct pg_bench_world_plan *plan);

/// When a burst of this tick comes.
uint64_t arrives_at(const struct world_bench *b, uint32_t burst);

/// The next burst of movements is there.
void serve_moves(struct world_bench *b);

/// Who asks again.
/// @return false: nobody does yet
bool serve_askers(struct world_bench *b);

#endif
