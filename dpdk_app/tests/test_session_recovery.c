// SPDX-License-Identifier: BSD-3-Clause
// test_session_recovery.c: what a table finds again after a crash, and how many sessions all tables have.

#include "unit.h"

#include "plain_table_fixture.h"

// ---------------------------------------------------------------- recovery

static void a_new_worker_finds_every_session_that_the_dead_one_had(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(500);
	struct motion motion = {{1, 2, 3}, {4, 5, 6}};

	for (uint32_t n = 0; n < 400; n++) {
		const struct peer peer = peer_number(n);

		plain_move_session(&s->table.records[plain_admit(&s->table, &peer, n, 50 + n)], &motion);
	}
	for (uint32_t n = 0; n < 400; n += 4) {
		const struct peer peer = peer_number(n);

		plain_remove(&s->table, plain_find(&s->table, &peer));
	}
	assert_int_equal(plain_table_fixture_adopt(s, 500, 10000), 300);
	assert_int_equal(s->active, 300);
	for (uint32_t n = 0; n < 400; n++) {
		const struct peer peer = peer_number(n);
		const uint32_t slot = plain_find(&s->table, &peer);

		assert_int_equal(slot == PLAIN_NONE, n % 4 == 0);
		if (slot == PLAIN_NONE)
			continue;
		assert_int_equal(s->table.records[slot].player_id, n);
		assert_int_equal(s->table.records[slot].last_seen, 50 + n);
		assert_memory_equal(&s->table.records[slot].motion, &motion, sizeof(motion));
	}
	plain_table_fixture_close(s);
}

static void a_half_written_record_is_freed_and_its_slot_serves_again(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(2);
	const struct peer whole = peer_number(1), half = peer_number(2), next = peer_number(3);

	plain_admit(&s->table, &whole, 1, 0);

	struct plain_session *record = &s->table.records[plain_admit(&s->table, &half, 2, 0)];

	record->generation |= 1;
	assert_int_equal(plain_table_fixture_adopt(s, 2, 0), 1);
	assert_int_equal(plain_find(&s->table, &half), PLAIN_NONE);
	assert_int_equal(record->generation & 1, 0);
	assert_int_not_equal(plain_find(&s->table, &whole), PLAIN_NONE);
	assert_int_not_equal(plain_admit(&s->table, &next, 3, 0), PLAIN_NONE);
	plain_table_fixture_close(s);
}

static void a_half_written_motion_is_zeroed_and_its_session_kept(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(2);
	const struct peer peer = peer_number(1);
	const struct motion motion = {{1, 2, 3}, {4, 5, 6}}, still = {0};
	struct plain_session *record = &s->table.records[plain_admit(&s->table, &peer, 1, 0)];

	plain_move_session(record, &motion);
	record->motion_version++;
	assert_int_equal(plain_table_fixture_adopt(s, 2, 0), 1);
	assert_int_equal(record->motion_version & 1, 0);
	assert_memory_equal(&record->motion, &still, sizeof(still));
	assert_int_not_equal(plain_find(&s->table, &peer), PLAIN_NONE);
	plain_table_fixture_close(s);
}

static void a_high_water_mark_beyond_the_region_is_not_believed(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(3);
	const struct peer peer = peer_number(1);

	plain_admit(&s->table, &peer, 1, 0);
	s->region->high_water = 1000000;
	assert_int_equal(plain_table_fixture_adopt(s, 3, 0), 1);
	assert_int_equal(s->region->high_water, 3);
	for (uint32_t n = 2; n < 4; n++) {
		const struct peer more = peer_number(n);

		assert_int_not_equal(plain_admit(&s->table, &more, n, 0), PLAIN_NONE);
	}
	plain_table_fixture_close(s);
}

static void a_time_from_before_the_reboot_counts_as_now(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(3);
	const struct peer peer = peer_number(1);
	const uint32_t slot = plain_admit(&s->table, &peer, 1, 1ULL << 60);

	assert_int_equal(plain_table_fixture_adopt(s, 3, 5000), 1);
	assert_int_equal(s->table.records[slot].last_seen, 5000);
	assert_int_equal(plain_expire(&s->table, 5011, 10, 3), 1);
	plain_table_fixture_close(s);
}

/// A worker may die between any two of its stores: the record is then old, new, or freed, and never a mixture.
static void a_table_cut_off_anywhere_is_adopted_whole(void **state UNUSED)
{
	uint64_t seed = 77;

	for (unsigned round = 0; round < 300; round++) {
		struct plain_table_fixture *s = plain_table_fixture_open(64);
		uint32_t expected = 0;

		for (uint32_t n = 0; n < 64; n++) {
			const struct peer peer = peer_number(n);
			struct plain_session *record = &s->table.records[plain_admit(&s->table, &peer, n, n)];
			const bool cut = random_below(&seed, 4) == 0;

			if (cut)
				record->generation |= 1;
			if (cut && random_below(&seed, 2))
				record->peer.low = random_next(&seed);
			if (random_below(&seed, 4) == 0)
				record->motion_version |= 1;
			expected += !cut;
		}
		assert_int_equal(plain_table_fixture_adopt(s, 64, 1000), expected);
		assert_int_equal(s->active, expected);
		for (uint32_t slot = 0; slot < 64; slot++) {
			const struct plain_session *record = &s->table.records[slot];

			assert_int_equal(record->generation & 1, 0);
			if (record->active)
				assert_int_equal(plain_find(&s->table, &record->peer), slot);
		}
		assert_int_equal(plain_expire(&s->table, 1000000, 1, 64), expected);
		assert_int_equal(passed_sum(&s->table), 0);
		plain_table_fixture_close(s);
	}
}

// ---------------------------------------------------------------- registry

static void sessions_of_another_worker_count_against_the_capacity(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(10);
	const struct peer first = peer_number(1), second = peer_number(2);

	s->other_active = 9;
	assert_int_not_equal(plain_admit(&s->table, &first, 1, 0), PLAIN_NONE);
	assert_int_equal(plain_admit(&s->table, &second, 2, 0), PLAIN_NONE);
	s->other_active = 8;
	assert_int_not_equal(plain_admit(&s->table, &second, 2, 0), PLAIN_NONE);
	plain_table_fixture_close(s);
}

static void one_worker_may_hold_the_whole_capacity(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(1000);

	for (uint32_t n = 0; n <= 1000; n++) {
		const struct peer peer = peer_number(n);

		assert_int_equal(plain_admit(&s->table, &peer, n, 0) == PLAIN_NONE, n == 1000);
	}
	plain_table_fixture_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_worker_finds_every_session_that_the_dead_one_had),
		cmocka_unit_test(a_half_written_record_is_freed_and_its_slot_serves_again),
		cmocka_unit_test(a_half_written_motion_is_zeroed_and_its_session_kept),
		cmocka_unit_test(a_high_water_mark_beyond_the_region_is_not_believed),
		cmocka_unit_test(a_time_from_before_the_reboot_counts_as_now),
		cmocka_unit_test(a_table_cut_off_anywhere_is_adopted_whole),
		cmocka_unit_test(sessions_of_another_worker_count_against_the_capacity),
		cmocka_unit_test(one_worker_may_hold_the_whole_capacity),
	};

	return cmocka_run_group_tests_name("session_recovery", tests, NULL, NULL);
}
