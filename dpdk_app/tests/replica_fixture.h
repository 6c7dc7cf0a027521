// SPDX-License-Identifier: BSD-3-Clause
// replica_fixture.h: two worlds, "meadow" and "cave", of the workers of a session fixture. Whoever connects is in meadow, and
// nowhere until it is put somewhere.

#ifndef POLLGATE_TESTS_REPLICA_FIXTURE_H
#define POLLGATE_TESTS_REPLICA_FIXTURE_H

#include "replication/replication.h"
#include "session_fixture.h"

#define REPLICA_WORLDS 2
#define REPLICA_NUMBERS 2048 // of a worker
#define REPLICA_MEMORIES 64

struct replica_fixture {
	struct session_fixture *sessions;
	unsigned workers;
	struct replication *replication[FIXTURE_SHARDS];
	struct pg_world_plan plan[REPLICA_WORLDS];
	struct world_parts parts[REPLICA_WORLDS];
	uint32_t all[REPLICA_WORLDS]; // entities
	uint32_t tick;
	void *memory[REPLICA_MEMORIES];
	unsigned memories;
};

/// @param workers   of the fixture's, from the first on
/// @param entities  of a world at most
struct replica_fixture *replica_fixture_open(struct session_fixture *sessions, unsigned workers, uint32_t entities);
void replica_fixture_close(struct replica_fixture *fixture);

/// A tick of all parts, in new ranks as often as can be; then every worker reads the others'.
void replica_fixture_tick(struct replica_fixture *fixture);

/// Somebody in a part as of its newest frame, by identity.
/// @return the rank; WORLD_NOBODY: nobody
uint32_t replica_fixture_find(const struct world_part *part, uint32_t identity, enum world_sort sort);

/// What must always hold: who is counted is there, and of numbers that nobody has nothing is said.
bool replica_fixture_is_sound(const struct replica *replica);

#endif
