// SPDX-License-Identifier: BSD-3-Clause
// delivery/window.h: how message ids of a channel follow each other, and which are done that come after the oldest that is not.
//
// A ring of bits by the id's low byte: advancing clears a bit and shifts nothing. Ids wrap around at 16 bits.

#ifndef POLLGATE_DELIVERY_WINDOW_H
#define POLLGATE_DELIVERY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "wire/session.h"

#define WINDOW_MASK (SESSION_CHANNEL_WINDOW - 1)

/// Ids that are done, of those up to 255 ahead of the oldest that is not.
struct id_bits {
	uint32_t done[SESSION_CHANNEL_WINDOW / 32];
};

/// The ids of a connection, as they are kept with the session.
struct delivery_ids {
	uint16_t tx[SESSION_CHANNELS]; // of each channel, the next that we use
	uint16_t rx[SESSION_CHANNELS]; // and that before which everything was delivered
};

/// How far ahead of the oldest; ids behind it are far ahead.
ALWAYS_INLINE uint16_t id_ahead(uint16_t oldest, uint16_t id)
{
	return (uint16_t)(id - oldest);
}

ALWAYS_INLINE bool id_behind(uint16_t oldest, uint16_t id)
{
	return id_ahead(oldest, id) >= 0x8000;
}

ALWAYS_INLINE bool id_is_done(const struct id_bits *bits, uint16_t id)
{
	return bits->done[(id & WINDOW_MASK) / 32] >> id % 32 & 1;
}

ALWAYS_INLINE void id_mark(struct id_bits *bits, uint16_t id)
{
	bits->done[(id & WINDOW_MASK) / 32] |= 1U << id % 32;
}

ALWAYS_INLINE void id_clear(struct id_bits *bits, uint16_t id)
{
	bits->done[(id & WINDOW_MASK) / 32] &= ~(1U << id % 32);
}

#endif
