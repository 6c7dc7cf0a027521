// SPDX-License-Identifier: BSD-3-Clause
// world/search.h: who was in a sphere at a moment, and who was the first in the way of a ray.
//
// In slices, through all parts of a world. Between the slices of one search nobody may re-rank: who is found is named by rank.
// A part whose newest frame is older than the moment is searched as of that frame; one that has forgotten the moment has nobody, and is counted.

#ifndef POLLGATE_WORLD_SEARCH_H
#define POLLGATE_WORLD_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "world/aim.h"
#include "world/history.h"

/// How far a search is.
struct world_search {
	struct world_moment when;
	uint32_t part, rank; // where it goes on
	uint32_t forgotten;  // parts that had forgotten the moment, or forgot it meanwhile
};

struct world_sphere {
	int32_t middle[3];
	int32_t radius; // quanta, at most 2^WORLD_POSITION_BITS
};

struct world_inside {
	world_reference who;
	int32_t distance; // from the middle; quanta, rounded down
};

/// Those who are found in a sphere: the first `room` of them, in the order of parts and ranks.
struct world_crowd {
	uint32_t count; // of all of them
	uint32_t room;
	struct world_inside *inside;
};

/// Who is hit.
struct world_hit {
	world_reference who; // WORLD_NOBODY: nobody
	uint32_t number;
	struct world_aim aim;
	struct world_moment when; // they were hit where they were then
};

/// Go on looking for those who were in a sphere.
/// @param search  {when} at first
/// @param ranks   to look at; rounded up to 64
/// @return that was all
bool world_search_sphere(const struct world_parts *parts, struct world_search *search,
			 const struct world_sphere *sphere, uint32_t ranks, struct world_crowd *crowd);

/// Go on looking for all who were in the way of a ray, within its length.
/// @param crowd  {inside: how far it is to where it enters their bodies}
bool world_search_way(const struct world_parts *parts, struct world_search *search, const struct world_ray *ray,
		      uint32_t ranks, struct world_crowd *crowd);

/// Of those who were found, the nearest so many come first, in any order; of several at the same distance, any.
/// Source: C. A. R. Hoare, Algorithm 65: FIND, Communications of the ACM 4 (7), 1961.
void world_crowd_nearest(struct world_inside *inside, uint32_t count, uint32_t wanted);

/// Go on looking for who was first in the way of a ray, within its length; of several at the same distance, who has the lowest
/// number.
/// @param first  {.who = WORLD_NOBODY} at first
/// @param except  goes through this one; WORLD_NOBODY: through none
bool world_search_ray(const struct world_parts *parts, struct world_search *search, const struct world_ray *ray,
		      world_reference except, uint32_t ranks, struct world_hit *first);

#endif
