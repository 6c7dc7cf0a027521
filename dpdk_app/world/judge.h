// SPDX-License-Identifier: BSD-3-Clause
// world/judge.h: did an attack hit, as its attacker saw the world?
//
// What an attacker sees: its client shows the world of a moment, a tick and parts of it, and says so with the attack. That is the
// world of history.h at that moment, where everybody else is on the line between two frames; itself it sees where it is, by
// its own last move, and the ray begins there, at its eye.
//
// Which moments it can see: the frame of tick T is sent within one tick after its moment, arrives half a round trip later, and is
// the newest until the next one comes, a tick later at most. What the attacker says then takes the other half of the round trip. So an
// attack that arrives now was aimed at a moment at most
//
//     round trip + 2 ticks + interpolation
//
// ago, by a client that shows what was `interpolation` before the newest frame. An older moment becomes that one (it is clamped:
// nobody is hit where they were longer ago than the attacker can know), as does one that is further back than `rewind`. A
// moment that no frame has reached becomes that of the newest frame. A tick is never rounded: the moment that is judged by is
// the one that was said, or the limit, to 1/256 of a tick, and it is told with the judgement.

#ifndef POLLGATE_WORLD_JUDGE_H
#define POLLGATE_WORLD_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "pollgate_stats.h"
#include "world/rules.h"
#include "world/search.h"

enum world_clamped {
	WORLD_VIEW_KEPT,
	WORLD_VIEW_TOO_OLD, // judged by the oldest moment that the attacker could see, or by that of the rewind
	WORLD_VIEW_TOO_NEW, // judged by the newest frame
};

struct world_attack {
	world_reference attacker; // is not hit itself
	world_reference target;   // WORLD_NOBODY: whoever is first in the way
	int32_t from[3];          // quanta: where the attacker is
	float direction[3];       // of any length
	struct world_moment view; // the moment that the attacker says it saw
	struct world_moment now;  // when the attack arrived
	uint32_t round_trip;      // of the attacker, smoothed, with what it varies by; parts of a tick
};

/// As it can be told.
struct world_judgement {
	uint8_t judged;  // enum pg_world_judged
	uint8_t clamped; // enum world_clamped
	uint16_t parts;  // of the moment that it was judged by
	uint32_t tick;
	world_reference who; // who was judged; WORLD_NOBODY: nobody
	int32_t distance;    // to where the body begins, of a hit or one too far; quanta, rounded down
	int32_t error;       // of the ray from the middle of the body; likewise
};

/// An attack that is being judged. Others may publish meanwhile, but nobody may re-rank.
struct world_judging {
	struct world_ray ray;
	struct world_search search;
	world_reference attacker;
	struct world_hit first;
	bool done;
	struct world_judgement judgement;
};

/// The oldest moment that an attacker can have seen.
struct world_moment world_oldest_view(const struct world_rules *rules, struct world_moment now, uint32_t round_trip);

/// What an attacker shows that says nothing of it: of the moments that it can have seen, the one in the middle.
struct world_moment world_supposed_view(const struct world_rules *rules, struct world_moment now, uint32_t round_trip);

/// A moment as a client tells it, the lower bits of a tick and parts, near to another.
ALWAYS_INLINE struct world_moment world_moment_told(uint16_t tick, uint8_t parts, struct world_moment near)
{
	return (struct world_moment){near.tick + (uint32_t)(int16_t)(tick - (uint16_t)near.tick), parts};
}

/// Begin. With a target, that is all.
void world_judge_begin(struct world_judging *judging, const struct world_parts *parts, const struct world_rules *rules,
		       const struct world_attack *attack);

/// Look at up to so many ranks.
/// @return it is judged
bool world_judge_step(struct world_judging *judging, const struct world_parts *parts, uint32_t ranks);

#endif
