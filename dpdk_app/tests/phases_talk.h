// SPDX-License-Identifier: BSD-3-Clause
// phases_talk.h: players whose movements are answered in a key phase, at once or late.

#ifndef POLLGATE_TESTS_PHASES_TALK_H
#define POLLGATE_TESTS_PHASES_TALK_H

#include "pipeline_fixture.h"

/// A movement, valid until the next one.
const struct message *a_request(void);

/// A movement is answered, in this phase.
void check_answered_in(struct pipeline_fixture *g, struct player *player, unsigned phase);

/// As it leaves the player, who may say more before it arrives.
struct late {
	uint16_t length;
	uint8_t bytes[PLAYER_BUFFER];
};

struct late a_late_one(struct pipeline_fixture *g, struct player *player);
struct reply arrives(struct pipeline_fixture *g, const struct player *player, const struct late *late);

struct session_record *record_of(const struct pipeline_fixture *g, const struct player *player);
void sweep(struct pipeline_fixture *g);

/// The gateway is to begin the next phase.
void make_due(struct pipeline_fixture *g, const struct player *player);

#endif
