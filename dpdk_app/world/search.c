// SPDX-License-Identifier: BSD-3-Clause
// world/search.c: see search.h. Everybody is looked at, but most of them only in passing: vectors of 64 tell who may be meant.

#include "world/search.h"

#include <math.h>
#include <string.h>

#define BLOCK 64

/// Positions of so many ranks.
struct block {
	int32_t x[BLOCK], y[BLOCK], z[BLOCK];
	world_reference first;
	uint32_t count;
	const uint32_t *number;
};

/// On the line between two frames that follow on each other: as in history.c, and what means nothing may overflow.
static void read_line(const int32_t *restrict then, const int32_t *restrict later, uint32_t parts,
		      int32_t *restrict line)
{
	for (uint32_t i = 0; i < BLOCK; i++) {
		const uint32_t way = (uint32_t)(later[i] - then[i]) * parts + WORLD_MOMENT_PARTS / 2;

		line[i] = then[i] + ((int32_t)way >> 8);
	}
}

static void read_in_line(const struct world_span *about, uint32_t rank, struct block *block)
{
	const struct world_frame *then = about->then, *later = about->later;
	const uint32_t parts = about->whole == 1 ? 0 : about->way;

	read_line(then->x + rank, later->x + rank, parts, block->x);
	read_line(then->y + rank, later->y + rank, parts, block->y);
	read_line(then->z + rank, later->z + rank, parts, block->z);
}

/// Who was not there is far away; as world_was_in().
static void take_out_absent(const struct world_part *part, const struct world_span *about, uint32_t published,
			    uint32_t rank, struct block *block)
{
	const uint32_t *number = part->number + rank, *came = part->came + rank, age = published - about->tick;

	for (uint32_t i = 0; i < BLOCK; i++) {
		const uint32_t absent = -(uint32_t)((number[i] == WORLD_NOBODY) | (published - came[i] < age));

		block->x[i] = (int32_t)(((uint32_t)block->x[i] & ~absent) | (WORLD_FAR & absent));
	}
}

/// As read_in_line() and take_out_absent(), where ranks or ticks have gaps between them.
static void read_each(const struct world_part *part, const struct world_span *about, uint32_t published, uint32_t rank,
		      struct block *block)
{
	for (uint32_t i = 0; i < block->count; i++) {
		struct world_place place = {.x = WORLD_FAR};

		if (world_was_in(part, rank + i, about->tick, published))
			place = world_history_read(part, about, rank + i);
		block->x[i] = place.x;
		block->y[i] = place.y;
		block->z[i] = place.z;
	}
	for (uint32_t i = block->count; i < BLOCK; i++) {
		block->x[i] = WORLD_FAR;
		block->y[i] = block->z[i] = 0;
	}
}

static void read_block(const struct world_part *part, const struct world_span *about, uint32_t published, uint32_t rank,
		       struct block *block)
{
	const uint32_t left = part->count - rank;
	const bool in_line = (int32_t)(about->tick - part->reranked) >= 0 &&
			     (about->whole == 1 || about->whole == WORLD_MOMENT_PARTS);

	block->count = left < BLOCK ? left : BLOCK;
	block->number = part->number + rank;
	if (!in_line) {
		read_each(part, about, published, rank, block);
		return;
	}
	read_in_line(about, rank, block);
	take_out_absent(part, about, published, rank, block);
}

/// What a search does with the positions of a block.
typedef void visit(const void *asked, const struct block *block, struct world_moment when, void *found);

/// @return how many ranks were looked at; fewer than asked for: that was all of the part
static uint32_t search_part(const struct world_parts *parts, struct world_search *search, uint32_t ranks, visit *visit,
			    const void *asked, void *found)
{
	const struct world_part *part = parts->part[search->part];
	const uint32_t published = world_published(part), from = search->rank;
	const struct world_moment when = world_moment_reached(search->when, published);
	struct block block;
	struct world_span about;

	if (!world_history_frames(part, when, published, &about)) {
		search->forgotten++;
		return 0;
	}
	for (; search->rank < part->count && search->rank - from < ranks; search->rank += BLOCK) {
		read_block(part, &about, published, search->rank, &block);
		if (!world_history_holds(part, &about)) {
			search->forgotten++;
			return 0;
		}
		block.first = world_refer(search->part, search->rank);
		visit(asked, &block, when, found);
	}
	return search->rank - from;
}

static bool search_on(const struct world_parts *parts, struct world_search *search, uint32_t ranks, visit *visit,
		      const void *asked, void *found)
{
	uint32_t looked = 0;

	while (search->part < parts->count) {
		looked += search_part(parts, search, ranks - looked, visit, asked, found);
		if (looked >= ranks)
			return false;
		search->part++;
		search->rank = 0;
	}
	return true;
}

/// Those of a block who may be meant, one by one. Mostly that is nobody of several.
/// @param i  the next one at first; out: the one that is found, from there on
/// @return false: nobody more
ALWAYS_INLINE bool next_meant(const uint8_t meant[BLOCK], uint32_t count, uint32_t *i)
{
	while (*i < count && !meant[*i]) {
		uint64_t several;

		memcpy(&several, meant + (*i & ~7U), sizeof(several));
		*i = several >> 8 * (*i % 8) == 0 ? (*i | 7) + 1 : *i + 1;
	}
	return *i < count;
}

static void in_box(const struct world_sphere *sphere, const struct block *block, uint8_t meant[BLOCK])
{
	const int32_t x = sphere->middle[0], y = sphere->middle[1], z = sphere->middle[2], r = sphere->radius;

	for (uint32_t i = 0; i < BLOCK; i++) {
		const int32_t dx = block->x[i] - x, dy = block->y[i] - y, dz = block->z[i] - z;

		meant[i] = (dx <= r) & (dx >= -r) & (dy <= r) & (dy >= -r) & (dz <= r) & (dz >= -r);
	}
}

static void add(struct world_crowd *crowd, world_reference who, int32_t distance)
{
	if (crowd->count < crowd->room)
		crowd->inside[crowd->count] = (struct world_inside){who, distance};
	crowd->count++;
}

static void visit_sphere(const void *asked, const struct block *block, struct world_moment when, void *found)
{
	const struct world_sphere *sphere = asked;
	struct world_crowd *crowd = found;
	uint8_t meant[BLOCK];

	(void)when;
	in_box(sphere, block, meant);
	for (uint32_t i = 0; next_meant(meant, block->count, &i); i++) {
		const int64_t dx = block->x[i] - sphere->middle[0], dy = block->y[i] - sphere->middle[1];
		const int64_t dz = block->z[i] - sphere->middle[2], square = dx * dx + dy * dy + dz * dz;

		if (square > (int64_t)sphere->radius * sphere->radius)
			continue;
		add(crowd, block->first + i, (int32_t)sqrt((double)square));
	}
}

bool world_search_sphere(const struct world_parts *parts, struct world_search *search,
			 const struct world_sphere *sphere, uint32_t ranks, struct world_crowd *crowd)
{
	return search_on(parts, search, ranks, visit_sphere, sphere, crowd);
}

/// Can a ray hit the ball about a body? Floats are wrong by less than SPARE quanta here, so that who is asked of exactly is asked of
/// for nothing now and then, but nobody is left out.
static void near_ray(const struct world_ray *ray, const struct block *block, uint8_t meant[BLOCK])
{
	enum { SPARE = 4 };
	const struct world_body *body = &ray->body;
	const float d[3] = {(float)ray->direction[0], (float)ray->direction[1], (float)ray->direction[2]};
	const int32_t half = (body->high - body->low + 1) / 2;
	const float radius = (float)(body->radius + half + SPARE);
	const int32_t z = ray->from[2] - (body->low + body->high) / 2;
	const float least = -radius, most = (float)ray->length + radius, square = radius * radius;

	for (uint32_t i = 0; i < BLOCK; i++) {
		const float cx = (float)(block->x[i] - ray->from[0]), cy = (float)(block->y[i] - ray->from[1]);
		const float cz = (float)(block->z[i] - z), along = cx * d[0] + cy * d[1] + cz * d[2];
		const float ax = cy * d[2] - cz * d[1], ay = cz * d[0] - cx * d[2], az = cx * d[1] - cy * d[0];

		meant[i] = (ax * ax + ay * ay + az * az <= square) & (along >= least) & (along <= most);
	}
}

static bool is_before(const struct world_hit *hit, const struct world_hit *first)
{
	return first->who == WORLD_NOBODY || hit->aim.distance < first->aim.distance ||
	       (hit->aim.distance == first->aim.distance && hit->number < first->number);
}

struct ray_asked {
	const struct world_ray *ray;
	world_reference except;
};

static void visit_ray(const void *asked, const struct block *block, struct world_moment when, void *found)
{
	const struct world_ray *ray = ((const struct ray_asked *)asked)->ray;
	const world_reference except = ((const struct ray_asked *)asked)->except;
	struct world_hit *first = found;
	uint8_t meant[BLOCK];

	near_ray(ray, block, meant);
	for (uint32_t i = 0; next_meant(meant, block->count, &i); i++) {
		if (block->first + i == except)
			continue;

		const int32_t position[3] = {block->x[i], block->y[i], block->z[i]};
		const struct world_hit hit = {block->first + i, block->number[i], world_aim(ray, position), when};

		if (hit.aim.hits && hit.aim.distance <= ray->length && is_before(&hit, first))
			*first = hit;
	}
}

static void visit_way(const void *asked, const struct block *block, struct world_moment when, void *found)
{
	const struct world_ray *ray = asked;
	uint8_t meant[BLOCK];

	(void)when;
	near_ray(ray, block, meant);
	for (uint32_t i = 0; next_meant(meant, block->count, &i); i++) {
		const int32_t position[3] = {block->x[i], block->y[i], block->z[i]};
		const struct world_aim aim = world_aim(ray, position);

		if (aim.hits && aim.distance <= ray->length)
			add(found, block->first + i, (int32_t)aim.distance);
	}
}

bool world_search_way(const struct world_parts *parts, struct world_search *search, const struct world_ray *ray,
		      uint32_t ranks, struct world_crowd *crowd)
{
	return search_on(parts, search, ranks, visit_way, ray, crowd);
}

bool world_search_ray(const struct world_parts *parts, struct world_search *search, const struct world_ray *ray,
		      world_reference except, uint32_t ranks, struct world_hit *first)
{
	const struct ray_asked asked = {ray, except};

	return search_on(parts, search, ranks, visit_ray, &asked, first);
}

// ---------------------------------------------------------------- the nearest

static void swap(struct world_inside *a, struct world_inside *b)
{
	const struct world_inside kept = *a;

	*a = *b;
	*b = kept;
}

void world_crowd_nearest(struct world_inside *inside, uint32_t count, uint32_t wanted)
{
	uint32_t from = 0, to = count; // the border is in this range

	while (to - from > 1 && wanted > from && wanted < to) {
		const int32_t middle = inside[from + (to - from) / 2].distance;
		uint32_t low = from, high = to - 1;

		while (low <= high) {
			while (inside[low].distance < middle)
				low++;
			while (inside[high].distance > middle)
				high--;
			if (low > high)
				break;
			swap(&inside[low++], &inside[high]);
			if (high == 0)
				break;
			high--;
		}
		if (wanted <= high)
			to = high + 1;
		else if (wanted >= low)
			from = low;
		else
			return;
	}
}
