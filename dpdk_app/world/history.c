// SPDX-License-Identifier: BSD-3-Clause
// world/history.c: see history.h.

#include "world/history.h"

bool world_history_frames(const struct world_part *part, struct world_moment when, uint32_t published,
			  struct world_span *about)
{
	uint32_t tick = when.tick, later = when.tick + 1;

	// Ticks can have been left out; the ring bounds how many.
	while (!world_has_frame(part, tick))
		if (published - --tick >= part->frames)
			return false;
	*about = (struct world_span){.then = world_frame_at(part, tick), .tick = tick, .whole = 1};
	about->later = about->then;
	about->later_tick = tick;
	about->way = (when.tick - tick) * WORLD_MOMENT_PARTS + when.parts;
	if (about->way == 0)
		return true;
	while (!world_has_frame(part, later))
		if (++later - tick >= part->frames)
			return false;
	about->later = world_frame_at(part, later);
	about->later_tick = later;
	about->whole = (later - tick) * WORLD_MOMENT_PARTS;
	return true;
}

bool world_history_holds(const struct world_part *part, const struct world_span *about)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return world_has_frame(part, about->tick);
}

/// On the line between two positions, rounded to the nearest, halves up.
static int32_t between(int32_t then, int32_t later, const struct world_span *about)
{
	const int64_t whole = 2 * (int64_t)about->whole;
	const int64_t halves = 2 * ((int64_t)later - then) * about->way + about->whole;
	const int64_t rest = halves % whole;

	return then + (int32_t)((halves - rest) / whole) - (rest < 0);
}

struct world_place world_history_read(const struct world_part *part, const struct world_span *about, uint32_t rank)
{
	const struct world_place later = world_place_at(about->later, world_rank_at(part, rank, about->later_tick));
	struct world_place place = world_place_at(about->then, world_rank_at(part, rank, about->tick));

	place.x = between(place.x, later.x, about);
	place.y = between(place.y, later.y, about);
	place.z = between(place.z, later.z, about);
	return place;
}

enum world_known world_history_where(const struct world_part *part, uint32_t rank, struct world_moment when,
				     struct world_place *place)
{
	const uint32_t published = world_published(part);
	struct world_span about;

	if (world_is_ahead(when, published))
		return WORLD_AHEAD;
	if (!world_history_frames(part, when, published, &about))
		return WORLD_FORGOTTEN;
	if (!world_was_in(part, rank, about.tick, published))
		return WORLD_ABSENT;
	*place = world_history_read(part, &about, rank);
	return world_history_holds(part, &about) ? WORLD_KNOWN : WORLD_FORGOTTEN;
}
