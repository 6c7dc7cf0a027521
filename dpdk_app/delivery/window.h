// SPDX-License-Identifier: BSD-3-Clause
// delivery/window.h: which message ids of a channel are done: the oldest that is not, and those after it.
//
// A ring of bits by the id's low byte: advancing clears a bit and shifts nothing. Ids wrap around at 16 bits.

#ifndef POLLGATE_DELIVERY_WINDOW_H
#define POLLGATE_DELIVERY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "wire/session.h"

#define WINDOW_MASK (SESSION_CHANNEL_WINDOW - 1)

struct id_window {
	uint16_t oldest; // id that is not done
	uint16_t next;   // of the sender: the id to give next
	uint32_t done[SESSION_CHANNEL_WINDOW / 32];
};

/// How far ahead of the oldest; ids behind it are far ahead.
ALWAYS_INLINE uint16_t window_ahead(const struct id_window *window, uint16_t id)
{
	return (uint16_t)(id - window->oldest);
}

ALWAYS_INLINE bool window_behind(const struct id_window *window, uint16_t id)
{
	return window_ahead(window, id) >= 0x8000;
}

/// Was this id taken? It is in the window: 0 to 255 ahead.
ALWAYS_INLINE bool window_done(const struct id_window *window, uint16_t id)
{
	return window->done[(id & WINDOW_MASK) / 32] >> id % 32 & 1;
}

ALWAYS_INLINE void window_mark(struct id_window *window, uint16_t id)
{
	window->done[(id & WINDOW_MASK) / 32] |= 1U << id % 32;
}

ALWAYS_INLINE void window_clear(struct id_window *window, uint16_t id)
{
	window->done[(id & WINDOW_MASK) / 32] &= ~(1U << id % 32);
}

/// Is none of those ahead done?
ALWAYS_INLINE bool window_empty(const struct id_window *window)
{
	uint32_t any = 0;

	for (unsigned i = 0; i < SESSION_CHANNEL_WINDOW / 32; i++)
		any |= window->done[i];
	return any == 0;
}

#endif
