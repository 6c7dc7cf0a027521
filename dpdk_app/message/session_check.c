// SPDX-License-Identifier: BSD-3-Clause
// message/session_check.c: what wire/messages.def says of a type. Bodies are those of the plain profile without header and
// player_id, and the game's own bytes.

#include "message/session_check.h"

#include "message/attack.h"
#include "message/chat.h"
#include "message/correction.h"
#include "message/move.h"

#define SENDER_LEN sizeof(uint32_t)
#define PG_COMPRESS_NEVER PG_COMPRESSIBLE

bool session_type_known(uint8_t type, bool gateway)
{
	static const bool from_either[UINT8_MAX + 1] = {
#define FROM_GATEWAY false
#define FROM_EITHER true
#define CONTROL(NAME, name, title, number, body, from, ...) [number] = FROM_##from,
#include "wire/messages.def"
		[SESSION_PING] = true,
	};

	if (from_either[type])
		return true;
	if (session_is_control(type))
		return !gateway;
	return gateway ? session_request(type) != PG_REQUESTS : session_event(type) != PG_EVENTS;
}

enum pg_drop session_event_check(uint8_t type, const uint8_t *body, uint32_t length)
{
	return session_body_check(session_has_sender(type) ? (uint8_t)(type - SESSION_EVENT) : type, body, length);
}

enum pg_request session_request(uint8_t type)
{
	switch (session_listed(type)) {
#define OWN(NAME, ...)       \
	case SESSION_##NAME: \
		return PG_REQUEST_##NAME;
#define RELAYED OWN
#define GAME OWN
#include "wire/messages.def"
	default:
		return PG_REQUESTS;
	}
}

enum pg_event session_event(uint8_t type)
{
	switch (session_listed(type)) {
#define RELAYED(NAME, ...)           \
	case SESSION_##NAME##_EVENT: \
		return PG_EVENT_##NAME;
#define GIVEN(NAME, ...)     \
	case SESSION_##NAME: \
		return PG_EVENT_##NAME;
#define GAME GIVEN
#include "wire/messages.def"
	default:
		return PG_EVENTS;
	}
}

enum pg_compressible session_compressible(uint8_t type)
{
	static const uint8_t below_never[UINT8_MAX + 1] = {
#define OWN(NAME, name, title, number, body, compress, ...) \
	[SESSION_##NAME] = PG_COMPRESS_NEVER - PG_COMPRESS_##compress,
#define GIVEN OWN
#define RELAYED(NAME, name, title, number, body, compress, ...)        \
	[SESSION_##NAME] = PG_COMPRESS_NEVER - PG_COMPRESS_##compress, \
	[SESSION_##NAME##_EVENT] = PG_COMPRESS_NEVER - PG_COMPRESS_##compress,
#define GAME(NAME, name, title, first, last, body, compress, ...) \
	[SESSION_##NAME] = PG_COMPRESS_NEVER - PG_COMPRESS_##compress,
#include "wire/messages.def"
	};

	return (enum pg_compressible)(PG_COMPRESS_NEVER - below_never[session_listed(type)]);
}

// ---------------------------------------------------------------- bodies, as messages.def names them

static enum pg_drop check_motion(const uint8_t *body, uint32_t length)
{
	return motion_check((const struct motion *)body, length);
}

static enum pg_drop check_correction(const uint8_t *body, uint32_t length)
{
	return correction_check(body, length);
}

static enum pg_drop check_attack(const uint8_t *body, uint32_t length)
{
	return attack_said_check(body, length);
}

static enum pg_drop check_chat(const uint8_t *body, uint32_t length)
{
	return chat_body_check((const struct chat_body *)body, length);
}

// Of a BODY, its length; nothing of what is in it has to be looked at.
#define BODY(name, least, most, ...)                                                                 \
	static enum pg_drop check_##name(const uint8_t *body, uint32_t length)                       \
	{                                                                                            \
		const uint32_t shortest = (least);                                                   \
                                                                                                     \
		(void)body;                                                                          \
		return length >= shortest && length <= (most) ? PG_DROP_NONE : PG_DROP_MESSAGE_SIZE; \
	}
#include "wire/messages.def"

enum {
#define BODY(name, least, ...) LEAST_##name = (least),
#define CHECKED BODY
#include "wire/messages.def"
};

#define BODY(name, least, most, ...) \
	static_assert((most) >= (least) && (most) <= SESSION_MESSAGE_MAX, "a body of messages.def");
#define CHECKED BODY
#define RELAYED(NAME, name, title, number, body, compress, target, ...)                                \
	static_assert((number) < SESSION_EVENT && (target) <= UINT8_MAX, "a message of messages.def"); \
	static_assert((target) + sizeof(uint32_t) <= LEAST_##body, "every " #title " of messages.def names its target");
#define GAME(NAME, name, title, first, last, ...) \
	static_assert((first) <= (last) && (last) < SESSION_EVENT, "the game's own of messages.def");
#include "wire/messages.def"

enum pg_drop session_body_check(uint8_t type, const uint8_t *body, uint32_t length)
{
	if (session_has_sender(type)) {
		if (length < SENDER_LEN)
			return PG_DROP_MESSAGE_SIZE;
		type -= SESSION_EVENT;
		body += SENDER_LEN;
		length -= (uint32_t)SENDER_LEN;
		if (type == SESSION_ATTACK)
			return attack_told_check(body, length);
	}
	switch (session_listed(type)) {
#define OWN(NAME, name, title, number, kind, ...) \
	case SESSION_##NAME:                      \
		return check_##kind(body, length);
#define RELAYED OWN
#define GIVEN OWN
#define CONTROL OWN
#define GAME(NAME, name, title, first, last, kind, ...) \
	case SESSION_##NAME:                            \
		return check_##kind(body, length);
#include "wire/messages.def"
	default:
		return PG_DROP_MESSAGE_TYPE;
	}
}
