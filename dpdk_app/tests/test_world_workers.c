// SPDX-License-Identifier: BSD-3-Clause
// test_world_workers.c: one worker looks at the part of another, which does not wait for it.
//
// What a reader gets is of one moment, is never written while it is read (with ThreadSanitizer: scripts/test), and nobody is in two
// slots.

#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "part_fixture.h"
#include "world/game_state.h"
#include "world/glimpses.h"
#include "world/grid.h"
#include "world/interest.h"
#include "world/kernels.h"
#include "world/reading.h"

#define CAPACITY 2048
#define PLAYERS 1000
#define TURNS 20000
#define BEHIND 16
#define AGES 4 // of which there are tables
#define SHIFT 10
#define CELL_SHIFT 12
#define RADIUS 3000
#define LEAVE_RADIUS 3300

struct worker {
	struct world_part *part;
	struct world_grid *grid;
	struct world_sweep *sweep;
	uint64_t random;
	uint32_t tick, given;
};

struct fixture {
	struct worker worker[2];
	struct world_parts parts;
	struct world_reading reading; // of the first worker
	struct world_interest *interest;
	struct world_glimpses *glimpses;
	atomic_bool ends;
	atomic_uint reranks;
};

struct onlooker {
	uint32_t has, reach, as_of[2];
	world_reference who[WORLD_SLOTS_MAX];
};

static void make_worker(struct worker *w, uint32_t first_number)
{
	struct world_part_plan plan = small_plan(CAPACITY);
	const struct world_grid_plan grid = {.size = {WALK_SIZE, WALK_SIZE}, .shift = SHIFT, .drift_max = 300};
	const struct world_sweep_plan sweep = {.size = {WALK_SIZE, WALK_SIZE}, .shift = CELL_SHIFT};
	struct world_grid_plan grid_plan = grid;
	struct world_sweep_plan sweep_plan = sweep;

	plan.readers = 2;
	plan.behind = BEHIND;
	plan.ages = AGES;
	w->part = make_part(&plan);
	grid_plan.part = sweep_plan.part = w->part;
	w->grid = world_grid_init(world_memory(world_grid_bytes(&grid_plan)), &grid_plan);
	w->sweep = world_sweep_init(world_memory(world_sweep_bytes(&sweep_plan)), &sweep_plan);
	w->tick = plan.first;
	w->given = first_number;
	w->random = first_number;
}

static void come(struct worker *w)
{
	const struct world_place place = {.x = (int32_t)drawn_below(&w->random, WALK_SIZE / 2),
					  .y = (int32_t)drawn_below(&w->random, WALK_SIZE / 2)};

	(void)world_part_add(w->part, w->given++, 0, WORLD_PLAYER, &place, 0);
}

static void somebody_moves(struct worker *w)
{
	const uint32_t rank = drawn_below(&w->random, w->part->count);
	const struct world_place place = {.x = (int32_t)drawn_below(&w->random, WALK_SIZE / 2),
					  .y = (int32_t)drawn_below(&w->random, WALK_SIZE / 2)};

	if (w->part->number[rank] != WORLD_NOBODY)
		world_part_move(w->part, rank, &place, 0);
}

static void write_tables(struct worker *w)
{
	if (!world_frame_at(w->part, w->tick)->records)
		return;
	for (uint32_t age = 1; age <= AGES; age++) {
		if (!world_has_frame(w->part, w->tick - age))
			continue;
		world_kernels_select("v2")->records(w->part, w->tick, age, 0, w->part->count);
		world_records_done(w->part, w->tick, age);
	}
}

static void tick(struct worker *w, bool ready)
{
	publish(w->part, ++w->tick, ready);
	world_grid_begin(w->grid);
	while (!world_grid_step(w->grid, 100))
		;
	write_tables(w);
	(void)world_grid_sort(w->grid, world_grid_sort_units(w->grid));
	(void)world_sweep_sort(w->sweep, world_sweep_sort_units(w->sweep));
}

/// The other worker: people come, leave and jump about, and ranks become others as often as they can.
static void *live(void *argument)
{
	struct fixture *f = argument;
	struct worker *w = &f->worker[1];

	while (!atomic_load(&f->ends)) {
		if (!world_part_can_begin(w->part, w->tick + 1)) {
			sched_yield();
			continue;
		}
		(void)world_rerank_begin(w->part);
		const bool ready = world_rerank_step(w->part, 2000);
		const uint32_t leaver = drawn_below(&w->random, w->part->count);

		for (unsigned i = 0; i < 20; i++)
			somebody_moves(w);
		if (w->part->number[leaver] != WORLD_NOBODY) {
			world_part_remove(w->part, leaver);
			come(w);
		}
		tick(w, ready);
		atomic_fetch_add(&f->reranks, w->part->reranked == w->tick);
	}
	return NULL;
}

static int setup(void **state)
{
	struct fixture *f = world_memory(sizeof(*f));
	const struct world_grid *grids[2];
	const struct world_sweep *sweeps[2];

	f->parts.count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct worker *w = &f->worker[i];

		make_worker(w, i << 18);
		for (unsigned j = 0; j < PLAYERS; j++)
			come(w);
		for (unsigned j = 0; j < 80; j++)
			tick(w, false);
		f->parts.part[i] = w->part;
		grids[i] = w->grid;
		sweeps[i] = w->sweep;
	}
	world_reading_init(&f->reading, &f->parts, 0);

	const struct world_interest_plan interest = {
		.parts = &f->reading.parts,
		.grid = grids,
		.neighbours = 32,
		.radius = RADIUS,
		.leave_radius = LEAVE_RADIUS,
		.hysteresis = WORLD_HYSTERESIS_ONE * 11 / 10,
	};
	const struct world_glimpses_plan glimpses = {
		.parts = &f->reading.parts, .sweep = sweeps, .radius = RADIUS, .glimpses = 12};

	f->interest = world_interest_init(world_memory(world_interest_bytes(&interest)), &interest);
	f->glimpses = world_glimpses_init(world_memory(world_glimpses_bytes(&glimpses)), &glimpses);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 2; i++) {
		free(f->worker[i].part);
		free(f->worker[i].grid);
		free(f->worker[i].sweep);
	}
	free(f->interest);
	free(f->glimpses);
	free(f);
	return 0;
}

static void follow(const struct fixture *f, struct onlooker *o)
{
	for (uint32_t left = o->has; left != 0; left &= left - 1) {
		const unsigned slot = (unsigned)__builtin_ctz(left), part = world_part_of(o->who[slot]);

		if (o->as_of[part] == f->interest->as_of[part])
			continue;
		const uint32_t rank = f->reading.parts.part[part]->becomes[world_rank_of(o->who[slot])];

		if (rank == WORLD_NOBODY)
			o->has &= ~(1U << slot);
		else
			o->who[slot] = world_refer(part, rank);
	}
	o->as_of[0] = f->interest->as_of[0];
	o->as_of[1] = f->interest->as_of[1];
}

static void check_slots(const struct onlooker *o)
{
	for (uint32_t left = o->has; left != 0; left &= left - 1) {
		const unsigned slot = (unsigned)__builtin_ctz(left);

		assert_true(world_part_of(o->who[slot]) < 2);
		assert_true(world_rank_of(o->who[slot]) < CAPACITY);
		for (uint32_t others = left & (left - 1); others != 0; others &= others - 1)
			assert_int_not_equal(o->who[slot], o->who[__builtin_ctz(others)]);
	}
}

static void take_choice(struct onlooker *o, const struct world_choice *choice)
{
	o->has &= ~choice->leaves;
	for (uint32_t i = 0; i < choice->enters; i++) {
		assert_true(o->has != UINT32_MAX);
		assert_true(choice->enter_distance2[i] <= RADIUS * RADIUS);
		const unsigned slot = (unsigned)__builtin_ctz(~o->has);

		o->who[slot] = choice->enter[i];
		o->has |= 1U << slot;
	}
	o->reach = choice->reach;
	check_slots(o);
}

static bool turn(const struct fixture *f, struct onlooker *o, uint32_t rank)
{
	const struct worker *w = &f->worker[0];
	const struct world_place here = world_place_at(world_frame_at(w->part, w->tick), rank);
	struct world_choice choice = {0};

	follow(f, o);
	const struct world_turn t = {here.x, here.y, here.z, rank, o->has, o->who, o->reach};

	if (!world_kernels_select("auto")->choose(f->interest, &t, &choice))
		return false;
	take_choice(o, &choice);
	return true;
}

static void test_other_worker_is_looked_at_while_it_writes(void **state)
{
	struct fixture *f = *state;
	static struct onlooker onlookers[64];
	pthread_t other;
	unsigned chosen = 0;

	memset(onlookers, 0, sizeof(onlookers));
	for (unsigned i = 0; i < COUNT(onlookers); i++)
		for (unsigned part = 0; part < 2; part++)
			onlookers[i].as_of[part] = f->parts.part[part]->reranked;
	world_read(&f->reading, f->worker[0].tick);
	assert_int_equal(pthread_create(&other, NULL, live, f), 0);
	for (unsigned i = 0; i < TURNS || atomic_load(&f->reranks) < 3; i++) {
		const uint32_t rank = i % COUNT(onlookers);

		if (rank == 0) {
			somebody_moves(&f->worker[0]);
			tick(&f->worker[0], false);
			world_read(&f->reading, f->worker[0].tick);
			world_interest_begin(f->interest);
		}
		chosen += turn(f, &onlookers[rank], rank);
	}
	atomic_store(&f->ends, true);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_true(chosen > TURNS / 2);
	for (unsigned part = 0; part < 2; part++)
		for (uint32_t rank = 0; rank < CAPACITY; rank++)
			assert_int_equal(f->interest->mark[part][rank], 0);
}

static void test_glimpses_of_the_other_worker_are_whole_while_it_writes(void **state)
{
	struct fixture *f = *state;
	pthread_t other;
	unsigned shown = 0;

	assert_int_equal(pthread_create(&other, NULL, live, f), 0);
	for (unsigned i = 0; i < 2000 || atomic_load(&f->reranks) < 3; i++) {
		tick(&f->worker[0], false);
		world_read(&f->reading, f->worker[0].tick);
		for (int32_t x = 0; x < WALK_SIZE; x += 1 << CELL_SHIFT) {
			const struct world_strips *strips = world_glimpses_at(f->glimpses, x, 5000, f->worker[0].tick);

			assert_true(strips->bytes <= WORLD_STRIPS_BYTES);
			shown += strips->glimpses;
		}
	}
	atomic_store(&f->ends, true);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_true(shown > 0);
}

/// Nobody who is told of is told wrongly: with no baseline, each in full, as of the frame that was read.
static void test_states_of_the_other_worker_are_of_one_frame(void **state)
{
	struct fixture *f = *state;
	static struct observer observer;
	pthread_t other;
	uint32_t told = 0;

	observer_begin(&observer, 1, f->worker[0].tick);
	assert_int_equal(pthread_create(&other, NULL, live, f), 0);
	for (unsigned i = 0; i < 4000 || atomic_load(&f->reranks) < 3; i++) {
		uint8_t body[1200];

		tick(&f->worker[0], false);
		world_read(&f->reading, f->worker[0].tick);
		observer_turn(&observer, &f->reading.parts, world_published(f->reading.parts.part[1]));
		for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++)
			if (!(observer.occupied >> slot & 1))
				observer_enter(&observer, &f->reading.parts, slot, world_refer(1, slot * 7));
		told += world_kernels_select("auto")->state(&observer, &f->reading.parts, i, body, sizeof(body)).fulls;
		observer_acknowledged(&observer, i, 1);
	}
	atomic_store(&f->ends, true);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_true(told > 0);
}

/// The game's own state of one, over and over: each byte of it is the same.
static void *say(void *argument)
{
	struct fixture *f = argument;

	for (uint32_t i = 1; !atomic_load(&f->ends); i++) {
		uint8_t bytes[WORLD_STATE_BYTES_MAX];

		memset(bytes, (int)(i & 0xff), sizeof(bytes));
		world_game_state_set(f->worker[1].part, 5, 55, bytes, (uint8_t)(1 + i % WORLD_STATE_BYTES_MAX));
	}
	return NULL;
}

static bool is_whole(const struct world_game_said *said)
{
	uint8_t bytes[WORLD_STATE_BYTES_MAX];

	memcpy(bytes, said->word, sizeof(bytes));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		if (bytes[i] != (i < said->length ? bytes[0] : 0))
			return false;
	return said->length <= sizeof(bytes);
}

static void test_what_games_say_is_read_whole_or_not_at_all(void **state)
{
	static struct world_game_state of[8];
	static const struct world_game_states states = {.count = 8, .of = of};
	struct fixture *f = *state;
	uint32_t version = 0;
	pthread_t other;

	f->worker[1].part->states = &states;
	assert_int_equal(pthread_create(&other, NULL, say, f), 0);
	for (unsigned read = 0; read < TURNS;) {
		struct world_game_said said;

		if (!world_game_state_read(f->worker[1].part, 5, 55, &said)) {
			sched_yield(); // it is under the pen
			continue;
		}
		assert_true(is_whole(&said));
		assert_true(said.version >= version);
		version = said.version;
		read++;
	}
	atomic_store(&f->ends, true);
	assert_int_equal(pthread_join(other, NULL), 0);
	f->worker[1].part->states = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_other_worker_is_looked_at_while_it_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_states_of_the_other_worker_are_of_one_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(test_glimpses_of_the_other_worker_are_whole_while_it_writes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_games_say_is_read_whole_or_not_at_all, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
