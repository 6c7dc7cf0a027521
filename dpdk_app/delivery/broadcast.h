// SPDX-License-Identifier: BSD-3-Clause
// delivery/broadcast.h: a message for many receivers of one context: made ready once, compressed once, its body in the pool once.
//
// Each receiver's queue is charged as if the body were its own: what a player may hold up does not depend on who else does.

#ifndef POLLGATE_DELIVERY_BROADCAST_H
#define POLLGATE_DELIVERY_BROADCAST_H

#include "delivery/outbound.h"
#include "delivery/prepared.h"

struct broadcast {
	struct outgoing head;     // its body is not used any more
	struct prepared prepared; // likewise
	uint32_t first;           // of its pieces, as stored, chained by `next`
	enum pg_loss loss;        // why nobody gets it; PG_LOSS_NONE
};

/// The body is copied.
/// @param broadcast  out; to be ended whatever became of it
void broadcast_begin(struct delivery_context *ctx, struct broadcast *broadcast, const struct outgoing *message);

/// As outbound_queue().
enum pg_loss broadcast_queue(struct delivery_context *ctx, struct outbound *out, const struct broadcast *broadcast,
			     uint64_t now);

/// There are no more receivers. Those who were named keep it.
void broadcast_end(struct delivery_context *ctx, struct broadcast *broadcast);

#endif
