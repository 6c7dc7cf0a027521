// SPDX-License-Identifier: BSD-3-Clause
// test_world_journal.c: whoever does again what a journal says gets the frames that were published, to the bit.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "part_fixture.h"
#include "world/game_state.h"
#include "world/journal.h"
#include "world/own.h"
#include "world/replay.h"

#define CAPACITY 1024
#define FIRST 1000
#define NUMBERS 900
#define RING (32 * JOURNAL_BLOCK_BYTES)
#define RERANK_TICKS 100
#define FIRST_US 1790000000000000ULL
#define TICK_US 20000
#define MEMORY_MAX (192UL << 20) // 48 MiB for the states of a part

/// A part that lives, as a worker has it.
struct life {
	struct world_part *part;
	struct world_game_states states;
	struct world_game_state state[NUMBERS];
	uint32_t rank[NUMBERS]; // of a number; WORLD_NOBODY
	uint32_t ranked[NUMBERS];
	uint32_t tick;
	bool sorts;
};

struct fixture {
	uint64_t random;
	struct world_journal journal;
	void *memory;
	struct life life[2];
	uint8_t *copy;
	size_t from, length;
	struct world_replay replay;
};

static void make_life(struct fixture *f, uint8_t world)
{
	struct world_part_plan plan = small_plan(CAPACITY);
	struct life *life = &f->life[world];

	plan.velocity_shift = 3U * world; // of one of them
	life->part = make_part(&plan);
	memset(life->state, 0, sizeof(life->state));
	life->states = (struct world_game_states){.count = NUMBERS, .of = life->state};
	life->part->states = &life->states;
	life->tick = plan.first;
	memset(life->rank, 0xff, sizeof(life->rank));
	journal_part(life->part, &f->journal, world, FIRST_US, TICK_US);
}

static int setup(void **state)
{
	struct fixture *f = world_memory(sizeof(*f));

	f->random = 7;
	f->memory = world_memory(journal_bytes(RING));
	f->copy = world_memory(RING);
	journal_open(&f->journal, f->memory, RING);
	make_life(f, 0);
	make_life(f, 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	replay_end(&f->replay);
	free(f->life[0].part);
	free(f->life[1].part);
	free(f->copy);
	free(f->memory);
	free(f);
	return 0;
}

// ---------------------------------------------------------------- a life

static uint32_t told_now(struct fixture *f, const struct life *life)
{
	return life->tick * WORLD_TOLD_PER_TICK + drawn_below(&f->random, WORLD_TOLD_PER_TICK);
}

/// Its game says something of somebody, or nothing any more.
static void say(struct fixture *f, const struct life *life, uint32_t number)
{
	uint8_t state[WORLD_STATE_BYTES_MAX];

	for (unsigned i = 0; i < sizeof(state); i++)
		state[i] = (uint8_t)drawn(&f->random);
	world_game_state_set(life->part, number, number + 1000, state,
			     (uint8_t)drawn_below(&f->random, WORLD_STATE_BYTES_MAX + 1));
}

/// Somebody comes, moves, says something, or goes.
static void change(struct fixture *f, struct life *life)
{
	const int32_t size[3] = {WALK_SIZE, WALK_SIZE, WALK_SIZE / 4};
	const uint32_t number = drawn_below(&f->random, NUMBERS);
	struct world_place place = drawn_place(&f->random, size);

	for (unsigned axis = 0; axis < 3; axis++)
		place.beyond[axis] = (int8_t)drawn(&f->random);
	if (life->rank[number] == WORLD_NOBODY) {
		life->rank[number] =
			world_part_add(life->part, number, number + 1000, WORLD_PLAYER, &place, told_now(f, life));
		life->ranked[number] = life->part->reranked;
		return;
	}
	life->rank[number] = world_rank_now(life->part, life->rank[number], &life->ranked[number]);
	if (drawn_below(&f->random, 16) != 0) {
		world_part_move(life->part, life->rank[number], &place, told_now(f, life));
		if (drawn_below(&f->random, 4) == 0)
			say(f, life, number);
		return;
	}
	world_part_remove(life->part, life->rank[number]);
	world_game_state_clear(life->part, number);
	life->rank[number] = WORLD_NOBODY;
}

static void change_some(struct fixture *f, struct life *life)
{
	for (uint32_t n = drawn_below(&f->random, 40); n > 0; n--)
		change(f, life);
}

/// Everybody's rank of before is heard of in time.
static void hear(struct life *life)
{
	for (uint32_t number = 0; number < NUMBERS; number++)
		if (life->rank[number] != WORLD_NOBODY)
			life->rank[number] = world_rank_now(life->part, life->rank[number], &life->ranked[number]);
}

/// A tick, cut into steps, with changes between any two.
static void live(struct fixture *f, struct life *life)
{
	const uint32_t reranked = life->part->reranked;
	const bool ready = life->sorts && world_rerank_step(life->part, drawn_below(&f->random, 3000));

	change_some(f, life);
	life->sorts = life->sorts && !ready;
	world_part_begin(life->part, ++life->tick, ready);
	do
		change_some(f, life);
	while (!world_part_step(life->part, 1 + drawn_below(&f->random, 500)));
	if (life->part->reranked != reranked) {
		hear(life);
		assert_true(journal_slices_begin(life->part));
	}
	if (life->tick - life->part->reranked >= RERANK_TICKS && !life->sorts)
		life->sorts = world_rerank_begin(life->part);
	(void)journal_slices_step(life->part, 40);
}

static void live_on(struct fixture *f, unsigned ticks)
{
	while (ticks-- > 0) {
		live(f, &f->life[0]);
		live(f, &f->life[1]);
	}
}

static void read_ring(struct fixture *f)
{
	size_t from;

	f->length = journal_read(f->memory, RING, f->copy, &from);
	f->from = from;
	replay_end(&f->replay);
	replay_begin(&f->replay, f->copy + from, f->length, MEMORY_MAX);
}

static void same_states(const struct world_part *was, const struct world_part *is)
{
	struct world_game_said one, other;

	for (uint32_t rank = 0; rank < was->count; rank++) {
		if (was->number[rank] == WORLD_NOBODY)
			continue;
		assert_true(world_game_state_read(was, was->number[rank], was->identity[rank], &one));
		assert_true(world_game_state_read(is, is->number[rank], is->identity[rank], &other));
		assert_int_equal(one.length, other.length);
		assert_memory_equal(one.word, other.word, one.length);
	}
}

static void same_frame(const struct world_part *was, const struct world_part *is, uint32_t tick)
{
	const struct world_frame *one = world_frame_at(was, tick), *other = world_frame_at(is, tick);
	const uint32_t count = was->count;

	assert_int_equal(count, is->count);
	assert_memory_equal(one->x, other->x, count * sizeof(*one->x));
	assert_memory_equal(one->y, other->y, count * sizeof(*one->y));
	assert_memory_equal(one->z, other->z, count * sizeof(*one->z));
	assert_memory_equal(one->vx, other->vx, count * sizeof(*one->vx));
	assert_memory_equal(one->vy, other->vy, count * sizeof(*one->vy));
	assert_memory_equal(one->vz, other->vz, count * sizeof(*one->vz));
	assert_memory_equal(was->number, is->number, count * sizeof(*was->number));
	same_states(was, is);
}

/// @return frames that were compared
static unsigned replay_all(struct fixture *f)
{
	struct replay_frame frame;
	enum replay_step step;
	unsigned frames = 0;

	while ((step = replay_next(&f->replay, &frame)) == REPLAY_FRAME) {
		assert_false(frame.differs);
		frames++;
	}
	assert_int_equal(step, REPLAY_END);
	return frames;
}

// ---------------------------------------------------------------- tests

static void test_frames_come_out_as_they_were_published(void **state)
{
	struct fixture *f = *state;

	live_on(f, 40);
	read_ring(f);
	assert_int_equal(replay_all(f), 80);
	for (unsigned world = 0; world < 2; world++) {
		assert_int_equal(f->replay.parts[world].at_us, FIRST_US + 40 * TICK_US);
		same_frame(f->life[world].part, f->replay.parts[world].part, f->life[world].tick);
	}
}

static void test_who_knows_nobody_yet_begins_where_all_were_written_down(void **state)
{
	struct fixture *f = *state;
	unsigned frames;

	live_on(f, 2000);
	assert_true(f->journal.written > 2 * RING);
	read_ring(f);
	assert_true(f->length < RING);
	frames = replay_all(f);
	assert_in_range(frames, 60, 4000 - 1);
	for (unsigned world = 0; world < 2; world++)
		same_frame(f->life[world].part, f->replay.parts[world].part, f->life[world].tick);
}

static void test_the_last_seconds_are_enough_to_know_everybody(void **state)
{
	struct fixture *f = *state;
	const uint64_t known_us = (RERANK_TICKS + 60) * TICK_US;
	size_t from;
	unsigned frames;

	live_on(f, 2000);
	read_ring(f);
	assert_int_equal(journal_last(f->copy + f->from, f->length, UINT32_MAX, known_us), 0);
	from = journal_last(f->copy + f->from, f->length, 50 * TICK_US, known_us);
	assert_true(from > 0);
	replay_begin(&f->replay, f->copy + f->from + from, f->length - from, MEMORY_MAX);
	frames = replay_all(f);
	assert_in_range(frames, 2 * 50, 2 * (50 + RERANK_TICKS + 60 + 20));
}

static void test_at_whatever_moment_it_is_read(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 200; i++) {
		live_on(f, 1 + drawn_below(&f->random, 30));
		read_ring(f);
		(void)replay_all(f);
	}
}

static void test_a_worker_goes_on_where_another_one_died(void **state)
{
	struct fixture *f = *state;

	live_on(f, 300);
	change_some(f, &f->life[0]);
	free(f->life[0].part);
	free(f->life[1].part);
	f->life[0].sorts = f->life[1].sorts = false;
	journal_open(&f->journal, f->memory, RING);
	make_life(f, 0);
	make_life(f, 1);
	live_on(f, 20);
	read_ring(f);
	assert_true(replay_all(f) >= 40);
	same_frame(f->life[0].part, f->replay.parts[0].part, f->life[0].tick);
}

static void test_what_was_changed_afterwards_differs(void **state)
{
	struct fixture *f = *state;
	struct journal_move move;
	struct replay_frame frame;
	size_t at = sizeof(struct journal_part) * 2;
	enum replay_step step;

	live_on(f, 20);
	read_ring(f);
	// The first of all who came stood still somewhere else.
	at += sizeof(struct journal_add);
	memcpy(&move, f->copy + at, sizeof(move));
	assert_int_equal(move.word.kind, JOURNAL_MOVE);
	move.place.x ^= 1 << WORLD_UNIT_BITS;
	memcpy(f->copy + at, &move, sizeof(move));
	while ((step = replay_next(&f->replay, &frame)) == REPLAY_FRAME && !frame.differs)
		;
	assert_int_equal(step, REPLAY_FRAME);
	assert_int_equal(frame.differs_from, 0);
	assert_int_equal(frame.tick, FIRST + 1);
}

/// The first state in what was read.
static struct journal_state *state_at(const struct fixture *f)
{
	union journal_entry entry;
	size_t at = 0, bytes;

	while ((bytes = journal_entry_at(f->copy + f->from, f->length, at, &entry)) != 0) {
		if (entry.word.kind == JOURNAL_STATE)
			return (struct journal_state *)(void *)(f->copy + f->from + at);
		at += bytes;
	}
	fail_msg("nobody has a state");
	return NULL;
}

static void test_what_cannot_have_been_done_is_no_journal(void **state)
{
	struct fixture *f = *state;
	struct replay_frame frame;
	struct journal_part part;

	live_on(f, 5);
	read_ring(f);
	f->copy[0] = JOURNAL_KINDS;
	assert_int_equal(replay_next(&f->replay, &frame), REPLAY_BROKEN);
	read_ring(f);
	memcpy(&part, f->copy, sizeof(part));
	part.capacity += 1;
	memcpy(f->copy, &part, sizeof(part));
	assert_int_equal(replay_next(&f->replay, &frame), REPLAY_BROKEN);
	read_ring(f);
	f->replay.memory_left = 4096;
	assert_int_equal(replay_next(&f->replay, &frame), REPLAY_MEMORY);
	read_ring(f);
	state_at(f)->word.more = WORLD_STATE_BYTES_MAX + 1;
	while (replay_next(&f->replay, &frame) == REPLAY_FRAME)
		;
	assert_int_equal(replay_next(&f->replay, &frame), REPLAY_BROKEN);
	read_ring(f);
	f->replay.length -= 1;
	while (replay_next(&f->replay, &frame) == REPLAY_FRAME)
		;
	assert_int_equal(replay_next(&f->replay, &frame), REPLAY_BROKEN);
}

static void test_memory_that_says_what_cannot_be_is_not_read(void **state)
{
	struct fixture *f = *state;
	struct journal_head *head = f->memory;
	size_t from;

	live_on(f, 5);
	head->bytes = UINT64_MAX;
	assert_int_equal(journal_read(f->memory, RING, f->copy, &from), 0);
	head->bytes = RING;
	head->written = 0;
	assert_int_equal(journal_read(f->memory, RING, f->copy, &from), 0);
	head->written = UINT64_MAX;
	(void)journal_read(f->memory, RING, f->copy, &from);
	assert_true(from <= RING);
	// A worker that finds another version there begins anew.
	head->version++;
	journal_open(&f->journal, f->memory, RING);
	assert_int_equal(f->journal.written, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_frames_come_out_as_they_were_published, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_knows_nobody_yet_begins_where_all_were_written_down, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_the_last_seconds_are_enough_to_know_everybody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_at_whatever_moment_it_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_worker_goes_on_where_another_one_died, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_was_changed_afterwards_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_have_been_done_is_no_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_that_says_what_cannot_be_is_not_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
