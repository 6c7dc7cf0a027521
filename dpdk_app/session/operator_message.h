// SPDX-License-Identifier: BSD-3-Clause
// session/operator_message.h: is what the operator wants to tell a player something that can be told?

#ifndef POLLGATE_SESSION_OPERATOR_MESSAGE_H
#define POLLGATE_SESSION_OPERATOR_MESSAGE_H

#include "session/store.h"

/// Any thread. Whoever owns the session then gives the message to session_deliver().
/// @param out  the body is still the letter's
/// @return PG_OK, or PG_ERROR_USAGE
int operator_message_open(const struct session_store *store, const struct pg_letter *letter, struct outgoing *out,
			  struct pg_error *error);

#endif
