// SPDX-License-Identifier: BSD-3-Clause
// netcode/places.c: see places.h.

#include "netcode/places.h"

#define PLACES_PER_SLOT 2

uint32_t places_count(uint32_t capacity)
{
	uint32_t count = 1;

	while (count < PLACES_PER_SLOT * (uint64_t)capacity)
		count *= 2;
	return count;
}

/// How far a place is behind another, round the end.
static uint32_t behind(const struct places *places, uint32_t place, uint32_t other)
{
	return (place - other) & places->mask;
}

void places_remove(struct places *places, uint32_t place)
{
	for (uint32_t next = (place + 1) & places->mask; places->place[next] != 0; next = (next + 1) & places->mask) {
		const uint32_t home = places->home(places->of, places->place[next] - 1);

		if (behind(places, next, home) < behind(places, next, place))
			continue; // it would be before its home
		places->place[place] = places->place[next];
		place = next;
	}
	places->place[place] = 0;
}
