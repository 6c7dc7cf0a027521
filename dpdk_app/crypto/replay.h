// SPDX-License-Identifier: BSD-3-Clause
// crypto/replay.h: which packet counters were seen: the newest and a window of 256 behind it (RFC 4303 3.4.3).
//
// The window is checked before the tag, so that a replay costs no cryptography. It is moved after the tag was right, so that
// a forgery moves nothing.

#ifndef POLLGATE_CRYPTO_REPLAY_H
#define POLLGATE_CRYPTO_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

#define REPLAY_WINDOW 256
#define REPLAY_WORDS (REPLAY_WINDOW / 64)

/// All zero before the first packet: counters start at 1. The bits are a ring: a window that moves by one changes one bit.
struct replay {
	uint64_t seen[REPLAY_WORDS]; // counter n, of newest - 255 to newest: bit n modulo 256
	uint32_t newest;
} __attribute__((packed, aligned(4))); // so that a record has room behind it

ALWAYS_INLINE uint64_t replay_bit(uint32_t counter)
{
	return 1ULL << counter % 64;
}

ALWAYS_INLINE unsigned replay_word(uint32_t counter)
{
	return counter / 64 % REPLAY_WORDS;
}

/// Can this counter be new? 0 cannot, nor can one that is too old.
ALWAYS_INLINE bool replay_fresh(const struct replay *replay, uint32_t counter)
{
	if (likely(counter > replay->newest))
		return true;

	const uint32_t behind = replay->newest - counter;

	if (unlikely(counter == 0 || behind >= REPLAY_WINDOW))
		return false;
	return !(replay->seen[replay_word(counter)] & replay_bit(counter));
}

/// The window jumps: none of the counters in between was seen.
static inline void replay_jump(struct replay *replay, uint32_t counter)
{
	uint32_t at = counter - replay->newest < REPLAY_WINDOW ? replay->newest + 1 : counter - REPLAY_WINDOW;

	while (at != counter) {
		const uint32_t left = counter - at, in_word = 64 - at % 64, n = left < in_word ? left : in_word;

		replay->seen[replay_word(at)] &= ~(UINT64_MAX >> (64 - n) << at % 64);
		at += n;
	}
}

/// Mark a fresh counter whose packet proved authentic.
ALWAYS_INLINE void replay_mark(struct replay *replay, uint32_t counter)
{
	if (likely(counter > replay->newest)) {
		if (unlikely(counter - replay->newest > 1))
			replay_jump(replay, counter);
		replay->newest = counter;
	}
	replay->seen[replay_word(counter)] |= replay_bit(counter);
}

/// As replay_mark(), for the counter newest + 1.
ALWAYS_INLINE void replay_mark_next(struct replay *replay, uint32_t counter)
{
	replay->newest = counter;
	replay->seen[replay_word(counter)] |= replay_bit(counter);
}

/// After a crash, which may have come while the window moved, the window's bits cannot be relied on. So no counter up to the
/// newest is fresh any more. Packets that were in flight are lost; reliable messages in them are sent again.
ALWAYS_INLINE void replay_distrust(struct replay *replay)
{
	for (unsigned i = 0; i < REPLAY_WORDS; i++)
		replay->seen[i] = UINT64_MAX;
}

#endif
