// SPDX-License-Identifier: BSD-3-Clause
// load/trial.h: one trial from its first message to the last answer, whatever carries them.

#ifndef POLLGATE_LOAD_TRIAL_H
#define POLLGATE_LOAD_TRIAL_H

#include "load/inflight.h"
#include "load/pace.h"
#include "load/players.h"
#include "load/transport.h"
#include "pollgate_load.h"

/// More unanswered messages than this are no window but a flood; the table must remember all of them.
#define WINDOW_MAX (INFLIGHT_MAX / 4)

#define DRAIN_MAX_NS (10 * SECOND_NS)

struct pg_load {
	struct pg_load_plan plan;
	struct pg_load_page *page;
	struct players players;
	struct inflight inflight;
	struct transport *transport;
	struct world_play *world; // NULL: none
	uint64_t trials;
};

/// Play a trial that was found to be possible. @return PG_OK, or the code in `error`
int trial_play(struct pg_load *load, const struct pg_load_trial *trial, struct pg_error *error);

#endif
