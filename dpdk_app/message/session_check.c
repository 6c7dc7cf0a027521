// SPDX-License-Identifier: BSD-3-Clause
// message/session_check.c: bodies by type: those of the plain profile without header and player_id, and the game's own bytes.

#include "message/session_check.h"

#include "message/attack.h"
#include "message/chat.h"
#include "message/move.h"
#include "message/skill.h"

#define SENDER_LEN sizeof(uint32_t)

bool session_type_known(uint8_t type, bool gateway)
{
	return gateway ? session_request(type) != PG_REQUESTS : session_event(type) != PG_EVENTS;
}

enum pg_request session_request(uint8_t type)
{
	if (type >= SESSION_MOVE && type <= SESSION_SKILL)
		return (enum pg_request)(type - SESSION_MOVE);
	return type == SESSION_BULK ? PG_REQUEST_BULK : PG_REQUESTS;
}
static_assert((int)PG_REQUEST_SKILL == SESSION_SKILL - SESSION_MOVE, "requests are in the order of their types");

enum pg_event session_event(uint8_t type)
{
	switch (type) {
	case SESSION_ATTACK_EVENT:
		return PG_EVENT_ATTACK;
	case SESSION_CHAT_EVENT:
		return PG_EVENT_CHAT;
	case SESSION_SKILL_EVENT:
		return PG_EVENT_SKILL;
	case SESSION_INVENTORY:
		return PG_EVENT_INVENTORY;
	case SESSION_BULK_EVENT:
		return PG_EVENT_BULK;
	default:
		return PG_EVENTS;
	}
}

enum pg_compressible session_compressible(uint8_t type)
{
	switch (type) {
	case SESSION_CHAT:
	case SESSION_CHAT_EVENT:
		return PG_COMPRESS_CHAT;
	case SESSION_INVENTORY:
		return PG_COMPRESS_INVENTORY;
	case SESSION_BULK:
	case SESSION_BULK_EVENT:
		return PG_COMPRESS_BULK;
	default:
		return PG_COMPRESSIBLE;
	}
}

static enum pg_drop request_body_check(uint8_t type, const uint8_t *body, uint32_t length)
{
	switch (type) {
	case SESSION_MOVE:
		return motion_check((const struct motion *)body, length);
	case SESSION_ATTACK:
		return attack_body_check((const struct attack_body *)body, length);
	case SESSION_CHAT:
		return chat_body_check((const struct chat_body *)body, length);
	case SESSION_HEARTBEAT:
		return length == 0 ? PG_DROP_NONE : PG_DROP_MESSAGE_SIZE;
	case SESSION_SKILL:
		return skill_body_check(length);
	default: // SESSION_BULK: its event is a sender longer, and that is a body, too
		return length >= sizeof(uint32_t) && length <= SESSION_MESSAGE_MAX - SENDER_LEN ? PG_DROP_NONE :
												  PG_DROP_MESSAGE_SIZE;
	}
}

enum pg_drop session_body_check(uint8_t type, const uint8_t *body, uint32_t length)
{
	if (type < SESSION_EVENT)
		return request_body_check(type, body, length);
	if (type == SESSION_INVENTORY)
		return length <= SESSION_MESSAGE_MAX ? PG_DROP_NONE : PG_DROP_MESSAGE_SIZE;
	if (length < SENDER_LEN)
		return PG_DROP_MESSAGE_SIZE;
	return request_body_check((uint8_t)(type - SESSION_EVENT), body + SENDER_LEN, length - (uint32_t)SENDER_LEN);
}
