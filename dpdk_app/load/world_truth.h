// SPDX-License-Identifier: BSD-3-Clause
// load/world_truth.h: where a player can have been for the gateway in a tick, by the movements that the player said.
//
// A movement that left at s and is known to have arrived by r arrived at some time between, and what is not known to have
// arrived may have, at any time from s on. The gateway knows of a player what arrived last, whatever left last, and lets the
// player go on from there at that velocity. So what it tells of a tick must lie on the straight of one movement of which it is
// possible that it arrived last, at the age which that one had in the tick: to a quantum, in all three directions at once.

#ifndef POLLGATE_LOAD_WORLD_TRUTH_H
#define POLLGATE_LOAD_WORLD_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "world_body.h" // the client's

#define TRUTH_SAID 256
#define TRUTH_FRAMES 64
#define TRUTH_LAG_MS 300 // a movement, and the tick that is heard by, are no older than that on a usual path

/// A movement. All times are TSC.
struct truth_said {
	uint64_t datagram; // it left in; 0: there is none
	uint64_t sent;
	uint64_t arrived; // by then; UINT64_MAX: nobody knows whether it did
	float motion[6];
	bool doubtful; // the gateway may have refused it
};

/// What players were told of one in a tick.
struct truth_frame {
	uint32_t world; // which one; 0: nothing
	uint32_t tick;
	struct world_spot spot;
};

/// One player.
struct truth {
	uint64_t newest;   // datagram of the last movement
	uint64_t last;     // when it was said
	uint64_t known;    // when the newest was said that arrived
	uint64_t lagged;   // when that came last after TRUTH_LAG_MS or more in which nothing newer was known; 0: never
	uint64_t since;    // when the first arrived in this connection and world; 0: none did
	uint64_t placed;   // likewise, of this connection
	uint64_t rejoined; // ages of what was said before are counted from some time after
	uint64_t put_back; // when the last correction came; 0: none did
	float put_to[3];
	float speed; // most, in metres per second
	bool connected;
	struct truth_said said[TRUTH_SAID];     // by datagram
	struct truth_frame frame[TRUTH_FRAMES]; // by tick
};

/// What the world's numbers mean.
struct truth_rules {
	double low_m[3];
	double quantum_m;
	double tick_hz;
	double velocity_parts;  // of a quantum per tick
	double cycles_per_part; // of the 256 of a tick
	double late_max;        // parts, for which a player goes on
};

/// Where a glimpse says that somebody is, in quanta.
struct truth_area {
	double low[2], high[2];
};

/// When a tick was. A worker of the gateway reads its clock once a burst, so that it takes something for as much older than it is
/// as the worker waited for its CPU then.
struct truth_moment {
	uint64_t began; // at the latest
	uint64_t slack; // it may have begun so much earlier, and an age be so much too great
	uint64_t came;  // to the player who was told
};

void truth_say(struct truth *truth, const float motion[6], uint64_t datagram, uint64_t now);

/// The gateway has a datagram.
/// @return the time that it took until that was known; UINT64_MAX: it was known, or is of nothing
uint64_t truth_arrived(struct truth *truth, uint64_t datagram, uint64_t now);

/// When the newest was said of those that are known to have arrived by `when`; 0: of the last TRUTH_SAID none did.
uint64_t truth_known_by(const struct truth *truth, uint64_t when);

/// The gateway has refused something that was said before, and the player stands where the last that it took was.
void truth_put_back(struct truth *truth, const float position[3], uint64_t now);

/// Has the player said that?
bool truth_has_said(const struct truth *truth, const float motion[6]);

/// Can the player have been there?
bool truth_explains(const struct truth *truth, const struct truth_rules *rules, const struct truth_moment *when,
		    const struct world_spot *spot);

/// Can the player have been in there?
bool truth_allows(const struct truth *truth, const struct truth_rules *rules, const struct truth_moment *when,
		  const struct truth_area *area);

/// Where the player said to be last.
static inline const float *truth_position(const struct truth *truth)
{
	return truth->said[truth->newest % TRUTH_SAID].motion;
}

#endif
