// SPDX-License-Identifier: BSD-3-Clause
// game/dispatch.h: where a message of the `session` profile goes once it was taken: into its sender's session, to another
// player, or to nobody, which is counted. Decided here and nowhere else.

#ifndef POLLGATE_GAME_DISPATCH_H
#define POLLGATE_GAME_DISPATCH_H

#include "session/shard.h"

/// Where a player is and moves goes into the player's own session.
/// @param motion  a struct motion, of any alignment
ALWAYS_INLINE void dispatch_move(struct session_record *from, const uint8_t *motion)
{
	record_move(from, motion);
}

/// Deliver an event: an action of one player on another, or a message to another.
COLD void dispatch_event(struct session_shard *shard, const struct session_record *from,
			 const struct delivered *message, uint64_t now);

// Effects on who says it, as wire/messages.def names them.
ALWAYS_INLINE void effect_move(struct session_record *from, const uint8_t *body)
{
	dispatch_move(from, body);
}

ALWAYS_INLINE void effect_none(struct session_record *from, const uint8_t *body)
{
	// It says only that its sender is there.
	(void)from;
	(void)body;
}

/// @param from  the sender's record, which is ours
ALWAYS_INLINE void dispatch(struct session_shard *shard, struct session_record *from, const struct delivered *message,
			    uint64_t now)
{
	if (likely(message->type == SESSION_MOVE)) {
		dispatch_move(from, message->body);
		return;
	}
	switch (message->type) {
#define OWN(NAME, name, title, number, kind, compress, effect, ...) \
	case SESSION_##NAME:                                        \
		effect_##effect(from, message->body);               \
		break;
#include "wire/messages.def"
	default:
		dispatch_event(shard, from, message, now);
	}
}

#endif
