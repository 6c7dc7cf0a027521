// SPDX-License-Identifier: BSD-3-Clause
// netcode/payloads.h: payloads that wait to leave for clients of one worker. One copy of a body, whatever the number of
// clients that it is for.
//
// Bounded: what finds no room is lost, as packets are. Bodies lie in a ring and are given back in the order in which they came.

#ifndef POLLGATE_NETCODE_PAYLOADS_H
#define POLLGATE_NETCODE_PAYLOADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define PAYLOADS_MAX 16384               // that wait
#define PAYLOADS_BYTES ((size_t)1 << 20) // of their bodies

/// One for one client.
struct payload {
	uint64_t at; // of its body, counted from the first ever
	uint32_t slot;
	uint32_t player; // whose turn of the slot it is for
	uint32_t length;
};

struct payloads {
	struct payload *queue; // PAYLOADS_MAX
	uint8_t *bodies;       // PAYLOADS_BYTES
	uint64_t end;          // behind the last body
	uint32_t first;        // that waits
	uint32_t count;
	const void *same; // whose body is the last one: what payloads_add() was given
};

/// Bytes of its memory.
size_t payloads_size(void);

/// @param memory  payloads_size() bytes
void payloads_init(struct payloads *payloads, void *memory);

/// From now on a body that lies elsewhere, or there again, is another.
ALWAYS_INLINE void payloads_begin_body(struct payloads *payloads)
{
	payloads->same = NULL;
}

/// Have a payload wait. A body that comes again since payloads_begin_body() is kept once.
/// @return false: there is no room
bool payloads_add(struct payloads *payloads, uint32_t slot, uint32_t player, const void *body, uint32_t length);

ALWAYS_INLINE bool payloads_wait(const struct payloads *payloads)
{
	return payloads->count != 0;
}

/// The first that waits; there is one.
ALWAYS_INLINE const struct payload *payloads_first(const struct payloads *payloads)
{
	return &payloads->queue[payloads->first];
}

ALWAYS_INLINE const uint8_t *payloads_body(const struct payloads *payloads, const struct payload *payload)
{
	return payloads->bodies + payload->at % PAYLOADS_BYTES;
}

/// The first waits no longer.
void payloads_remove(struct payloads *payloads);

#endif
