// SPDX-License-Identifier: BSD-3-Clause
// session/outbox.h: sealed datagrams that wait for the end of a burst to leave.

#ifndef POLLGATE_SESSION_OUTBOX_H
#define POLLGATE_SESSION_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/peer.h"

#define OUTBOX_SIZE 64
#define OUTBOX_PAYLOAD 64

struct outbox_entry {
	struct peer peer;
	uint32_t slot; // of the session whose return headers it takes
	uint16_t length;
	uint8_t payload[OUTBOX_PAYLOAD];
};

/// First in, first out. When it is full, what would go in is lost: a peer that is not told finds out by a timeout.
struct outbox {
	uint32_t first, count;
	struct outbox_entry entry[OUTBOX_SIZE];
};

/// @return the place for one more, to be filled; NULL when there is none
static inline struct outbox_entry *outbox_add(struct outbox *outbox)
{
	if (outbox->count == OUTBOX_SIZE)
		return NULL;
	return &outbox->entry[(outbox->first + outbox->count++) % OUTBOX_SIZE];
}

/// @return the oldest, which stays until outbox_remove(); NULL when there is none
static inline const struct outbox_entry *outbox_oldest(const struct outbox *outbox)
{
	return outbox->count > 0 ? &outbox->entry[outbox->first] : NULL;
}

static inline void outbox_remove(struct outbox *outbox)
{
	outbox->first = (outbox->first + 1) % OUTBOX_SIZE;
	outbox->count--;
}

#endif
