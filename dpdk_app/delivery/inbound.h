// SPDX-License-Identifier: BSD-3-Clause
// delivery/inbound.h: messages that a session brings: each once, in the order of its channel, whole.

#ifndef POLLGATE_DELIVERY_INBOUND_H
#define POLLGATE_DELIVERY_INBOUND_H

#include "delivery/context.h"
#include "delivery/window.h"

/// A whole message that arrived. Valid until the next delivery_admit() or intake_next() in its context;
/// delivery_queue() leaves it valid.
struct delivered {
	uint8_t type;
	uint8_t channel;
	bool reliable;
	const uint8_t *body;
	uint32_t length;
};

/// The messages of an admitted datagram, in its order; behind a message that closes a gap come those that waited for
/// it.
struct intake {
	const uint8_t *at, *end;
	uint32_t state; // enum intake_state
	bool violation; // the peer broke the protocol: the connection is to be closed
};

/// From INTAKE_CHANNEL on: messages of channel state - INTAKE_CHANNEL that waited are next.
enum intake_state { INTAKE_MOVE, INTAKE_OVER, INTAKE_DATAGRAM, INTAKE_CHANNEL };

#define INBOUND_ORDERED SESSION_CHANNEL_UNORDERED // channels 0 to 2

/// Fragments that came so far of one message.
struct reassembly {
	uint32_t first, last; // pieces of the pool
	uint32_t length;
	uint16_t next, count; // fragment that must come; count 0: none is being joined
	uint8_t type;
	uint8_t flags;
};

#define INBOUND_PAGE 32 // messages that one block has room to name

struct inbound {
	uint32_t waiting_blocks; // of messages that wait for those before them
	uint32_t ahead;          // ids of the unordered channel that arrived before the oldest missing one
	struct reassembly reassembly[INBOUND_ORDERED];
	/// Where the waiting messages are: a block per 32 ids, while one of them waits.
	uint32_t page[INBOUND_ORDERED][SESSION_CHANNEL_WINDOW / INBOUND_PAGE];
	struct id_window window[SESSION_CHANNELS];
};

/// @param conforms_at  buckets of the session, charged if the datagram is admitted
enum pg_drop inbound_admit(struct delivery_context *ctx, const struct inbound *in, uint64_t conforms_at[PG_REQUESTS],
			   const uint8_t *body, uint16_t length, uint64_t now);

/// @return false when there are no more
bool inbound_next(struct delivery_context *ctx, struct inbound *in, struct intake *intake, struct delivered *out);

/// Is anything stored here that the peer will not send again?
bool inbound_holds(const struct inbound *in);

/// Give all memory back.
void inbound_end(struct delivery_context *ctx, struct inbound *in);

#endif
