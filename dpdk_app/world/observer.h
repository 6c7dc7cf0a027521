// SPDX-License-Identifier: BSD-3-Clause
// world/observer.h: whom of a world a player is told of, and what the player's client has of each of them.
//
// A slot is somebody in sight. Each is told against a frame in which the client has them: one whose datagram it acknowledged,
// and in which it could decode them. What that is, is known by ages in ticks, so that it holds however long somebody stays in a
// slot. Of who has just come into a slot it is supposed that the client gets what it was sent, until that is overdue.
//
// Only the worker of the player's session reads and writes it. A turn comes first in every tick: observer_turn().

#ifndef POLLGATE_WORLD_OBSERVER_H
#define POLLGATE_WORLD_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "world/ages.h"
#include "world/part.h"

#define OBSERVER_PACES 4     // every tick, every second, every fourth, every eighth
#define OBSERVER_TICKS 32    // that are remembered
#define OBSERVER_FULLS_MAX 8 // in a state

/// Of a tick, and side by side, so that a tick writes one line.
struct observer_said {
	uint32_t told;     // slots that the client has in that frame, if it has the datagram
	uint32_t supposed; // slots that were told against a FULL that may have been on its way
};

/// Zeroed, then observer_begin().
struct observer {
	// each tick
	uint32_t tick;                 // of the last turn
	uint32_t occupied;             // slots with somebody
	uint32_t leaving;              // slots with nobody, of which the client may not know it
	uint32_t sent;                 // by tick modulo OBSERVER_TICKS: a state was sent
	uint32_t heard;                // of these: it was acknowledged
	uint32_t pace[OBSERVER_PACES]; // slots that are told of every 2^n ticks
	uint32_t ranks;                // sum of all parts' reranked, when all references were of their present ranks
	uint32_t stated;               // likewise, of the game's own states: when it was looked for news
	uint32_t introduced;           // slots whose occupant was told of in full
	uint32_t unsure;               // slots of whose state the client may not have the newest (observer_states.h)
	uint8_t epoch;
	bool known;           // to the client: it has a state of this epoch
	uint16_t unglimpsing; // states in a row that had no room for glimpses

	uint8_t base
		[WORLD_SLOTS_MAX] CACHE_ALIGNED; // age of the newest frame in which the client has who is in the slot
	uint8_t full[WORLD_SLOTS_MAX];           // age of the newest FULL, or EMPTY

	world_reference who[WORLD_SLOTS_MAX];
	struct observer_said said[OBSERVER_TICKS]; // by tick
	uint16_t counter[OBSERVER_TICKS];          // by tick: the lower bits of the datagram's

	// seldom
	uint8_t distance[WORLD_SLOTS_MAX]; // to who is in it: what is left out first when there is no room
	uint32_t ranked[WORLD_SLOTS_MAX];  // `who` is of this re-rank of its part

	// of the game's own states
	uint8_t state_age
		[WORLD_SLOTS_MAX] CACHE_ALIGNED; // of the newest that was told; counted while there are unsure ones
	uint32_t state_version[WORLD_SLOTS_MAX]; // which that was; 0: none
	uint32_t state_heard;                    // slots: the client has that one
} CACHE_ALIGNED;

/// All slots are empty, and the client knows nothing.
/// @param epoch  another one than the client has
void observer_begin(struct observer *observer, uint8_t epoch, uint32_t tick);

/// The client has the states of this age.
COLD void observer_hear_states(struct observer *observer, unsigned age);

/// Ticks have passed, and ranks may be others. Who has left the world leaves the slot. Again in the same tick: nothing.
void observer_turn(struct observer *observer, const struct world_parts *parts, uint32_t tick);

/// Somebody comes into a slot, instead of whoever is in it.
void observer_enter(struct observer *observer, const struct world_parts *parts, unsigned slot, world_reference who);

/// Nobody is in a slot any more.
void observer_leave(struct observer *observer, unsigned slot);

/// How often somebody is told of, and how far they are.
/// @param pace      every 2^pace ticks; below OBSERVER_PACES
/// @param distance  in any unit: what is farther is left out first
ALWAYS_INLINE void observer_pace(struct observer *observer, unsigned slot, unsigned pace, uint8_t distance)
{
	for (unsigned i = 0; i < OBSERVER_PACES; i++)
		observer->pace[i] &= ~(1U << slot);
	observer->pace[pace] |= 1U << slot;
	observer->distance[slot] = distance;
}

/// What of it is used by a turn.
ALWAYS_INLINE void observer_prefetch_turn(const struct observer *observer)
{
	prefetch_for_write(observer);
	prefetch_for_write(observer->base);
}

/// What of it is used by an acknowledgement.
ALWAYS_INLINE void observer_prefetch_heard(const struct observer *observer)
{
	observer_prefetch_turn(observer);
	for (size_t at = 0; at < sizeof(observer->said); at += CACHE_LINE)
		prefetch((const char *)observer->said + at);
	prefetch(observer->counter);
}

/// What of it is used in each tick; some observers before its turn.
ALWAYS_INLINE void observer_prefetch(const struct observer *observer)
{
	for (size_t at = 0; at < offsetof(struct observer, distance); at += CACHE_LINE)
		prefetch_for_write((const char *)observer + at);
}

/// Position of a tick in `sent`, `heard`, `said` and `counter`.
ALWAYS_INLINE unsigned observer_at(uint32_t tick)
{
	return tick % OBSERVER_TICKS;
}

/// @return the position of the state in this datagram, as a bit; 0: there is none
ALWAYS_INLINE uint32_t observer_state_in(const struct observer *observer, uint32_t counter)
{
	const __m128i *counters = (const __m128i *)(const void *)observer->counter;
	const __m128i wanted = _mm_set1_epi16((int16_t)counter);
	__m128i equal[4];

	for (unsigned i = 0; i < 4; i++)
		equal[i] = _mm_cmpeq_epi16(_mm_load_si128(counters + i), wanted);
	return ages_mask(_mm_packs_epi16(equal[0], equal[1]), _mm_packs_epi16(equal[2], equal[3])) & observer->sent;
}

/// The client has a FULL of these slots, of `age` ticks ago: it can decode what was told against that since then, unless it came
/// before.
/// @param newest  what it had when it had that: what is newer came later
void observer_has_full(struct observer *observer, uint32_t slots, unsigned age, uint32_t newest);

/// The client has the state at this position. Of who came into a slot after it, it says nothing (observer_enter()).
/// @param newest  counter of the newest datagram that it had then
ALWAYS_INLINE void observer_hear(struct observer *observer, uint32_t position, uint32_t newest)
{
	const unsigned at = (unsigned)__builtin_ctz(position), age = (observer->tick - at) % OBSERVER_TICKS;
	const uint32_t told = observer->said[at].told, has = told & observer->occupied;
	const uint32_t in_full = has & ages_equal(observer->full, age);

	observer->heard |= position;
	observer->known = true;
	observer->leaving &= ~(told & ~has);
	ages_lower(observer->base, has, age);
	if (unlikely(in_full != 0))
		observer_has_full(observer, in_full, age, newest);
	if (unlikely(observer->unsure != 0))
		observer_hear_states(observer, age);
}

/// The client has these datagrams.
/// @param newest   counter of the newest that it had when it said so
/// @param packets  bit n: newest - n, as in struct arrived
ALWAYS_INLINE void observer_acknowledged(struct observer *observer, uint32_t newest, uint64_t packets)
{
	for (; packets != 0; packets &= packets - 1) {
		const uint32_t position = observer_state_in(observer, newest - (uint32_t)__builtin_ctzll(packets));

		if (likely(position != 0))
			observer_hear(observer, position, newest);
	}
}

/// Slots whose present occupant was told of in the state of so many ticks ago, whether or not the client got it.
/// @param age  1 to OBSERVER_TICKS - 1
ALWAYS_INLINE uint32_t observer_told(const struct observer *observer, unsigned age)
{
	const unsigned at = observer_at(observer->tick - age);

	return observer->sent >> at & 1 ? observer->said[at].told | observer->said[at].supposed : 0;
}

/// Age of the newest state that was acknowledged, or AGE_NONE.
ALWAYS_INLINE unsigned observer_newest(const struct observer *observer)
{
	const unsigned by = observer->tick % 32;
	const uint32_t heard = observer->heard >> by | observer->heard
							       << (32 - by) % 32; // one tick ago: the highest bit

	return heard == 0 || __builtin_clz(heard) + 1 > AGE_NONE ? AGE_NONE : (unsigned)__builtin_clz(heard) + 1;
}

#endif
