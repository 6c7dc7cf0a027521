// SPDX-License-Identifier: BSD-3-Clause
// told.h: a listener that writes down which datagrams it is told the peers have, and insists on each once.

#ifndef POLLGATE_TESTS_TOLD_H
#define POLLGATE_TESTS_TOLD_H

#include "delivery/acknowledged.h"
#include "session/store.h"

#define TOLD_WHO 32         // so many deliveries at most
#define TOLD_SPAN (1 << 16) // counters around `base` that are remembered of each

struct told_of {
	uint64_t base;  // counters from here on are written down
	uint64_t count; // datagrams
	uint64_t order; // all that was told, in its order, made one number
	uint8_t *has;   // by counter - base
	bool over;      // it ended, and no other has begun
};

struct told_book {
	const struct session_store *store; // whose slots they are; NULL: no sessions, and no counter is unsent
	struct told_of of[TOLD_WHO];
};

void told_open(struct told_book *book, const struct session_store *store);
void told_close(struct told_book *book);

/// As a listener. A connection that begins counts anew; between two of a `who`, nothing is told of it.
struct acknowledged_listener told_listener(struct told_book *book);

/// Counters begin here, and nothing was told yet.
void told_from(struct told_book *book, uint32_t who, uint64_t base);

bool told_has(const struct told_book *book, uint32_t who, uint64_t counter);

/// Was the same told of every delivery, in the same order?
bool told_alike(const struct told_book *a, const struct told_book *b);

#endif
