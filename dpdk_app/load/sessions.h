// SPDX-License-Identifier: BSD-3-Clause
// load/sessions.h: players of the `session` profile: the C client for each, between the trial and what carries datagrams.
//
// To a trial it is a transport of plain messages that are answered; to the transport below it is players who send
// datagrams. A message counts as answered when the gateway has acknowledged it: an unreliable one by the datagram that it
// left in, a reliable one by its receipt.

#ifndef POLLGATE_LOAD_SESSIONS_H
#define POLLGATE_LOAD_SESSIONS_H

#include "load/transport.h"
#include "load/world_play.h"

/// Takes `carrier` over; closes it on failure, too.
/// @param world  that the players play; NULL: none
/// @return NULL on failure
struct transport *transport_of_sessions(const struct pg_load_plan *plan, struct pg_load_page *page,
					struct transport *carrier, struct world_play *world, struct pg_error *error);

#endif
