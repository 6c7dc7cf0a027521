// SPDX-License-Identifier: BSD-3-Clause
// world/kernels.h: what is done for every entity of a world in every tick, compiled for each level of the CPU.

#ifndef POLLGATE_WORLD_KERNELS_H
#define POLLGATE_WORLD_KERNELS_H

#include <stdint.h>

#include "world/part.h"

/// Tables of records and frames are written and read in blocks of so many ranks.
#define WORLD_BLOCK 64

struct world_kernels {
	const char *isa;

	/// Write what can be told of each entity in frame `tick` to whoever has it in the one `age` before, into the table of
	/// that tick and age. The part's worker. Both frames must be in the ring.
	/// @param from  first rank, a multiple of WORLD_BLOCK
	/// @param to    behind the last; the rest of its block is written, too
	void (*records)(const struct world_part *part, uint32_t tick, uint32_t age, uint32_t from, uint32_t to);
};

/// @param isa  as of a plan: `auto`, or the name of a level
/// @return NULL: this CPU does not run it
const struct world_kernels *world_kernels_select(const char *isa);

#endif
