// SPDX-License-Identifier: BSD-3-Clause
// replication_fixture.h: a worker's share of one world, in which its players are, and whose ticks are the test's.
//
// 200 m by 200 m by 60 m about the origin, 1 cm, 30 ticks a second, everybody within 64 m is near; attacks are judged. It has no
// tables, and no player is sent a state.

#ifndef POLLGATE_TESTS_REPLICATION_FIXTURE_H
#define POLLGATE_TESTS_REPLICATION_FIXTURE_H

#include "replication/replication.h"
#include "session_fixture.h"

struct waiting;

struct replication_fixture {
	struct session_fixture *sessions;
	struct replication *replication; // of their shard 0
	struct replica *replica;
	struct waiting *waiting;
	struct pg_world_plan plan;
	struct world_parts parts;
	struct pg_world_counts counts;
};

struct replication_fixture *replication_fixture_open(struct session_fixture *sessions);
void replication_fixture_close(struct replication_fixture *fixture);

/// A player who is connected is in the world, somewhere.
void replication_fixture_enter(struct replication_fixture *fixture, uint32_t slot, float x, float y);

/// It moves, as far as the rules let it.
void replication_fixture_move(struct replication_fixture *fixture, uint32_t slot, float x, float y);

/// The frame of the next tick is published, at its time.
/// @param rerank  if that is possible
void replication_fixture_tick(struct replication_fixture *fixture, bool rerank);

#endif
