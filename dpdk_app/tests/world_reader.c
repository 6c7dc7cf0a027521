// SPDX-License-Identifier: BSD-3-Clause
// tests/world_reader.c: see world_reader.h.

#include "world_reader.h"

#include <stdlib.h>
#include <string.h>

#include "world_view.h"

#define EPOCH_AT 2 // in a body
#define NS_PER_TICK 16666667U

struct reader {
	struct world_view *view;
};

struct reader *reader_new(void)
{
	static const struct world_view_rules rules = {.extrapolate_ns = 250000000, .glimpses = 8};
	struct reader *reader = malloc(sizeof(*reader));

	if (!reader)
		return NULL;
	reader->view = malloc(world_view_size(&rules));
	if (!reader->view) {
		free(reader);
		return NULL;
	}
	world_view_make(reader->view, &rules);
	return reader;
}

void reader_free(struct reader *reader)
{
	free(reader->view);
	free(reader);
}

void reader_hear(struct reader *reader, const uint8_t *body, size_t length, uint32_t tick, uint32_t counter)
{
	const struct world_known world = {
		.epoch = body[EPOCH_AT],
		.tick_hz = 60,
		.slots = WORLD_SLOTS_MAX,
		.quantum_um = 10000,
		.tick = tick,
	};

	world_view_begin(reader->view, &world, counter);
	reader->view->news = (struct world_news){0};
	world_view_apply(reader->view, body, length, counter, (uint64_t)tick * NS_PER_TICK);
	reader->view->news = (struct world_news){0};
}

bool reader_entity(const struct reader *reader, unsigned slot, struct reader_entity *out)
{
	const struct world_slot *in = &reader->view->slot[slot];

	*out = (struct reader_entity){in->who.number, in->who.identity, in->who.sort};
	return in->occupied;
}

bool reader_place(const struct reader *reader, unsigned slot, uint32_t tick, int32_t position[3], int32_t velocity[3])
{
	const struct world_history *history = &reader->view->slot[slot].history;
	const uint32_t at = tick % WORLD_KEPT_TICKS;

	memcpy(position, history->spot[at].position, sizeof(history->spot[at].position));
	memcpy(velocity, history->spot[at].velocity, sizeof(history->spot[at].velocity));
	return history->there >> at & 1 && history->tick[at] == tick;
}

struct reader_counts reader_counts(const struct reader *reader)
{
	const struct world_counts *counts = &reader->view->counts;

	return (struct reader_counts){
		.other_epoch = counts->other_epoch,
		.malformed = counts->malformed,
		.decoded = counts->decoded,
		.undecodable = counts->undecodable,
		.impossible = counts->impossible,
		.late = counts->late,
	};
}
