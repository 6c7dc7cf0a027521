// SPDX-License-Identifier: BSD-3-Clause
// session/players.c: see players.h.

#include "session/players.h"

#define PLACES_MIN 8
#define FREE 0
#define MARK UINT32_MAX

/// A power of two: half of the places stay free when every slot is in use.
static uint32_t place_count(uint32_t capacity)
{
	uint32_t places = PLACES_MIN;

	while (places < 2 * (uint64_t)capacity)
		places *= 2;
	return places;
}

size_t player_index_size(uint32_t capacity)
{
	const size_t halves = 2 * sizeof(uint32_t) * (size_t)place_count(capacity);

	return sizeof(struct player_index) + ((halves + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));
}

/// Player ids are the operator's to choose: mixed for spread, not against an enemy (finaliser of MurmurHash3).
static uint32_t home_of(uint32_t player_id)
{
	player_id ^= player_id >> 16;
	player_id *= 0x85ebca6b;
	player_id ^= player_id >> 13;
	player_id *= 0xc2b2ae35;
	return player_id ^ player_id >> 16;
}

static const uint32_t *half_of(const struct player_index *index, uint32_t mask, uint32_t version)
{
	return &index->place[(version & 1) * ((size_t)mask + 1)];
}

/// @param slots  that there are: an entry of another one is passed over, as a mark is
/// @param seen   in and out: places that were looked at
static uint32_t next_in(const uint32_t *half, uint32_t mask, uint32_t slots, const struct session_record *records,
			uint32_t player_id, uint32_t *seen)
{
	const uint32_t home = home_of(player_id);

	while (*seen <= mask) {
		const uint32_t entry = __atomic_load_n(&half[(home + *seen) & mask], __ATOMIC_ACQUIRE);

		if (entry == FREE)
			return PLAYER_NONE;
		++*seen;
		if (entry - 1 < slots && __atomic_load_n(&records[entry - 1].player_id, __ATOMIC_RELAXED) == player_id)
			return entry - 1;
	}
	return PLAYER_NONE;
}

/// The one whose session stands.
static uint32_t find_in(const uint32_t *half, uint32_t mask, uint32_t slots, const struct session_record *records,
			uint32_t player_id)
{
	uint32_t seen = 0, slot;

	do
		slot = next_in(half, mask, slots, records, player_id, &seen);
	while (slot != PLAYER_NONE && record_session(&records[slot]) == 0);
	return slot;
}

// ---------------------------------------------------------------- readers

uint32_t player_index_find(const struct player_index *index, const struct session_record *records, uint32_t player_id)
{
	for (;;) {
		const uint32_t version = __atomic_load_n(&index->version, __ATOMIC_ACQUIRE);
		const uint32_t slot =
			find_in(half_of(index, index->mask, version), index->mask, MARK - 1, records, player_id);

		// A half that is no longer read may have been emptied under us. What was found was there.
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (slot != PLAYER_NONE || __atomic_load_n(&index->version, __ATOMIC_RELAXED) == version)
			return slot;
	}
}

uint32_t player_index_next(const struct player_index *index, const struct session_record *records, uint32_t player_id,
			   struct player_walk *walk)
{
	for (;;) {
		const uint32_t version = __atomic_load_n(&index->version, __ATOMIC_ACQUIRE);
		uint32_t slot;

		if (walk->version != version) // the other half has them in other places
			*walk = (struct player_walk){version, 0};
		slot = next_in(half_of(index, index->mask, version), index->mask, MARK - 1, records, player_id,
			       &walk->seen);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (slot != PLAYER_NONE || __atomic_load_n(&index->version, __ATOMIC_RELAXED) == version)
			return slot;
	}
}

// ---------------------------------------------------------------- the supervisor

static uint32_t *writable_half(const struct player_writer *w, uint32_t version)
{
	return &w->index->place[(version & 1) * ((size_t)w->mask + 1)];
}

void player_writer_init(struct player_writer *w, struct player_index *index, const struct session_record *records,
			uint32_t capacity)
{
	*w = (struct player_writer){
		.index = index,
		.records = records,
		.capacity = capacity,
		.mask = place_count(capacity) - 1,
	};
	index->mask = w->mask;
}

uint32_t player_writer_find(const struct player_writer *w, uint32_t player_id)
{
	return find_in(writable_half(w, w->version), w->mask, w->capacity, w->records, player_id);
}

uint32_t player_writer_next(const struct player_writer *w, uint32_t player_id, struct player_walk *walk)
{
	return next_in(writable_half(w, w->version), w->mask, w->capacity, w->records, player_id, &walk->seen);
}

static uint32_t player_of(const struct player_writer *w, uint32_t slot)
{
	return __atomic_load_n(&w->records[slot].player_id, __ATOMIC_RELAXED);
}

/// @return false when a mark was overwritten: no place more is filled. Or when somebody else filled them all
static bool place_slot(const struct player_writer *w, uint32_t *half, uint32_t slot)
{
	uint32_t at = home_of(player_of(w, slot));

	for (uint32_t seen = 0; seen <= w->mask; seen++, at++) {
		uint32_t *place = &half[at & w->mask];
		const uint32_t was = __atomic_load_n(place, __ATOMIC_RELAXED);

		if (was != FREE && was != MARK)
			continue;
		__atomic_store_n(place, slot + 1, __ATOMIC_RELEASE);
		return was == FREE;
	}
	return false;
}

/// Move those that are entered to the other half. It happens once for every quarter of the places that was filled, so it
/// costs each entering a few steps.
static void renew(struct player_writer *w)
{
	const uint32_t *from = half_of(w->index, w->mask, w->version);
	uint32_t *to = writable_half(w, w->version + 1);

	w->filled = 0;
	for (uint32_t at = 0; at <= w->mask; at++)
		__atomic_store_n(&to[at], FREE, __ATOMIC_RELEASE); // who reads it sees that this half was given up
	for (uint32_t at = 0; at <= w->mask; at++) {
		const uint32_t entry = __atomic_load_n(&from[at], __ATOMIC_RELAXED);

		if (entry - 1 < w->capacity) // neither free nor a mark
			w->filled += place_slot(w, to, entry - 1);
	}
	__atomic_store_n(&w->index->version, ++w->version, __ATOMIC_SEQ_CST);
}

void player_writer_enter(struct player_writer *w, uint32_t slot)
{
	if (w->filled >= (w->mask + 1) / 4 * 3)
		renew(w);
	w->filled += place_slot(w, writable_half(w, w->version), slot);
}

void player_writer_remove(struct player_writer *w, uint32_t slot)
{
	uint32_t *half = writable_half(w, w->version);
	uint32_t at = home_of(player_of(w, slot));

	for (uint32_t seen = 0; seen <= w->mask; seen++, at++) {
		const uint32_t entry = __atomic_load_n(&half[at & w->mask], __ATOMIC_RELAXED);

		if (entry == FREE)
			return;
		if (entry == slot + 1) {
			__atomic_store_n(&half[at & w->mask], MARK, __ATOMIC_RELEASE);
			return;
		}
	}
}
