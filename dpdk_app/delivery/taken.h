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

/// @param since  the newest came, in cycles of a clock of `hz`
ALWAYS_INLINE uint16_t taken_delay(uint64_t since, uint64_t hz)
{
	return since < SESSION_ACK_DELAY_UNKNOWN / SESSION_ACK_DELAY_HZ * hz ?
		       (uint16_t)(since * SESSION_ACK_DELAY_HZ / hz) :
		       SESSION_ACK_DELAY_UNKNOWN;
}

/// In front of the messages of a DATA.
ALWAYS_INLINE void taken_write(const struct taken *taken, uint16_t delay, uint8_t *out)
{
	const struct session_prefix prefix = {.ack = taken->newest, .ack_bits = taken->bits, .ack_delay = delay};

	memcpy(out, &prefix, sizeof(prefix));
}

#endif
