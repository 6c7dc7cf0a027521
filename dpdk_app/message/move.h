// SPDX-License-Identifier: BSD-3-Clause
// message/move.h: PLAYER_MOVE: where the player is and where it is going.

#ifndef POLLGATE_MESSAGE_MOVE_H
#define POLLGATE_MESSAGE_MOVE_H

#include "message/finite.h"
#include "pollgate.h"
#include "wire/plain.h"

static_assert(sizeof(struct motion) == 6 * sizeof(float), "checked as six floats");

ALWAYS_INLINE enum pg_drop motion_check(const struct motion *motion, uint32_t len)
{
	if (unlikely(len != sizeof(*motion)))
		return PG_DROP_MESSAGE_SIZE;
	if (unlikely(!floats6_finite(motion)))
		return PG_DROP_NOT_FINITE;
	return PG_DROP_NONE;
}

ALWAYS_INLINE enum pg_drop move_check(const struct plain_move *move, uint16_t len)
{
	return motion_check(&move->motion, len - (uint32_t)PLAIN_PREFIX);
}

#endif
