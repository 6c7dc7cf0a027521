// SPDX-License-Identifier: BSD-3-Clause
// test_world_full.c: what is told of somebody is the same from a table, and in a pair, as by itself.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "part_fixture.h"
#include "world/full.h"

#define CAPACITY 256
#define FIRST 1000
#define PLAYERS 200

struct fixture {
	struct world_part *part;
	uint64_t random;
};

static int setup(void **state)
{
	const int32_t size[3] = {WALK_SIZE, WALK_SIZE, WALK_SIZE / 4};
	struct fixture *f = world_memory(sizeof(*f));
	struct world_part_plan plan = small_plan(CAPACITY);

	plan.fulls = true;
	f->part = make_part(&plan);
	for (uint32_t number = 0; number < PLAYERS; number++) {
		const struct world_place place = drawn_place(&f->random, size);

		world_part_add(f->part, number, UINT32_MAX - number, number % 2 ? WORLD_OTHER : WORLD_PLAYER, &place,
			       FIRST * WORLD_TOLD_PER_TICK);
	}
	world_part_remove(f->part, 7);
	publish(f->part, FIRST + 1, false);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->part);
	free(f);
	return 0;
}

static const struct full_body *written(const struct fixture *f)
{
	full_write(f->part, FIRST + 1, 0, PLAYERS / 2);
	full_write(f->part, FIRST + 1, PLAYERS / 2, f->part->count);
	world_records_done(f->part, FIRST + 1, 0);
	return full_table(f->part, FIRST + 1);
}

static void test_a_table_is_read_once_it_is_written(void **state)
{
	struct fixture *f = *state;

	assert_null(full_table(f->part, FIRST + 1));
	assert_non_null(written(f));
	publish(f->part, FIRST + 2, false);
	assert_null(full_table(f->part, FIRST + 1));
	assert_null(full_table(f->part, FIRST + 2));
}

static void test_nobody_is_in_a_hole(void **state)
{
	struct fixture *f = *state;
	const struct full_body *table = written(f);

	for (uint32_t rank = 0; rank < f->part->count; rank++)
		assert_int_equal(table[rank].is_there, rank != 7);
}

/// As PROTOCOL.md says that a FULL is.
static void check(struct bit_reader *reader, const struct fixture *f, uint32_t rank, unsigned slot)
{
	const struct world_place place = world_place_at(world_frame_at(f->part, FIRST + 1), rank);

	assert_int_equal(bits_get(reader, 5), slot);
	assert_int_equal(bits_get(reader, 2), WORLD_FULL);
	assert_int_equal(bits_get(reader, WORLD_NUMBER_BITS), rank);
	assert_int_equal(bits_get(reader, 32), UINT32_MAX - rank);
	assert_int_equal(bits_get(reader, 2), rank % 2 ? WORLD_OTHER : WORLD_PLAYER);
	assert_int_equal(bits_get(reader, WORLD_POSITION_BITS), place.x);
	assert_int_equal(bits_get(reader, WORLD_POSITION_BITS), place.y);
	assert_int_equal(bits_get(reader, WORLD_POSITION_BITS), place.z);
	assert_int_equal((int16_t)bits_get(reader, WORLD_VELOCITY_BITS), place.vx);
	assert_int_equal((int16_t)bits_get(reader, WORLD_VELOCITY_BITS), place.vy);
	assert_int_equal((int16_t)bits_get(reader, WORLD_VELOCITY_BITS), place.vz);
}

static void test_any_number_of_them_lies_as_specified(void **state)
{
	struct fixture *f = *state;
	const struct full_body *table = written(f), *body[WORLD_SLOTS_MAX];
	uint8_t bytes[WORLD_SLOTS_MAX * FULL_PAIR_BYTES + BITS_SLACK];

	for (unsigned n = 0; n <= WORLD_SLOTS_MAX; n++) {
		const uint8_t *end;
		struct bit_reader reader;

		for (unsigned i = 0; i < n; i++)
			body[i] = &table[8 + 5 * i];
		memset(bytes, 0xff, sizeof(bytes));
		end = full_put_all(bytes, body, n);
		assert_int_equal(end - bytes, (n * FULL_BITS + 7) / 8);
		reader = bits_read(bytes, (size_t)(end - bytes));
		for (unsigned i = 0; i < n; i++)
			check(&reader, f, 8 + 5 * i, i);
		while (reader.at < reader.end)
			assert_int_equal(bits_get(&reader, 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_table_is_read_once_it_is_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_is_in_a_hole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_number_of_them_lies_as_specified, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
