// SPDX-License-Identifier: BSD-3-Clause
// load/world_events.h: is what players say to each other, and to everyone near, heard once by each who is meant?
//
// Every attack, chat and skill has a number of its own inside. Of what is said to everyone near, the gateway decides who that is
// when it takes it, by where all are then. With m what two can come nearer or go farther by in the time since it was said, and
// some time that their last movements are on their way, or more where these are lost, who is nearer than the radius less m must
// hear it, and who is farther than the radius and m must not. Of more than the world's hearers only the nearest must, and may, with
// twice the error.
// Nobody hears it twice, and who hears two of one player in the same order hears the first first.

#ifndef POLLGATE_LOAD_WORLD_EVENTS_H
#define POLLGATE_LOAD_WORLD_EVENTS_H

#include "load/world_model.h"

#define EVENT_RECENT 8 // of a sender in one order, of which the order is watched
#define EVENT_ORDERS 2

struct world_events;

/// @return NULL: out of memory
struct world_events *world_events_open(const struct pg_load_plan *plan, struct pg_load_page *page,
				       struct world_model *model);
void world_events_close(struct world_events *events);

/// A number for what is said next, from 1 on.
uint32_t world_events_number(struct world_events *events);

/// @param target  a player_id; 0: everyone near
/// @param order   of those that must be heard in order: below EVENT_ORDERS
void world_events_said(struct world_events *events, uint32_t number, uint32_t player, uint32_t target, unsigned order,
		       uint64_t now);

/// It is known to be taken; or it never will be.
void world_events_taken(struct world_events *events, uint32_t number, uint64_t now);
void world_events_doubted(struct world_events *events, uint32_t number);

/// A player may hear one beside those who were near or aimed at when it was said; once, as everybody.
void world_events_may(struct world_events *events, uint32_t number, uint32_t player);

/// A player heard one.
void world_events_heard(struct world_events *events, uint32_t number, uint32_t player, uint32_t sender_id,
			uint32_t target, uint64_t now);

/// The gateway says what players will not hear.
void world_events_given_up(struct world_events *events, uint64_t count);

/// Judge what everybody has had the time to hear.
/// @param all  also what is not due yet: at the end
void world_events_turn(struct world_events *events, uint64_t now, bool all);

#endif
