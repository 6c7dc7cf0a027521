// SPDX-License-Identifier: BSD-3-Clause
// test_world_records.c: a record says exactly where somebody is, and every level of the CPU writes the same one.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "isa.h"
#include "world/kernels.h"
#include "world/record.h"
#include "world_fixture.h"

#define COUNT_OF_WALKERS 300
#define CAPACITY 512
#define FIRST 100

static const char *const levels[] = {"v2", "v3", "v4"};

static void test_numbers_are_read_as_they_were_written(UNUSED void **state)
{
	uint8_t bytes[4096];
	struct bit_writer writer = bits_write(bytes);
	uint64_t seed = 1, value[400];
	unsigned width[400];

	for (unsigned i = 0; i < COUNT(value); i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		width[i] = (unsigned)(seed >> 40) % (BITS_AT_ONCE + 1);
		value[i] = seed & ((1ULL << width[i]) - 1);
		bits_put(&writer, value[i], width[i]);
	}

	const size_t length = (size_t)(bits_end(&writer) - bytes);
	struct bit_reader reader = bits_read(bytes, length);

	for (unsigned i = 0; i < COUNT(value); i++)
		assert_int_equal(bits_get(&reader, width[i]), value[i]);
	assert_int_equal((reader.at + 7) / 8, length);
	assert_false(bits_exceeded(&reader));
	reader.at = reader.end - 3;
	bits_get(&reader, 4);
	assert_true(bits_exceeded(&reader));
}

static void test_no_code_begins_another(UNUSED void **state)
{
	uint32_t room = 0;

	for (unsigned shape = 1; shape < WORLD_SHAPES; shape++) {
		const unsigned length = world_codes[shape] >> WORLD_SHAPE_BITS,
			       code = world_codes[shape] & WORLD_CODE_MASK;

		assert_uint_in_range(length, 1, WORLD_SHAPE_BITS);
		room += 1U << (WORLD_SHAPE_BITS - length);
		for (unsigned more = code; more <= WORLD_CODE_MASK; more += 1U << length)
			assert_int_equal(world_shapes[more], shape | length << 8);
	}
	assert_true(room <= 1U << WORLD_SHAPE_BITS);
	assert_int_equal(world_codes[0], 0);
}

static void reads_back(uint64_t record, const struct world_place *now, const struct world_place *base, uint32_t age,
		       unsigned shift)
{
	const uint64_t bits = record & WORLD_RECORD_MASK;
	struct bit_reader reader = bits_read((const uint8_t *)&bits, sizeof(bits));
	struct world_change change;

	assert_true(world_read_record(&reader, &change));
	assert_int_equal(reader.at, world_record_length(record));

	const struct world_place read = world_place_after(base, age, shift, &change);

	assert_memory_equal(&read, now, offsetof(struct world_place, vz) + sizeof(read.vz)); // without its padding
}

static void test_a_record_is_read_as_it_was_written(UNUSED void **state)
{
	uint64_t random = 7;
	unsigned records = 0;

	for (unsigned i = 0; i < 200000; i++) {
		struct world_place place[2];
		const uint32_t age = 1 + i % 31, wide = i % 13;
		const unsigned shift = i % (WORLD_VELOCITY_SHIFT_MAX + 1);

		memset(place, 0, sizeof(place));
		for (unsigned k = 0; k < 2; k++) {
			int32_t *const position[] = {&place[k].x, &place[k].y, &place[k].z};
			int16_t *const velocity[] = {&place[k].vx, &place[k].vy, &place[k].vz};

			for (unsigned axis = 0; axis < 3; axis++) {
				random = random * 6364136223846793005 + 1442695040888963407;
				*velocity[axis] = (int16_t)((random >> 33) & ((1U << wide) - 1));
				*position[axis] = (int32_t)(1000 + (random >> 48) % (1U << wide));
			}
		}

		const uint64_t record = world_record(&place[1], &place[0], age, shift);

		if (record == WORLD_NO_RECORD)
			continue;
		records++;
		reads_back(record, &place[1], &place[0], age, shift);
	}
	assert_uint_in_range(records, 50000, 199999);
}

static void test_who_goes_on_as_expected_costs_a_bit(UNUSED void **state)
{
	const struct world_place base = {.x = 100, .y = 200, .z = 300, .vx = 16, .vy = -9};
	const struct world_place now = {.x = 108, .y = 196, .z = 300, .vx = 16, .vy = -9}; // -4.5, half is up

	assert_int_equal(world_record(&now, &base, 4, 0), 1ULL << WORLD_RECORD_BITS);

	const struct world_place slow = {.x = 132, .y = 182, .z = 300, .vx = 16, .vy = -9}; // halves of a quantum: -18

	assert_int_equal(world_record(&slow, &base, 4, 2), 1ULL << WORLD_RECORD_BITS);
}

/// At 6 m/s, in quanta of a centimetre. In eighths of a quantum there is no record of it where ticks are long.
static void test_who_turns_around_has_a_record_however_long_ticks_are(UNUSED void **state)
{
	for (uint32_t tick_hz = 5; tick_hz <= 128; tick_hz++) {
		const unsigned shift = world_velocity_shift(tick_hz), parts = WORLD_VELOCITY_PARTS >> shift;
		const int16_t speed = (int16_t)(600 * parts / tick_hz);
		const struct world_place base = {.x = 5000, .vx = speed}, now = {.x = 5000, .vx = (int16_t)-speed};
		const uint64_t record = world_record(&now, &base, 1, shift);

		assert_true(record != WORLD_NO_RECORD);
		reads_back(record, &now, &base, 1, shift);
	}

	const struct world_place base = {.vx = 960}, now = {.vx = -960};

	assert_int_equal(world_record(&now, &base, 1, 0), WORLD_NO_RECORD);
}

static void test_velocities_are_coarser_where_ticks_are_longer(UNUSED void **state)
{
	static const struct {
		uint32_t tick_hz;
		unsigned shift;
	} rates[] = {{128, 0}, {48, 0}, {47, 1}, {24, 1}, {23, 2}, {12, 2}, {11, 3}, {4, 3}};

	for (unsigned i = 0; i < COUNT(rates); i++)
		assert_int_equal(world_velocity_shift(rates[i].tick_hz), rates[i].shift);
}

static void test_a_jump_has_no_record(UNUSED void **state)
{
	const struct world_place base = {.x = 100}, now = {.x = 5000};

	assert_int_equal(world_record(&now, &base, 1, 0), WORLD_NO_RECORD);
}

/// Of everybody who is there now, against a frame that may be in other ranks.
static void tables_are_right(const struct walkers *walkers, uint32_t tick, uint32_t age)
{
	const struct world_part *part = &walkers->part;
	const struct world_frame *frame = world_frame_at(part, tick), *before = world_frame_at(part, tick - age);
	const uint64_t *table = world_records_of(part, tick, age);

	assert_non_null(table);
	for (uint32_t rank = 0; rank < part->count; rank++) {
		const uint32_t was = world_rank_at(part, rank, tick - age);
		uint64_t record = WORLD_NO_RECORD;

		if (part->number[rank] != WORLD_NOBODY && was != WORLD_NOBODY) {
			const struct world_place now = world_place_at(frame, rank), base = world_place_at(before, was);

			record = world_record(&now, &base, age, part->velocity_shift);
		}
		assert_int_equal(table[rank], record);
	}
}

/// Walk for a while; some jump, come and go, and all change their ranks now and then.
static void check_level(const char *level)
{
	const struct world_kernels *kernels = world_kernels_select(level);
	struct walkers *walkers = walkers_make(CAPACITY, COUNT_OF_WALKERS, FIRST, 3);

	for (uint32_t tick = FIRST; tick < FIRST + 150; tick++) {
		if (tick % 50 == 0)
			walkers_rerank(walkers, tick);
		if (tick % 7 == 0)
			walkers_remove(walkers, tick % COUNT_OF_WALKERS / 2);
		if (tick % 11 == 0)
			walkers_add(walkers);
		walkers->of[tick % COUNT_OF_WALKERS / 2].x +=
			tick % 3 == 0 ? 0 : (double)(walkers_random(walkers) % 5000);
		walkers->part.velocity_shift = tick % (WORLD_VELOCITY_SHIFT_MAX + 1);
		walkers_publish(walkers, tick);
		walkers_tell(walkers, kernels, ~1U);
		for (uint32_t age = 1; world_has_frame(&walkers->part, tick - age); age++)
			tables_are_right(walkers, tick, age);
	}
	walkers_free(walkers);
}

static void test_every_level_writes_the_same_records(UNUSED void **state)
{
	unsigned checked = 0;

	for (unsigned i = 0; i < COUNT(levels); i++) {
		if (isa_level(levels[i]) == ISA_LEVELS)
			continue;
		assert_string_equal(world_kernels_select(levels[i])->isa, levels[i]);
		check_level(levels[i]);
		checked++;
	}
	assert_true(checked >= 1);
}

static void test_tables_of_another_frame_are_not_taken_for_this_one(UNUSED void **state)
{
	struct walkers *walkers = walkers_make(CAPACITY, 10, FIRST, 3);

	for (uint32_t tick = FIRST; tick < FIRST + 4; tick++) {
		walkers_publish(walkers, tick);
		walkers_tell(walkers, world_kernels_select("auto"), 1U << 1);
	}
	assert_non_null(world_records_of(&walkers->part, FIRST + 3, 1));
	assert_null(world_records_of(&walkers->part, FIRST + 2, 1)); // they may be written over from now on
	assert_null(world_records_of(&walkers->part, FIRST + 3, 2));
	assert_null(world_records_of(&walkers->part, FIRST + 4, 1));
	assert_null(world_records_of(&walkers->part, FIRST + 1, 1));
	walkers_free(walkers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_read_as_they_were_written),
		cmocka_unit_test(test_no_code_begins_another),
		cmocka_unit_test(test_a_record_is_read_as_it_was_written),
		cmocka_unit_test(test_who_goes_on_as_expected_costs_a_bit),
		cmocka_unit_test(test_who_turns_around_has_a_record_however_long_ticks_are),
		cmocka_unit_test(test_velocities_are_coarser_where_ticks_are_longer),
		cmocka_unit_test(test_a_jump_has_no_record),
		cmocka_unit_test(test_every_level_writes_the_same_records),
		cmocka_unit_test(test_tables_of_another_frame_are_not_taken_for_this_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
