// SPDX-License-Identifier: BSD-3-Clause
// runtime/recording.c: see recording.h and pollgate_recording.h.

#include "runtime/recording.h"

#include <stdlib.h>
#include <time.h>

#include "replication/replication.h"
#include "world/journal.h"
#include "world/replay.h"

/// Everybody is written down after each re-rank, and is so within some ticks.
#define KNOWN_US (2ULL * REPLICATION_RERANK_S * 1000000)

#define PAGE_BYTES 4096

size_t pg_recording_least(uint32_t workers)
{
	return workers * (journal_bytes(JOURNAL_BYTES_MIN) + PAGE_BYTES);
}

static size_t share(size_t size, uint32_t workers)
{
	return size / workers / PAGE_BYTES * PAGE_BYTES;
}

static uint64_t ring_of(size_t size, uint32_t workers)
{
	return (share(size, workers) - journal_bytes(0)) / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES;
}

/// @return microseconds since 1970 at a moment that is near
static uint64_t wall_us(uint64_t tsc)
{
	const double away_us = (double)(int64_t)(tsc - pg_tsc()) * 1e6 / (double)pg_tsc_hz();
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)((double)now.tv_nsec / 1e3 + away_us + (double)now.tv_sec * 1e6);
}

void recording_open(const struct pg_gateway *g, const struct worker *w)
{
	const uint32_t workers = g->plan.worker_count;
	struct replication *replication = w->shard->replication;

	if (!g->recording)
		return;
	journal_open(&replication->journal, (uint8_t *)g->recording + w->number * share(g->recording_size, workers),
		     ring_of(g->recording_size, workers));
	for (uint32_t world = 0; world < replication->replicas; world++) {
		struct replica *replica = &replication->replica[world];

		replica->journaled = true;
		journal_part(replica->part, &replication->journal, (uint8_t)world, wall_us(replica->began),
			     1e6 / replica->plan->tick_hz);
	}
}

size_t pg_recording_read(const void *recording, size_t size, uint32_t workers, uint32_t worker, uint64_t last_us,
			 void *out, size_t *from)
{
	const uint8_t *memory = (const uint8_t *)recording + worker * share(size, workers);
	const size_t length = journal_read(memory, ring_of(size, workers), out, from);
	const size_t last = journal_last((const uint8_t *)out + *from, length, last_us, KNOWN_US);

	*from += last;
	return length - last;
}

// ---------------------------------------------------------------- done again

struct pg_replay {
	struct world_replay replay;
};

struct pg_replay *pg_replay_open(const void *bytes, size_t length, size_t memory_max)
{
	struct pg_replay *replay = calloc(1, sizeof(*replay));

	if (replay)
		replay_begin(&replay->replay, bytes, length, memory_max);
	return replay;
}

static uint32_t count_entities(const struct world_part *part)
{
	uint32_t count = 0;

	for (uint32_t rank = 0; rank < part->count; rank++)
		count += part->number[rank] != WORLD_NOBODY;
	return count;
}

enum pg_replay_step pg_replay_next(struct pg_replay *replay, struct pg_replay_frame *frame)
{
	struct replay_frame next;
	const enum replay_step step = replay_next(&replay->replay, &next);

	static_assert((int)PG_REPLAY_FRAME == REPLAY_FRAME && (int)PG_REPLAY_MEMORY == REPLAY_MEMORY, "the same");
	if (step == REPLAY_FRAME)
		*frame = (struct pg_replay_frame){
			.world = next.world,
			.tick = next.tick,
			.at_us = next.at_us,
			.entities = count_entities(replay->replay.parts[next.world].part),
			.differs = next.differs,
			.differs_from = next.differs_from,
		};
	return (enum pg_replay_step)step;
}

uint32_t pg_replay_entities(const struct pg_replay *replay, uint32_t world, struct pg_world_entity *out, uint32_t room)
{
	const struct world_part *part = world < PG_WORLDS_MAX ? replay->replay.parts[world].part : NULL;
	const struct world_frame *frame = part ? world_frame_at(part, world_published(part)) : NULL;
	uint32_t count = 0;

	for (uint32_t rank = 0; part && rank < part->count && count < room; rank++) {
		if (part->number[rank] == WORLD_NOBODY)
			continue;
		out[count++] = shown_entity(part, frame, rank);
	}
	return count;
}

void pg_replay_close(struct pg_replay *replay)
{
	replay_end(&replay->replay);
	free(replay);
}
