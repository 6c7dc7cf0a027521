// SPDX-License-Identifier: BSD-3-Clause
// load/world_model.h: what players of a world see, judged by what all of them said.
//
// It shares no code with the gateway. One thread's. The rules, of an observer o and somebody e at a distance d, with v the
// fastest that both together are, and an error m of a distance: v times the time since the beginning of the window below, plus
// v times the time since the last movement that is known to have arrived:
//
// - What o is told of e in a tick is where e can have been for the gateway (world_truth.h), and the same that all others are told.
// - Every WORLD_LOOK_TICKS ticks in which o had its datagrams, without a gap, o looked around at least once. So e has a slot if
//   d < radius - m, unless all slots are taken and d >= (dK - m') / h - m, with dK the distance of the farthest who has one, m'
//   that one's error, and h the hysteresis.
// - Nobody has a slot with d > leave radius + m.
//
// Of strangers, whom game processes or others bring into the world, nothing is known; they have slots, and count for that.
//
// What a player of profile plain is told is judged likewise, but that no look remembers whom the one before found: the hysteresis is 1,
// nobody is told with d > radius + m, and "all slots" are those that the answer has room for. Whoever is somewhere is told
// something in one of WORLD_LOOK_ANSWERS answers in a row, or within WORLD_LOOK_TICKS.

#ifndef POLLGATE_LOAD_WORLD_MODEL_H
#define POLLGATE_LOAD_WORLD_MODEL_H

#include "load/walk.h"
#include "load/world_glimpses.h"
#include "load/world_sight.h"
#include "load/world_truth.h"
#include "pollgate_load.h"
#include "world_view.h" // the client's

/// An observer looks every 8 ticks, and misses one turn where ranks change.
#define WORLD_LOOK_TICKS 16

/// Of questions in one tick, and while one is being made, all but one are answered with nothing.
#define WORLD_LOOK_ANSWERS 64

#define MODEL_SUSPECTS 65536

/// Who is told.
struct model_observer {
	uint32_t world; // it is in; 0: none yet
	uint8_t epoch;
	uint32_t newest;       // tick
	uint32_t run_began;    // tick from which on it had them all
	uint64_t skipped;      // that is counted already
	uint32_t untold;       // answers in a row that told nothing
	uint64_t untold_since; // TSC at which the first of them came
};

/// What is judged once more when it is known what arrived.
struct model_suspect {
	uint64_t due;
	uint32_t world, player, tick;
	uint64_t came; // TSC
	bool is_glimpse;
	union {
		struct world_spot spot;
		struct truth_area area;
	};
};

/// Which of the ticks is when, as the datagrams say that took least; the two ends' clocks may drift apart a little.
struct model_clock {
	bool any;
	uint64_t begin; // TSC of tick 0, at the latest
	uint64_t told;  // when it was last told
};

struct model_grid {
	uint64_t made;
	float low[2], cell_m;
	uint32_t columns, rows;
	uint32_t *start; // of each cell, and the end
	uint32_t *order; // players by cell
	uint32_t *cell;  // of each player
};

struct world_model {
	struct pg_load_world rules;
	struct pg_load_world_counts *counts;
	struct walks *walks;
	uint32_t players, first_player_id;
	uint64_t tsc_hz;
	double fastest; // of all players, in metres per second

	struct truth *truth;             // of each player
	struct model_observer *observer; // likewise
	uint32_t *mark;                  // likewise: of the last look that has them in sight
	uint32_t looks;
	struct model_grid grid;

	// the world
	uint32_t world; // which one it is, from 1 on
	bool known;     // its numbers are
	uint64_t began; // when we saw the first of it
	uint64_t told;  // when we were told of it last
	uint64_t ended; // when we were told last of the one before; 0: there was none
	uint64_t tick_cycles;
	struct truth_rules numbers;
	double radius_m, leave_radius_m;
	uint32_t slots;
	struct model_clock clock;
	uint64_t round_trip; // cycles: the least that there was

	struct world_glimpses_model glimpses;
	uint64_t *unseen; // in the page: by latency_bucket()

	struct model_suspect *suspect; // a ring
	uint32_t first_suspect, suspects;
};

/// @return NULL: out of memory
struct world_model *world_model_open(const struct pg_load_plan *plan, struct pg_load_page *page, struct walks *walks);
void world_model_close(struct world_model *model);

/// A player has a connection, or has none any more.
void world_model_connected(struct world_model *model, uint32_t player, bool connected, uint64_t now);

void world_model_said(struct world_model *model, uint32_t player, const float motion[6], uint64_t datagram,
		      uint64_t now);
void world_model_arrived(struct world_model *model, uint32_t player, uint64_t datagram, uint64_t now);
void world_model_put_back(struct world_model *model, uint32_t player, const float position[3], uint64_t now);

/// A WORLD_STATE was applied to the player's view: the last that it has.
/// @param bytes  of its datagram
void world_model_told(struct world_model *model, uint32_t player, const struct world_view *view, size_t bytes,
		      uint64_t now);

/// A player of profile plain was answered.
void world_model_looked(struct world_model *model, uint32_t player, const struct world_sight *sight);

/// Judge what waits.
/// @param all  also what is not due yet: at the end
void world_model_turn(struct world_model *model, uint64_t now, bool all);

/// When a tick begins, at the latest.
uint64_t world_model_begin_of(const struct world_model *model, uint32_t tick);

/// A glimpse shows a player there: in this tick, or in the one before.
void world_model_place(struct world_model *model, uint32_t player, uint32_t tick, uint64_t came,
		       const struct truth_area *area);

// world_look.c

/// Whose player is in a slot. None of ours: of a game process, or of somebody else who plays there.
/// @return model->players: a stranger
static inline uint32_t world_player_in(const struct world_model *model, const struct world_slot *slot)
{
	const uint32_t player = slot->who.identity - model->first_player_id;

	return slot->who.sort == WORLD_PLAYER && player < model->players ? player : model->players;
}

/// How somebody looked, and what is expected of it.
struct model_look {
	const struct world_view *view;
	uint32_t player;
	uint64_t from, now; // TSC: it was decided between these
	double settled_s;   // who is there for so long is found
	uint32_t most;      // others in sight, of all who are near
	double hysteresis;
	double beyond_m; // nobody is in sight who is farther
};

/// All that a player has in sight now, and should have.
void world_look(struct world_model *model, const struct model_look *look);
bool world_look_open(struct world_model *model);
void world_look_close(struct world_model *model);

/// Was it somewhere in this world for long enough, and does what it said arrive?
bool world_is_sure(const struct world_model *model, const struct truth *truth, double settled_s, uint64_t now);

/// No fewer than are in a square around a place, so far from it at most.
uint32_t world_count_around(struct world_model *model, const float position[3], double reach_m, uint64_t now);

double world_distance_m(const float one[3], const float other[3]);

/// Call `visit` for everybody whose last position may be within so many metres of a place.
typedef void world_visit(void *context, uint32_t player, double distance_m);
void world_around(struct world_model *model, const float position[3], double radius_m, uint64_t now, world_visit *visit,
		  void *context);

#endif
