// SPDX-License-Identifier: BSD-3-Clause
// load/world_truth.c: see world_truth.h. Nothing here is the gateway's: all is reckoned in real numbers from what PROTOCOL.md says.

#include "load/world_truth.h"

#include <math.h>
#include <string.h>

#include "compiler.h"

#define PARTS_OF_TICK 256.0 // an age is counted in
#define POSITION_ERROR 1.0  // quanta: half of one where it was said, and half where it went on to
#define VELOCITY_ERROR 1.0  // as velocities are told
#define STOPPED_ERROR 2.0   // quanta: the rounding of the velocity, times the way
#define REMEMBERED_S 3      // what was said before something that arrived, and earlier, explains nothing

void truth_say(struct truth *truth, const float motion[6], uint64_t datagram, uint64_t now)
{
	struct truth_said *said = &truth->said[datagram % TRUTH_SAID];

	*said = (struct truth_said){.datagram = datagram, .sent = now, .arrived = UINT64_MAX};
	memcpy(said->motion, motion, sizeof(said->motion));
	truth->newest = datagram;
	truth->last = now;
}

uint64_t truth_arrived(struct truth *truth, uint64_t datagram, uint64_t now)
{
	struct truth_said *said = &truth->said[datagram % TRUTH_SAID];

	if (said->datagram != datagram || said->arrived != UINT64_MAX)
		return UINT64_MAX;
	said->arrived = now;
	if (said->sent > truth->known)
		truth->known = said->sent;
	if (truth->since == 0 && said->sent > truth->rejoined)
		truth->since = now;
	if (truth->placed == 0)
		truth->placed = now;
	return now - said->sent;
}

uint64_t truth_known_by(const struct truth *truth, uint64_t when)
{
	for (uint64_t n = truth->newest; n > 0 && n + TRUTH_SAID > truth->newest; n--) {
		const struct truth_said *said = &truth->said[n % TRUTH_SAID];

		if (said->datagram == n && said->arrived <= when)
			return said->sent;
	}
	return 0;
}

void truth_put_back(struct truth *truth, const float position[3], uint64_t now)
{
	for (unsigned i = 0; i < TRUTH_SAID; i++)
		truth->said[i].doubtful = true;
	memcpy(truth->put_to, position, sizeof(truth->put_to));
	truth->put_back = now;
}

/// To the bit.
static bool is_same(const float one[6], const float other[6])
{
	uint32_t bits[2][6];

	memcpy(bits[0], one, sizeof(bits[0]));
	memcpy(bits[1], other, sizeof(bits[1]));
	return memcmp(bits[0], bits[1], sizeof(bits[0])) == 0;
}

bool truth_has_said(const struct truth *truth, const float motion[6])
{
	for (uint64_t n = truth->newest; n > 0 && n + TRUTH_SAID > truth->newest; n--) {
		const struct truth_said *said = &truth->said[n % TRUTH_SAID];

		if (said->datagram == n && is_same(said->motion, motion))
			return true;
	}
	return false;
}

// ---------------------------------------------------------------- one movement

/// In quanta, and in parts of a quantum per tick.
struct line {
	double position[3], velocity[3];
};

static struct line line_of(const struct truth_rules *rules, const float motion[6])
{
	const double unit = rules->velocity_parts / (rules->quantum_m * rules->tick_hz);
	struct line line;

	for (unsigned axis = 0; axis < 3; axis++) {
		line.position[axis] = ((double)motion[axis] - rules->low_m[axis]) / rules->quantum_m;
		line.velocity[axis] = (double)motion[3 + axis] * unit;
	}
	return line;
}

static bool is_standing(const struct world_spot *spot)
{
	return (spot->velocity[0] | spot->velocity[1] | spot->velocity[2]) == 0;
}

static bool has_velocity(const struct world_spot *spot, const struct line *line)
{
	for (unsigned axis = 0; axis < 3; axis++)
		if (fabs(spot->velocity[axis] - line->velocity[axis]) > VELOCITY_ERROR)
			return false;
	return true;
}

/// Is there an age, the same for all directions, at which the straight leads there?
static bool is_on(const struct truth_rules *rules, const struct world_spot *spot, const struct line *line, double least,
		  double most)
{
	for (unsigned axis = 0; axis < 3; axis++) {
		const double way = spot->position[axis] - line->position[axis];
		const double pace = spot->velocity[axis] / rules->velocity_parts / PARTS_OF_TICK;

		if (spot->velocity[axis] == 0) {
			if (fabs(way) > POSITION_ERROR)
				return false;
			continue;
		}

		const double one = (way - POSITION_ERROR) / pace, other = (way + POSITION_ERROR) / pace;

		least = fmax(least, fmin(one, other));
		most = fmin(most, fmax(one, other));
	}
	return least <= most;
}

static bool is_near(const struct world_spot *spot, const double position[3], double error)
{
	for (unsigned axis = 0; axis < 3; axis++)
		if (fabs(spot->position[axis] - position[axis]) > error)
			return false;
	return true;
}

/// It went on for as long as it may, and stands there.
static bool has_stopped(const struct truth_rules *rules, const struct world_spot *spot, const struct line *line)
{
	double end[3];

	for (unsigned axis = 0; axis < 3; axis++)
		end[axis] = line->position[axis] +
			    nearbyint(line->velocity[axis]) / rules->velocity_parts * rules->late_max / PARTS_OF_TICK;
	return is_standing(spot) && is_near(spot, end, STOPPED_ERROR);
}

static double parts(const struct truth_rules *rules, uint64_t from, uint64_t to)
{
	return to > from ? (double)(to - from) / rules->cycles_per_part : 0;
}

/// What is told of one: a place and a velocity, or an area.
struct told {
	const struct world_spot *spot; // NULL: an area
	const struct truth_area *area;
};

/// Is there such an age at which the straight leads there?
static bool crosses(const struct truth_rules *rules, const struct truth_area *area, const struct line *line,
		    double least, double most)
{
	const double error = POSITION_ERROR + VELOCITY_ERROR / rules->velocity_parts * rules->late_max / PARTS_OF_TICK;

	for (unsigned axis = 0; axis < 2; axis++) {
		const double low = area->low[axis] - error - line->position[axis];
		const double high = area->high[axis] + error - line->position[axis];
		const double pace = line->velocity[axis] / rules->velocity_parts / PARTS_OF_TICK;

		if (nearbyint(line->velocity[axis]) == 0) {
			if (low > 0 || high < 0)
				return false;
			continue;
		}
		least = fmax(least, fmin(low / pace, high / pace));
		most = fmin(most, fmax(low / pace, high / pace));
	}
	return least <= most;
}

/// How old a movement may be in the tick, in parts.
struct ages {
	double least, most;
};

static struct ages ages_of(const struct truth *truth, const struct truth_rules *rules, const struct truth_moment *when,
			   const struct truth_said *said)
{
	const bool any = said->arrived == UINT64_MAX || said->sent < truth->rejoined;

	return (struct ages){
		.least = any ? 0 : parts(rules, said->arrived, when->began - when->slack),
		.most = parts(rules, said->sent, when->began + when->slack),
	};
}

static bool explained_by(const struct truth *truth, const struct truth_rules *rules, const struct truth_moment *when,
			 const struct told *told, const struct truth_said *said)
{
	const struct line line = line_of(rules, said->motion);
	const struct ages ages = ages_of(truth, rules, when, said);

	if (!told->spot) // who has stopped is where they came in all that time
		return crosses(rules, told->area, &line, fmin(ages.least, rules->late_max),
			       fmin(ages.most, rules->late_max));
	if (has_velocity(told->spot, &line) &&
	    is_on(rules, told->spot, &line, ages.least, fmin(ages.most, rules->late_max)))
		return true;
	return ages.most >= rules->late_max && has_stopped(rules, told->spot, &line);
}

// ---------------------------------------------------------------- all of them

static bool is_put_back(const struct truth *truth, const struct truth_rules *rules, const struct told *told)
{
	const float motion[6] = {truth->put_to[0], truth->put_to[1], truth->put_to[2]};
	const struct line line = line_of(rules, motion);

	if (!told->spot)
		return crosses(rules, told->area, &line, 0, 0);
	return is_standing(told->spot) && is_near(told->spot, line.position, POSITION_ERROR);
}

static bool explains(const struct truth *truth, const struct truth_rules *rules, const struct truth_moment *when,
		     const struct told *told)
{
	const uint64_t remembered = REMEMBERED_S * (uint64_t)(rules->cycles_per_part * PARTS_OF_TICK * rules->tick_hz);
	uint64_t after = 0; // a movement that was said then has arrived for certain

	for (uint64_t n = truth->newest; n > 0 && n + TRUTH_SAID > truth->newest; n--) {
		const struct truth_said *said = &truth->said[n % TRUTH_SAID];

		if (said->datagram != n || said->sent > when->came)
			continue;
		if (after != 0 && said->sent + remembered < when->came)
			break;
		if (said->arrived <= after)
			continue;
		if (explained_by(truth, rules, when, told, said))
			return true;
		if (!said->doubtful && said->arrived <= when->began - when->slack && said->sent > after)
			after = said->sent;
	}
	return truth->put_back > after && is_put_back(truth, rules, told);
}

bool truth_explains(const struct truth *truth, const struct truth_rules *rules, const struct truth_moment *when,
		    const struct world_spot *spot)
{
	return explains(truth, rules, when, &(struct told){.spot = spot});
}

bool truth_allows(const struct truth *truth, const struct truth_rules *rules, const struct truth_moment *when,
		  const struct truth_area *area)
{
	return explains(truth, rules, when, &(struct told){.area = area});
}
