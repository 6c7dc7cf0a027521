// SPDX-License-Identifier: BSD-3-Clause
// session/letter.h: what an operator gives a player (pg_send), as a message to his session.

#ifndef POLLGATE_SESSION_LETTER_H
#define POLLGATE_SESSION_LETTER_H

#include "message/conversation.h"
#include "pollgate.h"
#include "session/vault.h"

/// Can this letter be sent, to whom, and as what?
/// @param out    its body stays the letter's
/// @param owner  the worker whose session it is
/// @return PG_OK; PG_ERROR_USAGE: nobody is connected there, or no player may get such a message
int letter_read(const struct vault *vault, const struct pg_letter *letter, struct outgoing *out, uint8_t *owner,
		struct pg_error *error);

#endif
