// SPDX-License-Identifier: BSD-3-Clause
// session/visible.c: see visible.h.

#include "session/visible.h"

#define PLACES_TO_A_SLOT 4
#define TABLE_MIN 16

static uint32_t table_places(uint32_t slots)
{
	const uint32_t places = PLACES_TO_A_SLOT << session_slot_bits(slots);

	return places > TABLE_MIN ? places : TABLE_MIN;
}

size_t visible_size(uint32_t slots)
{
	return slots * sizeof(struct visible) + table_places(slots) * sizeof(uint64_t);
}

struct visible_numbers visible_numbers_in(void *section, uint32_t slots)
{
	struct visible *of = section;

	return (struct visible_numbers){of, (uint64_t *)(of + slots), table_places(slots) - 1};
}

static uint64_t *place_in_table(const struct visible_numbers *numbers, uint32_t number)
{
	return &numbers->table[number & numbers->mask];
}

static uint64_t entry_of(uint32_t number, uint32_t slot)
{
	return (uint64_t)(slot + 1) << 32 | number;
}

/// @return 0: it is not in the table
static uint64_t entry_for(const struct visible_numbers *numbers, uint32_t number)
{
	const uint64_t entry = numbers->of ? __atomic_load_n(place_in_table(numbers, number), __ATOMIC_SEQ_CST) : 0;

	return (uint32_t)entry == number ? entry : 0;
}

uint32_t visible_find(const struct visible_numbers *numbers, uint32_t number)
{
	const uint64_t entry = entry_for(numbers, number);

	return entry != 0 ? (uint32_t)(entry >> 32) - 1 : VISIBLE_NOBODY;
}

bool visible_is_given(const struct visible_numbers *numbers, uint32_t number)
{
	return entry_for(numbers, number) != 0;
}

/// Asked after it is in the table: see the head of visible.h.
static bool is_issued(const struct session_numbers *issued, const struct session_record *records, const uint32_t *used,
		      uint32_t number)
{
	const uint32_t slot = session_slot(issued, number);

	return slot < __atomic_load_n(used, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&records[slot].number, __ATOMIC_SEQ_CST) == number;
}

bool visible_enter(const struct visible_numbers *numbers, const struct session_numbers *issued,
		   const struct session_record *records, const uint32_t *used, uint32_t slot,
		   struct visible_number *place, const uint32_t random[3])
{
	const uint32_t number = issued->gateway | (random[0] & ~issued->gateway_mask);
	uint64_t *entry = place_in_table(numbers, number), nobodys = 0;

	if (number == 0)
		return false;
	// The place first, so that whatever is in the table is in a place. A number that did not get into it is nobody's.
	*place = (struct visible_number){number, {random[1], random[2]}};
	record_in_order();
	if (__atomic_compare_exchange_n(entry, &nobodys, entry_of(number, slot), false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST)) {
		if (!is_issued(issued, records, used, number))
			return true;
		__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	}
	record_in_order();
	place->number = 0;
	return false;
}

bool visible_is_entered(const struct visible_numbers *numbers, uint32_t slot, const struct visible_number *place)
{
	return place->number != 0 && entry_for(numbers, place->number) == entry_of(place->number, slot);
}

void visible_remove(const struct visible_numbers *numbers, uint32_t slot, struct visible_number *place)
{
	if (visible_is_entered(numbers, slot, place))
		__atomic_store_n(place_in_table(numbers, place->number), 0, __ATOMIC_RELEASE);
	record_in_order();
	place->number = 0;
}
