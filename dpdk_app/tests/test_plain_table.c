// SPDX-License-Identifier: BSD-3-Clause
// test_plain_table.c: table/table.h against a plain array that knows the same peers.

#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plain_table_fixture.h"

#define LOST_IN_A_LOOP_S 20 // a look-up takes nanoseconds; this bounds one that does not end

/// Peers whose home is one bucket: `peer` gets `n` of them, none that an earlier call with this `from` gave.
static void peers_of_bucket(const struct plain_table *table, uint32_t bucket, uint32_t *from, struct peer *peer,
			    unsigned n)
{
	for (unsigned found = 0; found < n; (*from)++) {
		const struct peer candidate = peer_number(*from);

		if (plain_home(table, peer_hash(&candidate, &secret)) == bucket)
			peer[found++] = candidate;
	}
}

// ---------------------------------------------------------------- one session

static void an_admitted_peer_is_found_and_no_other(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(100);
	const struct peer peer = peer_number(7);
	struct peer other = peer;
	const uint32_t slot = plain_admit(&s->table, &peer, 70, 123);

	assert_int_not_equal(slot, PLAIN_NONE);
	assert_int_equal(plain_find(&s->table, &peer), slot);
	assert_int_equal(s->table.records[slot].player_id, 70);
	assert_int_equal(s->table.records[slot].last_seen, 123);
	peer_set_channel(&other, 8, 1);
	assert_int_equal(plain_find(&s->table, &other), PLAIN_NONE);
	other = peer;
	peer_set_channel(&other, 7, 0);
	assert_int_equal(plain_find(&s->table, &other), PLAIN_NONE);
	other = peer;
	other.high = 0x20; // an IPv6 address that ends like the IPv4 one
	assert_int_equal(plain_find(&s->table, &other), PLAIN_NONE);
	plain_table_fixture_close(s);
}

static void a_slot_that_is_used_again_remembers_nothing_of_its_last_player(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(1);
	const struct peer first = peer_number(1), second = peer_number(2);
	const uint32_t slot = plain_admit(&s->table, &first, 1, 10);
	const struct motion motion = {{1, 2, 3}, {4, 5, 6}};

	plain_seen(&s->table.records[slot], 11);
	plain_move_session(&s->table.records[slot], &motion);
	plain_remove(&s->table, slot);
	assert_int_equal(plain_admit(&s->table, &second, 2, 20), slot);

	const struct plain_session *record = &s->table.records[slot];
	const struct motion still = {0};

	assert_int_equal(plain_find(&s->table, &first), PLAIN_NONE);
	assert_int_equal(record->received, 0);
	assert_int_equal(record->last_seen, 20);
	assert_memory_equal(&record->motion, &still, sizeof(still));
	assert_int_equal(record->generation & 1, 0);
	plain_table_fixture_close(s);
}

static void a_move_leaves_an_even_version_for_ever(void **state UNUSED)
{
	struct plain_session session = {0};
	const struct motion motion = {{1, 2, 3}, {4, 5, 6}};

	for (unsigned i = 0; i < 1000; i++) {
		plain_move_session(&session, &motion);
		assert_int_equal(session.motion_version & 1, 0);
	}
	assert_memory_equal(&session.motion, &motion, sizeof(motion));
}

// ---------------------------------------------------------------- against a model

struct model {
	uint32_t peers;
	uint32_t count;
	uint32_t slot[4096]; // by peer number; PLAIN_NONE
	uint64_t seen[4096];
};

static void step_admit_or_find(struct plain_table_fixture *s, struct model *m, uint32_t n, uint64_t now)
{
	const struct peer peer = peer_number(n);
	const uint32_t found = plain_find(&s->table, &peer);

	assert_int_equal(found, m->slot[n]);
	if (found != PLAIN_NONE) {
		plain_seen(&s->table.records[found], now);
		m->seen[n] = now;
		return;
	}

	const uint32_t slot = plain_admit(&s->table, &peer, n, now);

	assert_int_equal(slot == PLAIN_NONE, m->count == s->table.capacity);
	if (slot == PLAIN_NONE)
		return;
	m->slot[n] = slot;
	m->seen[n] = now;
	m->count++;
}

static void step_remove(struct plain_table_fixture *s, struct model *m, uint32_t n)
{
	if (m->slot[n] == PLAIN_NONE)
		return;
	plain_remove(&s->table, m->slot[n]);
	m->slot[n] = PLAIN_NONE;
	m->count--;
}

static void step_expire(struct plain_table_fixture *s, struct model *m, uint64_t now, uint64_t idle)
{
	uint32_t expected = 0;

	for (uint32_t n = 0; n < m->peers; n++)
		if (m->slot[n] != PLAIN_NONE && now - m->seen[n] > idle) {
			m->slot[n] = PLAIN_NONE;
			expected++;
		}
	m->count -= expected;
	assert_int_equal(plain_expire(&s->table, now, idle, s->table.capacity), expected);
}

static void model_agrees(const struct plain_table_fixture *s, const struct model *m)
{
	assert_int_equal(s->active, m->count);
	for (uint32_t n = 0; n < m->peers; n++) {
		const struct peer peer = peer_number(n);

		assert_int_equal(plain_find(&s->table, &peer), m->slot[n]);
		if (m->slot[n] != PLAIN_NONE)
			assert_int_equal(s->table.records[m->slot[n]].player_id, n);
	}
}

static void run_model(uint32_t capacity, uint32_t peers, unsigned steps)
{
	struct plain_table_fixture *s = plain_table_fixture_open(capacity);
	struct model *m = zeroed_lines(sizeof(*m));
	uint64_t seed = capacity * 31 + peers;

	m->peers = peers;
	memset(m->slot, 0xff, sizeof(m->slot));
	for (uint64_t now = 1; now <= steps; now++) {
		const uint32_t n = random_below(&seed, peers), kind = random_below(&seed, 1000);

		if (kind < 700)
			step_admit_or_find(s, m, n, now);
		else if (kind < 999)
			step_remove(s, m, n);
		else
			step_expire(s, m, now, 2 * capacity);
		if (now % (steps / 16) == 0)
			model_agrees(s, m);
	}
	for (uint32_t n = 0; n < peers; n++)
		step_remove(s, m, n);
	model_agrees(s, m);
	assert_int_equal(passed_sum(&s->table), 0);
	free(m);
	plain_table_fixture_close(s);
}

static void a_table_that_is_always_full_agrees_with_a_model(void **state UNUSED)
{
	run_model(8, 12, 200000);
	run_model(1, 3, 20000);
}

static void a_table_that_collides_agrees_with_a_model(void **state UNUSED)
{
	run_model(61, 64, 200000);
	run_model(300, 1024, 200000);
}

static void a_large_table_agrees_with_a_model(void **state UNUSED)
{
	run_model(3000, 4096, 200000);
}

// ---------------------------------------------------------------- overflow

static void sessions_that_ran_over_are_found_and_leave_no_trace(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(100);
	struct peer peer[30];
	uint32_t slot[30], from = 0;

	peers_of_bucket(&s->table, 3, &from, peer, 30); // eight fit
	for (unsigned i = 0; i < 30; i++)
		slot[i] = plain_admit(&s->table, &peer[i], i, 0);
	assert_true(s->table.buckets[3].passed == 22 && s->table.buckets[4].passed == 14);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(plain_find(&s->table, &peer[i]), slot[i]);
	for (unsigned i = 0; i < 30; i += 2) // those that did not run over, too
		plain_remove(&s->table, slot[i]);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(plain_find(&s->table, &peer[i]), i % 2 ? slot[i] : PLAIN_NONE);
	for (unsigned i = 1; i < 30; i += 2)
		plain_remove(&s->table, slot[i]);
	assert_int_equal(passed_sum(&s->table), 0);
	plain_table_fixture_close(s);
}

static void the_last_bucket_runs_over_into_the_first(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(20);
	const uint32_t last = s->table.bucket_count - 1;
	struct peer peer[10];
	uint32_t from = 0;

	peers_of_bucket(&s->table, last, &from, peer, 10);
	for (unsigned i = 0; i < 10; i++)
		plain_admit(&s->table, &peer[i], i, 0);
	assert_int_equal(s->table.buckets[last].passed, 2);
	for (unsigned i = 0; i < 10; i++)
		assert_int_not_equal(plain_find(&s->table, &peer[i]), PLAIN_NONE);
	plain_table_fixture_close(s);
}

/// Leave one session behind that passed every bucket in turn: fill each, run over, take the fillers away.
static void pass_every_bucket(struct plain_table_fixture *s)
{
	uint32_t from = 0;

	for (uint32_t bucket = 0; bucket < s->table.bucket_count; bucket++) {
		struct peer peer[PLAIN_WAYS + 1];
		uint32_t slot[PLAIN_WAYS + 1];
		unsigned n = 0;

		peers_of_bucket(&s->table, bucket, &from, peer, PLAIN_WAYS + 1);
		while (s->table.buckets[bucket].passed == 0) {
			slot[n] = plain_admit(&s->table, &peer[n], n, 0);
			assert_int_not_equal(slot[n], PLAIN_NONE);
			n++;
		}
		for (unsigned i = 0; i + 1 < n; i++) // all but the one that ran over
			plain_remove(&s->table, slot[i]);
	}
}

static void a_stranger_is_not_found_even_when_every_bucket_was_passed(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(40);
	const struct peer stranger = peer_number(0xabcdef);
	int status;

	pass_every_bucket(s);
	for (uint32_t i = 0; i < s->table.bucket_count; i++)
		assert_true(s->table.buckets[i].passed > 0);

	const pid_t child = fork(); // in a child: a look-up that never ends would take the other tests with it

	assert_true(child >= 0);
	if (child == 0) {
		alarm(LOST_IN_A_LOOP_S);
		_exit(plain_find(&s->table, &stranger) == PLAIN_NONE ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		fail_msg("plain_find did not come back: killed by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	plain_table_fixture_close(s);
}

// ---------------------------------------------------------------- probe

static void the_probe_of_a_bucket_finds_each_of_its_ways(void **state UNUSED)
{
	struct plain_bucket bucket = {0};

	for (unsigned way = 0; way < PLAIN_WAYS; way++) {
		bucket.tag[way] = (uint16_t)(0x8001 + 2 * way);
		bucket.slot[way] = 100 + way;
	}
	for (unsigned way = 0; way < PLAIN_WAYS; way++)
		assert_int_equal(plain_probe(&bucket, (uint16_t)(0x8001 + 2 * way)), 100 + way);
	assert_int_equal(plain_probe(&bucket, 0x8001 + 2 * PLAIN_WAYS), PLAIN_NONE);
}

static void no_hash_makes_the_tag_of_a_free_way(void **state UNUSED)
{
	for (uint32_t hash = 0; hash <= 0xffff; hash++)
		assert_int_not_equal(plain_tag(0xdead0000ULL | hash), 0);
}

static void every_hash_maps_into_the_range(void **state UNUSED)
{
	static const uint32_t ranges[] = {1, 2, 3, 7, 209717, UINT32_MAX};

	for (size_t i = 0; i < COUNT(ranges); i++) {
		assert_int_equal(hash_to_range(0, ranges[i]), 0);
		assert_int_equal(hash_to_range(UINT64_MAX, ranges[i]), ranges[i] - 1);
	}
}

// ---------------------------------------------------------------- expiry

static void a_session_expires_after_its_idle_time_and_not_at_it(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(4);
	const struct peer peer = peer_number(1);

	plain_admit(&s->table, &peer, 1, 1000);
	assert_int_equal(plain_expire(&s->table, 1500, 500, 4), 0);
	assert_int_equal(plain_expire(&s->table, 1501, 500, 4), 1);
	assert_int_equal(plain_find(&s->table, &peer), PLAIN_NONE);
	assert_int_equal(s->active, 0);
	plain_table_fixture_close(s);
}

static void a_session_seen_in_the_future_does_not_expire(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(4);
	const struct peer peer = peer_number(1);

	plain_admit(&s->table, &peer, 1, 1000);
	assert_int_equal(plain_expire(&s->table, 900, 50, 4), 0);
	plain_table_fixture_close(s);
}

static void a_small_budget_reaches_every_slot_in_turn(void **state UNUSED)
{
	struct plain_table_fixture *s = plain_table_fixture_open(100);
	uint32_t freed = 0;

	for (uint32_t n = 0; n < 100; n++) {
		const struct peer peer = peer_number(n);

		plain_admit(&s->table, &peer, n, 0);
	}
	for (unsigned turn = 0; turn < 34; turn++)
		freed += plain_expire(&s->table, 1000, 10, 3);
	assert_int_equal(freed, 100);
	assert_int_equal(plain_expire(&s->table, 1000, 10, 1000), 0);
	plain_table_fixture_close(s);
}

// ---------------------------------------------------------------- two workers

#define SHARED_CAPACITY 20
#define ROUNDS 2000

struct admitting {
	struct plain_table *table;
	pthread_barrier_t *together;
};

static void admit_until_full(struct plain_table *table)
{
	uint32_t n = 0;

	for (unsigned refused = 0; refused < 3; n++) {
		const struct peer peer = peer_number(n);

		refused += plain_admit(table, &peer, n, 0) == PLAIN_NONE;
	}
}

static void remove_all(struct plain_table *table)
{
	for (uint32_t slot = 0; slot < SHARED_CAPACITY; slot++)
		if (table->records[slot].active)
			plain_remove(table, slot);
}

static void *admit_in_rounds(void *argument)
{
	const struct admitting *a = argument;

	for (unsigned round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(a->together);
		admit_until_full(a->table);
		pthread_barrier_wait(a->together); // the other looks at both
		pthread_barrier_wait(a->together);
		remove_all(a->table);
	}
	return NULL;
}

static void two_workers_admit_no_more_than_all_tables_have_room_for(void **state UNUSED)
{
	struct plain_table_fixture *one = plain_table_fixture_open(SHARED_CAPACITY);
	struct plain_table_fixture *other = plain_table_fixture_open(SHARED_CAPACITY);
	pthread_barrier_t together;
	const struct admitting theirs = {&other->table, &together};
	uint64_t most = 0;
	pthread_t thread;

	other->table.registry = &one->registry;
	other->table.active = &one->other_active;
	assert_int_equal(pthread_barrier_init(&together, NULL, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, admit_in_rounds, (void *)&theirs), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&together);
		admit_until_full(&one->table);
		pthread_barrier_wait(&together);
		most = most < one->active + one->other_active ? one->active + one->other_active : most;
		admit_until_full(&one->table);
		assert_int_equal(one->active + one->other_active, SHARED_CAPACITY);
		pthread_barrier_wait(&together);
		remove_all(&one->table);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(most, SHARED_CAPACITY);
	assert_int_equal(one->active + one->other_active, 0);
	pthread_barrier_destroy(&together);
	plain_table_fixture_close(other);
	plain_table_fixture_close(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_admitted_peer_is_found_and_no_other),
		cmocka_unit_test(a_slot_that_is_used_again_remembers_nothing_of_its_last_player),
		cmocka_unit_test(a_move_leaves_an_even_version_for_ever),
		cmocka_unit_test(a_table_that_is_always_full_agrees_with_a_model),
		cmocka_unit_test(a_table_that_collides_agrees_with_a_model),
		cmocka_unit_test(a_large_table_agrees_with_a_model),
		cmocka_unit_test(sessions_that_ran_over_are_found_and_leave_no_trace),
		cmocka_unit_test(the_last_bucket_runs_over_into_the_first),
		cmocka_unit_test(a_stranger_is_not_found_even_when_every_bucket_was_passed),
		cmocka_unit_test(the_probe_of_a_bucket_finds_each_of_its_ways),
		cmocka_unit_test(no_hash_makes_the_tag_of_a_free_way),
		cmocka_unit_test(every_hash_maps_into_the_range),
		cmocka_unit_test(a_session_expires_after_its_idle_time_and_not_at_it),
		cmocka_unit_test(a_session_seen_in_the_future_does_not_expire),
		cmocka_unit_test(a_small_budget_reaches_every_slot_in_turn),
		cmocka_unit_test(two_workers_admit_no_more_than_all_tables_have_room_for),
	};

	return cmocka_run_group_tests_name("plain_table", tests, NULL, NULL);
}
