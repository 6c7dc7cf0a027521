// SPDX-License-Identifier: BSD-3-Clause
// message/attack.h: PLAYER_ATTACK: a blow at a target or in a direction.

#ifndef POLLGATE_MESSAGE_ATTACK_H
#define POLLGATE_MESSAGE_ATTACK_H

#include "message/finite.h"
#include "pollgate.h"
#include "wire/plain.h"

ALWAYS_INLINE enum pg_drop attack_body_check(const struct attack_body *attack, uint32_t len)
{
	if (unlikely(len != sizeof(*attack)))
		return PG_DROP_MESSAGE_SIZE;
	if (unlikely(!floats3_finite(attack->direction)))
		return PG_DROP_NOT_FINITE;
	return PG_DROP_NONE;
}

ALWAYS_INLINE enum pg_drop attack_check(const struct plain_attack *attack, uint16_t len)
{
	return attack_body_check((const struct attack_body *)&attack->target_id, len - (uint32_t)PLAIN_PREFIX);
}

#endif
