// SPDX-License-Identifier: BSD-3-Clause
// texts.c: words for errors and reasons, for logs and for people.

#include "pollgate_client.h"

#include <assert.h>

#include "wire/session.h"

#define CLOSED(NAME, name, number) static_assert((int)PGC_CLOSED_##NAME == (number), "closed: as on the wire");
static_assert((int)PGC_CLOSED_GAME == (int)PGC_CLOSED_OTHER + SESSION_CLOSED_GAME, "kicked: the game's own reason");
#define DENIED(NAME, name, number) \
	static_assert((int)PGC_DENIED_##NAME == 20 + (number), "denied: 20 more than on the wire");
#include "wire/closed.def"

const char *pgc_error_text(int error)
{
	switch (error) {
	case PGC_OK:
		return "no error";
	case PGC_ERROR_ARGUMENT:
		return "a value that the protocol cannot carry";
	case PGC_ERROR_STATE:
		return "not possible in this state of the connection";
	case PGC_ERROR_FULL:
		return "too much is unacknowledged; try again later";
	case PGC_ERROR_TOO_LONG:
		return "longer than such a message may be";
	case PGC_ERROR_EVENTS:
		return "events are waiting; take them first";
	case PGC_ERROR_ADDRESS:
		return "the host is unknown";
	case PGC_ERROR_SYSTEM:
		return "the operating system refused; errno says why";
	case PGC_ERROR_MEMORY:
		return "out of memory";
	default:
		return "unknown error";
	}
}

const char *pgc_closed_text(int reason)
{
	static const struct {
		int reason;
		const char *text;
	} texts[] = {
		{PGC_CLOSED_LEFT, "left"},
		{PGC_CLOSED_IDLE, "the gateway heard nothing for too long"},
		{PGC_CLOSED_EXPIRED, "the session has expired"},
		{PGC_CLOSED_REVOKED, "the session was revoked"},
		{PGC_CLOSED_REPLACED, "the session was connected from elsewhere"},
		{PGC_CLOSED_PROTOCOL, "the protocol was broken"},
		{PGC_CLOSED_RESTARTED, "the gateway lost messages; connect again"},
		{PGC_CLOSED_SHUTDOWN, "the gateway shuts down"},
		{PGC_CLOSED_KICKED, "kicked by the game"},
		{PGC_DENIED_VERSION, "denied: another version of the protocol"},
		{PGC_DENIED_EXPIRED, "denied: the session has expired"},
		{PGC_DENIED_REVOKED, "denied: the session was revoked"},
		{PGC_DENIED_CONSUMED, "denied: the session was good for one connection"},
		{PGC_DENIED_FULL, "denied: the gateway is full"},
		{PGC_CLOSED_UNREACHABLE, "the gateway did not answer"},
		{PGC_CLOSED_SILENT, "the gateway fell silent"},
		{PGC_CLOSED_RECONNECT, "connecting again"},
		{PGC_CLOSED_RESET, "the gateway lost the connection; connect again"},
	};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].reason == reason)
			return texts[i].text;
	if (reason >= PGC_CLOSED_GAME && reason < PGC_CLOSED_GAME + SESSION_KICK_REASONS)
		return "kicked by the game, for a reason of its own";
	return "unknown reason";
}
