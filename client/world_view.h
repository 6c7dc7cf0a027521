// SPDX-License-Identifier: BSD-3-Clause
// world_view.h: who is in sight: a table of slots that WORLD_STATEs are applied to, and of those who have none.
//
// It holds for decoded what the gateway holds for decoded, so also what comes late is applied. All memory is given when it is
// made. What happened waits until it was asked for: nothing is applied before.

#ifndef POLLGATE_CLIENT_WORLD_VIEW_H
#define POLLGATE_CLIENT_WORLD_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "world_body.h"

#define WORLD_KEPT_TICKS 64 // of a slot: what comes late may be a baseline, or have one, of WORLD_AGES before
#define WORLD_GLIMPSES_MAX (1U << WORLD_NUMBER_BITS)
#define GLIMPSE_WAYS 8           // places that a number can have
#define WORLD_UNKNOWN UINT32_MAX // no number

struct world_entity {
	uint32_t number, identity;
	uint8_t sort; // enum world_sort
};

/// Places in the frames whose tick is written beside them, by tick modulo WORLD_KEPT_TICKS.
struct world_history {
	uint64_t there; // bit n: place n
	uint32_t newest;
	double interval; // ticks between frames that tell of it: who is far is told of seldom
	uint32_t tick[WORLD_KEPT_TICKS];
	struct world_spot spot[WORLD_KEPT_TICKS];
};

struct world_slot {
	bool told_any, occupied, game_any;
	uint32_t told;      // newest tick that told of it
	uint32_t came;      // the tick that told first of who is in it
	uint32_t game_tick; // of `game`
	struct world_entity who;
	struct world_slot_game game;
	struct world_history history;
};

/// The gateway's ticks by our clock, as the fastest datagrams tell it.
struct world_clock {
	bool any;
	uint32_t newest;
	double origin_ns; // when tick `begin` came
	uint32_t begin;
	double interval; // ticks between frames that come
};

/// Somebody who has no slot.
struct world_glimpsed {
	uint32_t number; // WORLD_UNKNOWN: none
	uint32_t tick;
	int32_t x, y; // quanta
};

/// What was not asked for yet, bit n: of slot n.
struct world_news {
	uint32_t left, entered, game;
	bool world;
	struct world_entity who[WORLD_SLOTS_MAX]; // that left
};

struct world_counts {
	uint64_t states;      // bodies
	uint64_t other_epoch; // bodies of another world than the one that is known
	uint64_t malformed;   // bodies that no gateway sends
	uint64_t decoded;     // records
	uint64_t undecodable; // records whose baseline is not known
	uint64_t impossible;  // records that lead where nobody can be
	uint64_t late;        // who came or went, older than what is known of the slot
	uint64_t stateless;   // a game's states of nobody that is known, or of who was in the slot before
};

/// How the game wants to see.
struct world_view_rules {
	uint64_t delay_ns;       // behind the newest frame; 0: as often as frames come
	uint64_t extrapolate_ns; // so long somebody goes on of whom nothing comes
	uint32_t glimpses;       // so many are kept
};

struct world_view {
	struct world_code code;
	struct world_view_rules rules;
	struct world_known world;
	struct world_clock clock;
	uint32_t newest;          // tick
	uint32_t newest_datagram; // that had something of this world
	uint32_t glimpse_sets;
	struct world_news news;
	struct world_counts counts;
	struct world_body body; // that is being applied
	struct world_slot slot[WORLD_SLOTS_MAX];
	struct world_glimpsed glimpse[]; // sets of GLIMPSE_WAYS
};

/// Somebody at a time.
struct world_seen {
	double position[3]; // quanta
	int32_t velocity[3];
	double beyond; // ticks from the nearest frame that tells of him; 0: it is between two
};

size_t world_view_size(const struct world_view_rules *rules);
void world_view_make(struct world_view *view, const struct world_view_rules *rules);

/// The connection is over, and its datagrams are counted anew: nobody is in sight, and nothing waits.
void world_view_end(struct world_view *view);

/// A WORLD came, in a datagram of this number. Another epoch voids what was of the one before.
void world_view_begin(struct world_view *view, const struct world_known *world, uint32_t datagram);

/// The body of a WORLD_STATE came. Nothing waits to be asked for.
void world_view_apply(struct world_view *view, const uint8_t *body, size_t length, uint32_t datagram, uint64_t now_ns);

bool world_view_has_news(const struct world_view *view);

/// Where the slot's entity is to be shown at a time. Somebody is in it.
struct world_seen world_view_seen(const struct world_view *view, unsigned slot, uint64_t at_ns);

/// A moment of the world.
struct world_moment_shown {
	uint32_t tick;
	uint8_t parts; // of a tick, 256 of them
};

/// The moment that is shown of a player, or of all (0).
/// @return false: no frame has come
bool world_view_shown(const struct world_view *view, uint32_t player, uint64_t at_ns, struct world_moment_shown *out);

/// Has somebody a slot?
bool world_view_has_slot(const struct world_view *view, uint32_t number);

/// Since when a frame is over at a time, in ticks.
double world_view_age(const struct world_view *view, uint32_t tick, uint64_t at_ns);

#endif
