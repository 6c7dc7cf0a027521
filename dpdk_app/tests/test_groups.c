// SPDX-License-Identifier: BSD-3-Clause
// test_groups.c: groups of a game process, beside a table of who is in what.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "game/groups.h"

#define SLOTS 40
#define IDS 12
#define STEPS 200000

static struct groups groups;
static void *memory;
static bool is_in[IDS][SLOTS];

static const uint64_t secret[] = {0, 0}; // so that ids that are near each other share a bucket

static uint32_t id_of(unsigned index)
{
	return index;
}

static uint32_t next(uint64_t *state, uint32_t below)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33) % below;
}

static int make(void **state UNUSED)
{
	memory = calloc(1, groups_size(SLOTS));
	memset(is_in, 0, sizeof(is_in));
	groups_init(&groups, memory, SLOTS, secret);
	return 0;
}

static int end(void **state UNUSED)
{
	free(memory);
	return 0;
}

static unsigned members(unsigned index)
{
	unsigned n = 0;

	for (unsigned slot = 0; slot < SLOTS; slot++)
		n += is_in[index][slot];
	return n;
}

static void check_group(unsigned index)
{
	unsigned n = 0;
	uint32_t slot;

	groups_walk(&groups, id_of(index));
	for (; groups_walk_next(&groups, &slot); n++)
		assert_true(is_in[index][slot]);
	assert_int_equal(n, members(index));
}

static bool is_empty(uint32_t id)
{
	groups_walk(&groups, id);
	return groups_walked(&groups);
}

static void step(uint64_t *random)
{
	const unsigned index = next(random, IDS), slot = next(random, SLOTS);

	switch (next(random, 20)) {
	case 0:
		assert_int_equal(groups_has(&groups, id_of(index)), members(index) != 0);
		assert_true(groups_end(&groups, id_of(index), SLOTS));
		memset(is_in[index], 0, sizeof(is_in[index]));
		break;
	case 1:
		groups_forget(&groups, slot);
		for (unsigned i = 0; i < IDS; i++)
			is_in[i][slot] = false;
		break;
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
		assert_int_equal(groups_leave(&groups, id_of(index), slot), is_in[index][slot]);
		is_in[index][slot] = false;
		break;
	default:
		is_in[index][slot] = groups_join(&groups, id_of(index), slot);
		break;
	}
}

static void members_are_those_who_joined_and_did_not_leave(void **state UNUSED)
{
	uint64_t random = 1;

	for (unsigned i = 0; i < STEPS; i++) {
		step(&random);
		check_group(next(&random, IDS));
	}
	for (unsigned index = 0; index < IDS; index++)
		check_group(index);
}

/// Whoever was in when it began and never left is met, once; whoever is met is in.
static void check_walk(unsigned index, uint64_t *random)
{
	bool stayed[SLOTS], met[SLOTS] = {false};
	uint32_t slot;

	memcpy(stayed, is_in[index], sizeof(stayed));
	groups_walk(&groups, id_of(index));
	while (groups_walk_next(&groups, &slot)) {
		assert_true(is_in[index][slot]);
		assert_false(met[slot]);
		met[slot] = true;
		for (unsigned steps = next(random, 4); steps > 0; steps--) {
			step(random);
			for (unsigned i = 0; i < SLOTS; i++)
				stayed[i] &= is_in[index][i];
		}
	}
	for (unsigned i = 0; i < SLOTS; i++)
		assert_true(met[i] || !stayed[i]);
}

static void a_walk_meets_those_who_stay(void **state UNUSED)
{
	uint64_t random = 3;

	for (unsigned i = 0; i < STEPS / 10; i++) {
		for (unsigned joins = 0; joins < 50; joins++)
			step(&random);
		check_walk(next(&random, IDS), &random);
	}
}

static void a_player_joins_once(void **state UNUSED)
{
	assert_true(groups_join(&groups, 5, 1));
	assert_true(groups_join(&groups, 5, 1));
	assert_true(groups_leave(&groups, 5, 1));
	assert_false(groups_leave(&groups, 5, 1));
	assert_true(is_empty(5));
}

static void what_does_not_fit_is_refused_and_leaves_nothing(void **state UNUSED)
{
	const unsigned most = SLOTS * GROUPS_PER_PLAYER;

	for (unsigned i = 0; i < most; i++)
		assert_true(groups_join(&groups, i, i % SLOTS));
	assert_false(groups_join(&groups, most, 0));
	assert_true(is_empty(most));
	assert_false(groups_join(&groups, 0, SLOTS));
	assert_false(groups_leave(&groups, 0, SLOTS));
	groups_forget(&groups, SLOTS);
	groups_forget(&groups, 0);
	assert_true(groups_join(&groups, most, 0));
}

static void there_are_so_many_groups_and_no_more(void **state UNUSED)
{
	static struct groups many;
	void *room = calloc(1, groups_size(GROUPS_MAX));

	groups_init(&many, room, GROUPS_MAX, secret);
	for (unsigned i = 0; i < GROUPS_MAX; i++)
		assert_true(groups_join(&many, i, i / GROUPS_OF_PLAYER));
	assert_false(groups_join(&many, GROUPS_MAX, GROUPS_MAX - 1));
	assert_true(groups_end(&many, 7, 1));
	assert_true(groups_join(&many, GROUPS_MAX, GROUPS_MAX - 1));
	free(room);
}

static void a_player_is_in_so_many_groups_and_no_more(void **state UNUSED)
{
	for (unsigned i = 0; i < GROUPS_OF_PLAYER; i++)
		assert_true(groups_join(&groups, i, 3));
	assert_false(groups_join(&groups, GROUPS_OF_PLAYER, 3));
	assert_false(groups_has(&groups, GROUPS_OF_PLAYER));
	assert_true(groups_join(&groups, 0, 3)); // is in
	assert_true(groups_leave(&groups, 9, 3));
	assert_true(groups_join(&groups, GROUPS_OF_PLAYER, 3));
}

static void a_group_ends_in_steps(void **state UNUSED)
{
	for (unsigned slot = 0; slot < 10; slot++)
		assert_true(groups_join(&groups, 5, slot));
	assert_false(groups_end(&groups, 5, 4));
	assert_false(groups_end(&groups, 5, 5));
	assert_true(groups_has(&groups, 5));
	assert_true(groups_end(&groups, 5, 1));
	assert_false(groups_has(&groups, 5));
	assert_true(groups_end(&groups, 5, 1));
}

/// Ids that share a bucket of one link are spread over those of another.
static void whose_secret_is_another_has_other_buckets(void **state UNUSED)
{
	static struct groups other;
	void *room = calloc(1, groups_size(GROUPS_MAX));
	unsigned longest = 0;

	groups_init(&other, room, GROUPS_MAX, (const uint64_t[]){0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9});
	for (unsigned i = 0; i < GROUPS_MAX; i++)
		assert_true(groups_join(&other, i, i / GROUPS_OF_PLAYER)); // all in bucket 0 with `secret`
	for (unsigned bucket = 0; bucket < GROUPS_MAX; bucket++) {
		unsigned n = 0;

		for (uint32_t at = other.bucket[bucket]; at != 0; at = other.group[at - 1].next)
			n++;
		longest = n > longest ? n : longest;
	}
	assert_in_range(longest, 1, 8);
	free(room);
}

static void cleared_is_as_new(void **state UNUSED)
{
	uint64_t random = 2;

	for (unsigned i = 0; i < 1000; i++)
		step(&random);
	groups_walk(&groups, id_of(0));
	groups_clear(&groups);
	assert_true(groups_walked(&groups));
	memset(is_in, 0, sizeof(is_in));
	for (unsigned i = 0; i < 1000; i++) {
		step(&random);
		check_group(next(&random, IDS));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(members_are_those_who_joined_and_did_not_leave, make, end),
		cmocka_unit_test_setup_teardown(a_walk_meets_those_who_stay, make, end),
		cmocka_unit_test_setup_teardown(a_player_joins_once, make, end),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused_and_leaves_nothing, make, end),
		cmocka_unit_test_setup_teardown(there_are_so_many_groups_and_no_more, make, end),
		cmocka_unit_test_setup_teardown(a_player_is_in_so_many_groups_and_no_more, make, end),
		cmocka_unit_test_setup_teardown(a_group_ends_in_steps, make, end),
		cmocka_unit_test_setup_teardown(whose_secret_is_another_has_other_buckets, make, end),
		cmocka_unit_test_setup_teardown(cleared_is_as_new, make, end),
	};

	return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
