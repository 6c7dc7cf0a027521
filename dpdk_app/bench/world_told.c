// SPDX-License-Identifier: BSD-3-Clause
// bench/world_told.c: what a benchmark of a world has measured, as figures.

#include "bench/world.h"

static double seconds(const struct world_bench *b, double cycles)
{
	return cycles / (double)b->hz;
}

static double of_player(const struct world_bench *b, double cycles)
{
	return cycles / b->plan->players;
}

static void tell_cycles(struct world_bench *b, struct pg_bench_world_run *run)
{
	double *const stage[STAGES] = {
#define PG_BENCH_STAGE(NAME, name, ...) &run->cycles_##name,
#include "bench_stages.def"
	};

	for (unsigned i = 0; i < STAGES; i++)
		*stage[i] = of_player(b, samples_mean(&b->stage[i]));
	run->cycles = of_player(b, samples_mean(&b->whole));
	run->busy = samples_mean(&b->whole) / (double)b->replica->tick_cycles;
}

static void tell_steps(struct world_bench *b, struct pg_bench_world_run *run)
{
	double *const step[STAGES] = {
#define PG_BENCH_STAGE(NAME, name, ...) &run->step_##name##_p99_s,
#include "bench_stages.def"
	};

	for (unsigned i = 0; i < STAGES; i++)
		*step[i] = seconds(b, samples_quantile(&b->step[i], 0.99));
}

static void tell_times(struct world_bench *b, struct pg_bench_world_run *run)
{
	run->tick_p50_s = seconds(b, samples_quantile(&b->ticks, 0.5));
	run->tick_p99_s = seconds(b, samples_quantile(&b->ticks, 0.99));
	run->hold_p99_s = seconds(b, samples_quantile(&b->holds, 0.99));
	run->hold_longest_s = seconds(b, samples_quantile(&b->holds, 1));
	run->handling_p50_s = seconds(b, samples_quantile(&b->handling, 0.5));
	run->handling_p99_s = seconds(b, samples_quantile(&b->handling, 0.99));
}

/// Of its cells and counts, what is not glimpses.
static void tell_bytes(const struct world_bench *b, struct pg_bench_world_run *run)
{
	const struct checker *c = &b->checker;
	const double ticks = b->plan->ticks, players = b->plan->players;

	run->bytes_per_neighbour = c->told == 0 ? 0 : (double)c->state_bytes / (double)c->told;
	run->neighbours = c->states == 0 ? 0 : (double)c->told / (double)c->states;
	run->bits_per_s = 8.0 * (double)b->sent_bytes / players / ticks * b->replica->plan->tick_hz;
}

static void tell_counts(const struct world_bench *b, struct pg_bench_world_run *run)
{
	const struct pg_world_counts *now = b->replica->counts, *before = &b->counts_before;

	run->states = now->states - before->states;
	run->fulls = now->told_in_full - before->told_in_full;
	run->looks = now->looks - before->looks;
	run->looks_capped = now->looks_capped - before->looks_capped;
	run->left_out = now->left_out - before->left_out;
	run->shed = now->shed - before->shed;
	run->overruns = now->overruns - before->overruns;
	run->taken = now->moves[PG_WORLD_MOVE_TAKEN] - before->moves[PG_WORLD_MOVE_TAKEN];
	run->sent = b->sent;
	run->found = b->found;
	for (unsigned i = 0; i < PG_WORLD_JUDGEMENTS; i++)
		run->judged += now->judged[i] - before->judged[i];
}

static void tell_checker(struct world_bench *b, struct pg_bench_world_run *run)
{
	struct checker *c = &b->checker;

	run->appears_p50_s = seconds(b, samples_quantile(&c->appears, 0.5));
	run->appears_p99_s = seconds(b, samples_quantile(&c->appears, 0.99));
	run->staleness_p50_s = samples_quantile(&c->staleness, 0.5) / b->replica->plan->tick_hz;
	run->staleness_p99_s = samples_quantile(&c->staleness, 0.99) / b->replica->plan->tick_hz;
	run->checked = c->checked;
	run->wrong = c->wrong;
	run->glimpses_checked = c->glimpses_checked;
	run->glimpses_wrong = c->glimpses_wrong;
	run->malformed = checker_malformed(c);
	run->greatest_error = c->greatest_error;
}

void world_bench_tell(struct world_bench *bench, struct pg_bench_world_run *run)
{
	*run = (struct pg_bench_world_run){0};
	tell_cycles(bench, run);
	tell_steps(bench, run);
	tell_times(bench, run);
	tell_bytes(bench, run);
	tell_counts(bench, run);
	tell_checker(bench, run);
}
