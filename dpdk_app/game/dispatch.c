// SPDX-License-Identifier: BSD-3-Clause
// game/dispatch.c: see dispatch.h.

#include "game/dispatch.h"

#include "net/headers.h"

/// Where in a message's body the player is named whom it is for.
static unsigned target_offset(unsigned type)
{
	return type == SESSION_SKILL ? sizeof(uint32_t) : 0; // behind skill_id
}

static enum priority event_priority(unsigned type)
{
	if (type == SESSION_CHAT)
		return PRIORITY_NORMAL;
	return type == SESSION_BULK ? PRIORITY_BULK : PRIORITY_URGENT;
}

void dispatch_event(struct session_side *side, const struct issued *from, const struct delivered *message, uint64_t now)
{
	const uint32_t target = load32(message->body + target_offset(message->type));
	const struct outgoing event = {
		.type = (uint8_t)(message->type + SESSION_EVENT),
		.channel = message->channel,
		.reliable = message->reliable,
		.priority = event_priority(message->type),
		.sender = from->player_id,
		.body = message->body,
		.length = message->length,
	};

	// For everyone near: there is no world and no game process that knows who that is.
	if (target == 0)
		counter_add(&side->stats->messages.lost[PG_LOSS_NO_RECEIVER], 1);
	else
		session_relay(side, target, &event, now);
}
