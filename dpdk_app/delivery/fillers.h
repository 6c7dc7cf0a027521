// SPDX-License-Identifier: BSD-3-Clause
// delivery/fillers.h: who writes into a datagram that leaves, in which order, into what room is left.
//
// First those of every delivery, in the order of fillers.c: the acknowledgement, BUSY, repetitions, what waits by priority.
// Each gets the room that those before it left. Then those of the context, in their order: they write messages that lie
// nowhere until they leave, like the state of a world.
//
// Nobody starves. Who still has something is due at once, so another datagram leaves; what lies in queues is bounded; and
// a filler of the context that had something and found no room is passed over. In at most every second datagram the one
// that was passed over most often goes first. With n of them, each that is passed over goes first in one of 2n datagrams,
// whether or not it then finds room, and the delivery's own do in every second one.
//
// An answer in place with nothing to say but an acknowledgement asks none of them: no message waits or is on its way
// (delivery_quiet()), and none of the context's is due (delivery_fill_due()).

#ifndef POLLGATE_DELIVERY_FILLERS_H
#define POLLGATE_DELIVERY_FILLERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "wire/session.h"

#define FILLERS_MAX 4 // of a context

struct delivery;
struct delivery_context;

/// A datagram of ours that leaves now: what room is left in it for messages.
struct leaving {
	uint8_t *at, *end;
	uint32_t counter; // the datagram's, as acknowledged.h tells of it
	uint64_t now;
	uint32_t messages; // that are in it
};

/// In a table of struct delivery_context.
struct filler {
	/// Write what there is room for: leaving_room(). Must not call back into the delivery. No message may be longer than
	/// the delivery's room, or it never leaves.
	/// @param who  as in delivery_begin()
	/// @return has it more that should leave now? Then another datagram is due at once, whatever due() says
	bool (*fill)(void *context, uint32_t who, struct leaving *leaving);

	/// TSC at which it next has something to write; UINT64_MAX: not that it knew. One that has something before then of
	/// its own accord says so: delivery_refill().
	uint64_t (*due)(void *context, uint32_t who);
	void *context;

	/// A delivery begins that has this `who` from now on, or is over: what was known of `who` is of another connection. Either
	/// may be NULL, and must not call back into the delivery. Nobody is asked anything about a `who` after ended() and
	/// before the next begun(). A worker that ends says nothing of its deliveries.
	void (*begun)(void *context, uint32_t who);
	void (*ended)(void *context, uint32_t who);
};

/// Room for a message of so many bytes, its header included.
/// @return where it is to be written, or NULL
ALWAYS_INLINE uint8_t *leaving_room(struct leaving *leaving, size_t bytes)
{
	uint8_t *at = leaving->at;

	if (leaving->messages == SESSION_MESSAGES_MAX || bytes > (size_t)(leaving->end - at))
		return NULL;
	leaving->at += bytes;
	leaving->messages++;
	return at;
}

/// Fill a datagram.
void fillers_fill(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving);

/// Fill one that tells of a restart. The rest waits until that is heard: so nothing finds too little room beside it.
void fillers_fill_restarted(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving);

/// TSC at which one of the context's next has something; 0: none that it knew.
uint64_t fillers_due(const struct delivery_context *ctx, const struct delivery *c);

#endif
