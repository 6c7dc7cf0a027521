// SPDX-License-Identifier: BSD-3-Clause
// load/world_look.c: whom somebody has in sight, and should have: over all players, by where they said to be last.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load/world_model.h"

#define GRID_MS 50
#define CELLS_MAX 65536
#define UNSURE_MS 1000 // of whom nothing arrived for so long nothing is judged
#define MS_PER_S 1000.0

struct looking {
	struct world_model *model;
	const struct model_look *look;
	double window_s;   // since the beginning of the window
	double own_lag_s;  // since the last movement of the observer that arrived
	double farthest_m; // of ours who have a slot, less the error
	uint32_t occupied;
};

bool world_look_open(struct world_model *model)
{
	struct model_grid *grid = &model->grid;

	model->mark = calloc(model->players, sizeof(*model->mark));
	grid->start = calloc(CELLS_MAX + 1, sizeof(*grid->start));
	grid->order = calloc(model->players, sizeof(*grid->order));
	grid->cell = calloc(model->players, sizeof(*grid->cell));
	return model->mark && grid->start && grid->order && grid->cell;
}

void world_look_close(struct world_model *model)
{
	free(model->mark);
	free(model->grid.start);
	free(model->grid.order);
	free(model->grid.cell);
}

// ---------------------------------------------------------------- the grid

static double seconds(const struct world_model *model, uint64_t from, uint64_t to)
{
	return to > from ? (double)(to - from) / (double)model->tsc_hz : 0;
}

/// A little more than all the ground, for those who are beyond its edge.
static void size_grid(struct world_model *model)
{
	struct model_grid *grid = &model->grid;
	const float side = model->rules.ground_m * 1.1F + 2 * (float)model->radius_m;

	grid->cell_m = fmaxf((float)model->radius_m / 2, side / 256);
	grid->columns = grid->rows = (uint32_t)(side / grid->cell_m) + 1;
	grid->columns = grid->rows = grid->columns > 256 ? 256 : grid->columns;
	for (unsigned axis = 0; axis < 2; axis++)
		grid->low[axis] = model->rules.middle_m[axis] - side / 2;
}

static uint32_t along(float position, float low, float cell, uint32_t cells)
{
	const float at = floorf((position - low) / cell);

	return at < 0 ? 0 : at >= (float)cells ? cells - 1 : (uint32_t)at;
}

static void make_grid(struct world_model *model, uint64_t now)
{
	struct model_grid *grid = &model->grid;
	const uint32_t cells = grid->columns * grid->rows;

	memset(grid->start, 0, (cells + 1) * sizeof(*grid->start));
	for (uint32_t i = 0; i < model->players; i++) {
		const float *at = truth_position(&model->truth[i]);

		grid->cell[i] = along(at[1], grid->low[1], grid->cell_m, grid->rows) * grid->columns +
				along(at[0], grid->low[0], grid->cell_m, grid->columns);
		grid->start[grid->cell[i]]++;
	}
	for (uint32_t i = 0, sum = 0; i <= cells; i++) {
		sum += grid->start[i];
		grid->start[i] = sum;
	}
	for (uint32_t i = model->players; i-- > 0;)
		grid->order[--grid->start[grid->cell[i]]] = i;
	grid->made = now;
}

double world_distance_m(const float one[3], const float other[3])
{
	double square = 0;

	for (unsigned axis = 0; axis < 3; axis++) {
		const double apart = (double)one[axis] - (double)other[axis];

		square += apart * apart;
	}
	return sqrt(square);
}

static void renew_grid(struct world_model *model, uint64_t now)
{
	struct model_grid *grid = &model->grid;

	if (grid->cell_m == 0)
		size_grid(model);
	if (grid->made == 0 || seconds(model, grid->made, now) * MS_PER_S > GRID_MS)
		make_grid(model, now);
}

uint32_t world_count_around(struct world_model *model, const float position[3], double reach_m, uint64_t now)
{
	const struct model_grid *grid = &model->grid;
	const float reach = (float)reach_m + 2 * model->rules.speed_mps * GRID_MS / (float)MS_PER_S;
	uint32_t count = 0;

	renew_grid(model, now);

	const uint32_t left = along(position[0] - reach, grid->low[0], grid->cell_m, grid->columns);
	const uint32_t right = along(position[0] + reach, grid->low[0], grid->cell_m, grid->columns);
	const uint32_t last = along(position[1] + reach, grid->low[1], grid->cell_m, grid->rows);

	for (uint32_t row = along(position[1] - reach, grid->low[1], grid->cell_m, grid->rows); row <= last; row++)
		count += grid->start[row * grid->columns + right + 1] - grid->start[row * grid->columns + left];
	return count;
}

void world_around(struct world_model *model, const float position[3], double radius_m, uint64_t now, world_visit *visit,
		  void *context)
{
	struct model_grid *grid = &model->grid;
	const float reach = (float)radius_m + 2 * model->rules.speed_mps * GRID_MS / (float)MS_PER_S;

	renew_grid(model, now);

	const uint32_t left = along(position[0] - reach, grid->low[0], grid->cell_m, grid->columns);
	const uint32_t right = along(position[0] + reach, grid->low[0], grid->cell_m, grid->columns);
	const uint32_t last = along(position[1] + reach, grid->low[1], grid->cell_m, grid->rows);

	for (uint32_t row = along(position[1] - reach, grid->low[1], grid->cell_m, grid->rows); row <= last; row++)
		for (uint32_t i = grid->start[row * grid->columns + left];
		     i < grid->start[row * grid->columns + right + 1]; i++) {
			const float *at = truth_position(&model->truth[grid->order[i]]);
			const double apart = world_distance_m(position, at);

			if (apart <= radius_m)
				visit(context, grid->order[i], apart);
		}
}

// ---------------------------------------------------------------- who is in sight

/// How far two may be nearer or farther than they said to be last.
static double error_m(const struct looking *looking, const struct truth *other)
{
	const struct world_model *model = looking->model;
	const double lag = fmax(looking->own_lag_s, seconds(model, other->known, looking->look->now));
	const double speed = (double)other->speed + (double)model->truth[looking->look->player].speed;

	return speed * (looking->window_s + lag) + 2 * model->numbers.quantum_m;
}

bool world_is_sure(const struct world_model *model, const struct truth *truth, double settled_s, uint64_t now)
{
	return truth->connected && truth->since != 0 && seconds(model, truth->since, now) > settled_s &&
	       seconds(model, truth->known, now) * MS_PER_S < UNSURE_MS &&
	       seconds(model, truth->put_back, now) * MS_PER_S > UNSURE_MS;
}

static bool is_sure(const struct looking *looking, const struct truth *truth)
{
	return world_is_sure(looking->model, truth, looking->look->settled_s, looking->look->now);
}

static void mark_slots(struct looking *looking)
{
	struct world_model *model = looking->model;
	const float *own = truth_position(&model->truth[looking->look->player]);

	model->looks++;
	for (unsigned i = 0; i < WORLD_SLOTS_MAX; i++) {
		const struct world_slot *slot = &looking->look->view->slot[i];
		const uint32_t player = world_player_in(model, slot);

		looking->occupied += slot->occupied;
		if (!slot->occupied || player == model->players)
			continue;

		const struct truth *truth = &model->truth[player];
		const double error = error_m(looking, truth), apart = world_distance_m(own, truth_position(truth));

		counter_add(&model->counts->wrong,
			    model->mark[player] == model->looks || player == looking->look->player);
		model->mark[player] = model->looks;
		looking->farthest_m = fmax(looking->farthest_m, apart - error);
		if (is_sure(looking, truth) && apart > looking->look->beyond_m + error)
			counter_add(&model->counts->beyond, 1);
	}
}

static void expect(void *context, uint32_t player, double apart)
{
	const struct looking *looking = context;
	struct world_model *model = looking->model;
	const struct truth *truth = &model->truth[player];
	const double error = error_m(looking, truth);
	const bool is_full = looking->occupied >= looking->look->most;

	if (player == looking->look->player || !is_sure(looking, truth) || apart >= model->radius_m - error)
		return;
	if (model->mark[player] != model->looks && is_full &&
	    apart >= looking->farthest_m / looking->look->hysteresis - error)
		return;
	counter_add(&model->counts->due, 1);
	if (model->mark[player] != model->looks)
		counter_add(&model->counts->missing, 1);
}

void world_look(struct world_model *model, const struct model_look *look)
{
	const struct truth *own = &model->truth[look->player];
	struct looking looking = {.model = model, .look = look};

	looking.window_s = seconds(model, look->from, look->now);
	looking.own_lag_s = seconds(model, own->known, look->now);
	if (!is_sure(&looking, own))
		return;
	counter_add(&model->counts->looks, 1);
	mark_slots(&looking);
	world_around(model, truth_position(own), model->radius_m, look->now, expect, &looking);
}
