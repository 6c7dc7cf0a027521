// SPDX-License-Identifier: BSD-3-Clause
// delivery/acknowledged.h: which of our datagrams the peer has, and who is told: of each datagram once.
//
// A header names the newest datagram that its sender took and 32 before it, so nearly all that it says was said before,
// and it may be overtaken by a later one. What was said of the last 64 is remembered; a datagram that is named for the
// first time when 64 later ones are named already is told to nobody.

#ifndef POLLGATE_DELIVERY_ACKNOWLEDGED_H
#define POLLGATE_DELIVERY_ACKNOWLEDGED_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/// All zero: nothing was acknowledged.
struct acknowledged {
	uint32_t newest; // counter of the newest that was named
	uint64_t named;  // bit n: newest - n was
};

/// Datagrams that the peer has, named for the first time.
struct arrived {
	uint64_t packets; // bit n: newest - n is new; 0: none is
	uint64_t delay;   // TSC cycles that the peer has kept the newest; UINT64_MAX: it does not say
	uint32_t newest;  // counter that the acknowledgement begins with; it need not be new itself
};

/// Somebody beside the repetition of messages who is told, in a table of struct delivery_context.
struct acknowledged_listener {
	/// Between begun() and ended(). Must not call back into the delivery. A datagram of a worker process that died may be
	/// among them.
	/// @param who  as in delivery_begin()
	void (*told)(void *context, uint32_t who, struct arrived arrived, uint64_t now);
	void *context;

	/// As in struct filler. Counters begin with 1 again, unless the connection goes on after a crash.
	void (*begun)(void *context, uint32_t who);
	void (*ended)(void *context, uint32_t who);
};

/// Does an acknowledgement say anything? It does not when none was taken, nor when it names what was not sent.
/// @param sent  counter of the last datagram that may have left
ALWAYS_INLINE bool acknowledged_says(uint32_t sent, uint32_t ack)
{
	return likely(ack - 1 < sent); // 0 is none: one less is more than every counter
}

/// Remember what an acknowledgement says.
/// @param newest  `ack`
/// @param bits    `ack_bits`
ALWAYS_INLINE struct arrived acknowledged_take(struct acknowledged *a, uint32_t newest, uint32_t bits)
{
	const uint32_t ahead = newest - a->newest, behind = a->newest - newest;
	uint64_t packets = (uint64_t)bits << 1 | 1;

	if (unlikely(newest <= 32)) // counters begin with 1
		packets &= (1ULL << newest) - 1;
	if (likely(newest > a->newest)) {
		const uint64_t named = ahead < 64 ? a->named << ahead : 0;

		a->newest = newest;
		a->named = named | packets;
		packets &= ~named;
	} else {
		packets = behind < 64 ? (packets << behind & ~a->named) >> behind : 0;
		if (packets != 0) // else the line is only read
			a->named |= packets << behind;
	}
	return (struct arrived){.newest = newest, .packets = packets};
}

#endif
