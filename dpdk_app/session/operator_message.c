// SPDX-License-Identifier: BSD-3-Clause
// session/operator_message.c: see operator_message.h.

#include "session/operator_message.h"

#include "message/session_check.h"
#include "stats/error.h"

/// What an operator can say: all that is given, the game's own, words, and bytes.
static bool can_be_sent(uint8_t type)
{
	switch (session_listed(type)) {
#define GIVEN(NAME, ...) case SESSION_##NAME:
#define GAME GIVEN
#include "wire/messages.def"
	case SESSION_CHAT_EVENT:
	case SESSION_BULK_EVENT:
		return true;
	default:
		return false;
	}
}

/// What can, for the operator: the numbers of those that are given and of the game's own, behind the two that are words and
/// bytes.
static const char given_numbers[] =
#define GIVEN(NAME, name, title, number, ...) ", " #number
#define GAME(NAME, name, title, first, last, ...) ", " #first " to " #last
#include "wire/messages.def"
	"";

static int check_type(const struct pg_letter *letter, struct pg_error *error)
{
	if (!can_be_sent(letter->type))
		return error_set(error, PG_ERROR_USAGE, "message type %u cannot be sent; allowed are %u, %u%s",
				 letter->type, SESSION_CHAT_EVENT, SESSION_BULK_EVENT, given_numbers);
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
	const bool has_sender = session_has_sender((uint8_t)letter->type);
	const uint32_t longest = SESSION_MESSAGE_MAX - (has_sender ? sizeof(uint32_t) : 0);

	if (letter->length > longest)
		return error_set(error, PG_ERROR_USAGE, "%u bytes; a message of type %u has at most %u", letter->length,
				 letter->type, longest);
	if (session_event_check(letter->type, letter->body, letter->length) != PG_DROP_NONE)
		return error_set(error, PG_ERROR_USAGE,
				 "the body is not that of a message of type %u; wire/PROTOCOL.md says what is",
				 letter->type);
	return PG_OK;
}

int operator_message_open(const struct session_store *store, const struct pg_letter *letter, struct outgoing *out,
			  struct pg_error *error)
{
	const uint32_t slot = session_slot(&store->numbers, letter->session);
	int rc;

	if (slot >= store->capacity || !record_stands(&store->records[slot], letter->session) ||
	    record_owner(&store->records[slot]) == RECORD_NO_OWNER)
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
