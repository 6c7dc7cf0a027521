// SPDX-License-Identifier: BSD-3-Clause
// session/outbox.h: sealed datagrams that wait for the end of a burst to leave.

#ifndef POLLGATE_SESSION_OUTBOX_H
#define POLLGATE_SESSION_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "net/peer.h"

#define OUTBOX_SIZE 64
#define OUTBOX_PAYLOAD 64

struct parting {
	struct peer peer;
	uint32_t slot; // whose route it takes
	uint16_t length;
	uint8_t payload[OUTBOX_PAYLOAD];
};

/// First in, first out. When it is full, what would go in is lost: a peer that is not told finds out by himself.
struct outbox {
	uint32_t first, count;
	struct parting parting[OUTBOX_SIZE];
};

#endif
