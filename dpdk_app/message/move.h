// SPDX-License-Identifier: BSD-3-Clause
// message/move.h: PLAYER_MOVE: where the player is and where it is going.

#ifndef POLLGATE_MESSAGE_MOVE_H
#define POLLGATE_MESSAGE_MOVE_H

#include "message/finite.h"
#include "pollgate.h"
#include "session/table.h"
#include "wire/plain.h"

ALWAYS_INLINE enum pg_drop move_check(const struct plain_move *move, uint16_t len)
{
	if (unlikely(len != sizeof(*move)))
		return PG_DROP_MESSAGE_SIZE;
	if (unlikely(!floats_finite(&move->motion, sizeof(move->motion) / sizeof(float))))
		return PG_DROP_NOT_FINITE;
	return PG_DROP_NONE;
}

ALWAYS_INLINE void move_apply(struct session *session, const struct plain_move *move)
{
	session_move(session, &move->motion);
}

#endif
