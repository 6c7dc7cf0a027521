// SPDX-License-Identifier: BSD-3-Clause
// runtime/shards.h: what the `session` profile needs in a worker process: the store, once, and a shard for each worker.
//
// Nothing of it is made where no listener speaks the profile.

#ifndef POLLGATE_RUNTIME_SHARDS_H
#define POLLGATE_RUNTIME_SHARDS_H

#include "runtime/mail.h"
#include "runtime/worker.h"
#include "session/store.h"

struct pg_gateway;

/// All that is there once per process.
struct shards {
	struct session_store store; // capacity 0: no listener speaks the profile
	void *memory;               // private, of the store
	struct mailboxes mailboxes; // of the workers
	struct mail control;        // the control thread's view of it
};

/// Before the workers are made. shards_close() also after a failure.
int shards_open(struct pg_gateway *g, void *state, struct pg_error *error);
void shards_close(struct pg_gateway *g);

/// Give a worker, whose common part is made, its shard. shard_free() also after a failure.
int shard_make(struct pg_gateway *g, struct worker *w, struct pg_error *error);
void shard_free(struct worker *w);

/// Called first of all in the worker's own thread: adopt the connections that a dead worker left.
void shard_begin(struct worker *w);

/// Go by w->current from now on.
void shard_use_new_policy(struct worker *w);

/// Close connections that are over: as profile_life.sweep().
uint32_t shard_sweep(struct worker *w, uint64_t now, uint32_t slots);

/// The gateway ends: tell our players so, as many as the outbox takes.
/// @param slots  that are looked at
/// @return true: all were told
bool shard_dismiss(struct worker *w, uint64_t now, uint32_t slots);

#endif
