// SPDX-License-Identifier: BSD-3-Clause
// session/letter.c: see letter.h.

#include "session/letter.h"

#include "message/session_check.h"
#include "stats/error.h"

/// The body as a player would have to send it: what a client then gets obeys the same document.
static bool body_fits(const struct pg_letter *letter)
{
	const uint8_t type = session_has_sender(letter->type) ? (uint8_t)(letter->type - SESSION_EVENT) : letter->type;

	return session_body_check(type, letter->body, letter->length) == PG_DROP_NONE;
}

static int check_letter(const struct pg_letter *letter, struct pg_error *error)
{
	if (letter->type != SESSION_CHAT_EVENT && letter->type != SESSION_INVENTORY &&
	    letter->type != SESSION_BULK_EVENT)
		return error_set(error, PG_ERROR_USAGE,
				 "a player cannot be sent a message of type %u; chat is %u, inventory %u, bulk %u",
				 letter->type, SESSION_CHAT_EVENT, SESSION_INVENTORY, SESSION_BULK_EVENT);
	if (letter->priority >= PRIORITIES || letter->channel >= SESSION_CHANNELS)
		return error_set(error, PG_ERROR_USAGE, "priority %u and channel %u; at most %u and %u",
				 letter->priority, letter->channel, PRIORITIES - 1, SESSION_CHANNELS - 1);
	if (!letter->reliable && letter->channel != 0)
		return error_set(error, PG_ERROR_USAGE, "channel %u; a message that is not reliable has 0",
				 letter->channel);
	if (!body_fits(letter))
		return error_set(error, PG_ERROR_USAGE,
				 "%u bytes are no body of a message of type %u; wire/PROTOCOL.md, \"Messages\"",
				 letter->length, letter->type);
	return PG_OK;
}

/// @return the worker that has this session's connection, or ISSUED_NO_OWNER
static uint8_t owner_of(const struct vault *vault, uint32_t session)
{
	const uint32_t slot = session_slot(session);

	if (slot >= vault->capacity || !issued_stands(&vault->records[slot], session))
		return ISSUED_NO_OWNER;
	return issued_owner(&vault->records[slot]);
}

int letter_read(const struct vault *vault, const struct pg_letter *letter, struct outgoing *out, uint8_t *owner,
		struct pg_error *error)
{
	const int rc = check_letter(letter, error);

	if (rc != PG_OK)
		return rc;
	*owner = owner_of(vault, letter->session);
	if (*owner == ISSUED_NO_OWNER)
		return error_set(error, PG_ERROR_USAGE, "session %u is not connected", letter->session);
	*out = (struct outgoing){
		.type = letter->type,
		.channel = letter->channel,
		.reliable = letter->reliable != 0,
		.priority = letter->priority,
		.body = letter->body,
		.length = letter->length,
	};
	return PG_OK;
}
