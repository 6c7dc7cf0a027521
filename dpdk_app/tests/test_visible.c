// SPDX-License-Identifier: BSD-3-Clause
// test_visible.c: the table of spare numbers: whose each is, and that none is ever an issued session's, too.

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "issuer.h"
#include "rig.h"
#include "session/visible.h"

#define SLOTS 4096

static bool enter(const struct issuer *o, uint32_t slot, unsigned place, uint32_t bits)
{
	const uint32_t random[3] = {bits, 5, 6};

	return visible_enter(&o->parts.visible, &o->parts.numbers, o->parts.records, &o->parts.issuing->used, slot,
			     &o->parts.visible.of[slot].place[place], random);
}

static uint32_t bits_of(uint64_t *seed)
{
	return random_below(seed, 1U << 16) << 16 | random_below(seed, 1U << 16);
}

/// Of a gateway that has as few numbers as there can be for its slots.
static struct issuer issuer_of_few_numbers(void)
{
	struct issuer o = issuer_open(SLOTS);

	assert_int_equal(session_gateway_bits_most(SLOTS), 16);
	assert_int_equal(pg_state_gateway(o.state, 16, 0, &issuer_error), PG_OK);
	o.parts = state_parts(o.state);
	return o;
}

static void a_spare_is_found_until_it_is_taken_out(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	struct visible_number *place = &o.parts.visible.of[3].place[1];

	assert_int_equal(visible_find(&o.parts.visible, 0x123456), VISIBLE_NOBODY);
	assert_true(enter(&o, 3, 1, 0x123456));
	assert_int_equal(place->number, 0x123456);
	assert_int_equal(place->offset[0], 5);
	assert_int_equal(place->offset[1], 6);
	assert_int_equal(visible_find(&o.parts.visible, 0x123456), 3);
	assert_true(visible_is_entered(&o.parts.visible, 3, place));
	assert_int_equal(visible_find(&o.parts.visible, 0x223456), VISIBLE_NOBODY); // whose place it would be, too
	visible_remove(&o.parts.visible, 3, place);
	assert_int_equal(place->number, 0);
	assert_int_equal(visible_find(&o.parts.visible, 0x123456), VISIBLE_NOBODY);
	issuer_close(&o);
}

static void a_place_is_never_taken_from_somebody_else(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	struct visible_number others;

	assert_true(enter(&o, 3, 1, 0x123456));
	assert_false(enter(&o, 4, 1, 0x123456));
	assert_false(enter(&o, 4, 1, 0x223456));
	assert_int_equal(o.parts.visible.of[4].place[1].number, 0);
	others = o.parts.visible.of[3].place[1];
	visible_remove(&o.parts.visible, 4, &others);
	assert_int_equal(visible_find(&o.parts.visible, 0x123456), 3);
	issuer_close(&o);
}

static void a_spare_is_of_its_gateway_and_never_0(void **state UNUSED)
{
	struct issuer o = issuer_open(10);

	assert_int_equal(pg_state_gateway(o.state, 0, 0, &issuer_error), PG_OK);
	o.parts = state_parts(o.state);
	assert_false(enter(&o, 3, 1, 0));
	assert_int_equal(pg_state_gateway(o.state, 12, 0xabc, &issuer_error), PG_OK);
	o.parts = state_parts(o.state);
	assert_true(enter(&o, 3, 1, 0x12345678));
	assert_int_equal(o.parts.visible.of[3].place[1].number, 0xabc45678);
	issuer_close(&o);
}

/// Three for every slot, of a gateway that has sixteen numbers for each, one of which is issued.
static void there_are_spares_for_all_and_none_is_issued(void **state UNUSED)
{
	struct issuer o = issuer_of_few_numbers();
	uint64_t seed = 1;

	for (uint32_t player = 1; player <= SLOTS; player++)
		assert_int_not_equal(issue(&o, player), 0);
	for (unsigned place = 0; place < VISIBLE_PLACES; place++)
		for (uint32_t slot = 0; slot < SLOTS; slot++) {
			unsigned draws = 0;

			while (!enter(&o, slot, place, bits_of(&seed)))
				assert_true(draws++ < 256);
		}
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		for (unsigned place = 0; place < VISIBLE_PLACES; place++) {
			const uint32_t number = o.parts.visible.of[slot].place[place].number;

			assert_int_equal(visible_find(&o.parts.visible, number), slot);
			assert_int_not_equal(o.parts.records[session_slot(&o.parts.numbers, number)].number, number);
		}
	issuer_close(&o);
}

static void a_session_is_never_issued_under_a_spare(void **state UNUSED)
{
	struct issuer o = issuer_of_few_numbers();
	uint64_t seed = 1;

	for (uint32_t slot = 0; slot < SLOTS; slot++)
		for (unsigned place = 0; place < VISIBLE_PLACES; place++)
			while (!enter(&o, slot, place, bits_of(&seed)))
				continue;
	for (uint32_t player = 1; player <= 4 * SLOTS; player++) {
		const uint32_t session = issue(&o, player);

		assert_int_not_equal(session, 0);
		assert_int_equal(visible_find(&o.parts.visible, session), VISIBLE_NOBODY);
		assert_int_equal(record_of(&o, session)->number, session);
		if (player > SLOTS / 2) // so that slots are issued again and again
			assert_true(pg_session_revoke(o.state, session));
	}
	issuer_close(&o);
}

#define ISSUED 200000

/// A worker that draws, again and again, the very number that is issued next.
struct drawing {
	struct issuer o;
	atomic_bool over;
	atomic_uint given, twice; // and of these, an issued session's
};

static void *draw_the_next(void *of)
{
	struct drawing *drawing = of;
	const struct session_record *record = drawing->o.parts.records;

	while (!drawing->over) {
		const uint32_t last = __atomic_load_n(&record->number, __ATOMIC_RELAXED);
		const uint32_t next = session_number_next(&drawing->o.parts.numbers, 0, last);

		if (!enter(&drawing->o, 0, 1, next))
			continue;
		drawing->given++;
		for (unsigned i = 0; i < 50; i++)
			drawing->twice += record_session(record) == next;
		visible_remove(&drawing->o.parts.visible, 0, &drawing->o.parts.visible.of[0].place[1]);
	}
	return NULL;
}

static void whoever_gives_and_whoever_issues_at_once_take_different_numbers(void **state UNUSED)
{
	static struct drawing drawing;
	pthread_t worker;

	drawing.o = issuer_open(1);
	assert_int_not_equal(issue(&drawing.o, 1), 0);
	assert_int_equal(pthread_create(&worker, NULL, draw_the_next, &drawing), 0);
	for (uint32_t player = 2; player < ISSUED || drawing.given == 0; player++) {
		assert_true(pg_session_revoke(drawing.o.state, drawing.o.parts.records[0].session));
		assert_int_not_equal(issue(&drawing.o, player), 0);
	}
	drawing.over = true;
	assert_int_equal(pthread_join(worker, NULL), 0);
	assert_int_equal(drawing.twice, 0);
	issuer_close(&drawing.o);
}

/// A worker that lost its mind does not keep the supervisor from issuing.
static void a_table_full_of_one_slots_numbers_ends_no_issuing(void **state UNUSED)
{
	struct issuer o = issuer_open(1);
	const uint32_t number = session_number_next(&o.parts.numbers, 0, 0);

	for (uint32_t i = 0; i <= o.parts.visible.mask; i++)
		o.parts.visible.table[i] = 1ULL << 32 | number;
	assert_int_not_equal(issue(&o, 1), 0);
	issuer_close(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spare_is_found_until_it_is_taken_out),
		cmocka_unit_test(a_place_is_never_taken_from_somebody_else),
		cmocka_unit_test(a_spare_is_of_its_gateway_and_never_0),
		cmocka_unit_test(there_are_spares_for_all_and_none_is_issued),
		cmocka_unit_test(a_session_is_never_issued_under_a_spare),
		cmocka_unit_test(whoever_gives_and_whoever_issues_at_once_take_different_numbers),
		cmocka_unit_test(a_table_full_of_one_slots_numbers_ends_no_issuing),
	};

	return cmocka_run_group_tests_name("visible", tests, NULL, NULL);
}
