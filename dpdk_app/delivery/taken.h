// SPDX-License-Identifier: BSD-3-Clause
// delivery/taken.h: which of the peer's datagrams were taken: what we acknowledge.

#ifndef POLLGATE_DELIVERY_TAKEN_H
#define POLLGATE_DELIVERY_TAKEN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "wire/session.h"

/// All zero: none was.
struct taken {
	uint32_t newest; // counter
	uint32_t bits;   // bit n: newest - 1 - n was
};

/// @return is it the newest by now?
ALWAYS_INLINE bool taken_mark(struct taken *taken, uint32_t counter)
{
	const uint32_t ahead = counter - taken->newest, behind = taken->newest - counter;

	if (likely(counter > taken->newest)) {
		const uint64_t bits = (uint64_t)taken->bits << 1 | (taken->newest != 0);

		taken->bits = ahead <= 32 ? (uint32_t)(bits << (ahead - 1)) : 0;
		taken->newest = counter;
		return true;
	}
	if (behind >= 1 && behind <= 32)
		taken->bits |= 1U << (behind - 1);
	return false;
}

/// A clock's cycles as an ack_delay, without a division for each datagram.
struct delay_clock {
	uint64_t multiplier; // ack_delay of one cycle, times 2^(64 + shift), rounded up
	uint64_t longest;    // cycles: who waited as long says no time
	uint8_t shift;       // as large as the multiplier allows: so what is said is exact
};

/// @param hz  of the clock, more than SESSION_ACK_DELAY_HZ and less than 2^46
ALWAYS_INLINE struct delay_clock delay_clock_of(uint64_t hz)
{
	const unsigned shift = 63 - (unsigned)__builtin_clzll((hz - 1) / SESSION_ACK_DELAY_HZ);
	const unsigned __int128 units = (unsigned __int128)SESSION_ACK_DELAY_HZ << (64 + shift);

	return (struct delay_clock){
		.multiplier = (uint64_t)((units + hz - 1) / hz),
		.longest = (SESSION_ACK_DELAY_UNKNOWN * hz + SESSION_ACK_DELAY_HZ - 1) / SESSION_ACK_DELAY_HZ,
		.shift = (uint8_t)shift,
	};
}

/// @param since  the newest came, in cycles
ALWAYS_INLINE uint16_t taken_delay(uint64_t since, const struct delay_clock *clock)
{
	const unsigned __int128 product = (unsigned __int128)since * clock->multiplier;

	return since < clock->longest ? (uint16_t)((uint64_t)(product >> 64) >> clock->shift) :
					SESSION_ACK_DELAY_UNKNOWN;
}

/// In front of the messages of a DATA, and wants no answer. In whole words: who loads what was stored in pieces waits until all
/// stores before it are done.
ALWAYS_INLINE void taken_write(const struct taken *taken, uint16_t delay, uint8_t *out)
{
	const uint64_t acknowledged = taken->newest | (uint64_t)taken->bits << 32;
	const uint32_t kept = delay;

	static_assert(sizeof(struct session_prefix) == sizeof(acknowledged) + sizeof(kept), "all of it");
	memcpy(out, &acknowledged, sizeof(acknowledged));
	memcpy(out + sizeof(acknowledged), &kept, sizeof(kept));
}

#endif
