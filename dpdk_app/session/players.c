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

void player_index_init(struct player_index *index, uint32_t capacity)
{
	index->mask = place_count(capacity) - 1;
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

static const uint32_t *half_of(const struct player_index *index, uint32_t version)
{
	return &index->place[(version & 1) * ((size_t)index->mask + 1)];
}

// ---------------------------------------------------------------- readers

static uint32_t find_in(const struct player_index *index, const uint32_t *half, const struct session_record *records,
			uint32_t player_id)
{
	uint32_t at = home_of(player_id);

	for (uint32_t seen = 0; seen <= index->mask; seen++, at++) {
		const uint32_t entry = __atomic_load_n(&half[at & index->mask], __ATOMIC_ACQUIRE);

		if (entry == FREE)
			return PLAYER_NONE;
		if (entry != MARK && __atomic_load_n(&records[entry - 1].player_id, __ATOMIC_RELAXED) == player_id &&
		    record_session(&records[entry - 1]) != 0)
			return entry - 1;
	}
	return PLAYER_NONE;
}

uint32_t player_index_find(const struct player_index *index, const struct session_record *records, uint32_t player_id)
{
	for (;;) {
		const uint32_t version = __atomic_load_n(&index->version, __ATOMIC_ACQUIRE);
		const uint32_t slot = find_in(index, half_of(index, version), records, player_id);

		// A half that is no longer read may have been emptied under us. What was found was there.
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (slot != PLAYER_NONE || __atomic_load_n(&index->version, __ATOMIC_RELAXED) == version)
			return slot;
	}
}

// ---------------------------------------------------------------- the supervisor

static uint32_t *writable_half(struct player_index *index, uint32_t version)
{
	return &index->place[(version & 1) * ((size_t)index->mask + 1)];
}

/// @return false when a mark was overwritten: no place more is filled
static bool place_entry(uint32_t *half, uint32_t mask, uint32_t player_id, uint32_t entry)
{
	uint32_t at = home_of(player_id) & mask;

	while (half[at] != FREE && half[at] != MARK)
		at = (at + 1) & mask;

	const bool was_free = half[at] == FREE;

	__atomic_store_n(&half[at], entry, __ATOMIC_RELEASE);
	return was_free;
}

/// Move those that stand to the other half. It happens once for every quarter of the places that was filled, so it
/// costs each entering a few steps.
static void renew(struct player_index *index, const struct session_record *records)
{
	const uint32_t version = index->version;
	const uint32_t *from = half_of(index, version);
	uint32_t *to = writable_half(index, version + 1);

	index->filled = 0;
	for (uint32_t at = 0; at <= index->mask; at++)
		__atomic_store_n(&to[at], FREE, __ATOMIC_RELEASE); // who reads it sees that this half was given up
	for (uint32_t at = 0; at <= index->mask; at++)
		if (from[at] != FREE && from[at] != MARK)
			index->filled += place_entry(to, index->mask, records[from[at] - 1].player_id, from[at]);
	__atomic_store_n(&index->version, version + 1, __ATOMIC_SEQ_CST);
}

void player_index_enter(struct player_index *index, const struct session_record *records, uint32_t slot)
{
	if (index->filled >= (index->mask + 1) / 4 * 3)
		renew(index, records);
	index->filled +=
		place_entry(writable_half(index, index->version), index->mask, records[slot].player_id, slot + 1);
}

void player_index_remove(struct player_index *index, const struct session_record *records, uint32_t slot)
{
	uint32_t *half = writable_half(index, index->version);
	uint32_t at = home_of(records[slot].player_id) & index->mask;

	while (half[at] != slot + 1)
		at = (at + 1) & index->mask;
	__atomic_store_n(&half[at], MARK, __ATOMIC_RELEASE);
}
