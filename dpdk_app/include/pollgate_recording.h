// SPDX-License-Identifier: BSD-3-Clause
// pollgate_recording.h: what became of the worlds in the last seconds, kept, and done again.
//
// The workers write down what they do to their parts of the worlds, in a memory file of the supervisor that outlives them. Done
// again, by the same code, it gives the same frames, to the bit.

#ifndef POLLGATE_RECORDING_H
#define POLLGATE_RECORDING_H

#include "pollgate.h"
#include "pollgate_world.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The least memory that a recording of so many workers takes.
size_t pg_recording_least(uint32_t workers);

/// As pg_open(), and what becomes of the plan's worlds is written down.
/// @param recording  zeroed, or of the worker process before; the caller's, longer than the gateway lives. NULL: nothing is
/// @param size       bytes of it, the same for every worker process
struct pg_gateway *pg_open_recorded(const struct pg_plan *plan, struct pg_stats_page *page, void *state,
				    size_t state_size, void *recording, size_t size, struct pg_error *error);

/// Copy what a worker has written down in the last so many microseconds, while it goes on. Any process that has the memory may
/// ask.
/// @param out   `size` / `workers` bytes
/// @param from  offset in `out` of what is returned
/// @return bytes; 0: nothing
size_t pg_recording_read(const void *recording, size_t size, uint32_t workers, uint32_t worker, uint64_t last_us,
			 void *out, size_t *from);

enum pg_replay_step {
	PG_REPLAY_FRAME,  // a frame was published
	PG_REPLAY_END,    // of what was recorded
	PG_REPLAY_BROKEN, // it says what cannot have been done
	PG_REPLAY_MEMORY, // there is not enough for the part that it names
};

struct pg_replay_frame {
	uint32_t world; // index
	uint32_t tick;
	uint64_t at_us;        // since 1970
	uint32_t entities;     // in it
	uint32_t differs_from; // the first rank of a slice that differs
	bool differs;          // from what was published then
};

struct pg_replay;

/// @param bytes  what one worker has written down; the caller's, longer than the replay lives. It may say anything
/// @return NULL: there is no memory
struct pg_replay *pg_replay_open(const void *bytes, size_t length, size_t memory_max);

/// Do again what was done, up to the next frame.
enum pg_replay_step pg_replay_next(struct pg_replay *replay, struct pg_replay_frame *frame);

/// Who is where in the newest frame of a world.
/// @return how many were written; there are no more than frame.entities
uint32_t pg_replay_entities(const struct pg_replay *replay, uint32_t world, struct pg_world_entity *out, uint32_t room);

void pg_replay_close(struct pg_replay *replay);

#ifdef __cplusplus
}
#endif

#endif
