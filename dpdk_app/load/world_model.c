// SPDX-License-Identifier: BSD-3-Clause
// load/world_model.c: see world_model.h.

#include "load/world_model.h"

#include <stdlib.h>
#include <string.h>

#include "load/pace.h"

#define MICROMETRES 1e-6
#define MILLIMETRES 1e-3
#define PARTS_OF_TICK 256
#define SUSPECTED_MS 1000
#define CLOCK_DRIFT 10000 // a part in so many
#define SLACK_MS 20       // and the round trip: no tick's first datagram ever came later
#define WAITED_MS 200     // for its CPU, by a worker on a machine that has too few
#define MS_PER_S 1000

static uint64_t cycles(const struct world_model *model, uint64_t ms)
{
	return model->tsc_hz * ms / MS_PER_S;
}

struct world_model *world_model_open(const struct pg_load_plan *plan, struct pg_load_page *page, struct walks *walks)
{
	struct world_model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	model->rules = plan->world;
	model->counts = &page->counts.world;
	model->walks = walks;
	model->players = plan->players;
	model->first_player_id = plan->first_player_id;
	model->tsc_hz = model->round_trip = pg_tsc_hz();
	model->truth = calloc(plan->players, sizeof(*model->truth));
	model->observer = calloc(plan->players, sizeof(*model->observer));
	model->suspect = calloc(MODEL_SUSPECTS, sizeof(*model->suspect));
	model->unseen = page->counts.unseen;
	if (model->truth && model->observer && model->suspect && world_look_open(model) && world_glimpses_open(model))
		return model;
	world_model_close(model);
	return NULL;
}

void world_model_close(struct world_model *model)
{
	if (!model)
		return;
	world_look_close(model);
	world_glimpses_close(model);
	free(model->suspect);
	free(model->observer);
	free(model->truth);
	free(model);
}

// ---------------------------------------------------------------- what players do

void world_model_connected(struct world_model *model, uint32_t player, bool connected, uint64_t now)
{
	struct truth *truth = &model->truth[player];

	truth->connected = connected;
	truth->since = truth->placed = 0;
	truth->rejoined = now;
	truth->speed = walks_speed(model->walks, player);
	model->fastest = (double)truth->speed > model->fastest ? (double)truth->speed : model->fastest;
	if (connected) { // datagrams are counted anew
		memset(truth->said, 0, sizeof(truth->said));
		truth->newest = truth->known = truth->last = truth->lagged = 0;
		model->observer[player] = (struct model_observer){0};
	}
}

void world_model_said(struct world_model *model, uint32_t player, const float motion[6], uint64_t datagram,
		      uint64_t now)
{
	if (model->truth[player].newest == 0)
		model->grid.made = 0; // it was not in it
	truth_say(&model->truth[player], motion, datagram, now);
}

void world_model_arrived(struct world_model *model, uint32_t player, uint64_t datagram, uint64_t now)
{
	struct truth *truth = &model->truth[player];
	const uint64_t before = truth->known, round_trip = truth_arrived(truth, datagram, now);

	if (truth->known != before && now - before >= cycles(model, TRUTH_LAG_MS))
		truth->lagged = now;
	if (round_trip < model->round_trip)
		model->round_trip = round_trip;
}

void world_model_put_back(struct world_model *model, uint32_t player, const float position[3], uint64_t now)
{
	truth_put_back(&model->truth[player], position, now);
	walks_put(model->walks, player, position);
	counter_add(&model->counts->corrections, 1);
}

// ---------------------------------------------------------------- which world, and when

/// The first of a world: what its numbers mean.
static void learn(struct world_model *model, const struct world_known *world)
{
	struct truth_rules *numbers = &model->numbers;

	numbers->quantum_m = world->quantum_um * MICROMETRES;
	numbers->tick_hz = world->tick_hz;
	numbers->velocity_parts = WORLD_VELOCITY_PARTS >> world_velocity_shift(world->tick_hz);
	for (unsigned axis = 0; axis < 3; axis++)
		numbers->low_m[axis] = world->low_mm[axis] * MILLIMETRES;
	model->tick_cycles = model->tsc_hz / world->tick_hz;
	numbers->cycles_per_part = (double)model->tick_cycles / PARTS_OF_TICK;
	numbers->late_max = (double)model->rules.extrapolate_ms * world->tick_hz * PARTS_OF_TICK / MS_PER_S;
	model->radius_m = world->radius * numbers->quantum_m;
	model->leave_radius_m = (double)model->rules.leave_radius_m;
	model->slots = world->slots;
	model->known = true;
}

/// A gateway that died is followed by one whose ticks begin anew.
static void begin_world(struct world_model *model, const struct world_known *world, uint64_t now)
{
	if (!model->known)
		learn(model, world);
	model->world++;
	model->ended = model->told;
	model->began = now;
	model->clock.any = false;
	world_glimpses_begin(model);
	for (uint32_t i = 0; i < model->players; i++) {
		model->truth[i].rejoined = now;
		model->truth[i].since = 0;
	}
	counter_add(&model->counts->worlds, 1);
}

uint64_t world_model_begin_of(const struct world_model *model, uint32_t tick)
{
	return model->clock.begin + tick * model->tick_cycles;
}

/// Is the tick so far from where the clock is that it is of another world?
static bool is_other_world(const struct world_model *model, uint32_t tick, uint64_t now)
{
	int64_t expected;

	if (!model->clock.any)
		return true;
	expected = (int64_t)((now - model->clock.begin) / model->tick_cycles);
	return 2 * llabs(expected - (int64_t)tick) > (int64_t)model->numbers.tick_hz;
}

static void tell_clock(struct world_model *model, uint32_t tick, uint64_t now)
{
	struct model_clock *clock = &model->clock;
	const uint64_t begin = now - tick * model->tick_cycles;

	if (!clock->any)
		*clock = (struct model_clock){true, begin, now};
	if (now > clock->told)
		clock->begin += (now - clock->told) / CLOCK_DRIFT;
	clock->begin = begin < clock->begin ? begin : clock->begin;
	clock->told = now > clock->told ? now : clock->told;
}

/// Of another epoch than before: of this world, or of the next one.
static void join(struct world_model *model, struct model_observer *observer, const struct world_known *world,
		 uint64_t now)
{
	if (is_other_world(model, world->tick, now))
		begin_world(model, world, now);
	*observer = (struct model_observer){.world = model->world,
					    .epoch = world->epoch,
					    .newest = world->tick - 1,
					    .run_began = world->tick,
					    .skipped = observer->skipped};
}

// ---------------------------------------------------------------- what players are told

static struct truth_moment moment_of(const struct world_model *model, uint32_t tick, uint64_t came)
{
	return (struct truth_moment){world_model_begin_of(model, tick), cycles(model, SLACK_MS) + model->round_trip,
				     came};
}

static void suspect(struct world_model *model, struct model_suspect one)
{
	if (model->suspects == MODEL_SUSPECTS) {
		counter_add(&model->counts->unchecked, 1);
		return;
	}
	one.due = one.came + cycles(model, SUSPECTED_MS);
	one.world = model->world;
	model->suspect[(model->first_suspect + model->suspects++) % MODEL_SUSPECTS] = one;
}

/// Can that be?
static bool is_explained(const struct world_model *model, const struct model_suspect *one, uint64_t more_slack)
{
	struct truth_moment when = moment_of(model, one->tick, one->came);

	when.slack += more_slack;
	if (!one->is_glimpse)
		return truth_explains(&model->truth[one->player], &model->numbers, &when, &one->spot);
	when.slack += model->tick_cycles; // a worker that is late shows the tick before
	return truth_allows(&model->truth[one->player], &model->numbers, &when, &one->area);
}

void world_model_place(struct world_model *model, uint32_t player, uint32_t tick, uint64_t came,
		       const struct truth_area *area)
{
	const struct model_suspect one = {
		.player = player, .tick = tick, .came = came, .is_glimpse = true, .area = *area};

	if (!is_explained(model, &one, 0))
		suspect(model, one);
}

static bool is_same(const struct world_spot *one, const struct world_spot *other)
{
	return memcmp(one, other, sizeof(*one)) == 0;
}

/// Everybody is told the same of somebody in a tick: the first time it is judged, then compared.
static void check(struct world_model *model, uint32_t player, uint32_t tick, uint64_t came,
		  const struct world_spot *spot)
{
	const struct model_suspect one = {.player = player, .tick = tick, .came = came, .spot = *spot};
	struct truth_frame *frame = &model->truth[player].frame[tick % TRUTH_FRAMES];

	counter_add(&model->counts->checked, 1);
	if (frame->world == model->world && frame->tick == tick) {
		if (!is_same(&frame->spot, spot))
			counter_add(&model->counts->wrong, 1);
		return;
	}
	if (frame->world != model->world || (int32_t)(frame->tick - tick) < 0)
		*frame = (struct truth_frame){model->world, tick, *spot};
	if (!is_explained(model, &one, 0))
		suspect(model, one);
}

/// As far as the view knows it from this very tick.
static const struct world_spot *spot_in(const struct world_slot *slot, uint32_t tick)
{
	const uint32_t at = tick % WORLD_KEPT_TICKS;

	return slot->history.there >> at & 1 && slot->history.tick[at] == tick ? &slot->history.spot[at] : NULL;
}

static void check_slots(struct world_model *model, const struct world_view *view, uint32_t tick, uint64_t now)
{
	for (unsigned i = 0; i < WORLD_SLOTS_MAX; i++) {
		const struct world_slot *slot = &view->slot[i];
		const uint8_t what = view->body.slot[i].what;
		const struct world_spot *spot =
			what == WORLD_TOLD_RECORD || what == WORLD_TOLD_FULL ? spot_in(slot, tick) : NULL;
		const uint32_t player = world_player_in(model, slot);

		if (!spot || !slot->occupied)
			continue;
		if (what == WORLD_TOLD_FULL)
			world_glimpses_named(model, slot->who.number, player);
		if (player == model->players)
			counter_add(&model->counts->strangers, 1);
		else
			check(model, player, tick, now, spot);
	}
}

/// @return true: it is the newest, and none is missing within the window
static bool note_tick(struct model_observer *observer, uint32_t tick)
{
	if ((int32_t)(tick - observer->newest) <= 0)
		return false;
	if (tick != observer->newest + 1)
		observer->run_began = tick;
	observer->newest = tick;
	return tick - observer->run_began >= WORLD_LOOK_TICKS;
}

static void look_around(struct world_model *model, uint32_t player, const struct world_view *view, uint64_t now)
{
	const struct model_observer *observer = &model->observer[player];
	struct model_look look = {
		.view = view,
		.player = player,
		.from = world_model_begin_of(model, observer->newest - WORLD_LOOK_TICKS),
		.now = now,
		.most = model->slots,
		.hysteresis = (double)model->rules.hysteresis,
		.beyond_m = model->leave_radius_m,
	};

	look.settled_s = 2 * (double)(now - look.from) / (double)model->tsc_hz;
	world_look(model, &look);
}

void world_model_told(struct world_model *model, uint32_t player, const struct world_view *view, size_t bytes,
		      uint64_t now)
{
	struct model_observer *observer = &model->observer[player];
	const uint32_t tick = view->newest + (uint32_t)(int16_t)(uint16_t)(view->body.tick - view->newest);

	counter_add(&model->counts->states, 1);
	if (observer->world == 0 || observer->epoch != view->world.epoch)
		join(model, observer, &view->world, now);
	if (observer->world != model->world) {
		counter_add(&model->counts->unchecked, 1);
		return;
	}
	model->told = now;
	tell_clock(model, tick, now);
	check_slots(model, view, tick, now);
	world_glimpses_told(model, player, view, tick, bytes, now);
	if (note_tick(observer, tick) && tick % WORLD_LOOK_TICKS == player % WORLD_LOOK_TICKS)
		look_around(model, player, view, now);
}

// ---------------------------------------------------------------- players who ask

/// A question that was asked before that tick, or long after it, is not answered with it in this world.
static bool is_of_other_world(const struct world_model *model, uint32_t tick, const struct world_sight *sight)
{
	const int64_t begin = (int64_t)model->clock.begin, ticks = (int64_t)model->tick_cycles;
	const int64_t most_apart = (int64_t)(model->numbers.tick_hz / 2);

	if (!model->clock.any)
		return true;
	return (int64_t)tick < ((int64_t)sight->asked - begin) / ticks - most_apart ||
	       (int64_t)tick > ((int64_t)sight->came - begin) / ticks + most_apart;
}

static void judge_sight(struct world_model *model, uint32_t player, uint32_t tick, const struct world_sight *sight)
{
	struct model_look look = {
		.view = sight->view,
		.player = player,
		.from = world_model_begin_of(model, tick - WORLD_LOOK_TICKS),
		.now = sight->came,
		.most = sight->most < model->slots ? sight->most : model->slots,
		.hysteresis = 1,
		.beyond_m = model->radius_m,
	};

	look.settled_s = 2 * (double)(look.now - look.from) / (double)model->tsc_hz;
	check_slots(model, sight->view, tick, sight->came);
	if (tick % WORLD_LOOK_TICKS == player % WORLD_LOOK_TICKS)
		world_look(model, &look);
}

static void take_sight(struct world_model *model, uint32_t player, const struct world_sight *sight)
{
	const uint32_t tick = sight->view->newest;

	counter_add(&model->counts->states, 1);
	if (is_of_other_world(model, tick, sight)) {
		if (model->clock.any && sight->asked < model->began) { // of the one before
			counter_add(&model->counts->unchecked, 1);
			return;
		}
		begin_world(model, &sight->view->world, sight->came);
	}
	model->told = sight->came;
	tell_clock(model, tick, sight->came);
	judge_sight(model, player, tick, sight);
}

/// Whoever asks often asks many times in a tick.
static void miss_sight(struct world_model *model, uint32_t player, uint64_t now)
{
	struct model_observer *observer = &model->observer[player];

	if (observer->untold++ == 0)
		observer->untold_since = now;
	if (observer->untold < WORLD_LOOK_ANSWERS ||
	    now - observer->untold_since < WORLD_LOOK_TICKS * model->tick_cycles)
		return;
	observer->untold = 0;
	counter_add(&model->counts->due, 1);
	counter_add(&model->counts->missing, 1);
}

void world_model_looked(struct world_model *model, uint32_t player, const struct world_sight *sight)
{
	if (!sight->is_there)
		return;
	if (!truth_has_said(&model->truth[player], sight->motion))
		world_model_put_back(model, player, sight->motion, sight->came);
	if (!sight->view) {
		miss_sight(model, player, sight->came);
		return;
	}
	model->observer[player].untold = 0;
	take_sight(model, player, sight);
}

// ---------------------------------------------------------------- what waits

static void judge(struct world_model *model, const struct model_suspect *one)
{
	// Of a world that is over nobody knows the clock any more.
	if (one->world != model->world || is_explained(model, one, 0))
		return;
	if (is_explained(model, one, cycles(model, WAITED_MS)))
		counter_add(&model->counts->aged, 1);
	else
		counter_add(one->is_glimpse ? &model->counts->glimpses_wrong : &model->counts->wrong, 1);
}

void world_model_turn(struct world_model *model, uint64_t now, bool all)
{
	while (model->suspects > 0) {
		const struct model_suspect *one = &model->suspect[model->first_suspect];

		if (!all && one->due > now)
			return;
		judge(model, one);
		model->first_suspect = (model->first_suspect + 1) % MODEL_SUSPECTS;
		model->suspects--;
	}
}
