// SPDX-License-Identifier: BSD-3-Clause
// load/walk.c: see walk.h.

#include "load/walk.h"

#include <math.h>
#include <stdlib.h>

#include "load/pace.h"

#define PI_F 3.14159265F
#define TURN_RAD_S PI_F
#define HEADING_S 1.5F // mean
#define STEP_MAX_S 0.1 // more is a pause

/// A hill is so high and so long; the steepest way up adds a twentieth to the speed.
#define HILL_M 8.0F
#define HILL_LONG_M 160.0F

#define TOWN_SHARE 5      // of so many players one lives in the country
#define TOWN_SIDE 0.2236F // of the ground's side: 5 % of the area
#define CROWD_SHARE 0.5F  // of the radius

static float ground(float x, float y)
{
	return HILL_M * sinf(x / HILL_LONG_M * 2 * PI_F) * cosf(y / HILL_LONG_M * 2 * PI_F);
}

static float up(float x, float y, const float velocity[2])
{
	const float k = 2 * PI_F / HILL_LONG_M;

	return HILL_M * k * (cosf(x * k) * cosf(y * k) * velocity[0] - sinf(x * k) * sinf(y * k) * velocity[1]);
}

/// Where a player lives.
static void settle(struct walks *walks, struct walk *w, uint32_t player)
{
	const struct pg_load_world *rules = &walks->rules;

	w->region[0] = rules->middle_m[0];
	w->region[1] = rules->middle_m[1];
	w->reach = rules->ground_m / 2;
	if (rules->walk == PG_LOAD_TOWN && player % TOWN_SHARE != 0)
		w->reach *= TOWN_SIDE;
	if (rules->walk == PG_LOAD_ONE_CROWD) {
		w->reach = rules->radius_m * CROWD_SHARE;
		w->round = true;
	}
}

static void place(struct walks *walks, struct walk *w)
{
	struct random *r = &walks->random;
	float at[2];

	do
		for (unsigned axis = 0; axis < 2; axis++)
			at[axis] = 2 * random_fraction(r) - 1;
	while (w->round && at[0] * at[0] + at[1] * at[1] > 1);
	for (unsigned axis = 0; axis < 2; axis++)
		w->position[axis] = (double)(w->region[axis] + at[axis] * w->reach);
	w->heading = w->wanted = 2 * PI_F * random_fraction(r);
	w->stands = random_fraction(r) < walks->rules.standing;
}

bool walks_open(struct walks *walks, const struct pg_load_plan *plan)
{
	*walks = (struct walks){.rules = plan->world, .tsc_hz = pg_tsc_hz()};
	if (plan->world.walk == PG_LOAD_NO_WORLD)
		return true;
	walks->players = plan->players;
	walks->walk = calloc(plan->players, sizeof(*walks->walk));
	if (!walks->walk)
		return false;
	random_seed(&walks->random, plan->seed);
	for (uint32_t i = 0; i < plan->players; i++) {
		settle(walks, &walks->walk[i], i);
		place(walks, &walks->walk[i]);
	}
	return true;
}

void walks_close(struct walks *walks)
{
	free(walks->walk);
	walks->walk = NULL;
}

// ---------------------------------------------------------------- steps

static float turned(float angle)
{
	while (angle > PI_F)
		angle -= 2 * PI_F;
	while (angle < -PI_F)
		angle += 2 * PI_F;
	return angle;
}

static bool is_home(const struct walk *w)
{
	const float x = (float)w->position[0] - w->region[0], y = (float)w->position[1] - w->region[1];

	return w->round ? x * x + y * y <= w->reach * w->reach : fabsf(x) <= w->reach && fabsf(y) <= w->reach;
}

static void decide(struct walks *walks, struct walk *w, uint64_t now)
{
	struct random *r = &walks->random;

	if (!is_home(w)) {
		w->wanted = atan2f(w->region[1] - (float)w->position[1], w->region[0] - (float)w->position[0]);
		w->decides = now + walks->tsc_hz;
		return;
	}
	if (now < w->decides)
		return;
	w->wanted = turned(2 * PI_F * random_fraction(r));
	w->decides = now + (uint64_t)(-logf(1 - random_fraction(r)) * HEADING_S * (float)walks->tsc_hz);
}

static void turn(struct walk *w, float passed_s)
{
	const float left = turned(w->wanted - w->heading), most = TURN_RAD_S * passed_s;

	w->heading = turned(w->heading + fminf(fmaxf(left, -most), most));
}

void walks_step(struct walks *walks, uint32_t player, uint64_t now, float motion[6])
{
	struct walk *w = &walks->walk[player];
	const double passed_s = w->at == 0 ? 0 : fmin((double)(now - w->at) / (double)walks->tsc_hz, STEP_MAX_S);
	const float speed = w->stands ? 0 : walks->rules.speed_mps;

	for (unsigned axis = 0; axis < 2; axis++)
		w->position[axis] += (double)w->velocity[axis] * passed_s;
	w->at = now;
	decide(walks, w, now);
	turn(w, (float)passed_s);
	w->velocity[0] = speed * cosf(w->heading);
	w->velocity[1] = speed * sinf(w->heading);
	w->velocity[2] = up((float)w->position[0], (float)w->position[1], w->velocity);
	motion[0] = (float)w->position[0];
	motion[1] = (float)w->position[1];
	motion[2] = walks->rules.middle_m[2] + ground(motion[0], motion[1]);
	for (unsigned axis = 0; axis < 3; axis++)
		motion[3 + axis] = w->velocity[axis];
}

void walks_put(struct walks *walks, uint32_t player, const float position[3])
{
	for (unsigned axis = 0; axis < 2; axis++)
		walks->walk[player].position[axis] = (double)position[axis];
}

float walks_speed(const struct walks *walks, uint32_t player)
{
	const float steepest = HILL_M * 2 * PI_F / HILL_LONG_M;

	return walks->walk[player].stands ? 0 : walks->rules.speed_mps * sqrtf(1 + steepest * steepest);
}
