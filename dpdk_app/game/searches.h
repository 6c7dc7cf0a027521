// SPDX-License-Identifier: BSD-3-Clause
// game/searches.h: a question of a game process: who was where in a world, at a moment.
//
// It goes on in the next turn when the time of this one is over, and what its process says behind it waits so long: the process's
// own ring is what questions wait in, and its own time is what they take.

#ifndef POLLGATE_GAME_SEARCHES_H
#define POLLGATE_GAME_SEARCHES_H

#include "bus/ring.h"
#include "game/slice.h"
#include "world/question.h"

struct game;

struct searching {
	bool unfinished;
	uint8_t world; // its index
	uint32_t cookie;
	struct world_asking asking;
};

/// @return PG_ORDER_REFUSALS: it is unfinished; else it is answered, or refused
enum pg_order_refusal searches_obey(struct game *game, unsigned process, const struct ring_message *order,
				    struct slice *slice);

/// What is unfinished goes on.
/// @return likewise
enum pg_order_refusal searches_go_on(struct game *game, unsigned process, struct slice *slice);

/// Nobody is there any more to whom the answer would be told.
void searches_give_up(struct game *game, unsigned process);

#endif
