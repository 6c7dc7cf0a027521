// SPDX-License-Identifier: BSD-3-Clause
// message/attack.h: PLAYER_ATTACK: a blow at a target or in a direction.

#ifndef POLLGATE_MESSAGE_ATTACK_H
#define POLLGATE_MESSAGE_ATTACK_H

#include "message/finite.h"
#include "pollgate.h"
#include "wire/plain.h"
#include "wire/world.h"

#define ATTACK_VIEWED (sizeof(struct attack_body) + sizeof(struct attack_view))
#define ATTACK_JUDGED (sizeof(struct attack_body) + sizeof(struct attack_judgement))

ALWAYS_INLINE enum pg_drop attack_body_check(const struct attack_body *attack, uint32_t len)
{
	if (unlikely(len != sizeof(*attack)))
		return PG_DROP_MESSAGE_SIZE;
	if (unlikely(!floats3_finite(attack->direction)))
		return PG_DROP_NOT_FINITE;
	return PG_DROP_NONE;
}

/// As it is said in sessions: the moment that its attacker saw may follow.
ALWAYS_INLINE enum pg_drop attack_said_check(const uint8_t *body, uint32_t len)
{
	if (len == ATTACK_VIEWED) {
		if (body[len - 1] != 0)
			return PG_DROP_MESSAGE_SIZE;
		len = sizeof(struct attack_body);
	}
	return attack_body_check((const struct attack_body *)(const void *)body, len);
}

/// As it is told: how it was judged may follow, in numbers of which others may come to be known.
ALWAYS_INLINE enum pg_drop attack_told_check(const uint8_t *body, uint32_t len)
{
	return attack_body_check((const struct attack_body *)(const void *)body,
				 len == ATTACK_JUDGED ? sizeof(struct attack_body) : len);
}

ALWAYS_INLINE enum pg_drop attack_check(const struct plain_attack *attack, uint16_t len)
{
	return attack_body_check((const struct attack_body *)&attack->target_id, len - (uint32_t)PLAIN_PREFIX);
}

#endif
