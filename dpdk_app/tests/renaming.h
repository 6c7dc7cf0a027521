// SPDX-License-Identifier: BSD-3-Clause
// renaming.h: players of a pipeline fixture who change the number under which they are seen.

#ifndef POLLGATE_TESTS_RENAMING_H
#define POLLGATE_TESTS_RENAMING_H

#include "pipeline_fixture.h"

uint32_t slot_of(const struct pipeline_fixture *g, const struct player *player);

/// Say something that is answered at once, and hear under which number.
uint32_t answered_under(struct pipeline_fixture *g, struct player *player);

/// Until the player has another spare: what it says meanwhile tells that it has heard of a restart.
void await_spare(struct pipeline_fixture *g, struct player *player);

/// A movement under the number before.
struct reply say_before(struct pipeline_fixture *g, struct player *player);

/// The fixture's shards are other ones now.
void use_shards(struct pipeline_fixture *g);

/// The worker process dies, and another takes over its one connection.
void restart_workers(struct pipeline_fixture *g);

/// Of the table of spares: as many as there are numbers of connections, if nothing is left in it that nobody will take out.
unsigned entries(const struct pipeline_fixture *g);

#endif
