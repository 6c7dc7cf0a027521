// SPDX-License-Identifier: BSD-3-Clause
// load/world_glimpses.h: those whom players see now and then, having no slot left for them: whether they are there, and how long they
// go unseen.
//
// A glimpse has a number and no identity: whose it is is known from a FULL of that number, to whomever it was told. It is of where its
// one can have been in its tick, or in the tick before (a worker may be late), to the 256th of a cell; and not farther than the radius
// and a cell's diagonal, because all who look from a cell are told the same.
//
// How long somebody goes unseen is kept for some of the players, and all who are surely within their radius: each pair's time runs from
// the last slot or glimpse, or from when they came near enough. PROTOCOL.md (17) says how long that may be.

#ifndef POLLGATE_LOAD_WORLD_GLIMPSES_H
#define POLLGATE_LOAD_WORLD_GLIMPSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/world.h"
#include "world_view.h" // the client's

#define UNSEEN_OBSERVERS 32
#define UNSEEN_PAIRS (1U << 20) // of all observers together: 16 MiB

struct world_model;

/// Where a player was shown in a tick.
struct glimpsed {
	uint32_t world, tick; // 0: never
	uint32_t x, y;        // in 256ths of a cell
};

/// Somebody, as an observer sees them.
struct unseen_pair {
	uint32_t seen;  // newest tick in which they were seen, or since when they are near
	uint32_t lost;  // states that the observer had missed by then
	uint32_t round; // the last in which they were near
};

/// A player who looks for all others.
struct unseen_observer {
	uint32_t world, newest; // tick
	uint32_t lost;          // states that did not come, or that had no room for glimpses
	uint32_t round;         // which one
	uint32_t looked;        // tick of the last round
	struct unseen_pair *pair;
};

struct world_glimpses_model {
	uint32_t *owner;      // by number: a player and 1; or what is below
	uint32_t *number;     // of each player, as it was told last
	uint32_t others;      // numbers of which nobody knows whose they are
	bool strangers;       // there are some
	struct glimpsed *was; // by player

	uint32_t observers, stride; // every so many players there is one
	struct unseen_observer observer[UNSEEN_OBSERVERS];
	struct unseen_pair *pairs;
};

bool world_glimpses_open(struct world_model *model);
void world_glimpses_close(struct world_model *model);

/// All numbers are given anew.
void world_glimpses_begin(struct world_model *model);

/// A FULL said whose a number is.
/// @param player  model->players: none of ours
void world_glimpses_named(struct world_model *model, uint32_t number, uint32_t player);

/// A WORLD_STATE of this tick was applied to the player's view: the last that it has.
/// @param bytes  of its datagram
void world_glimpses_told(struct world_model *model, uint32_t player, const struct world_view *view, uint32_t tick,
			 size_t bytes, uint64_t now);

// world_unseen.c

/// The same, of an observer: before its glimpses are read,
void world_unseen_told(struct world_model *model, struct unseen_observer *observer, const struct world_view *view,
		       uint32_t tick, size_t bytes);

/// and after it.
void world_unseen_look(struct world_model *model, struct unseen_observer *observer, uint32_t player,
		       const struct world_view *view, uint64_t now);

#endif
