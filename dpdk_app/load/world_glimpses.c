// SPDX-License-Identifier: BSD-3-Clause
// load/world_glimpses.c: see world_glimpses.h. What a gateway owes is reckoned from what PROTOCOL.md says.

#include "load/world_glimpses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load/pace.h"
#include "load/world_model.h"

#define NOBODY_KNOWN 0
#define SOMEBODY (UINT32_MAX - 1) // a number that is used, and nobody knows by whom
#define STRANGER UINT32_MAX
#define NUMBERS (1U << WORLD_NUMBER_BITS)
#define PARTS_OF_CELL_BITS 8

bool world_glimpses_open(struct world_model *model)
{
	struct world_glimpses_model *own = &model->glimpses;
	const uint32_t most = UNSEEN_PAIRS / model->players;

	own->observers = most < UNSEEN_OBSERVERS ? most : UNSEEN_OBSERVERS;
	own->observers = own->observers > model->players ? model->players : own->observers;
	own->stride = own->observers > 0 ? model->players / own->observers : 0;
	own->owner = calloc(NUMBERS, sizeof(*own->owner));
	own->number = calloc(model->players, sizeof(*own->number));
	own->was = calloc(model->players, sizeof(*own->was));
	own->pairs = calloc((size_t)own->observers * model->players + 1, sizeof(*own->pairs));
	if (!own->owner || !own->number || !own->was || !own->pairs)
		return false;
	for (uint32_t i = 0; i < own->observers; i++)
		own->observer[i].pair = own->pairs + (size_t)i * model->players;
	return true;
}

void world_glimpses_close(struct world_model *model)
{
	free(model->glimpses.owner);
	free(model->glimpses.number);
	free(model->glimpses.was);
	free(model->glimpses.pairs);
}

void world_glimpses_begin(struct world_model *model)
{
	struct world_glimpses_model *own = &model->glimpses;

	memset(own->owner, 0, NUMBERS * sizeof(*own->owner));
	memset(own->number, 0xff, model->players * sizeof(*own->number));
	own->others = 0;
	own->strangers = false;
}

// ---------------------------------------------------------------- whose a number is

void world_glimpses_named(struct world_model *model, uint32_t number, uint32_t player)
{
	struct world_glimpses_model *own = &model->glimpses;
	const bool is_stranger = player == model->players;

	own->others -= own->owner[number] == SOMEBODY;
	own->strangers |= is_stranger;
	own->owner[number] = is_stranger ? STRANGER : player + 1;
	if (!is_stranger)
		own->number[player] = number;
}

/// @return model->players: none of ours, or nobody knows
static uint32_t owner_of(struct world_model *model, uint32_t number)
{
	struct world_glimpses_model *own = &model->glimpses;
	const uint32_t owner = own->owner[number];

	if (owner != NOBODY_KNOWN && owner < SOMEBODY)
		return owner - 1;
	if (owner == NOBODY_KNOWN) {
		own->owner[number] = SOMEBODY;
		own->others++;
	}
	counter_add(&model->counts->strangers, owner == STRANGER);
	counter_add(&model->counts->glimpses_unknown, owner != STRANGER);
	return model->players;
}

// ---------------------------------------------------------------- where they are

/// From where somebody looks.
struct outlook {
	double own[2];   // quanta
	double farthest; // likewise
	bool sure;
};

static struct outlook outlook_of(const struct world_model *model, uint32_t player, const struct world_view *view,
				 uint32_t tick, uint64_t now)
{
	const struct truth *truth = &model->truth[player];
	const struct truth_rules *numbers = &model->numbers;
	const float *at = truth_position(truth);
	const uint64_t began = world_model_begin_of(model, tick);
	const double lag_s = (double)(now - truth->known) / (double)model->tsc_hz;
	const double window_s = now > began ? (double)(now - began) / (double)model->tsc_hz : 0;
	struct outlook outlook = {.sure = world_is_sure(model, truth, 2 * window_s, now)};

	for (unsigned axis = 0; axis < 2; axis++)
		outlook.own[axis] = ((double)at[axis] - numbers->low_m[axis]) / numbers->quantum_m;
	outlook.farthest = (double)view->world.radius + M_SQRT2 * (double)(1ULL << view->world.cell_shift) +
			   (double)truth->speed * (window_s + lag_s) / numbers->quantum_m + 2;
	return outlook;
}

static void check_distance(struct world_model *model, const struct outlook *outlook, const struct truth_area *area)
{
	const double x = fmax(fmax(area->low[0] - outlook->own[0], outlook->own[0] - area->high[0]), 0);
	const double y = fmax(fmax(area->low[1] - outlook->own[1], outlook->own[1] - area->high[1]), 0);

	if (outlook->sure && x * x + y * y > outlook->farthest * outlook->farthest)
		counter_add(&model->counts->glimpses_beyond, 1);
}

/// Everybody is shown the same of somebody in a tick, but for workers that are late.
static void check_place(struct world_model *model, uint32_t player, uint32_t tick, const struct glimpsed *seen,
			const struct truth_area *area, uint64_t now)
{
	struct glimpsed *was = &model->glimpses.was[player];

	counter_add(&model->counts->glimpses, 1);
	if (memcmp(was, seen, sizeof(*seen)) == 0)
		return;
	*was = *seen;
	world_model_place(model, player, tick, now, area);
}

/// Whoever has another number by now is nobody's glimpse, but for what was on its way.
static bool is_nobody(const struct world_model *model, uint32_t player, uint32_t number, uint64_t now)
{
	return model->glimpses.number[player] != number && now - model->truth[player].rejoined > 2 * model->tsc_hz;
}

static struct unseen_observer *observer_of(struct world_model *model, uint32_t player)
{
	struct world_glimpses_model *own = &model->glimpses;

	if (own->observers == 0 || player % own->stride != 0 || player / own->stride >= own->observers)
		return NULL;
	return &own->observer[player / own->stride];
}

static void take_glimpse(struct world_model *model, const struct outlook *outlook, struct unseen_observer *observer,
			 const struct glimpsed *seen, uint32_t number, unsigned shift, uint64_t now)
{
	const uint32_t player = owner_of(model, number);
	const double side = (double)(1ULL << (shift - PARTS_OF_CELL_BITS));
	const struct truth_area area = {
		.low = {seen->x * side, seen->y * side},
		.high = {seen->x * side + side, seen->y * side + side},
	};

	if (player == model->players)
		return;
	check_distance(model, outlook, &area);
	if (is_nobody(model, player, number, now))
		counter_add(&model->counts->glimpses_wrong, 1);
	else
		check_place(model, player, seen->tick, seen, &area, now);
	if (observer && (int32_t)(seen->tick - observer->pair[player].seen) > 0) {
		observer->pair[player].seen = seen->tick;
		observer->pair[player].lost = observer->lost;
	}
}

static void take_glimpses(struct world_model *model, uint32_t player, const struct world_view *view, uint32_t tick,
			  uint64_t now)
{
	const struct outlook outlook = outlook_of(model, player, view, tick, now);
	const uint8_t *at = view->body.strips_at;

	for (unsigned i = 0; i < view->body.strips; i++) {
		struct world_strip strip;
		const uint8_t *next = world_strip_at(at, &strip);

		for (unsigned k = 0; k < strip.glimpses; k++) {
			const struct world_glimpse glimpse = world_glimpse_at(at, k);
			const struct glimpsed seen = {
				.world = model->world,
				.tick = tick,
				.x = ((uint32_t)strip.cell_x << PARTS_OF_CELL_BITS) + glimpse.x,
				.y = ((uint32_t)strip.cell_y << PARTS_OF_CELL_BITS) + glimpse.y,
			};

			take_glimpse(model, &outlook, observer_of(model, player), &seen, glimpse.number,
				     view->world.cell_shift, now);
		}
		at = next;
	}
}

void world_glimpses_told(struct world_model *model, uint32_t player, const struct world_view *view, uint32_t tick,
			 size_t bytes, uint64_t now)
{
	struct unseen_observer *observer = observer_of(model, player);

	if (model->rules.glimpses == 0 || view->world.cell_shift == 0)
		return;
	if (observer)
		world_unseen_told(model, observer, view, tick, bytes);
	if (view->body.strips != 0)
		take_glimpses(model, player, view, tick, now);
	if (observer)
		world_unseen_look(model, observer, player, view, now);
}
