// SPDX-License-Identifier: BSD-3-Clause
// runtime/netcode_shards.h: what the `netcode` profile needs in a worker process: the store, once, and a shard for each
// worker.
//
// Nothing of it is made where no listener speaks the profile.

#ifndef POLLGATE_RUNTIME_NETCODE_SHARDS_H
#define POLLGATE_RUNTIME_NETCODE_SHARDS_H

#include "netcode/shard.h"
#include "runtime/worker.h"

struct pg_gateway;

/// Before the workers are made. netcode_shards_close() also after a failure.
int netcode_shards_open(struct pg_gateway *g, void *state, struct pg_error *error);
void netcode_shards_close(struct pg_gateway *g);

/// Give a worker, whose common part is made, its shard. netcode_shard_free() also after a failure.
int netcode_shard_make(struct pg_gateway *g, struct worker *w, struct pg_error *error);
void netcode_shard_free(struct worker *w);

/// Called first of all in the worker's own thread: adopt the clients that a dead worker left.
void netcode_shard_adopt(struct worker *w);

/// Go by w->current from now on.
void netcode_shard_use_new_policy(struct worker *w);

#endif
