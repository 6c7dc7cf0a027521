// SPDX-License-Identifier: BSD-3-Clause
// message/correction.h: CORRECTION: where the player is instead of where it says; and what it had said, if that was refused.

#ifndef POLLGATE_MESSAGE_CORRECTION_H
#define POLLGATE_MESSAGE_CORRECTION_H

#include "message/move.h"
#include "wire/world.h"

#define CORRECTION_REFUSED (sizeof(struct motion) + sizeof(struct correction_refused))

/// The movement that was refused may follow, with a number of why, of which others may come to be known.
ALWAYS_INLINE enum pg_drop correction_check(const uint8_t *body, uint32_t len)
{
	if (len == CORRECTION_REFUSED) {
		if (unlikely(!floats6_finite(body + sizeof(struct motion))))
			return PG_DROP_NOT_FINITE;
		len = sizeof(struct motion);
	}
	return motion_check((const struct motion *)(const void *)body, len);
}

#endif
