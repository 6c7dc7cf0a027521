// SPDX-License-Identifier: BSD-3-Clause
/* What became of the worlds, kept and done again. */

struct pg_gateway *pg_open_recorded(const struct pg_plan *plan, struct pg_stats_page *page, void *state, size_t state_size,
				    void *recording, size_t size, struct pg_error *error);
size_t pg_recording_read(const void *recording, size_t size, uint32_t workers, uint32_t worker, uint64_t last_us, void *out,
			 size_t *from);

enum pg_replay_step { PG_REPLAY_FRAME, PG_REPLAY_END, PG_REPLAY_BROKEN, PG_REPLAY_MEMORY, ... };
struct pg_replay_frame {
	uint32_t world;
	uint32_t tick;
	uint64_t at_us;
	uint32_t entities;
	uint32_t differs_from;
	bool differs;
};
struct pg_replay;
struct pg_replay *pg_replay_open(const void *bytes, size_t length, size_t memory_max);
enum pg_replay_step pg_replay_next(struct pg_replay *replay, struct pg_replay_frame *frame);
uint32_t pg_replay_entities(const struct pg_replay *replay, uint32_t world, struct pg_world_entity *out, uint32_t room);
void pg_replay_close(struct pg_replay *replay);
