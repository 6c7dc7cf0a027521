// SPDX-License-Identifier: BSD-3-Clause
// bench/witness.c: see witness.h.

#include "bench/witness.h"

#include <math.h>
#include <stdlib.h>

#include "session/record.h"

#define SAMPLES_ROOM 4000000
#define STALENESS_TICKS 16 // between two looks at it
#define MICROMETRES 1e-6

/// Of what is told in whole quanta, and was taken in whole quanta before: quanta, on each axis.
#define ERROR_MAX 1.25

static void make_reader(struct witness *w, uint32_t i)
{
	struct witness_reader *reader = &w->reader[i];
	const uint32_t n = w->movers->walk.count;

	reader->player = (uint32_t)((uint64_t)n * i / w->readers);
	reader->eye = eye_make(w->movers->parts.records[reader->player].secret);
	reader->told = calloc(n, sizeof(*reader->told));
	reader->since = calloc(n, sizeof(*reader->since));
}

static void map_identities(struct witness *w)
{
	for (uint32_t i = 0; i < w->movers->walk.count; i++)
		if (w->movers->parts.records[i].player_id <= w->movers->walk.count)
			w->by_identity[w->movers->parts.records[i].player_id] = i;
}

bool witness_make(struct witness *w, const struct movers *movers, const struct replica *replica, uint32_t readers)
{
	const uint32_t n = movers->walk.count;
	bool whole;

	*w = (struct witness){.movers = movers, .replica = replica, .readers = readers};
	w->mover = calloc(n, sizeof(*w->mover));
	w->by_identity = calloc(n + 1, sizeof(*w->by_identity));
	w->reader = calloc(readers, sizeof(*w->reader));
	whole = w->mover && w->by_identity && w->reader && samples_make(&w->appears, SAMPLES_ROOM) &&
		samples_make(&w->staleness, SAMPLES_ROOM);
	if (!whole)
		return false;
	map_identities(w);
	for (uint32_t i = 0; i < readers; i++) {
		make_reader(w, i);
		whole = whole && w->reader[i].eye && w->reader[i].told && w->reader[i].since;
	}
	return whole;
}

void witness_free(struct witness *w)
{
	for (uint32_t i = 0; w->reader && i < w->readers; i++) {
		eye_free(w->reader[i].eye);
		free(w->reader[i].told);
		free(w->reader[i].since);
	}
	free(w->reader);
	free(w->mover);
	free(w->by_identity);
	samples_free(&w->appears);
	samples_free(&w->staleness);
}

uint64_t witness_puzzled(const struct witness *w)
{
	uint64_t puzzled = 0;

	for (uint32_t i = 0; i < w->readers; i++)
		puzzled += eye_puzzled(w->reader[i].eye);
	return puzzled;
}

// ---------------------------------------------------------------- what is so

void witness_moved(struct witness *w, uint32_t tick, uint32_t nth, uint64_t at, uint64_t came)
{
	struct witness_mover *mover = &w->mover[w->movers->order[nth]];

	mover->move[mover->moves++ % WITNESS_KEPT] =
		(struct witness_move){.said = *movers_said(w->movers, tick, nth), .at = at, .came = came};
}

static uint64_t begin_of(const struct witness *w, uint32_t tick)
{
	return w->replica->begins + tick * w->replica->tick_cycles;
}

/// The newest movement of before a frame.
static const struct witness_move *move_before(const struct witness_mover *mover, uint64_t frame)
{
	for (uint32_t i = 1; i <= WITNESS_KEPT && i <= mover->moves; i++) {
		const struct witness_move *move = &mover->move[(mover->moves - i) % WITNESS_KEPT];

		if (move->at <= frame)
			return move;
	}
	return NULL;
}

/// Where somebody is who goes on straight, in quanta.
static double place(const struct witness *w, const struct witness_move *move, uint64_t frame, unsigned axis)
{
	const struct pg_world_plan *plan = w->replica->plan;
	const double quantum = (double)plan->quantum_um * MICROMETRES, low = (double)plan->low_um[axis] * MICROMETRES;
	const double ticks = frame > move->at ? (double)(frame - move->at) / (double)w->replica->tick_cycles : 0;

	return ((double)move->said.position[axis] - low + (double)move->said.velocity[axis] * ticks / plan->tick_hz) /
	       quantum;
}

static double error_of(const struct witness *w, const struct witness_move *move, uint64_t frame,
		       const int32_t position[3])
{
	double greatest = 0;

	for (unsigned axis = 0; axis < 3; axis++)
		greatest = fmax(greatest, fabs(place(w, move, frame, axis) - position[axis]));
	return greatest;
}

/// A movement that came while its frame was being written may be in it.
static double least_error(const struct witness *w, const struct witness_mover *mover, uint64_t frame,
			  const int32_t position[3])
{
	const struct witness_move *before = move_before(mover, frame);
	const struct witness_move *newest = &mover->move[(mover->moves - 1) % WITNESS_KEPT];
	const double error = before ? error_of(w, before, frame, position) : INFINITY;

	return newest->at > frame ? fmin(error, error_of(w, newest, frame, position)) : error;
}

// ---------------------------------------------------------------- what is seen

static void check_slot(struct witness *w, const struct eye_seen *seen, uint64_t frame, uint64_t now)
{
	const uint32_t n = w->movers->walk.count;
	const struct witness_mover *mover = &w->mover[w->by_identity[seen->identity <= n ? seen->identity : 0]];
	const struct witness_move *move = move_before(mover, frame);
	const double error = mover->moves != 0 ? least_error(w, mover, frame, seen->position) : INFINITY;

	w->checked++;
	w->wrong += !(error <= ERROR_MAX);
	w->greatest_error = fmax(w->greatest_error, error);
	if (move && frame - move->at < w->replica->tick_cycles) // the first frame that it is in
		samples_add(&w->appears, (double)(now - move->came));
}

static uint32_t player_of(const struct witness *w, uint32_t number)
{
	return w->replica->slot_after[number - w->replica->numbers.first] - 1;
}

static void check_glimpse(struct witness *w, const struct eye_seen *seen, int32_t off, uint64_t frame)
{
	const uint32_t player = player_of(w, seen->number);
	const struct witness_mover *mover = player < w->movers->walk.count ? &w->mover[player] : NULL;
	bool right = mover && mover->moves != 0;

	for (unsigned axis = 0; right && axis < 2; axis++) {
		const struct witness_move *move = move_before(mover, frame);

		right = move && fabs(place(w, move, frame, axis) - seen->position[axis]) <= off + ERROR_MAX;
	}
	w->glimpses_checked++;
	w->glimpses_wrong += !right;
}

static void take(struct witness *w, struct witness_reader *reader, uint64_t now)
{
	const struct eye_told *told = &w->told_now;
	const uint64_t frame = begin_of(w, told->tick);

	for (unsigned i = 0; i < told->slots; i++) {
		const uint32_t player = player_of(w, told->slot[i].number);

		if (w->measures)
			check_slot(w, &told->slot[i], frame, now);
		if (player < w->movers->walk.count)
			reader->told[player] = told->tick;
	}
	for (unsigned i = 0; i < told->glimpses; i++) {
		const uint32_t player = player_of(w, told->glimpse[i].number);

		if (w->measures)
			check_glimpse(w, &told->glimpse[i], told->glimpse_off, frame);
		if (player < w->movers->walk.count)
			reader->told[player] = told->tick;
	}
}

void witness_reads(struct witness *w, uint32_t player, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const uint32_t n = w->movers->walk.count;
	const uint32_t i = (uint32_t)(((uint64_t)player * w->readers + n - 1) / n);
	struct witness_reader *reader = &w->reader[i];

	if (i >= w->readers || reader->player != player)
		return;
	w->wrong += !eye_read(reader->eye, datagram, length, &w->told_now);
	if (!w->told_now.any)
		return;
	if (w->measures) {
		w->states++;
		w->told += w->told_now.slots;
		w->state_bytes += w->told_now.state_bytes;
	}
	take(w, reader, now);
}

// ---------------------------------------------------------------- who was not seen for how long

static bool is_in_range(const struct witness *w, const struct witness_mover *a, const struct witness_mover *b)
{
	const double radius = (double)w->replica->plan->radius_um * MICROMETRES;
	double distance2 = 0;

	if (a->moves == 0 || b->moves == 0)
		return false;
	for (unsigned axis = 0; axis < 3; axis++) {
		const double apart = a->move[(a->moves - 1) % WITNESS_KEPT].said.position[axis] -
				     b->move[(b->moves - 1) % WITNESS_KEPT].said.position[axis];

		distance2 += apart * apart;
	}
	return distance2 < radius * radius;
}

static void look_at_staleness(struct witness *w, struct witness_reader *reader, uint32_t tick)
{
	for (uint32_t i = 0; i < w->movers->walk.count; i++) {
		uint32_t seen;

		if (i == reader->player || !is_in_range(w, &w->mover[i], &w->mover[reader->player])) {
			reader->since[i] = 0;
			continue;
		}
		if (reader->since[i] == 0)
			reader->since[i] = tick;
		seen = reader->told[i] > reader->since[i] ? reader->told[i] : reader->since[i];
		if (w->measures)
			samples_add(&w->staleness, tick - seen);
	}
}

void witness_tick(struct witness *w, uint32_t tick, bool measures)
{
	w->tick = tick;
	w->measures = measures;
	if (tick % STALENESS_TICKS == 0)
		for (uint32_t i = 0; i < w->readers; i++)
			look_at_staleness(w, &w->reader[i], tick);
}
