// SPDX-License-Identifier: BSD-3-Clause
// load/walk.c: see walk.h.

#include "load/walk.h"

#include <math.h>
#include <stdlib.h>

#define PI_F 3.14159265F
#define TURN_RAD_S PI_F
#define HEADING_S 1.5F // mean
#define BACK_S 1.0F    // until who is outside chooses again
#define BACK_RAD (PI_F / 6)
#define STEP_MAX_S 0.1 // more is a pause

/// Two waves, one along each axis; the steepest way up adds less than a hundredth to the speed.
#define HILL_M 4.0
#define HILL_X_M 37.0
#define HILL_Y_M 53.0

#define TOWN_SHARE 5      // of so many players one lives in the country
#define TOWN_SIDE 0.2236F // of the ground's side: 5 % of the area

// ---------------------------------------------------------------- where they are

static void climb(const struct walks *walks, struct walk *w)
{
	const double x = w->position[0] / HILL_X_M, y = w->position[1] / HILL_Y_M;

	w->position[2] = (double)walks->rules.middle_m[2] + HILL_M * (sin(x) + cos(y));
	w->velocity[2] = (float)(HILL_M * (cos(x) / HILL_X_M * (double)w->velocity[0] -
					   sin(y) / HILL_Y_M * (double)w->velocity[1]));
}

static void head(const struct walks *walks, struct walk *w)
{
	const float speed = w->stands ? 0 : walks->rules.speed_mps;

	w->velocity[0] = speed * cosf(w->heading);
	w->velocity[1] = speed * sinf(w->heading);
	climb(walks, w);
}

static float choose_reach(struct walks *walks)
{
	const struct walk_rules *rules = &walks->rules;

	if (rules->place == WALK_CROWD)
		return rules->crowd_m;
	if (rules->place == WALK_TOWN && random_to(&walks->random, TOWN_SHARE) != 0)
		return rules->ground_m / 2 * TOWN_SIDE;
	return rules->ground_m / 2;
}

static void place(struct walks *walks, struct walk *w)
{
	struct random *r = &walks->random;
	float at[2];

	do
		for (unsigned axis = 0; axis < 2; axis++)
			at[axis] = 2 * random_fraction(r) - 1;
	while (walks->rules.place == WALK_CROWD && at[0] * at[0] + at[1] * at[1] > 1);
	for (unsigned axis = 0; axis < 2; axis++)
		w->position[axis] = (double)(walks->rules.middle_m[axis] + at[axis] * w->reach);
	w->heading = w->wanted = 2 * PI_F * random_fraction(r);
	w->stands = random_fraction(r) < walks->rules.standing;
	head(walks, w);
}

bool walks_open(struct walks *walks, const struct walk_rules *rules, uint32_t players, uint64_t seed)
{
	*walks = (struct walks){.rules = *rules, .players = players};
	walks->walk = calloc(players, sizeof(*walks->walk));
	if (!walks->walk)
		return false;
	random_seed(&walks->random, seed);
	for (uint32_t i = 0; i < players; i++) {
		walks->walk[i].reach = choose_reach(walks);
		place(walks, &walks->walk[i]);
	}
	return true;
}

void walks_close(struct walks *walks)
{
	free(walks->walk);
	walks->walk = NULL;
}

// ---------------------------------------------------------------- in the order of places

static uint64_t spread_bits(uint64_t x)
{
	x = (x | x << 16) & 0x0000ffff0000ffff;
	x = (x | x << 8) & 0x00ff00ff00ff00ff;
	x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
	x = (x | x << 2) & 0x3333333333333333;
	return (x | x << 1) & 0x5555555555555555;
}

/// A Z-curve of metres.
static uint64_t morton(const struct walk *w)
{
	const double far = 1 << 20; // below 0 is nobody

	return spread_bits((uint64_t)(w->position[0] + far)) | spread_bits((uint64_t)(w->position[1] + far)) << 1;
}

static int by_place(const void *a, const void *b)
{
	const uint64_t x = morton(a), y = morton(b);

	return (x > y) - (x < y);
}

void walks_order(struct walks *walks)
{
	qsort(walks->walk, walks->players, sizeof(*walks->walk), by_place);
}

// ---------------------------------------------------------------- steps

static float turned(float angle)
{
	return remainderf(angle, 2 * PI_F);
}

static bool is_home(const struct walks *walks, const struct walk *w)
{
	const float x = (float)w->position[0] - walks->rules.middle_m[0];
	const float y = (float)w->position[1] - walks->rules.middle_m[1];

	if (walks->rules.place == WALK_CROWD)
		return x * x + y * y <= w->reach * w->reach;
	return fabsf(x) <= w->reach && fabsf(y) <= w->reach;
}

static void turn_back(struct walks *walks, struct walk *w)
{
	const float x = walks->rules.middle_m[0] - (float)w->position[0];
	const float y = walks->rules.middle_m[1] - (float)w->position[1];

	w->wanted = atan2f(y, x) + (2 * random_fraction(&walks->random) - 1) * BACK_RAD;
	w->decides_s = BACK_S;
}

static void wander(struct walks *walks, struct walk *w)
{
	w->wanted = 2 * PI_F * random_fraction(&walks->random);
	w->decides_s = -logf(1 - random_fraction(&walks->random)) * HEADING_S;
}

static void turn(struct walk *w, float passed_s)
{
	const float left = turned(w->wanted - w->heading), most = TURN_RAD_S * passed_s;

	w->heading = turned(w->heading + fminf(fmaxf(left, -most), most));
}

void walks_step(struct walks *walks, uint32_t player, double passed_s)
{
	struct walk *w = &walks->walk[player];
	const bool was_home = is_home(walks, w);

	if (w->stands)
		return;
	for (unsigned axis = 0; axis < 2; axis++)
		w->position[axis] += (double)w->velocity[axis] * passed_s;
	w->decides_s -= (float)passed_s;
	if (!is_home(walks, w) && (was_home || w->decides_s <= 0))
		turn_back(walks, w);
	else if (w->decides_s <= 0)
		wander(walks, w);
	turn(w, (float)passed_s);
	head(walks, w);
}

void walks_step_until(struct walks *walks, uint32_t player, uint64_t now, double tsc_hz)
{
	struct walk *w = &walks->walk[player];
	const double passed_s = w->at == 0 ? 0 : (double)(now - w->at) / tsc_hz;

	w->at = now;
	walks_step(walks, player, fmin(passed_s, STEP_MAX_S));
}

void walks_put(struct walks *walks, uint32_t player, const float position[3])
{
	struct walk *w = &walks->walk[player];

	for (unsigned axis = 0; axis < 2; axis++)
		w->position[axis] = (double)position[axis];
	climb(walks, w);
}

float walks_speed(const struct walks *walks, uint32_t player)
{
	const double steepest2 = HILL_M * HILL_M * (1 / HILL_X_M / HILL_X_M + 1 / HILL_Y_M / HILL_Y_M);

	return walks->walk[player].stands ? 0 : walks->rules.speed_mps * (float)sqrt(1 + steepest2);
}
