// SPDX-License-Identifier: BSD-3-Clause
// tests/world_reader.c: the client's own table of who is in sight.

#include "world_reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/world_view.h"

struct world_reader {
	struct world_view view; // its glimpses follow: none
};

struct world_reader *world_reader_make(void)
{
	static const struct world_view_rules rules = {.glimpses = 0};
	struct world_reader *reader = calloc(1, sizeof(*reader));

	assert(reader);
	world_view_make(&reader->view, &rules);
	return reader;
}

void world_reader_free(struct world_reader *reader)
{
	free(reader);
}

void world_reader_take(struct world_reader *reader, uint32_t tick, const uint8_t *body, size_t length,
		       uint32_t datagram)
{
	const struct world_known world = {
		.any = true,
		.epoch = body[offsetof(struct world_state, epoch)],
		.tick_hz = 60,
		.slots = WORLD_SLOTS_MAX,
		.quantum_um = 10000,
		.tick = tick,
	};

	world_view_begin(&reader->view, &world, datagram);
	world_view_apply(&reader->view, body, length, datagram, (uint64_t)tick * 16666667);
	reader->view.news = (struct world_news){0};
}

uint32_t world_reader_number(const struct world_reader *reader, unsigned slot)
{
	return reader->view.slot[slot].occupied ? reader->view.slot[slot].who.number : UINT32_MAX;
}

uint8_t world_reader_state(const struct world_reader *reader, unsigned slot, const uint8_t **state)
{
	const struct world_slot *in = &reader->view.slot[slot];

	*state = in->game.data;
	return in->game_any ? in->game.bytes : 0;
}

const int32_t *world_reader_place(const struct world_reader *reader, unsigned slot, uint32_t tick)
{
	const struct world_history *history = &reader->view.slot[slot].history;
	const uint32_t at = tick % WORLD_KEPT_TICKS;

	if (!(history->there >> at & 1) || history->tick[at] != tick)
		return NULL;
	static_assert(offsetof(struct world_spot, velocity) == 12, "position, then velocity");
	return history->spot[at].position;
}

uint64_t world_reader_refused(const struct world_reader *reader)
{
	return reader->view.counts.malformed + reader->view.counts.impossible;
}
