// SPDX-License-Identifier: BSD-3-Clause
// load/world_unseen.c: how long those in range go unseen, by some of the players: see world_glimpses.h.

#include <math.h>

#include "load/latency.h"
#include "load/pace.h"
#include "load/world_model.h"

#define DATAGRAM_BYTES 508  // that the players' clients take
#define BYTES_OF_GLIMPSE 15 // of those that are meant for a tick: they may be more, and in many cells
#define SWEEPS 3            // PROTOCOL.md: the longest that anybody is not shown,
#define MORE_TICKS 32       // and so many ticks

/// Of a round.
struct round {
	struct world_model *model;
	struct unseen_observer *observer;
	const struct world_view *view;
	uint32_t player;
	double window_s, own_lag_s;
	double radius_m;
	uint32_t period; // ticks that a sweep takes at most
	uint64_t now;
};

static double seconds(const struct world_model *model, uint64_t from, uint64_t to)
{
	return to > from ? (double)(to - from) / (double)model->tsc_hz : 0;
}

// ---------------------------------------------------------------- what is told

static uint32_t occupied_of(const struct world_view *view)
{
	uint32_t occupied = 0;

	for (unsigned i = 0; i < WORLD_SLOTS_MAX; i++)
		occupied += view->slot[i].occupied;
	return occupied;
}

/// May there have been no room for glimpses in a state that has none, or no reason to tell them?
static bool may_be_without(const struct world_model *model, const struct world_view *view, size_t bytes)
{
	const size_t budget = (size_t)model->rules.budget_kbps * 1000 / 8 / view->world.tick_hz;
	const size_t room = budget < DATAGRAM_BYTES ? budget : DATAGRAM_BYTES;

	return view->body.strips == 0 &&
	       (occupied_of(view) < model->slots || bytes + (size_t)model->rules.glimpses * BYTES_OF_GLIMPSE > room);
}

static void see_slots(const struct world_model *model, struct unseen_observer *observer, const struct world_view *view)
{
	for (unsigned i = 0; i < WORLD_SLOTS_MAX; i++) {
		const uint32_t player = world_player_in(model, &view->slot[i]);

		if (!view->slot[i].occupied || player == model->players)
			continue;
		observer->pair[player].seen = observer->newest;
		observer->pair[player].lost = observer->lost;
	}
}

void world_unseen_told(struct world_model *model, struct unseen_observer *observer, const struct world_view *view,
		       uint32_t tick, size_t bytes)
{
	if (observer->world != model->world) { // all pairs begin anew, two rounds from now on
		observer->world = model->world;
		observer->newest = tick - 1;
		observer->looked = tick;
		observer->round += 2;
		for (uint32_t i = 0; i < model->players; i++)
			observer->pair[i].seen = tick - 1;
	}
	if ((int32_t)(tick - observer->newest) > 0) {
		observer->lost += tick - observer->newest - 1;
		observer->newest = tick;
	}
	observer->lost += may_be_without(model, view, bytes);
	see_slots(model, observer, view);
}

// ---------------------------------------------------------------- how long that may be

/// To one of 1, 2, 3, and 4, 5, 6, 7 times powers of two.
static uint32_t rounded_up(uint32_t ticks)
{
	uint32_t step = 1;

	while (ticks > 7 * step)
		step *= 2;
	return (ticks + step - 1) / step * step;
}

/// With all who are in the cells around, or can have been a while ago.
static uint32_t period_of(struct world_model *model, const float position[3], const struct world_known *world,
			  double walked_m, uint64_t now)
{
	const uint32_t rings = (world->radius >> world->cell_shift) + 1; // of cells around its own
	const double reach = (rings + 1) * (double)(1ULL << world->cell_shift) * model->numbers.quantum_m + walked_m;
	const uint32_t around = world_count_around(model, position, reach, now) + model->glimpses.others;
	const uint32_t ticks = (around + model->rules.glimpses - 1) / model->rules.glimpses;

	return rounded_up(ticks == 0 ? 1 : ticks);
}

static uint32_t period_for(struct world_model *model, uint32_t player, const struct world_view *view, uint64_t now)
{
	const float *position = truth_position(&model->truth[player]);
	const uint32_t least = period_of(model, position, &view->world, 0, now);
	const double walked_m = 2 * model->fastest * (SWEEPS * least + MORE_TICKS) / model->numbers.tick_hz;

	return period_of(model, position, &view->world, walked_m, now);
}

// ---------------------------------------------------------------- all who are near

static bool has_slot(const struct world_model *model, const struct world_view *view, uint32_t player)
{
	for (unsigned i = 0; i < WORLD_SLOTS_MAX; i++)
		if (view->slot[i].occupied && world_player_in(model, &view->slot[i]) == player)
			return true;
	return false;
}

static void count_unseen(const struct round *round, const struct unseen_pair *pair)
{
	struct world_model *model = round->model;
	const uint32_t ticks = round->observer->newest - pair->seen;
	const uint64_t most = (uint64_t)round->period * (SWEEPS + round->observer->lost - pair->lost) + MORE_TICKS;
	const uint64_t ns = (uint64_t)(ticks * (double)SECOND_NS / model->numbers.tick_hz);

	counter_add(&model->counts->unseen, 1);
	counter_add(&model->unseen[latency_bucket(ns)], 1);
	counter_add(&model->counts->unseen_sum_ns, ns);
	if (ns > model->counts->unseen_max_ns)
		counter_set(&model->counts->unseen_max_ns, ns);
	if (!model->glimpses.strangers && ticks > most)
		counter_add(&model->counts->unseen_late, 1);
}

/// Were they near enough all the time since the last round?
static bool is_near(const struct round *round, const struct truth *other, double apart)
{
	const struct world_model *model = round->model;
	const double lag_s = fmax(round->own_lag_s, seconds(model, other->known, round->now));
	const double speed = (double)other->speed + (double)model->truth[round->player].speed;

	return world_is_sure(model, other, 2 * round->window_s, round->now) &&
	       apart < round->radius_m - speed * (round->window_s + lag_s) - 2 * model->numbers.quantum_m;
}

static void look_for(void *context, uint32_t player, double apart)
{
	const struct round *round = context;
	struct unseen_observer *observer = round->observer;
	struct unseen_pair *pair = &observer->pair[player];
	const bool was_near = pair->round == observer->round - 1;

	if (player == round->player || !is_near(round, &round->model->truth[player], apart))
		return;
	pair->round = observer->round;
	if (!was_near) {
		pair->seen = observer->newest;
		pair->lost = observer->lost;
	} else if (!has_slot(round->model, round->view, player)) {
		count_unseen(round, pair);
	}
}

void world_unseen_look(struct world_model *model, struct unseen_observer *observer, uint32_t player,
		       const struct world_view *view, uint64_t now)
{
	const struct truth *own = &model->truth[player];
	struct round round = {.model = model,
			      .observer = observer,
			      .view = view,
			      .player = player,
			      .radius_m = model->radius_m,
			      .now = now};

	if ((int32_t)(observer->newest - observer->looked) < WORLD_LOOK_TICKS)
		return;
	round.window_s = seconds(model, world_model_begin_of(model, observer->looked), now);
	round.own_lag_s = seconds(model, own->known, now);
	observer->looked = observer->newest;
	observer->round++;
	if (!world_is_sure(model, own, 2 * round.window_s, now)) {
		observer->round++; // nobody was near in the last one
		return;
	}
	round.period = period_for(model, player, view, now);
	world_around(model, truth_position(own), model->radius_m, now, look_for, &round);
}
