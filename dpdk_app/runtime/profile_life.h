// SPDX-License-Identifier: BSD-3-Clause
// runtime/profile_life.h: what profiles keep in a worker process, from its start to its end, and do between bursts.
//
// A table for each profile that keeps something; only those of profiles that a listener speaks are called. What a profile
// is to a burst is pipeline/profile.h.

#ifndef POLLGATE_RUNTIME_PROFILE_LIFE_H
#define POLLGATE_RUNTIME_PROFILE_LIFE_H

#include "runtime/worker.h"

struct pg_gateway;

#define SWEEP_AGAIN UINT32_MAX

/// Each may be NULL.
struct profile_life {
	/// Once per process, before the workers are made.
	int (*open)(struct pg_gateway *g, void *state, struct pg_error *error);

	/// Give a worker, whose common part is made, its own.
	int (*make)(struct pg_gateway *g, struct worker *w, struct pg_error *error);

	/// In the worker's own thread, first of all: adopt what a dead worker left.
	void (*begin)(struct worker *w);

	/// The policy is a new one: w->current, to be used from now on.
	void (*use_policy)(struct worker *w);

	/// Look at the next slots of what it keeps, for sessions that are over: a task of its own, as often as sweep.h says.
	/// @param slots  that are looked at
	/// @return slots that there are; SWEEP_AGAIN: these could not all be looked at, it is to be called in the next turn
	uint32_t (*sweep)(struct worker *w, uint64_t now, uint32_t slots);

	/// Of a worker that can send: its tasks (task.h), after housekeeping and sweeps.
	void (*add_tasks)(struct worker *w);

	/// Free a worker's own, and then what all shared. Both also after a failure half-way.
	void (*free)(struct worker *w);
	void (*close)(struct pg_gateway *g);
};

int profiles_open(struct pg_gateway *g, void *state, struct pg_error *error);
int profiles_make(struct pg_gateway *g, struct worker *w, struct pg_error *error);
void profiles_begin(struct worker *w);
void profiles_use_policy(struct worker *w);
void profiles_add_sweeps(struct worker *w); // a task for each table
void profiles_add_tasks(struct worker *w);
void profiles_free(struct worker *w);
void profiles_close(struct pg_gateway *g);

#endif
