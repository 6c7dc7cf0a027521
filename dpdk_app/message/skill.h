// SPDX-License-Identifier: BSD-3-Clause
// message/skill.h: SKILL: a skill is used, on a target or none.

#ifndef POLLGATE_MESSAGE_SKILL_H
#define POLLGATE_MESSAGE_SKILL_H

#include "pollgate.h"
#include "wire/plain.h"

ALWAYS_INLINE enum pg_drop skill_body_check(uint32_t len)
{
	return likely(len == sizeof(struct skill_body)) ? PG_DROP_NONE : PG_DROP_MESSAGE_SIZE;
}

ALWAYS_INLINE enum pg_drop skill_check(uint16_t len)
{
	return skill_body_check(len - (uint32_t)PLAIN_PREFIX);
}

#endif
