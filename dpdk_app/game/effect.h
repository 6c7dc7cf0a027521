// SPDX-License-Identifier: BSD-3-Clause
// game/effect.h: what a message of the `plain` profile does to the session of the player who sent it.

#ifndef POLLGATE_GAME_EFFECT_H
#define POLLGATE_GAME_EFFECT_H

#include "message/plain.h"
#include "table/table.h"

ALWAYS_INLINE void plain_apply(struct plain_session *session, const uint8_t *payload)
{
	if (likely(plain_type(payload) == PLAIN_MOVE))
		plain_move_session(session, &((const struct plain_move *)payload)->motion);
}

#endif
