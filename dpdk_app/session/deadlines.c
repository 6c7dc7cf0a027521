// SPDX-License-Identifier: BSD-3-Clause
// session/deadlines.c: see deadlines.h.

#include "session/deadlines.h"

static uint64_t end_of(const struct deadlines *d, uint32_t place)
{
	return d->records[d->heap[place]].expires_at;
}

static void put(const struct deadlines *d, uint32_t place, uint32_t slot)
{
	d->heap[place] = slot;
	d->place[slot] = place;
}

static void swap(const struct deadlines *d, uint32_t one, uint32_t other)
{
	const uint32_t slot = d->heap[one];

	put(d, one, d->heap[other]);
	put(d, other, slot);
}

static void rise(const struct deadlines *d, uint32_t place)
{
	while (place > 0 && end_of(d, place) < end_of(d, (place - 1) / 2)) {
		swap(d, place, (place - 1) / 2);
		place = (place - 1) / 2;
	}
}

static void sink(const struct deadlines *d, uint32_t place)
{
	for (;;) {
		uint32_t child = 2 * place + 1;

		if (child >= d->count)
			return;
		if (child + 1 < d->count && end_of(d, child + 1) < end_of(d, child))
			child++;
		if (end_of(d, place) <= end_of(d, child))
			return;
		swap(d, place, child);
		place = child;
	}
}

void deadlines_add(struct deadlines *d, uint32_t slot)
{
	put(d, d->count, slot);
	rise(d, d->count++);
}

bool deadlines_remove(struct deadlines *d, uint32_t slot)
{
	const uint32_t place = d->place[slot];
	uint32_t last;

	if (place >= d->count || d->heap[place] != slot)
		return false;
	last = --d->count;
	if (place == last)
		return true;
	put(d, place, d->heap[last]);
	rise(d, place);
	sink(d, place);
	return true;
}

uint32_t deadlines_over(const struct deadlines *d, uint64_t now)
{
	return d->count > 0 && end_of(d, 0) <= now ? d->heap[0] : DEADLINES_NONE;
}

uint32_t deadlines_count_over(const struct deadlines *d, uint64_t now)
{
	uint32_t over = 0, place = 0;

	// In depth first, without a stack: down to the left while it is over, else to the next on the right.
	while (place < d->count || place > 0) {
		if (place < d->count && end_of(d, place) <= now) {
			over++;
			place = 2 * place + 1;
			continue;
		}
		while (place > 0 && place % 2 == 0)
			place = (place - 1) / 2;
		if (place == 0)
			break;
		place++;
	}
	return over;
}
