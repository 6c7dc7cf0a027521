// SPDX-License-Identifier: BSD-3-Clause
// session/letter.c: see letter.h.

#include "session/letter.h"

#include "message/session_check.h"
#include "stats/error.h"

/// The longest body behind the sender's player_id.
static uint32_t longest(unsigned type)
{
	return type == SESSION_INVENTORY ? SESSION_MESSAGE_MAX : SESSION_MESSAGE_MAX - sizeof(uint32_t);
}

static int check_type(const struct pg_letter *letter, struct pg_error *error)
{
	if (letter->type != SESSION_CHAT_EVENT && letter->type != SESSION_INVENTORY &&
	    letter->type != SESSION_BULK_EVENT)
		return error_set(error, PG_ERROR_USAGE, "message type %u cannot be sent; %u, %u and %u can",
				 letter->type, SESSION_CHAT_EVENT, SESSION_INVENTORY, SESSION_BULK_EVENT);
	if (letter->channel >= SESSION_CHANNELS || (letter->channel != 0 && !letter->reliable))
		return error_set(error, PG_ERROR_USAGE,
				 "channel %u; a reliable message can have 0 to %u, another has 0", letter->channel,
				 SESSION_CHANNELS - 1);
	if (letter->priority >= PRIORITIES)
		return error_set(error, PG_ERROR_USAGE, "priority %u; it is at most %u", letter->priority,
				 PRIORITIES - 1);
	return PG_OK;
}

static int check_body(const struct pg_letter *letter, struct pg_error *error)
{
	if (letter->length > longest(letter->type))
		return error_set(error, PG_ERROR_USAGE, "%u bytes; a message of type %u has at most %u", letter->length,
				 letter->type, longest(letter->type));
	// An event is what a player can say, and who says it.
	if (letter->type != SESSION_INVENTORY &&
	    session_body_check((uint8_t)(letter->type - SESSION_EVENT), letter->body, letter->length) != PG_DROP_NONE)
		return error_set(error, PG_ERROR_USAGE,
				 "the body is not that of a message of type %u; wire/PROTOCOL.md says what is",
				 letter->type);
	return PG_OK;
}

int letter_open(const struct vault *vault, const struct pg_letter *letter, struct outgoing *out, struct pg_error *error)
{
	const uint32_t slot = session_slot(letter->session);
	int rc;

	if (slot >= vault->capacity || !issued_stands(&vault->records[slot], letter->session) ||
	    issued_owner(&vault->records[slot]) == ISSUED_NO_OWNER)
		return error_set(error, PG_ERROR_USAGE, "session %u is not connected", letter->session);
	rc = check_type(letter, error);
	if (rc == PG_OK)
		rc = check_body(letter, error);
	*out = (struct outgoing){
		.type = letter->type,
		.channel = letter->channel,
		.reliable = letter->reliable,
		.priority = (enum priority)letter->priority,
		.body = letter->body,
		.length = letter->length,
	};
	return rc;
}
