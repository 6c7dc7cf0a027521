// SPDX-License-Identifier: BSD-3-Clause
// world/history.h: who was where in a world a while ago, out of the frames that its parts keep.
//
// A moment is a tick and so many parts of a tick after it: the frame of a tick is the world at its moment, with no parts. Between
// two frames everybody went straight from one place to the other; a tick that has no frame is between its neighbours, as any other
// moment. Positions are exact: the quantum nearest to the line, halves up. Nobody is anywhere before the first frame that
// they are in, and of those who have left since, nothing is known.
//
// Any worker reads any part. What is asked is asked between the publications of that part's frames: ranks are those of now.

#ifndef POLLGATE_WORLD_HISTORY_H
#define POLLGATE_WORLD_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "world/part.h"

#define WORLD_MOMENT_PARTS 256

struct world_moment {
	uint32_t tick;
	uint32_t parts; // below WORLD_MOMENT_PARTS
};

/// a - b, in parts of a tick
ALWAYS_INLINE int64_t world_moment_since(struct world_moment a, struct world_moment b)
{
	return (int64_t)(int32_t)(a.tick - b.tick) * WORLD_MOMENT_PARTS + a.parts - b.parts;
}

ALWAYS_INLINE struct world_moment world_moment_before(struct world_moment moment, uint32_t parts)
{
	const uint32_t after = moment.parts - parts; // modulo 2^32; negative: so many parts are missing

	return (struct world_moment){moment.tick + (uint32_t)((int32_t)after >> 8), after % WORLD_MOMENT_PARTS};
}
static_assert(WORLD_MOMENT_PARTS == 1 << 8, "shifted by 8");

enum world_known {
	WORLD_KNOWN,
	WORLD_ABSENT,    // was not there yet, or has left since
	WORLD_FORGOTTEN, // before all frames that are kept
	WORLD_AHEAD,     // after the newest frame
};

/// Where somebody was.
/// @param rank   below the part's count
/// @param place  out: if that is known; with the velocity of the frame before
enum world_known world_history_where(const struct world_part *part, uint32_t rank, struct world_moment when,
				     struct world_place *place);

/// The frames about a moment: `then`, and how far it is from there to `later`.
struct world_span {
	const struct world_frame *then, *later;
	uint32_t tick, later_tick;
	uint32_t way, whole; // parts of a tick; 0 of 1 where the moment is that of `then`
};

/// @param when  not after `published`
/// @return false: forgotten
bool world_history_frames(const struct world_part *part, struct world_moment when, uint32_t published,
			  struct world_span *about);

/// Is it still the frames that one thinks that have been read?
bool world_history_holds(const struct world_part *part, const struct world_span *about);

/// Was somebody in the frame of a tick?
ALWAYS_INLINE bool world_was_in(const struct world_part *part, uint32_t rank, uint32_t tick, uint32_t published)
{
	return world_number(part, rank) != WORLD_NOBODY && published - part->came[rank] >= published - tick;
}

/// Somebody's place, who was in.
struct world_place world_history_read(const struct world_part *part, const struct world_span *about, uint32_t rank);

ALWAYS_INLINE bool world_is_ahead(struct world_moment when, uint32_t published)
{
	return world_moment_since(when, (struct world_moment){published, 0}) > 0;
}

/// Not further than a part has come.
ALWAYS_INLINE struct world_moment world_moment_reached(struct world_moment when, uint32_t published)
{
	return world_is_ahead(when, published) ? (struct world_moment){published, 0} : when;
}

#endif
