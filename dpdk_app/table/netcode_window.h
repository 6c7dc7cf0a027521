// SPDX-License-Identifier: BSD-3-Clause
// table/netcode_window.h: which sequences of a netcode client were seen: the newest and a window of 256 behind it.
//
// Of its own, because sequences of netcode have 64 bits and begin with 0, where counters of the session profile
// (crypto/replay.h) have 32 and begin with 1.

#ifndef POLLGATE_TABLE_NETCODE_WINDOW_H
#define POLLGATE_TABLE_NETCODE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

#define NETCODE_WINDOW 256
#define NETCODE_WINDOW_WORDS (NETCODE_WINDOW / 64)

/// All zero before the first packet.
struct netcode_window {
	uint64_t next;                       // the newest that was seen, and 1
	uint64_t seen[NETCODE_WINDOW_WORDS]; // sequence n: bit n modulo 256
};

ALWAYS_INLINE uint64_t netcode_window_bit(uint64_t sequence)
{
	return 1ULL << sequence % 64;
}

ALWAYS_INLINE unsigned netcode_window_word(uint64_t sequence)
{
	return sequence / 64 % NETCODE_WINDOW_WORDS;
}

/// Can this sequence be new? The last of all, which nobody reaches, cannot: there is none behind it.
ALWAYS_INLINE bool netcode_window_fresh(const struct netcode_window *window, uint64_t sequence)
{
	if (likely(sequence >= window->next))
		return sequence != UINT64_MAX;
	if (window->next - sequence > NETCODE_WINDOW)
		return false;
	return !(window->seen[netcode_window_word(sequence)] & netcode_window_bit(sequence));
}

/// Mark a fresh sequence whose packet proved authentic. What it passes over was not seen.
static inline void netcode_window_mark(struct netcode_window *window, uint64_t sequence)
{
	if (likely(sequence >= window->next)) {
		uint64_t passed = window->next;

		if (unlikely(sequence - passed >= NETCODE_WINDOW))
			passed = sequence - (NETCODE_WINDOW - 1);
		for (; passed < sequence; passed++)
			window->seen[netcode_window_word(passed)] &= ~netcode_window_bit(passed);
		window->next = sequence + 1;
	}
	window->seen[netcode_window_word(sequence)] |= netcode_window_bit(sequence);
}

/// After a crash, which may have come while the window moved: no sequence up to the newest is fresh any more.
ALWAYS_INLINE void netcode_window_distrust(struct netcode_window *window)
{
	for (unsigned i = 0; i < NETCODE_WINDOW_WORDS; i++)
		window->seen[i] = UINT64_MAX;
}

#endif
