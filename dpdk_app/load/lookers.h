// SPDX-License-Identifier: BSD-3-Clause
// load/lookers.h: players of profile plain in a world: beside what they say they ask what they see, and what they are told is
// judged. Between the trial and what carries datagrams.

#ifndef POLLGATE_LOAD_LOOKERS_H
#define POLLGATE_LOAD_LOOKERS_H

#include "load/transport.h"
#include "load/world_play.h"

/// Takes `carrier` over; closes it on failure, too.
/// @return NULL on failure
struct transport *transport_of_lookers(const struct pg_load_plan *plan, struct pg_load_page *page,
				       struct transport *carrier, struct world_play *world, struct pg_error *error);

#endif
