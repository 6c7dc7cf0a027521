// SPDX-License-Identifier: BSD-3-Clause
// delivery/acknowledged.h: which of our datagrams the peer has, and who is told: of each datagram once.
//
// A header names the newest datagram that its sender took and 32 before it, so nearly all that it says was said before,
// and it may be overtaken by a later one. What was said of the last 64 is remembered; a datagram that is named for the
// first time when 64 later ones are named already is told to nobody.

#ifndef POLLGATE_DELIVERY_ACKNOWLEDGED_H
#define POLLGATE_DELIVERY_ACKNOWLEDGED_H

#include <stdint.h>

#include "compiler.h"

/// All zero: nothing was acknowledged.
struct acknowledged {
	uint64_t newest; // counter of the newest that was named
	uint64_t named;  // bit n: newest - n was
};

/// Datagrams that the peer has, named for the first time.
struct arrived {
	uint64_t newest;  // counter that the acknowledgement begins with; it need not be new itself
	uint64_t packets; // bit n: newest - n is new; 0: none is
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

/// The counter whose low half a header acknowledges.
/// @param sent  of the last datagram that may have left
/// @return 0 when it says nothing: none was taken, or one that was not sent
ALWAYS_INLINE uint64_t acknowledged_counter(uint64_t sent, uint32_t ack)
{
	const int32_t ahead = (int32_t)(ack - (uint32_t)sent);
	const uint64_t newest = sent + (uint64_t)(int64_t)ahead;

	return likely(ahead <= 0 && (int64_t)newest > 0) ? newest : 0;
}

/// Remember what an acknowledgement says.
/// @param newest  acknowledged_counter()
/// @param bits    the header's ack_bits
ALWAYS_INLINE struct arrived acknowledged_take(struct acknowledged *a, uint64_t newest, uint32_t bits)
{
	const uint64_t ahead = newest - a->newest, behind = a->newest - newest;
	uint64_t packets = (uint64_t)bits << 1 | 1;

	if (unlikely(newest <= 32)) // counters begin with 1
		packets &= (1ULL << newest) - 1;
	if (likely((int64_t)ahead > 0)) {
		const uint64_t named = ahead < 64 ? a->named << ahead : 0;

		a->newest = newest;
		a->named = named | packets;
		packets &= ~named;
	} else {
		packets = behind < 64 ? (packets << behind & ~a->named) >> behind : 0;
		if (packets != 0) // else the line is only read
			a->named |= packets << behind;
	}
	return (struct arrived){newest, packets};
}

#endif
