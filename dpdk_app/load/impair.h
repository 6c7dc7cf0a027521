// SPDX-License-Identifier: BSD-3-Clause
// load/impair.h: a network that loses, doubles and holds back datagrams, in both directions, by chance: between players and
// what carries their datagrams. The same seed draws the same lots.

#ifndef POLLGATE_LOAD_IMPAIR_H
#define POLLGATE_LOAD_IMPAIR_H

#include "load/transport.h"

/// Takes `carrier` over; closes it on failure, too.
/// @return NULL on failure
struct transport *transport_impaired(const struct pg_load_plan *plan, struct pg_load_page *page,
				     struct transport *carrier, struct pg_error *error);

#endif
