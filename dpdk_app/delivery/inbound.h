// SPDX-License-Identifier: BSD-3-Clause
// delivery/inbound.h: messages that a session brings: each once, in the order of its channel, whole.

#ifndef POLLGATE_DELIVERY_INBOUND_H
#define POLLGATE_DELIVERY_INBOUND_H

#include "delivery/context.h"
#include "delivery/window.h"

/// A whole message that arrived. Valid until the next intake_next() in its context; delivery_queue() leaves it valid.
struct delivered {
	uint8_t type;
	uint8_t channel;
	uint8_t priority; // enum priority
	bool reliable;
	const uint8_t *body;
	uint32_t length;
};

/// The messages of a datagram, in its order, each taken, skipped, lost or refused; behind a message that closes a gap come those
/// that waited for it.
struct intake {
	const uint8_t *at, *end;
	uint64_t now;
	uint32_t counter; // low half, of the datagram
	uint32_t state;   // enum intake_state
	bool violation;   // the peer broke the protocol: the connection is to be closed
	uint8_t messages;
	uint8_t blocked;      // channels on which one was refused
	uint8_t refused;      // enum pg_refusal of the first that was: the datagram is not taken
	uint8_t refused_type; // of it
	enum pg_drop drop;    // of a movement that came alone and is lost
	uint64_t retry;       // TSC: what was refused is refused again before
};

/// From INTAKE_CHANNEL on: messages of channel state - INTAKE_CHANNEL that waited are next.
enum intake_state { INTAKE_MOVE, INTAKE_OVER, INTAKE_DATAGRAM, INTAKE_CHANNEL };

#define INBOUND_ORDERED SESSION_CHANNEL_UNORDERED // channels 0 to 2

/// What is kept of messages that are not complete is in the pool: POOL_NONE where there is none.
struct inbound {
	uint32_t holding;                  // see holding.h
	uint32_t dropped;                  // ids that were kept and are to come again, see holding.h
	uint32_t joining[INBOUND_ORDERED]; // the message that is being joined, see reassembly.h
	uint16_t joined[INBOUND_ORDERED];  // fragments of it that came
	uint16_t oldest[SESSION_CHANNELS]; // id that was not taken
	uint16_t ahead;                    // ids of the unordered channel that were taken after it
	struct id_bits unordered;          // which
};

struct delivery;

/// Take the next message of a datagram.
/// @return false when there are no more
bool inbound_next(struct delivery_context *ctx, struct delivery *c, struct intake *intake, struct delivered *out);

/// Is anything stored here that would be lost with this process?
bool inbound_holds(const struct inbound *in);

/// The id before which everything was delivered: a message that is being joined was not.
ALWAYS_INLINE uint16_t inbound_next_id(const struct inbound *in, unsigned channel)
{
	const uint16_t pieces = channel < INBOUND_ORDERED ? in->joined[channel] : 0;

	return (uint16_t)(in->oldest[channel] - pieces);
}

/// A process of the peer died, and what it said is said no more: go on with these ids.
/// @param lost  out: of each channel, how many ids before them were not delivered
void inbound_restarted(struct delivery_context *ctx, struct inbound *in, const struct session_restarted *restarted,
		       uint32_t lost[SESSION_CHANNELS]);

/// Give all memory back.
void inbound_end(struct delivery_context *ctx, struct inbound *in);

#endif
