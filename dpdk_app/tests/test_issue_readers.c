// SPDX-License-Identifier: BSD-3-Clause
// test_issue_readers.c: sessions that are issued and revoked while another thread reads them, or claims them.

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "issuer.h"

#define REISSUES 20000

struct watch {
	struct issuer issuer;
	atomic_bool stop;
	atomic_uint missed, wrong;
};

/// Player 1 always stands; all that can be read of any other is whole.
static void *read_all_the_time(void *argument)
{
	struct watch *w = argument;
	const struct state_parts *parts = &w->issuer.parts;

	while (!atomic_load(&w->stop)) {
		if (player_index_find(parts->players, parts->records, 1) != 0)
			atomic_fetch_add(&w->missed, 1);
		for (uint32_t slot = 0; slot < __atomic_load_n(&parts->issuing->used, __ATOMIC_ACQUIRE); slot++) {
			const struct session_record *record = &parts->records[slot];
			const uint32_t session = record_session(record);
			uint8_t key[SESSION_KEY_LEN], want[SESSION_KEY_LEN];

			memset(want, (int)__atomic_load_n(&record->player_id, __ATOMIC_RELAXED), sizeof(want));
			memcpy(key, record->key, sizeof(key));
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			if (session != 0 && record_session(record) == session && memcmp(key, want, sizeof(key)) != 0)
				atomic_fetch_add(&w->wrong, 1);
		}
	}
	return NULL;
}

/// A small index is renewed every few steps.
static void a_reader_never_misses_who_stands_nor_reads_a_key_of_two(void **state UNUSED)
{
	struct watch w = {.issuer = issuer_open(6)};
	pthread_t reader;

	assert_int_equal(slot_in(&w.issuer, issue(&w.issuer, 1)), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_all_the_time, &w), 0);
	for (uint32_t n = 0; n < REISSUES; n++) {
		if (n >= 4)
			assert_true(pg_session_revoke(w.issuer.state, pg_session_of_player(w.issuer.state, n - 2)));
		assert_int_not_equal(issue(&w.issuer, 2 + n), 0);
	}
	atomic_store(&w.stop, true);
	assert_int_equal(pthread_join(reader, NULL), 0);
	assert_int_equal(w.missed, 0);
	assert_int_equal(w.wrong, 0);
	assert_true(w.issuer.parts.players->version > REISSUES / 32);
	issuer_close(&w.issuer);
}

/// Claims what it can of what it reads; lets go at once.
static void *claim_all_the_time(void *argument)
{
	struct watch *w = argument;
	const struct state_parts *parts = &w->issuer.parts;

	while (!atomic_load(&w->stop)) {
		struct session_record *record = &parts->records[0];
		const uint32_t session = record_session(record);

		if (session == 0 || !record_claim(record, session, 4))
			continue;
		// Ours: nobody may write it, or give it to another player.
		record->tx_counter = session;
		if (record->number != session || record->tx_counter != session)
			atomic_fetch_add(&w->wrong, 1);
		record_release(record);
	}
	return NULL;
}

static void an_owner_never_finds_his_slot_given_away(void **state UNUSED)
{
	struct watch w = {.issuer = issuer_open(1)};
	pthread_t worker;

	assert_int_not_equal(issue(&w.issuer, 1), 0);
	assert_int_equal(pthread_create(&worker, NULL, claim_all_the_time, &w), 0);
	for (uint32_t n = 0; n < REISSUES; n++)
		issue(&w.issuer, 1 + n % 2);
	atomic_store(&w.stop, true);
	assert_int_equal(pthread_join(worker, NULL), 0);
	assert_int_equal(w.wrong, 0);
	issuer_close(&w.issuer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_never_misses_who_stands_nor_reads_a_key_of_two),
		cmocka_unit_test(an_owner_never_finds_his_slot_given_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
