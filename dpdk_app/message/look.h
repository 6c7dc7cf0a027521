// SPDX-License-Identifier: BSD-3-Clause
// message/look.h: LOOK: what does its player see of the world? Only who is in a world may ask.

#ifndef POLLGATE_MESSAGE_LOOK_H
#define POLLGATE_MESSAGE_LOOK_H

#include <string.h>

#include "pollgate.h"
#include "wire/plain.h"

/// @return PG_DROP_NONE for one that may be answered
static inline enum pg_drop look_check(const uint8_t *payload, uint16_t len)
{
	static const uint8_t zero[sizeof(((struct plain_look *)NULL)->zero)];
	struct plain_look look;

	if (len < sizeof(struct plain_header))
		return PG_DROP_TRUNCATED;
	memcpy(&look.header, payload, sizeof(look.header));
	if (look.header.packet_type != PLAIN_LOOK)
		return PG_DROP_MESSAGE_TYPE;
	if (look.header.packet_size != len || len < PLAIN_LOOK_MIN || len > PLAIN_LOOK_MAX)
		return PG_DROP_MESSAGE_SIZE;
	memcpy(&look, payload, sizeof(look));
	return memcmp(look.zero, zero, sizeof(zero)) == 0 ? PG_DROP_NONE : PG_DROP_MESSAGE_RESERVED;
}

#endif
