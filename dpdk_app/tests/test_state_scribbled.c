// SPDX-License-Identifier: BSD-3-Clause
// test_state_scribbled.c: a worker process can write to all of the session state; the supervisor stays in its bounds.
//
// The sanitizers see what is read or written outside. A wait that never ends fails by the test's time limit.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "issuer.h"
#include "rig.h"

#define SLOTS 12
#define ROUNDS 3000

/// All that the supervisor does with a state, with whatever answers.
static void use(const struct issuer *o, uint64_t *seed)
{
	struct pg_session_info info[SLOTS];
	uint32_t from = random_below(seed, SLOTS + 2);
	const uint32_t player = 1 + random_below(seed, 2 * SLOTS);
	const uint32_t session = issue(o, player), other = pg_session_of_player(o->state, player);

	assert_true(pg_session_list(o->state, &from, info, SLOTS) <= SLOTS);
	(void)pg_session_count(o->state);
	(void)pg_session_inspect(o->state, session, info);
	(void)pg_session_inspect(o->state, (uint32_t)random_next(seed), info);
	(void)pg_session_revoke(o->state, random_below(seed, 2) ? session : other);
	(void)pg_session_revoke(o->state, (uint32_t)random_next(seed));
}

static size_t state_size(void)
{
	return pg_state_size(64, 2, SLOTS);
}

/// A state with some sessions, some of which are over.
static struct issuer used_state(void)
{
	struct issuer o = issuer_open(SLOTS);

	for (uint32_t player = 1; player <= SLOTS; player++)
		assert_int_not_equal(issue(&o, player), 0);
	for (uint32_t player = 1; player <= SLOTS / 3; player++)
		assert_true(pg_session_revoke(o.state, pg_session_of_player(o.state, player)));
	return o;
}

static void every_number_of_the_directory_may_be_any(void **state UNUSED)
{
	static const uint32_t numbers[] = {0, 1, 64, 0x7fffffff, 0x80000000, UINT32_MAX};
	uint64_t seed = 3;

	for (size_t at = 0; at < sizeof(struct directory); at += sizeof(uint32_t)) {
		struct issuer o = used_state();

		for (unsigned i = 0; i < COUNT(numbers); i++) {
			memcpy((uint8_t *)o.state + at, &numbers[i], sizeof(numbers[i]));
			use(&o, &seed);
		}
		issuer_close(&o);
	}
}

/// What it has been told since is what it says.
static void a_spoiled_directory_changes_nothing_that_the_supervisor_says(void **state UNUSED)
{
	struct issuer o = used_state();
	const uint32_t session = issue(&o, 1);
	struct pg_session_info info;

	memset(o.state, 0xff, sizeof(struct directory));
	assert_int_equal(pg_session_of_player(o.state, 1), session);
	assert_true(pg_session_inspect(o.state, session, &info));
	assert_int_equal(info.player_id, 1);
	assert_int_equal(pg_session_count(o.state), SLOTS - SLOTS / 3 + 1);
	assert_true(pg_session_revoke(o.state, session));
	assert_int_equal(pg_session_of_player(o.state, 1), 0);
	issuer_close(&o);
}

static void every_word_of_the_state_may_be_any(void **state UNUSED)
{
	uint64_t seed = 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct issuer o = used_state();

		for (unsigned i = 0; i < 40; i++) {
			const uint32_t number = (uint32_t)random_next(&seed) >> random_below(&seed, 32);
			const size_t at = random_below(&seed, (uint32_t)state_size() / 4) * sizeof(number);

			memcpy((uint8_t *)o.state + at, &number, sizeof(number));
			use(&o, &seed);
		}
		issuer_close(&o);
	}
}

/// Full of one number: tables without a free place, rings without an end.
static void a_state_full_of_one_number_keeps_nobody_waiting(void **state UNUSED)
{
	static const uint8_t bytes[] = {0, 1, 2, 0x7f, 0xfe, 0xff};
	uint64_t seed = 2;

	for (unsigned i = 0; i < COUNT(bytes); i++) {
		struct issuer o = used_state();

		for (unsigned n = 0; n < 4 * SLOTS; n++) {
			memset(o.state, bytes[i], state_size());
			use(&o, &seed);
		}
		issuer_close(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_of_the_directory_may_be_any),
		cmocka_unit_test(a_spoiled_directory_changes_nothing_that_the_supervisor_says),
		cmocka_unit_test(every_word_of_the_state_may_be_any),
		cmocka_unit_test(a_state_full_of_one_number_keeps_nobody_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
