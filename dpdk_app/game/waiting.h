// SPDX-License-Identifier: BSD-3-Clause
// game/waiting.h: what players said that takes a look through their world: what is for everyone near, and attacks that are judged.
//
// It waits in a ring of bounded length, in the order in which it came, and is looked for in steps of some microseconds between
// bursts. What a player says behind it waits behind it, so that nobody hears of it in another order. What does not fit is
// counted: an attack is told unjudged then, anything else is lost.

#ifndef POLLGATE_GAME_WAITING_H
#define POLLGATE_GAME_WAITING_H

#include "game/aims.h"
#include "replication/near.h"

#define WAITING_BYTES (256U * 1024)

struct waiting_entry;

enum waiting_stage {
	WAITING_FRESH,
	WAITING_JUDGED,  // the first is an attack that is being judged
	WAITING_LOOKING, // or for everyone near, who are being looked for
	WAITING_TELLING, // or for those who were found
};

struct waiting {
	uint32_t first, end; // positions in the ring
	uint32_t used;       // bytes

	// of the first one
	enum waiting_stage stage;
	uint32_t times; // that it was begun anew
	struct aimed aimed;
	struct near near;
	struct broadcast broadcast;
	uint32_t told; // of those who were found

	uint8_t ring[WAITING_BYTES] CACHE_ALIGNED;
};

/// A message that is not for the gateway itself: does it wait?
/// @return false: it does not have to
bool waiting_takes(struct session_shard *shard, const struct session_record *from, const struct delivered *message,
		   uint64_t now);

ALWAYS_INLINE bool waiting_has_some(const struct waiting *waiting)
{
	return waiting->used != 0;
}

/// Go on with the first, a bounded bit.
void waiting_step(struct session_shard *shard, uint64_t now);

#endif
