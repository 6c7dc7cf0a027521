// SPDX-License-Identifier: BSD-3-Clause
// runtime/game_links.h: game processes in a worker process: links that the control thread makes and the workers use, and the
// task in which a worker does what they say.

#ifndef POLLGATE_RUNTIME_GAME_LINKS_H
#define POLLGATE_RUNTIME_GAME_LINKS_H

#include "runtime/worker.h"

struct pg_gateway;

/// Give a worker, whose shard of some profile is made, its part of the game bus, or the part that it has that shard.
/// game_free() also after a failure, when no loop runs.
int game_make(const struct pg_gateway *g, struct worker *w, struct pg_error *error);
void game_free(struct worker *w);

/// What a worker that sleeps is to watch, beside its sockets: readable when a game process has something to say. -1: nothing.
int game_bells(const struct worker *w);

/// It was readable: let it be so again for what comes from now on.
void game_silence(const struct worker *w);

/// After what brings messages, before what sends them.
void game_add_task(struct worker *w);

#endif
