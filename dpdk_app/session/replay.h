// SPDX-License-Identifier: BSD-3-Clause
// session/replay.h: which packet counters were seen: the newest and a window of 256 behind it (RFC 4303 3.4.3).
//
// Checked before a tag is, so that a replay costs no cryptography; moved after, so that a forgery moves nothing.

#ifndef POLLGATE_SESSION_REPLAY_H
#define POLLGATE_SESSION_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

#define REPLAY_WINDOW 256
#define REPLAY_WORDS (REPLAY_WINDOW / 64)

/// All zero before the first packet: counters start at 1.
struct replay {
	uint64_t newest;
	uint64_t seen[REPLAY_WORDS]; // bit n, from the low end of the first word: counter newest - n
};

/// The 64-bit counter that a header's low half stands for: the one nearest to the newest.
ALWAYS_INLINE uint64_t replay_counter(const struct replay *replay, uint32_t low)
{
	const int32_t ahead = (int32_t)(low - (uint32_t)replay->newest);

	return replay->newest + (uint64_t)(int64_t)ahead;
}

/// May this counter be new? One that would be negative, 0 or too old may not.
ALWAYS_INLINE bool replay_fresh(const struct replay *replay, uint64_t counter)
{
	if (likely((int64_t)(counter - replay->newest) > 0))
		return true;

	const uint64_t behind = replay->newest - counter;

	if (unlikely((int64_t)counter <= 0 || behind >= REPLAY_WINDOW))
		return false;
	return !(replay->seen[behind / 64] >> behind % 64 & 1);
}

static inline void replay_shift(struct replay *replay, uint64_t by)
{
	const uint64_t words = by / 64, bits = by % 64;

	for (uint64_t i = REPLAY_WORDS; i-- > 0;) {
		const uint64_t low = i >= words ? replay->seen[i - words] : 0;
		const uint64_t carried = i > words && bits ? replay->seen[i - words - 1] >> (64 - bits) : 0;

		replay->seen[i] = low << bits | carried;
	}
}

/// Mark a fresh counter whose packet proved authentic.
ALWAYS_INLINE void replay_mark(struct replay *replay, uint64_t counter)
{
	const int64_t ahead = (int64_t)(counter - replay->newest);

	if (likely(ahead == 1)) {
		// In order, as nearly always: four words move by a bit, which the compiler keeps in registers.
		for (unsigned i = REPLAY_WORDS - 1; i > 0; i--)
			replay->seen[i] = replay->seen[i] << 1 | replay->seen[i - 1] >> 63;
		replay->seen[0] = replay->seen[0] << 1 | 1;
		replay->newest = counter;
	} else if (ahead > 0) {
		replay_shift(replay, (uint64_t)ahead);
		replay->newest = counter;
		replay->seen[0] |= 1;
	} else {
		replay->seen[(uint64_t)-ahead / 64] |= 1ULL << (uint64_t)-ahead % 64;
	}
}

/// After a crash, which may have come while the window moved: what it held is not to be relied on. Nothing up to the newest is
/// fresh any more, so what was on its way then is lost and comes again if it is reliable.
ALWAYS_INLINE void replay_distrust(struct replay *replay)
{
	for (unsigned i = 0; i < REPLAY_WORDS; i++)
		replay->seen[i] = UINT64_MAX;
}

#endif
