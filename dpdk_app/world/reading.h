// SPDX-License-Identifier: BSD-3-Clause
// world/reading.h: what a worker reads of the parts of other workers, taken once in a tick.
//
// It is of one moment: the frames up to the newest one that a part had published, and the order of ranks that they are in, whatever
// its worker does meanwhile. With what is read anew a worker says which frame that was: what nobody has any more is written anew
// (world/part.h). No lock, and no worker waits for another.

#ifndef POLLGATE_WORLD_READING_H
#define POLLGATE_WORLD_READING_H

#include "world/part.h"

struct world_reading {
	struct world_parts parts; // ours, and what was read of the others last
	uint32_t own;             // which is ours
	const struct world_part *of[WORLD_PARTS_MAX];
	struct world_part read[WORLD_PARTS_MAX]; // but ours
};

/// @param reading  zeroed
/// @param parts    all parts of the world, whose workers do not run yet
void world_reading_init(struct world_reading *reading, const struct world_parts *parts, uint32_t own);

/// Read all parts anew. What was read before is void: ranks are those of now, and pointers into views and lists are others'.
/// @param tick  that it is now. Whose part is late is read no further back for that, who reads late no further on.
void world_read(struct world_reading *reading, uint32_t tick);

#endif
