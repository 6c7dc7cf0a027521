// SPDX-License-Identifier: BSD-3-Clause
// message/heartbeat.h: HEARTBEAT: the player is still there.

#ifndef POLLGATE_MESSAGE_HEARTBEAT_H
#define POLLGATE_MESSAGE_HEARTBEAT_H

#include "pollgate.h"
#include "wire/plain.h"

ALWAYS_INLINE enum pg_drop heartbeat_check(uint16_t len)
{
	return likely(len == sizeof(struct plain_heartbeat)) ? PG_DROP_NONE : PG_DROP_MESSAGE_SIZE;
}

#endif
