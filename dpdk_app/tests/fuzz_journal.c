// SPDX-License-Identifier: BSD-3-Clause
// fuzz_journal.c: a recording that anybody may have written is done again, or refused, and nothing is read or written beside
// what it may.
//
// Input: a journal, from the beginning of a block on.

#include <stdint.h>
#include <stdlib.h>

#include "world/replay.h"

#define MEMORY_MAX (96UL << 20) // states of one part are 48 MiB, most of which is never touched
#define FRAMES_AT_MOST 4096

static void require(bool right)
{
	if (!right)
		abort();
}

/// What came out is where it may be.
static void check(const struct world_replay *replay, const struct replay_frame *frame)
{
	const struct world_part *part = replay->parts[frame->world].part;
	const struct world_frame *at = world_frame_at(part, frame->tick);
	struct world_game_said said;

	require(world_published(part) == frame->tick && part->count <= part->capacity);
	for (uint32_t rank = 0; rank < part->count; rank++) {
		require(at->x[rank] >= 0 && at->x[rank] <= WORLD_FAR);
		(void)world_game_state_read(part, part->number[rank], part->identity[rank], &said);
		require(said.length <= WORLD_STATE_BYTES_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
	struct world_replay replay;
	struct replay_frame frame;
	unsigned frames = 0;

	replay_begin(&replay, input, length, MEMORY_MAX);
	while (frames++ < FRAMES_AT_MOST && replay_next(&replay, &frame) == REPLAY_FRAME)
		check(&replay, &frame);
	require(replay.at <= length);
	replay_end(&replay);
	return 0;
}
