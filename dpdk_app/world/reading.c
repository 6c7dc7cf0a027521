// SPDX-License-Identifier: BSD-3-Clause
// world/reading.c: see reading.h.

#include "world/reading.h"

void world_reading_init(struct world_reading *reading, const struct world_parts *parts, uint32_t own)
{
	reading->own = own;
	reading->parts.count = parts->count;
	for (uint32_t i = 0; i < parts->count; i++) {
		struct world_part *read = &reading->read[i];

		reading->of[i] = parts->part[i];
		reading->parts.part[i] = i == own ? parts->part[i] : read;
		if (i == own)
			continue;
		*read = *parts->part[i];
		read->readers = 0;
	}
}

/// What follows in program order reads nothing of before this frame.
static uint32_t announce(const struct world_part *part, struct world_reader *reader, uint32_t tick)
{
	const uint32_t published = world_published(part);

	__atomic_store_n(&reader->seen, published, __ATOMIC_RELEASE);
	__atomic_store_n(&reader->tick, tick, __ATOMIC_RELEASE);
	if (likely(reader->reads))
		return published;
	__atomic_store_n(&reader->reads, true, __ATOMIC_SEQ_CST);
	return world_published(part); // it was not waited for until now
}

/// The order that a frame is in. A newer one may be there already.
static const struct world_order *order_of(const struct world_part *part, uint32_t tick)
{
	const uint32_t newest = __atomic_load_n(&part->ordered, __ATOMIC_ACQUIRE);
	const bool is_newer = (int32_t)(part->order[newest].reranked - tick) > 0;

	return &part->order[is_newer ? 1 - newest : newest];
}

/// How many frames, of those up to the newest, its worker leaves alone until we read again.
static uint32_t window(const struct world_part *part, uint32_t published, uint32_t tick)
{
	const uint32_t most = part->frames - 1 - part->behind;
	const int32_t late = (int32_t)(tick - published);

	return late <= 0 ? most : (uint32_t)late < most ? most - (uint32_t)late : 0;
}

static void read_part(struct world_part *read, const struct world_part *part, struct world_reader *reader,
		      uint32_t tick)
{
	const uint32_t published = announce(part, reader, tick);
	const struct world_order *order = order_of(part, published);

	read->count = __atomic_load_n(&order->count, __ATOMIC_ACQUIRE);
	read->reranked = order->reranked;
	read->reranked_before = order->reranked_before;
	read->number = order->number;
	read->identity = order->identity;
	read->came = order->came;
	read->was = order->was;
	read->becomes = order->becomes;
	read->sort = order->sort;
	read->stated = __atomic_load_n(&part->stated, __ATOMIC_ACQUIRE);
	read->published = published;
	read->window = window(part, published, tick);
}

void world_read(struct world_reading *reading, uint32_t tick)
{
	for (uint32_t i = 0; i < reading->parts.count; i++)
		if (i != reading->own)
			read_part(&reading->read[i], reading->of[i], &reading->of[i]->reader[reading->own], tick);
}
