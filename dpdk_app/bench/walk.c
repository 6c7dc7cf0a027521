// SPDX-License-Identifier: BSD-3-Clause
// bench/walk.c: see walk.h.

#include "bench/walk.h"

#include <math.h>
#include <stdlib.h>

#define SPEED_MPS 6.0F
#define HEADING_S 1.5 // mean time between two
#define TURN_PER_S PI // most
#define PI 3.14159265358979

#define TOWN_PERCENT 80   // of the players, in
#define TOWN_SIDE 0.22361 // of the side: a twentieth of the area
#define CROWD_RADIUS_M 32

#define HILLS_M 4.0
#define HILL_X_M 37.0
#define HILL_Y_M 53.0

uint32_t walk_draw(struct walk *walk, uint32_t below)
{
	walk->random = walk->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((walk->random >> 32) * below >> 32);
}

static double draw_real(struct walk *walk)
{
	return walk_draw(walk, UINT32_MAX) / 4294967296.0;
}

// ---------------------------------------------------------------- where they may be

static double middle(const struct walk *walk)
{
	return WALK_MARGIN_M + walk->side_m / 2;
}

/// How far from the middle, on each axis.
static double reach(const struct walk *walk, const struct walker *w)
{
	return walk->side_m / 2 * (w->in_town ? TOWN_SIDE : 1);
}

static bool is_outside(const struct walk *walk, const struct walker *w)
{
	const double x = w->position[0] - middle(walk), y = w->position[1] - middle(walk);

	if (walk->place == PG_BENCH_CROWD)
		return x * x + y * y > CROWD_RADIUS_M * CROWD_RADIUS_M;
	return fabs(x) > reach(walk, w) || fabs(y) > reach(walk, w);
}

static void climb(struct walker *w)
{
	const double x = w->position[0] / HILL_X_M, y = w->position[1] / HILL_Y_M;

	w->position[2] = HILLS_M * (sin(x) + cos(y));
	w->velocity[2] = (float)(HILLS_M * (cos(x) / HILL_X_M * w->velocity[0] - sin(y) / HILL_Y_M * w->velocity[1]));
}

static void head(struct walker *w)
{
	const float speed = w->stands ? 0 : SPEED_MPS;

	w->velocity[0] = speed * cosf(w->heading);
	w->velocity[1] = speed * sinf(w->heading);
	climb(w);
}

static void settle(struct walk *walk, struct walker *w)
{
	do {
		const double r = walk->place == PG_BENCH_CROWD ? CROWD_RADIUS_M : reach(walk, w);

		w->position[0] = middle(walk) + (2 * draw_real(walk) - 1) * r;
		w->position[1] = middle(walk) + (2 * draw_real(walk) - 1) * r;
	} while (is_outside(walk, w));
	w->heading = w->wanted = (float)(draw_real(walk) * 2 * PI);
	head(w);
}

// ---------------------------------------------------------------- the order of login

static uint64_t spread_bits(uint64_t x)
{
	x = (x | x << 16) & 0x0000ffff0000ffff;
	x = (x | x << 8) & 0x00ff00ff00ff00ff;
	x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
	x = (x | x << 2) & 0x3333333333333333;
	return (x | x << 1) & 0x5555555555555555;
}

static uint64_t morton(const struct walker *w)
{
	return spread_bits((uint64_t)w->position[0]) | spread_bits((uint64_t)w->position[1]) << 1;
}

static int by_place(const void *a, const void *b)
{
	const uint64_t x = morton(a), y = morton(b);

	return (x > y) - (x < y);
}

bool walk_make(struct walk *walk, uint32_t standing_percent, bool ordered)
{
	walk->walker = calloc(walk->count, sizeof(*walk->walker));
	if (!walk->walker)
		return false;
	for (uint32_t i = 0; i < walk->count; i++) {
		struct walker *w = &walk->walker[i];

		w->in_town = walk->place == PG_BENCH_TOWN && walk_draw(walk, 100) < TOWN_PERCENT;
		w->stands = walk_draw(walk, 100) < standing_percent;
		settle(walk, w);
	}
	if (ordered)
		qsort(walk->walker, walk->count, sizeof(*walk->walker), by_place);
	return true;
}

void walk_free(struct walk *walk)
{
	free(walk->walker);
}

// ---------------------------------------------------------------- on they go

/// Somewhere; from outside, back.
static void choose_heading(struct walk *walk, struct walker *w)
{
	const double home = atan2(middle(walk) - w->position[1], middle(walk) - w->position[0]);
	const double either = (2 * draw_real(walk) - 1) * PI;

	w->wanted = (float)(is_outside(walk, w) ? home + either / 3 : either);
}

static void turn(const struct walk *walk, struct walker *w)
{
	const float most = (float)(TURN_PER_S * walk->step_s);
	const float rest = remainderf(w->wanted - w->heading, (float)(2 * PI));

	w->heading += fminf(fmaxf(rest, -most), most);
}

void walk_step(struct walk *walk, uint32_t player)
{
	struct walker *w = &walk->walker[player];
	const bool was_outside = is_outside(walk, w);

	if (w->stands)
		return;
	w->position[0] += w->velocity[0] * walk->step_s;
	w->position[1] += w->velocity[1] * walk->step_s;
	if (draw_real(walk) < walk->step_s / HEADING_S || (is_outside(walk, w) && !was_outside))
		choose_heading(walk, w);
	turn(walk, w);
	head(w);
}
