// SPDX-License-Identifier: BSD-3-Clause
// message/session_check.h: is the body of a message of the `session` profile what its type says?
//
// What a type checks stands in that type's own file, which the plain profile shares.

#ifndef POLLGATE_MESSAGE_SESSION_CHECK_H
#define POLLGATE_MESSAGE_SESSION_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "pollgate.h"
#include "wire/session.h"

/// May this type come in, at the gateway or at a client?
bool session_type_known(uint8_t type, bool gateway);

/// Check the whole body of a message of a known type.
enum pg_drop session_body_check(uint8_t type, const uint8_t *body, uint32_t length);

/// The same of a message to a client, without the player_id of an event's sender.
enum pg_drop session_event_check(uint8_t type, const uint8_t *body, uint32_t length);

/// Which counter and rate a message to the gateway has; PG_REQUESTS: it is none.
enum pg_request session_request(uint8_t type);

/// Which counter a message to a client has; PG_EVENTS: it is none.
enum pg_event session_event(uint8_t type);

/// PG_COMPRESSIBLE: it is never compressed.
enum pg_compressible session_compressible(uint8_t type);

/// The number of its line in wire/messages.def: of the game's own types, the first.
ALWAYS_INLINE uint8_t session_listed(uint8_t type)
{
#define GAME(NAME, ...)                                              \
	if (type >= SESSION_##NAME && type <= SESSION_##NAME##_LAST) \
		return SESSION_##NAME;
#include "wire/messages.def"
	return type;
}

/// Is it of the game's own?
ALWAYS_INLINE bool session_is_game(uint8_t type)
{
	return session_listed(type) == SESSION_GAME;
}

/// Do the ends say it to each other on their own behalf?
ALWAYS_INLINE bool session_is_control(uint8_t type)
{
	switch (type) {
#define CONTROL(NAME, ...) case SESSION_##NAME:
#include "wire/messages.def"
		return true;
	default:
		return false;
	}
}

/// Does a sender's player_id precede the body of this type?
ALWAYS_INLINE bool session_has_sender(uint8_t type)
{
	switch (type) {
#define RELAYED(NAME, ...) case SESSION_##NAME##_EVENT:
#include "wire/messages.def"
		return true;
	default:
		return false;
	}
}

#endif
