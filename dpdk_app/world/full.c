// SPDX-License-Identifier: BSD-3-Clause
// world/full.c: see full.h.

#include "world/full.h"

void full_write(const struct world_part *part, uint32_t tick, uint32_t from, uint32_t to)
{
	const struct world_frame *frame = world_frame_at(part, tick);
	struct full_body *table = (struct full_body *)frame->records->of[0];

	for (uint32_t rank = from; rank < to; rank++)
		table[rank] = full_of(part, frame, rank, rank);
}
