// SPDX-License-Identifier: BSD-3-Clause
// fuzz_world.c: a row of WORLDs and WORLD_STATEs, whatever is in them: nothing is read that is not there, and who is shown is
// somewhere.
//
// The input is a row of steps: what it is, how long its body is (u8), and the body. Ticks and epochs are the input's own.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world_view.h"

#define NS_PER_STEP 16666667U
#define WORLD_BYTES 6 // of a step that begins a world

enum step { STEP_STATE, STEP_LATE, STEP_WORLD, STEP_WAIT, STEPS };

struct play {
	struct world_view *view;
	uint64_t now;
	uint32_t datagram;
};

/// Who is told of is somebody else than before, and all of it is where it can be.
static void look(const struct play *play)
{
	const struct world_view *view = play->view;

	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++) {
		if (!view->slot[slot].occupied)
			continue;

		const struct world_seen seen = world_view_seen(view, slot, play->now);

		if (view->slot[slot].history.there == 0 || !isfinite(seen.position[0]) || !isfinite(seen.position[1]) ||
		    !isfinite(seen.position[2]) || !(seen.beyond >= 0))
			abort();
	}
	for (size_t i = 0; i < (size_t)view->glimpse_sets * GLIMPSE_WAYS; i++) {
		const struct world_glimpsed *glimpse = &view->glimpse[i];

		if (glimpse->number != WORLD_UNKNOWN &&
		    ((uint32_t)(glimpse->x | glimpse->y) >> WORLD_POSITION_BITS != 0 ||
		     !isfinite(world_view_age(view, glimpse->tick, play->now))))
			abort();
	}
}

static void begin(struct play *play, const uint8_t *body, size_t length)
{
	struct world_known world = {.tick_hz = 60, .cell_shift = 12, .slots = WORLD_SLOTS_MAX, .quantum_um = 10000};

	if (length < WORLD_BYTES)
		return;
	world.epoch = body[0];
	world.tick_hz = body[1] ? body[1] : 1;
	if (body[2] >= CELL_SHIFT_MIN && body[2] <= WORLD_POSITION_BITS)
		world.cell_shift = body[2];
	memcpy(&world.tick, body + 2, sizeof(world.tick));
	world_view_begin(play->view, &world, play->datagram);
}

static void apply(struct play *play, const uint8_t *body, size_t length, bool late)
{
	uint8_t *exact = malloc(length ? length : 1); // one byte too far is seen

	memcpy(exact, body, length);
	world_view_apply(play->view, exact, length, late ? play->datagram - 3 : ++play->datagram, play->now);
	free(exact);
}

static void run_step(struct play *play, uint8_t step, const uint8_t *body, size_t length)
{
	play->view->news = (struct world_news){0};
	switch (step % STEPS) {
	case STEP_WORLD:
		play->datagram++;
		begin(play, body, length);
		break;
	case STEP_WAIT:
		play->now += (uint64_t)length * NS_PER_STEP;
		break;
	default:
		apply(play, body, length, step % STEPS == STEP_LATE);
		play->now += NS_PER_STEP;
		break;
	}
	look(play);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct world_view_rules rules = {.extrapolate_ns = 250000000, .glimpses = 16};
	struct play play = {.view = malloc(world_view_size(&rules)), .now = NS_PER_STEP};

	if (!play.view)
		abort();
	world_view_make(play.view, &rules);
	begin(&play, (const uint8_t[WORLD_BYTES]){3, 60}, WORLD_BYTES);
	while (size >= 2) {
		const size_t length = data[1] < size - 2 ? data[1] : size - 2;

		run_step(&play, data[0], data + 2, length);
		data += 2 + length;
		size -= 2 + length;
	}
	free(play.view);
	return 0;
}
