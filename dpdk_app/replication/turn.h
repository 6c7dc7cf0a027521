// SPDX-License-Identifier: BSD-3-Clause
// replication/turn.h: the ticks of a worker's worlds, a bounded step at a time.
//
// At each tick the frame is published, records and strips are made of it, an eighth of the players look around, and then
// every player gets a datagram. No step takes longer than some tens of microseconds, so that packets wait no longer than that. Of several
// worlds the one goes on whose next tick comes first. What is not sent when the next tick comes is not sent.

#ifndef POLLGATE_REPLICATION_TURN_H
#define POLLGATE_REPLICATION_TURN_H

#include "replication/replication.h"

enum turn_step {
	TURN_NOTHING, // nothing is due
	TURN_STEPPED, // there may be more
	TURN_SENDS,   // the next players of the active tick are to be sent theirs: replication_next_receiver()
};

/// Before the first packet: publish where all players are who were in a world when the process before this one died. What one of
/// them says to everyone near would else be heard by nobody until the first tick.
void turn_publish(struct replication *replication, uint64_t now);

/// Go on with the tick that is most urgent.
enum turn_step turn_step(struct replication *replication, uint64_t now);

/// After TURN_SENDS, when some of the active tick's players were sent theirs.
void turn_sent(const struct replication *replication, uint64_t now);

/// TSC from which there is something to do.
uint64_t turn_due(const struct replication *replication);

#endif
