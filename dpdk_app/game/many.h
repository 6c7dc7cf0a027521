// SPDX-License-Identifier: BSD-3-Clause
// game/many.h: what a game process has done to many players: a message for a list of them, or for a group; the end of a group.
//
// It goes on in the next turn when the time of this one is over. Then it is no longer in the process's ring: what was begun is
// not begun anew by the next worker, and nobody gets it twice.

#ifndef POLLGATE_GAME_MANY_H
#define POLLGATE_GAME_MANY_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/records.h"
#include "bus/ring.h"
#include "delivery/broadcast.h"
#include "game/slice.h"
#include "pollgate.h"

struct game;

/// Bytes of the longest one.
#define MANY_RECORD_MAX (sizeof(struct game_send_list) + GAME_LIST_MAX * sizeof(uint32_t) + SESSION_MESSAGE_MAX)

struct many {
	bool unfinished;
	bool begun; // `message` is
	struct broadcast message;
	uint32_t done; // of a list: those who were served; a group's are counted by its walk
	uint16_t type; // enum game_order_type
	uint32_t length;
	enum pg_order_refusal refusal; // the last reason of somebody who does not get it
	uint8_t record[MANY_RECORD_MAX] CACHE_ALIGNED;
};

/// @return PG_ORDER_REFUSALS: it is unfinished; else it is done, or refused
enum pg_order_refusal many_obey(struct game *game, unsigned process, const struct ring_message *order,
				struct slice *slice, uint64_t now);

/// What is unfinished goes on.
/// @return likewise
enum pg_order_refusal many_go_on(struct game *game, unsigned process, struct slice *slice, uint64_t now);

/// Whom it was not sent to yet do not get it.
void many_give_up(struct game *game, unsigned process);

#endif
