// SPDX-License-Identifier: BSD-3-Clause
// replication_fixture.h: two worlds, "meadow" and "cave", of the workers of a session fixture, and whose ticks are the test's.
//
// 2 km by 2 km by 60 m about the origin, 1 cm, 30 ticks a second, everybody within 64 m is near; attacks are judged. Whoever
// connects is in meadow, and nowhere until it is put somewhere. They have no tables, and no player is sent a state.

#ifndef POLLGATE_TESTS_REPLICATION_FIXTURE_H
#define POLLGATE_TESTS_REPLICATION_FIXTURE_H

#include "replication/replication.h"
#include "session_fixture.h"

#define FIXTURE_WORLDS 2
#define FIXTURE_NUMBERS 2048 // of a worker in a world
#define FIXTURE_FIRST 1000   // tick
#define FIXTURE_LOW_M (-1000)
#define FIXTURE_MEMORIES 64

struct waiting;

struct replication_fixture {
	struct session_fixture *sessions;
	unsigned workers;
	struct replication *of[FIXTURE_SHARDS];
	struct pg_world_plan plan[FIXTURE_WORLDS];
	struct world_parts parts[FIXTURE_WORLDS];
	uint32_t all[FIXTURE_WORLDS]; // entities
	uint32_t tick;

	// of the first worker
	struct replication *replication;
	struct replica *replica; // meadow
	struct waiting *waiting;

	void *memory[FIXTURE_MEMORIES];
	unsigned memories;
};

/// One worker's; no entities.
struct replication_fixture *replication_fixture_open(struct session_fixture *sessions);

/// @param workers   of the sessions', from the first on
/// @param entities  of a world at most
struct replication_fixture *replication_fixture_open_for(struct session_fixture *sessions, unsigned workers,
							 uint32_t entities);
void replication_fixture_close(struct replication_fixture *fixture);

/// A player of the first worker who is connected is in meadow, somewhere.
void replication_fixture_enter(struct replication_fixture *fixture, uint32_t slot, float x, float y);

/// It moves, as far as the rules let it.
void replication_fixture_move(struct replication_fixture *fixture, uint32_t slot, float x, float y);

/// The frames of the next tick are published, at its time; then every worker reads the others'.
/// @param rerank  if that is possible
void replication_fixture_tick(struct replication_fixture *fixture, bool rerank);

/// Somebody in a part as of its newest frame, by identity.
/// @return the rank; WORLD_NOBODY: nobody
uint32_t replication_fixture_find(const struct world_part *part, uint32_t identity, enum world_sort sort);

/// What must always hold: who is counted is there, and of numbers that nobody has nothing is said.
bool replication_fixture_is_sound(const struct replica *replica);

#endif
