// SPDX-License-Identifier: BSD-3-Clause
// message/plain.h: is this payload a whole message of the `plain` profile?
//
// Checks are stateless: a session is made only for an address whose first message passed them. What each type
// checks stands in that type's own file.

#ifndef POLLGATE_MESSAGE_PLAIN_H
#define POLLGATE_MESSAGE_PLAIN_H

#include "message/attack.h"
#include "message/chat.h"
#include "message/heartbeat.h"
#include "message/look.h"
#include "message/move.h"
#include "message/skill.h"
#include "pollgate.h"
#include "wire/plain.h"

static_assert((int)PG_MESSAGE_MOVE == PLAIN_MOVE - 1 && (int)PG_MESSAGE_SKILL == PLAIN_SKILL - 1,
	      "counters of messages are indexed by packet type");

ALWAYS_INLINE uint32_t plain_player(const uint8_t *payload)
{
	return ((const struct plain_heartbeat *)payload)->player_id;
}

ALWAYS_INLINE uint32_t plain_type(const uint8_t *payload)
{
	return ((const struct plain_header *)payload)->packet_type;
}

/// Of a whole message.
ALWAYS_INLINE uint16_t plain_length(const uint8_t *payload)
{
	return (uint16_t)((const struct plain_header *)payload)->packet_size;
}

/// As what a message of this type is counted.
ALWAYS_INLINE unsigned plain_counter(unsigned type)
{
	return unlikely(type == PLAIN_LOOK) ? (unsigned)PG_MESSAGE_LOOK : type - 1;
}

/// @return PG_DROP_NONE for a message that may be acknowledged
ALWAYS_INLINE enum pg_drop plain_check(const uint8_t *payload, uint16_t len)
{
	const struct plain_header *header = (const struct plain_header *)payload;

	if (unlikely(len < sizeof(*header)))
		return PG_DROP_TRUNCATED;
	if (unlikely(header->packet_type - 1 >= PLAIN_TYPE_LAST))
		return PG_DROP_MESSAGE_TYPE;
	if (unlikely(header->packet_size != len))
		return PG_DROP_MESSAGE_SIZE;
	if (likely(header->packet_type == PLAIN_MOVE))
		return move_check((const struct plain_move *)payload, len);
	switch (header->packet_type) {
	case PLAIN_ATTACK:
		return attack_check((const struct plain_attack *)payload, len);
	case PLAIN_CHAT:
		return chat_check((const struct plain_chat *)payload, len);
	case PLAIN_HEARTBEAT:
		return heartbeat_check(len);
	default:
		return skill_check(len);
	}
}

/// Turn a message into its acknowledgement.
/// @return its type as received
ALWAYS_INLINE uint8_t plain_acknowledge(uint8_t *payload)
{
	const uint8_t type = *payload; // little-endian and below 256: one byte

	*payload = (uint8_t)(type + PLAIN_ACK);
	return type;
}

#endif
