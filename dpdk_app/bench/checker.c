// SPDX-License-Identifier: BSD-3-Clause
// bench/checker.c: see checker.h.

#include "bench/checker.h"

#include <math.h>
#include <stdlib.h>

#include "session/record.h"

#define SAMPLES_ROOM 4000000
#define STALENESS_TICKS 16 // between two looks at it
#define MICROMETRES 1e-6

/// Of what is told in whole quanta, and was taken as a float in parts of one: quanta, on each axis.
#define ROUNDED 0.51

static void make_reader(struct checker *c, uint32_t i)
{
	struct checked_reader *reader = &c->reader[i];
	const uint32_t n = c->movers->walks.players;

	reader->player = (uint32_t)((uint64_t)n * i / c->readers);
	reader->reads = reader_make(c->movers->plan->plain ? NULL : c->movers->parts.records[reader->player].secret,
				    c->movers->plan->unsealed);
	reader->told = calloc(n, sizeof(*reader->told));
	reader->since = calloc(n, sizeof(*reader->since));
}

static void map_identities(struct checker *c)
{
	for (uint32_t i = 0; i < c->movers->walks.players; i++)
		if (c->movers->plan->plain)
			c->by_identity[i + 1] = i;
		else if (c->movers->parts.records[i].player_id <= c->movers->walks.players)
			c->by_identity[c->movers->parts.records[i].player_id] = i;
}

bool checker_make(struct checker *c, const struct movers *movers, const struct replica *replica, uint32_t readers)
{
	const uint32_t n = movers->walks.players;
	bool whole;

	*c = (struct checker){.movers = movers, .replica = replica, .readers = readers};
	c->mover = calloc(n, sizeof(*c->mover));
	c->by_identity = calloc(n + 1, sizeof(*c->by_identity));
	c->reader = calloc(readers, sizeof(*c->reader));
	whole = c->mover && c->by_identity && c->reader && samples_make(&c->appears, SAMPLES_ROOM) &&
		samples_make(&c->staleness, SAMPLES_ROOM);
	if (!whole)
		return false;
	map_identities(c);
	for (uint32_t i = 0; i < readers; i++) {
		make_reader(c, i);
		whole = whole && c->reader[i].reads && c->reader[i].told && c->reader[i].since;
	}
	return whole;
}

void checker_free(struct checker *c)
{
	for (uint32_t i = 0; c->reader && i < c->readers; i++) {
		reader_free(c->reader[i].reads);
		free(c->reader[i].told);
		free(c->reader[i].since);
	}
	free(c->reader);
	free(c->mover);
	free(c->by_identity);
	samples_free(&c->appears);
	samples_free(&c->staleness);
}

uint64_t checker_malformed(const struct checker *c)
{
	uint64_t malformed = 0;

	for (uint32_t i = 0; i < c->readers; i++)
		malformed += reader_malformed(c->reader[i].reads);
	return malformed;
}

// ---------------------------------------------------------------- what is so

void checker_moved(struct checker *c, uint32_t tick, uint32_t nth, uint64_t at, uint64_t came)
{
	struct checked_mover *mover = &c->mover[movers_who(c->movers, tick, nth)];

	mover->move[mover->moves++ % CHECKED_MOVES] =
		(struct checked_move){.said = *movers_said(c->movers, tick, nth), .at = at, .came = came};
}

static uint64_t begin_of(const struct checker *c, uint32_t tick)
{
	return c->replica->begins + tick * c->replica->tick_cycles;
}

/// The newest movement of before a frame.
static const struct checked_move *move_before(const struct checked_mover *mover, uint64_t frame)
{
	for (uint32_t i = 1; i <= CHECKED_MOVES && i <= mover->moves; i++) {
		const struct checked_move *move = &mover->move[(mover->moves - i) % CHECKED_MOVES];

		if (move->at <= frame)
			return move;
	}
	return NULL;
}

/// How long somebody has gone on, in ticks: who is silent for longer than the world's rules say stands.
static double gone_on(const struct checker *c, const struct checked_move *move, uint64_t frame)
{
	const struct pg_world_plan *plan = c->replica->plan;
	const double most = (double)plan->extrapolate_ms * plan->tick_hz / 1000;

	return frame > move->at ? fmin((double)(frame - move->at) / (double)c->replica->tick_cycles, most) : 0;
}

/// Where somebody is who goes on straight, in quanta.
static double place(const struct checker *c, const struct checked_move *move, uint64_t frame, unsigned axis)
{
	const struct pg_world_plan *plan = c->replica->plan;
	const double quantum = (double)plan->quantum_um * MICROMETRES, low = (double)plan->low_um[axis] * MICROMETRES;
	const double gone_m = (double)move->said.velocity[axis] * gone_on(c, move, frame) / plan->tick_hz;

	return ((double)move->said.position[axis] - low + gone_m) / quantum;
}

static double error_of(const struct checker *c, const struct checked_move *move, uint64_t frame,
		       const int32_t position[3], unsigned axes)
{
	double greatest = 0;

	for (unsigned axis = 0; axis < axes; axis++)
		greatest = fmax(greatest, fabs(place(c, move, frame, axis) - position[axis]));
	return greatest;
}

/// What rounding explains: of places, of a velocity by which somebody went on, of when a movement was there.
static double allowed(const struct checker *c, const struct checked_move *move, uint64_t frame)
{
	const struct pg_world_plan *plan = c->replica->plan;
	const double velocity_off = (double)(1 << world_velocity_shift(plan->tick_hz)) / (2 * WORLD_VELOCITY_PARTS);
	const double quanta_per_tick = 1 / ((double)plan->quantum_um * MICROMETRES) / plan->tick_hz;
	double speed = 0;

	for (unsigned axis = 0; axis < 3; axis++)
		speed = fmax(speed, fabs((double)move->said.velocity[axis]));
	return ROUNDED + gone_on(c, move, frame) * velocity_off + speed * quanta_per_tick / WORLD_TOLD_PER_TICK;
}

/// How much more than that it is off.
static double excess(const struct checker *c, const struct checked_move *move, uint64_t frame,
		     const int32_t position[3], unsigned axes)
{
	return error_of(c, move, frame, position, axes) - allowed(c, move, frame);
}

/// A movement that came while its frame was being written may be in it; of a player of whom several wait, there can be several.
/// @param axes  2 or 3, which are told
static double least_excess(const struct checker *c, const struct checked_mover *mover, uint64_t frame,
			   const int32_t position[3], unsigned axes)
{
	const struct checked_move *before = move_before(mover, frame);
	double least = before ? excess(c, before, frame, position, axes) : INFINITY;

	for (uint32_t i = 1; i <= CHECKED_MOVES && i <= mover->moves; i++) {
		const struct checked_move *move = &mover->move[(mover->moves - i) % CHECKED_MOVES];

		if (move->at <= frame)
			break;
		least = fmin(least, excess(c, move, frame, position, axes));
	}
	return least;
}

// ---------------------------------------------------------------- what is seen

static void check_slot(struct checker *c, const struct reader_seen *seen, uint64_t frame, uint64_t now)
{
	const uint32_t n = c->movers->walks.players;
	const struct checked_mover *mover = &c->mover[c->by_identity[seen->identity <= n ? seen->identity : 0]];
	const struct checked_move *move = move_before(mover, frame);
	const double off = mover->moves != 0 ? least_excess(c, mover, frame, seen->position, 3) : INFINITY;

	c->checked++;
	c->wrong += !(off <= 0);
	if (move)
		c->greatest_error = fmax(c->greatest_error, ROUNDED + off);
	if (move && frame - move->at < c->replica->tick_cycles) // the first frame that it is in
		samples_add(&c->appears, (double)(now - move->came));
}

static uint32_t player_of(const struct checker *c, uint32_t number)
{
	return c->replica->slot_after[number - c->replica->numbers.first] - 1;
}

/// In a slot. What is behind numbers of players of profile plain is no index of theirs here.
static uint32_t player_in(const struct checker *c, const struct reader_seen *seen)
{
	return c->movers->plan->plain ? seen->identity - 1 : player_of(c, seen->number);
}

static void check_glimpse(struct checker *c, const struct reader_seen *seen, int32_t off, uint64_t frame)
{
	const uint32_t player = player_of(c, seen->number);
	const struct checked_mover *mover = player < c->movers->walks.players ? &c->mover[player] : NULL;
	const bool right = mover && mover->moves != 0 && least_excess(c, mover, frame, seen->position, 2) <= off;

	c->glimpses_checked++;
	c->glimpses_wrong += !right;
}

static void take(struct checker *c, struct checked_reader *reader, uint64_t now)
{
	const struct reader_told *told = &c->told_now;
	const uint64_t frame = begin_of(c, told->tick);

	for (unsigned i = 0; i < told->slots; i++) {
		const uint32_t player = player_in(c, &told->slot[i]);

		if (c->measures)
			check_slot(c, &told->slot[i], frame, now);
		if (player < c->movers->walks.players)
			reader->told[player] = told->tick;
	}
	for (unsigned i = 0; i < told->glimpses; i++) {
		const uint32_t player = player_of(c, told->glimpse[i].number);

		if (c->measures)
			check_glimpse(c, &told->glimpse[i], told->glimpse_off, frame);
		if (player < c->movers->walks.players)
			reader->told[player] = told->tick;
	}
}

void checker_reads(struct checker *c, uint32_t player, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const uint32_t n = c->movers->walks.players;
	const uint32_t i = (uint32_t)(((uint64_t)player * c->readers + n - 1) / n);
	struct checked_reader *reader = &c->reader[i];

	if (i >= c->readers || reader->player != player)
		return;
	c->wrong += !reader_take(reader->reads, datagram, length, &c->told_now);
	if (!c->told_now.any)
		return;
	if (c->measures) {
		c->states++;
		c->told += c->told_now.slots;
		c->state_bytes += c->told_now.state_bytes;
	}
	take(c, reader, now);
}

// ---------------------------------------------------------------- who was not seen for how long

static bool is_in_range(const struct checker *c, const struct checked_mover *a, const struct checked_mover *b)
{
	const double radius = (double)c->replica->plan->radius_um * MICROMETRES;
	double distance2 = 0;

	if (a->moves == 0 || b->moves == 0)
		return false;
	for (unsigned axis = 0; axis < 3; axis++) {
		const double apart = a->move[(a->moves - 1) % CHECKED_MOVES].said.position[axis] -
				     b->move[(b->moves - 1) % CHECKED_MOVES].said.position[axis];

		distance2 += apart * apart;
	}
	return distance2 < radius * radius;
}

static void look_at_staleness(struct checker *c, struct checked_reader *reader, uint32_t tick)
{
	for (uint32_t i = 0; i < c->movers->walks.players; i++) {
		uint32_t seen;

		if (i == reader->player || !is_in_range(c, &c->mover[i], &c->mover[reader->player])) {
			reader->since[i] = 0;
			continue;
		}
		if (reader->since[i] == 0)
			reader->since[i] = tick;
		seen = reader->told[i] > reader->since[i] ? reader->told[i] : reader->since[i];
		if (c->measures)
			samples_add(&c->staleness, tick - seen);
	}
}

void checker_tick(struct checker *c, uint32_t tick, bool measures)
{
	c->tick = tick;
	c->measures = measures;
	if (tick % STALENESS_TICKS == 0)
		for (uint32_t i = 0; i < c->readers; i++)
			look_at_staleness(c, &c->reader[i], tick);
}
