// SPDX-License-Identifier: BSD-3-Clause
// bench/world.c: a worker and the players of its world, on a clock of their own: see pollgate_bench.h.

#include "bench/world.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>

#include "bench/rewinding.h"
#include "bench/unsealed.h"
#include "bench/world_arrivals.h"
#include "bench/world_clock.h"
#include "engine/dpdk/transmit.h"
#include "game/waiting.h"
#include "replication/turn.h"
#include "runtime/engine.h"
#include "stats/error.h"

/// What takes longer is the host's doing: the clock goes on by no more.
#define THEFT_US 100

// ---------------------------------------------------------------- the worlds' task

static enum bench_stage stage_of(const struct replica *replica)
{
	switch (replica->stage) {
	case TICK_GRID:
		return STAGE_GRID;
	case TICK_RECORDS:
		return STAGE_RECORDS;
	case TICK_LOOK:
		return STAGE_LOOK;
	case TICK_SEND:
		return STAGE_SEND;
	case TICK_UNTOLD:
	case TICK_TIDY:
		return STAGE_TIDY;
	default:
		return STAGE_PUBLISH;
	}
}

static bool step_world(struct world_bench *b)
{
	const enum bench_stage stage = stage_of(b->replica);
	enum turn_step step;

	begin(b);
	step = turn_step(b->replication, b->now);
	if (step == TURN_NOTHING)
		return false;
	if (step == TURN_SENDS)
		send_egress(&b->worker->common, &world_egress, b->replication, WORLDS_SENT_AT_ONCE, b->now);
	spend(b, stage);
	if (step == TURN_SENDS)
		turn_sent(b->replication, b->now);
	if (stage == STAGE_SEND && b->replica->stage != TICK_SEND)
		b->last_sent = b->now;
	return true;
}

/// As runtime/worlds.c does it.
static bool run_worlds(struct world_bench *b)
{
	const uint64_t until = b->now + on_clock(b, WORLDS_STEPS_US * b->hz / 1000000);
	bool any = false;

	while (b->now < until && step_world(b))
		any = true;
	return any;
}

/// As runtime/worlds.c does it.
static bool run_said(struct world_bench *b)
{
	struct session_shard *shard = b->replication->shard;
	const uint64_t until = b->now + on_clock(b, WORLDS_WAITING_US * b->hz / 1000000);

	if (!waiting_has_some(b->replication->waiting))
		return false;
	do {
		begin(b);
		waiting_step(shard, b->now);
		spend(b, STAGE_SAID);
	} while (waiting_has_some(b->replication->waiting) && b->now < until);
	return true;
}

/// From the middle, in turn all around and along.
static struct world_question next_question(const struct world_bench *b)
{
	const struct world_rules *rules = &b->replica->rules;
	struct world_question question = {
		.when = {world_published(b->replica->part) - b->plan->round_trip_ticks, WORLD_MOMENT_PARTS / 2},
		.sorts = 1U << WORLD_PLAYER,
		.most = WORLD_ANSWERS_MAX,
		.is_ray = b->asks % 2 != 0,
	};
	int32_t middle[3];

	for (unsigned axis = 0; axis < 3; axis++)
		middle[axis] = rules->end[axis] >> (WORLD_UNIT_BITS + 1);
	if (question.is_ray)
		question.of.ray = (struct world_ray){.from = {middle[0], middle[1], middle[2]},
						     .direction = {1, 0, 0},
						     .length = rules->reach,
						     .body = rules->body};
	else
		question.of.sphere =
			(struct world_sphere){{middle[0], middle[1], middle[2]}, (int32_t)b->replica->radius};
	return question;
}

/// As game/searches.c does it, a step at a time.
static bool run_asked(struct world_bench *b)
{
	struct world_answer answer[WORLD_ANSWERS_MAX];
	enum pg_world_search became;

	if (b->asks == 0)
		return false;
	begin(b);
	if (!b->asked_in_part) {
		const struct world_question question = next_question(b);

		world_ask(&b->asking, b->replica->parts, &question);
	}
	b->asked_in_part = !world_ask_step(&b->asking, b->replica->parts, &became);
	if (!b->asked_in_part) {
		b->found += world_ask_answers(&b->asking, b->replica->parts, answer) * b->measures;
		b->asks--;
	}
	spend(b, STAGE_ASKED);
	return true;
}

static bool run_sessions(struct world_bench *b)
{
	struct session_shard *shard = b->replication->shard;

	if (!egress_ready(shard) && egress_due(shard) > b->now)
		return false;
	begin(b);
	send_egress(&b->worker->common, &session_egress, shard, WORLDS_EGRESS_AT_ONCE, b->now);
	spend(b, STAGE_EGRESS);
	return true;
}

/// All between two looks at what came.
/// @return the worlds have more to do
static bool run_tasks(struct world_bench *b)
{
	const uint64_t from = b->now;
	const bool worlds = run_worlds(b), said = run_said(b), asked = run_asked(b), more = worlds || said || asked;

	if ((run_sessions(b) || more) && b->measures)
		samples_add(&b->holds, (double)(b->now - from));
	return more;
}

// ---------------------------------------------------------------- what leaves

/// To a player of profile plain.
static void plain_left(struct world_bench *b, const uint8_t *payload, uint16_t length, uint64_t now)
{
	const struct plain_sight *sight = (const struct plain_sight *)payload;
	const uint32_t player = length >= sizeof(*sight) ? sight->player_id - 1 : 0;

	if (length < sizeof(*sight) || sight->header.packet_type != PLAIN_LOOK + PLAIN_ACK ||
	    player >= b->movers.walks.players)
		return;
	if (!askers_answered(&b->askers, player, payload, length, now))
		return;
	b->sent += b->measures;
	b->sent_bytes += b->measures ? length : 0;
	checker_reads(&b->checker, player, payload, length, now);
}

static void sealed_left(struct world_bench *b, const uint8_t *payload, uint16_t length, uint64_t now)
{
	const struct session_header *header = (const struct session_header *)payload;
	const uint32_t player = session_slot(&b->movers.parts.numbers, header->session);

	if (length < sizeof(*header) || player >= b->movers.walks.players)
		return; // what a host says
	b->sent += b->measures;
	b->sent_bytes += b->measures ? length : 0;
	movers_sent(&b->movers, player, header->counter, b->tick);
	if (!movers_lose(&b->movers, player, header->counter))
		checker_reads(&b->checker, player, payload, length, now);
}

/// A callback of the device's. Its cycles are the harness's.
static uint16_t on_transmit(uint16_t port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t n, void *context)
{
	const uint64_t from = rte_rdtsc();
	struct world_bench *b = context;

	(void)port, (void)queue;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *payload = rte_pktmbuf_mtod_offset(mbufs[i], const uint8_t *, FRAME_HEADERS);
		const uint16_t length = (uint16_t)(mbufs[i]->data_len - FRAME_HEADERS);
		const uint64_t now = b->now + on_clock(b, spent(b, from));

		if (mbufs[i]->data_len < FRAME_HEADERS)
			continue;
		if (b->plan->plain)
			plain_left(b, payload, length, now);
		else
			sealed_left(b, payload, length, now);
	}
	b->harness += rte_rdtsc() - from;
	return n;
}

// ---------------------------------------------------------------- a tick

/// States of some ticks are measured from within, which takes time itself: those ticks are not in the other figures.
static void begin_tick(struct world_bench *b, uint32_t tick)
{
	b->tick = tick;
	b->tick_began = begins_at(b, tick);
	b->now = b->now > b->tick_began ? b->now : b->tick_began;
	b->burst = 0;
	b->last_sent = 0;
	b->asks = b->asked_in_part ? 1 : 0;
	b->asks += b->plan->asked_per_tick;
	memset(b->cycles, 0, sizeof(b->cycles));
	if (tick % b->movers.ahead == 0)
		movers_say(&b->movers, tick);
	movers_tick(&b->movers, tick);
	checker_tick(&b->checker, tick, b->measures);
}

static void end_tick(struct world_bench *b)
{
	double all = 0;

	if (!b->measures)
		return;
	for (unsigned i = 0; i < STAGES; i++) {
		samples_add(&b->stage[i], (double)b->cycles[i]);
		all += (double)b->cycles[i];
	}
	samples_add(&b->whole, all);
	if (b->last_sent != 0)
		samples_add(&b->ticks, (double)(b->last_sent - b->tick_began));
}

static void pass(struct world_bench *b, uint32_t tick)
{
	uint64_t end;

	begin_tick(b, tick);
	end = b->tick_began + b->replica->tick_cycles;
	while (b->now < end || b->burst < b->bursts) {
		const bool came = b->burst < b->bursts && arrives_at(b, b->burst) <= b->now;
		bool asked;
		uint64_t next;

		if (came)
			serve_moves(b);
		asked = serve_askers(b);
		if (run_tasks(b) || came || asked)
			continue;
		next = b->burst < b->bursts ? arrives_at(b, b->burst) : end;
		if (b->plan->plain && askers_due(&b->askers) < next)
			next = askers_due(&b->askers);
		if (b->replica->due > b->now && b->replica->due < next)
			next = b->replica->due;
		b->now = next > b->now ? next : b->now + 1;
	}
	end_tick(b);
}

static int serve_world(void *context)
{
	struct world_bench *b = context;
	uint32_t tick;

	worker_begin(&b->worker->common);
	b->now = pg_tsc();
	tick = (uint32_t)((b->now - b->replica->begins) / b->replica->tick_cycles) + 1;
	tick += b->movers.ahead - tick % b->movers.ahead;
	b->now = begins_at(b, tick);
	for (uint32_t i = 0; i < b->plan->warm_ticks + b->plan->ticks; i++) {
		if (i == b->plan->warm_ticks) {
			b->counts_before = *b->replica->counts;
			b->measures = true;
		}
		pass(b, tick + i);
	}
	return 0;
}

// ---------------------------------------------------------------- make

static bool make_samples(struct world_bench *b)
{
	const uint32_t ticks = b->plan->ticks;
	bool whole = samples_make(&b->whole, ticks) && samples_make(&b->ticks, ticks);

	for (unsigned i = 0; i < STAGES; i++)
		whole = samples_make(&b->stage[i], ticks) && samples_make(&b->step[i], STEPS_MAX) && whole;
	return samples_make(&b->holds, SAMPLES_MAX) && samples_make(&b->handling, SAMPLES_MAX) && whole;
}

static void free_all(struct world_bench *b)
{
	for (unsigned i = 0; i < STAGES; i++) {
		samples_free(&b->stage[i]);
		samples_free(&b->step[i]);
	}
	samples_free(&b->whole);
	samples_free(&b->ticks);
	samples_free(&b->holds);
	samples_free(&b->handling);
	checker_free(&b->checker);
	askers_free(&b->askers);
	movers_free(&b->movers);
}

static int make_all(struct world_bench *b, const struct pg_gateway *g, void *state, struct pg_error *error)
{
	const struct pg_bench_world_plan *plan = b->plan;
	const struct identity *identity = &b->queue->port->identity;
	struct movers *movers = &b->movers;

	*movers = (struct movers){
		.plan = plan,
		.parts = state_parts(state),
		.gateway_address = identity->v4[0].address,
		.gateway_port = BE16(g->plan.listener_port[0]),
	};
	memcpy(movers->gateway_mac, identity->mac, sizeof(movers->gateway_mac));
	b->bursts = arrivals_bursts(plan);
	if (!movers_make(movers, g->plan.world[0].tick_hz) || !make_samples(b) ||
	    !askers_make(&b->askers, movers, b->replica->tick_cycles) ||
	    !checker_make(&b->checker, movers, b->replica, plan->readers))
		return error_set(error, PG_ERROR_MEMORY, "no memory for %u players", plan->players);
	if (!rte_eth_add_tx_callback(b->queue->port_id, 0, on_transmit, b))
		return error_set(error, PG_ERROR_SYSTEM, "this DPDK was built without callbacks of bursts");
	return PG_OK;
}

/// Asleep: DPDK's own wait keeps the other CPU busy, which may be half of this core.
static int run_on(uint32_t lcore, struct world_bench *b, struct pg_error *error)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	if (rte_eal_remote_launch(serve_world, b, lcore) != 0)
		return error_set(error, PG_ERROR_SYSTEM, "lcore %u could not be launched", lcore);
	while (rte_eal_get_lcore_state(lcore) == RUNNING)
		nanosleep(&pause, NULL);
	(void)rte_eal_wait_lcore(lcore);
	return PG_OK;
}

int pg_bench_world(struct pg_gateway *gateway, void *state, const struct pg_bench_world_plan *plan,
		   struct pg_bench_world_run *run, struct pg_error *error)
{
	struct world_bench *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return error_set(error, PG_ERROR_MEMORY, "no memory for a benchmark");
	b->plan = plan;
	b->worker = (struct dpdk_worker *)gateway->worker[0];
	b->queue = &b->worker->queue[0];
	b->replication = b->worker->common.shard->replication;
	b->replica = &b->replication->replica[0];
	b->hz = pg_tsc_hz();
	b->theft = THEFT_US * b->hz / 1000000;
	if (plan->unsealed)
		unseal(&b->replication->shard->code);
	rc = make_all(b, gateway, state, error);
	if (rc == PG_OK)
		rc = run_on(gateway->plan.worker[0].lcore, b, error);
	if (rc == PG_OK)
		world_bench_tell(b, run);
	free_all(b);
	free(b);
	return rc;
}
