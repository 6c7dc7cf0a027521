// SPDX-License-Identifier: BSD-3-Clause
// test_session_numbers.c: what is in a session's number: the gateway, where all find it; a slot; a generation.

#include "unit.h"

#include <string.h>

#include "issuer.h"
#include "rig.h"
#include "session/store.h"

#define CASES 20000

/// Any capacity, with any gateway that fits beside it.
struct numbering {
	uint32_t slots, bits, id;
	struct session_numbers numbers;
};

static struct numbering any_numbering(uint64_t *seed)
{
	struct numbering n;

	n.slots = 1 + random_below(seed, 1U << random_below(seed, 21));
	n.bits = random_below(seed, session_gateway_bits_most(n.slots) + 1);
	n.id = random_below(seed, 1U << n.bits);
	assert_true(session_numbers_fit(n.slots, n.bits, n.id));
	n.numbers = session_numbers(n.slots, n.bits, n.id);
	return n;
}

/// The n-th number of a slot, by the layout that PROTOCOL.md has.
static uint32_t number_of(const struct numbering *n, uint32_t slot, uint32_t generation)
{
	uint64_t number = n->id;
	uint32_t slot_bits = 0;

	while (1U << slot_bits < n->slots)
		slot_bits++;
	number = number << (32 - n->bits - slot_bits) | generation;
	number = number << slot_bits | slot;
	assert_true(number <= UINT32_MAX);
	return (uint32_t)number;
}

static void a_number_has_the_gateway_on_top_then_the_generation_then_the_slot(void **state UNUSED)
{
	uint64_t seed = 1;

	for (unsigned i = 0; i < CASES; i++) {
		const struct numbering n = any_numbering(&seed);
		const uint32_t slot = random_below(&seed, n.slots);
		const uint32_t first = session_number_next(&n.numbers, slot, 0);
		const uint32_t second = session_number_next(&n.numbers, slot, first);

		assert_int_equal(first, number_of(&n, slot, 1));
		assert_int_equal(second, number_of(&n, slot, 2));
		assert_int_equal(session_slot(&n.numbers, second), slot);
		assert_false(session_is_foreign(&n.numbers, second));
	}
}

static void with_8_bits_the_eighth_byte_of_a_datagram_is_the_gateway(void **state UNUSED)
{
	static const uint32_t capacities[] = {1, 2, 1000, 65536, SESSION_SLOTS_MAX};

	for (unsigned i = 0; i < COUNT(capacities); i++)
		for (uint32_t id = 0; id < 256; id++) {
			const struct session_numbers numbers = session_numbers(capacities[i], 8, id);
			const struct session_header header = {
				.session = session_number_next(&numbers, capacities[i] - 1, 0)};
			uint8_t datagram[sizeof(header)];

			memcpy(datagram, &header, sizeof(header));
			assert_int_equal(datagram[7], id);
		}
}

static void generations_begin_again_behind_the_last_and_none_is_0(void **state UNUSED)
{
	const struct numbering n = {SESSION_SLOTS_MAX, 8, 0, session_numbers(SESSION_SLOTS_MAX, 8, 0)};
	uint32_t number = 0;

	for (uint32_t generation = 1; generation < 1U << SESSION_GENERATION_BITS_MIN; generation++) {
		number = session_number_next(&n.numbers, 0, number);
		assert_int_equal(number, number_of(&n, 0, generation));
	}
	assert_int_equal(session_number_next(&n.numbers, 0, number), number_of(&n, 0, 1));
}

/// The table of PROTOCOL.md.
static void a_number_comes_again_when_its_slot_was_issued_as_often_as_the_document_says(void **state UNUSED)
{
	static const struct {
		uint32_t slots, bits, times;
	} cases[] = {
		{65536, 0, 65535},          {65536, 4, 4095}, {65536, 8, 255}, {SESSION_SLOTS_MAX, 0, 4095},
		{SESSION_SLOTS_MAX, 8, 15},
	};

	for (unsigned i = 0; i < COUNT(cases); i++) {
		const struct session_numbers numbers = session_numbers(cases[i].slots, cases[i].bits, 0);
		const uint32_t first = session_number_next(&numbers, 1, 0);
		uint32_t number = first, times = 0;

		do {
			number = session_number_next(&numbers, 1, number);
			times++;
		} while (number != first);
		assert_int_equal(times, cases[i].times);
	}
}

static void a_number_is_foreign_when_a_bit_of_the_gateway_differs_and_only_then(void **state UNUSED)
{
	uint64_t seed = 2;

	for (unsigned i = 0; i < CASES; i++) {
		const struct numbering n = any_numbering(&seed);
		const uint32_t ours = number_of(&n, random_below(&seed, n.slots), 1);

		for (uint32_t bit = 0; bit < 32; bit++)
			assert_int_equal(session_is_foreign(&n.numbers, ours ^ 1U << bit), bit >= 32 - n.bits);
	}
}

static void all_sessions_and_16_generations_of_each_fit_beside_the_gateway(void **state UNUSED)
{
	static const struct {
		uint32_t slots, bits, id;
		bool fit;
	} cases[] = {
		{SESSION_SLOTS_MAX, 8, 255, true},
		{SESSION_SLOTS_MAX, 9, 0, false},
		{SESSION_SLOTS_MAX + 1, 0, 0, false},
		{SESSION_SLOTS_MAX / 2, 9, 511, true},
		{SESSION_SLOTS_MAX / 2 + 1, 9, 0, false},
		{65536, 12, 4095, true},
		{65536, 13, 0, false},
		{4096, 16, 65535, true},
		{4097, 16, 0, false},
		{1, 16, 65535, true},
		{1, 17, 0, false},
		{1, 33, 0, false},
		{1, UINT32_MAX, 0, false},
		{0, 8, 0, true},
		{10, 8, 256, false},
		{10, 0, 0, true},
		{10, 0, 1, false},
		{10, 8, UINT32_MAX, false},
	};

	for (unsigned i = 0; i < COUNT(cases); i++)
		assert_int_equal(session_numbers_fit(cases[i].slots, cases[i].bits, cases[i].id), cases[i].fit);
}

// ---------------------------------------------------------------- of a state

static void as_many_sessions_as_fit_have_numbers_of_the_gateway_and_each_its_own(void **state UNUSED)
{
	struct issuer o = issuer_open(4096);
	static uint32_t session[4096];

	assert_int_equal(pg_state_gateway(o.state, 16, 0xbeef, &issuer_error), PG_OK);
	o.parts = state_parts(o.state);
	for (uint32_t i = 0; i < COUNT(session); i++) {
		struct pg_session_info info;

		session[i] = issue(&o, i + 1);
		assert_int_equal(session[i] >> 16, 0xbeef);
		assert_true(pg_session_inspect(o.state, session[i], &info));
		assert_int_equal(info.player_id, i + 1);
	}
	assert_int_equal(issue(&o, COUNT(session) + 1), 0);
	assert_non_null(strstr(issuer_error.message, "4096"));
	for (uint32_t i = 0; i < COUNT(session); i++)
		assert_int_equal(pg_session_of_player(o.state, i + 1), session[i]);
	issuer_close(&o);
}

static void a_session_of_another_gateway_is_neither_told_nor_revoked(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	const uint32_t session = issue(&o, 1);
	struct pg_session_info info;

	for (uint32_t bit = 24; bit < 32; bit++) {
		assert_false(pg_session_inspect(o.state, session ^ 1U << bit, &info));
		assert_false(pg_session_revoke(o.state, session ^ 1U << bit));
	}
	assert_int_equal(pg_session_of_player(o.state, 1), session);
	issuer_close(&o);
}

static void a_gateway_that_does_not_fit_is_refused_in_a_sentence(void **state UNUSED)
{
	struct issuer o = issuer_open(4097);

	assert_int_equal(pg_state_gateway(o.state, 16, 0, &issuer_error), PG_ERROR_USAGE);
	assert_non_null(strstr(issuer_error.message, "with 4097 sessions at most 15 bits"));
	assert_int_equal(pg_state_gateway(o.state, 8, 256, &issuer_error), PG_ERROR_USAGE);
	assert_non_null(strstr(issuer_error.message, "gateway 256 in 8 bits"));
	assert_int_equal(issue(&o, 1) >> 24, 0); // nothing was changed
	issuer_close(&o);
}

/// Those that are out would name nobody any more, or somebody else.
static void the_gateway_of_a_state_stays_once_a_session_is_issued(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	struct pg_session_info info;
	uint32_t session;

	assert_int_equal(pg_state_gateway(o.state, 8, 7, &issuer_error), PG_OK);
	assert_int_equal(pg_state_gateway(o.state, 4, 3, &issuer_error), PG_OK);
	session = issue(&o, 1);
	assert_int_equal(session >> 28, 3);
	assert_int_equal(pg_state_gateway(o.state, 8, 7, &issuer_error), PG_ERROR_USAGE);
	assert_non_null(strstr(issuer_error.message, "issued already"));
	assert_true(pg_session_inspect(o.state, session, &info));
	issuer_close(&o);
}

/// It has copied them: what it takes and what is issued would be of two minds.
static void the_gateway_of_a_state_stays_once_a_worker_process_has_it(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	struct session_store store = {0};

	assert_int_equal(pg_state_gateway(o.state, 8, 7, &issuer_error), PG_OK);
	store_open(&store, o.state);
	assert_int_equal(pg_state_gateway(o.state, 8, 6, &issuer_error), PG_ERROR_USAGE);
	assert_non_null(strstr(issuer_error.message, "before it is started"));
	assert_false(session_is_foreign(&store.numbers, issue(&o, 1)));
	issuer_close(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_has_the_gateway_on_top_then_the_generation_then_the_slot),
		cmocka_unit_test(with_8_bits_the_eighth_byte_of_a_datagram_is_the_gateway),
		cmocka_unit_test(generations_begin_again_behind_the_last_and_none_is_0),
		cmocka_unit_test(a_number_comes_again_when_its_slot_was_issued_as_often_as_the_document_says),
		cmocka_unit_test(a_number_is_foreign_when_a_bit_of_the_gateway_differs_and_only_then),
		cmocka_unit_test(all_sessions_and_16_generations_of_each_fit_beside_the_gateway),
		cmocka_unit_test(as_many_sessions_as_fit_have_numbers_of_the_gateway_and_each_its_own),
		cmocka_unit_test(a_session_of_another_gateway_is_neither_told_nor_revoked),
		cmocka_unit_test(a_gateway_that_does_not_fit_is_refused_in_a_sentence),
		cmocka_unit_test(the_gateway_of_a_state_stays_once_a_session_is_issued),
		cmocka_unit_test(the_gateway_of_a_state_stays_once_a_worker_process_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
