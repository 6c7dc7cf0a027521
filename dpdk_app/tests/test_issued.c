// SPDX-License-Identifier: BSD-3-Clause
// test_issued.c: issuing sessions, against a plain model that knows what stands, and under the eyes of a reader.

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "session/state.h"

#define PLAYERS 40     // of the model
#define STEPS 60000    // of the model
#define REISSUES 20000 // under the eyes of a reader

static struct pg_error error;

/// A state that the test may look into.
struct office {
	void *state;
	struct state_parts parts;
};

static struct office office_open(uint32_t slots)
{
	const size_t size = pg_state_size(64, 2, slots);
	struct office o = {.state = zeroed_lines(size)};

	assert_int_equal(pg_state_init(o.state, size, 64, 2, slots, &error), PG_OK);
	o.parts = state_parts(o.state);
	return o;
}

static void office_close(struct office *o)
{
	free(o->state);
}

static uint32_t issue_for(const struct office *o, uint32_t player, uint32_t ttl_s)
{
	struct pg_issue_request request = {.player_id = player, .ttl_s = ttl_s};
	uint32_t session = 0;

	memset(request.key, (int)player, sizeof(request.key));
	return pg_session_issue(o->state, &request, &session, &error) == PG_OK ? session : 0;
}

static uint32_t issue(const struct office *o, uint32_t player)
{
	return issue_for(o, player, 1000);
}

static struct issued *record_of(const struct office *o, uint32_t session)
{
	return &o->parts.records[session_slot(session)];
}

/// Time passes for one session.
static void end_now(const struct office *o, uint32_t session)
{
	struct issued *record = record_of(o, session);

	deadlines_remove(&o->parts.deadlines, session_slot(session));
	record->expires_at = 1;
	deadlines_add(&o->parts.deadlines, session_slot(session));
}

static void connect_to(const struct office *o, uint32_t session, uint8_t worker)
{
	struct issued *record = record_of(o, session);

	assert_true(issued_claim(record, session, worker));
	record->phase = ISSUED_CONNECTED;
}

// ---------------------------------------------------------------- the state

static void a_state_of_another_shape_is_refused(void **state UNUSED)
{
	const size_t size = pg_state_size(64, 2, 10);
	const struct state_shape right = {64, 2, 10};
	const struct state_shape wrong[] = {{65, 2, 10}, {64, 1, 10}, {64, 2, 9}, {64, 2, 0}};
	void *memory = zeroed_lines(size);

	assert_int_equal(state_check(memory, size, &right, &error), PG_ERROR_USAGE);
	assert_int_equal(pg_state_init(memory, size - 1, 64, 2, 10, &error), PG_ERROR_USAGE);
	assert_int_equal(pg_state_init(memory, size, 64, 2, SESSION_SLOTS_MAX + 1, &error), PG_ERROR_USAGE);
	assert_int_equal(pg_state_init(memory, size, 64, 2, 10, &error), PG_OK);
	assert_int_equal(state_check(memory, size, &right, &error), PG_OK);
	assert_int_equal(state_check(memory, size - 1, &right, &error), PG_ERROR_USAGE);
	for (unsigned i = 0; i < COUNT(wrong); i++)
		assert_int_equal(state_check(memory, size, &wrong[i], &error), PG_ERROR_USAGE);
	assert_int_equal(pg_state_init(memory, size, 64, 2, 10, &error), PG_ERROR_USAGE); // would forget players
	free(memory);
}

static void parts_of_a_state_do_not_overlap(void **state UNUSED)
{
	struct office o = office_open(10);
	const uint8_t *base = o.state;

	assert_ptr_equal(state_region(o.state, 0), base + CACHE_LINE);
	assert_true((uint8_t *)o.parts.players >= (uint8_t *)state_region(o.state, 1) + session_region_size(64));
	assert_ptr_equal(o.parts.records, (uint8_t *)o.parts.players + player_index_size(10));
	assert_int_equal((uintptr_t)o.parts.records % CACHE_LINE, 0);
	assert_ptr_equal(o.parts.deadlines.heap, o.parts.records + 10);
	assert_true((uint8_t *)(o.parts.resting + 10) <= base + pg_state_size(64, 2, 10));
	office_close(&o);
}

static void cookie_secrets_of_two_states_differ(void **state UNUSED)
{
	struct office a = office_open(1), b = office_open(1);

	assert_memory_not_equal(a.parts.cookie_secret, b.parts.cookie_secret, STATE_COOKIE_SECRET_LEN);
	office_close(&a);
	office_close(&b);
}

// ---------------------------------------------------------------- one session

static void an_issued_session_is_told_as_it_was_issued(void **state UNUSED)
{
	struct office o = office_open(10);
	struct pg_issue_request request = {.player_id = 77, .ttl_s = 60, .once = true};
	struct pg_session_info info;
	uint32_t session;

	assert_int_equal(pg_session_issue(o.state, &request, &session, &error), PG_OK);
	assert_int_not_equal(session, 0);
	assert_true(pg_session_inspect(o.state, session, &info));
	assert_int_equal(info.session, session);
	assert_int_equal(info.player_id, 77);
	assert_true(info.expires_in_ms <= 60000 && info.expires_in_ms > 30000);
	assert_int_equal(info.once, 1);
	assert_int_equal(info.connected, 0);
	assert_int_equal(info.has_motion, 0);
	assert_int_equal(pg_session_of_player(o.state, 77), session);
	assert_int_equal(pg_session_count(o.state), 1);
	assert_false(pg_session_inspect(o.state, session + 1, &info));
	assert_false(pg_session_inspect(o.state, session + (1U << SESSION_SLOT_BITS), &info));
	assert_false(pg_session_inspect(o.state, 0, &info));
	office_close(&o);
}

static void a_connected_session_tells_where_its_player_is(void **state UNUSED)
{
	struct office o = office_open(10);
	const uint32_t session = issue(&o, 5);
	struct issued *record = record_of(&o, session);
	struct pg_session_info info;

	connect_to(&o, session, 3);
	record->max_datagram = 1232;
	record->tx_counter = 9;
	record->last_seen = pg_tsc();
	record->motion = (struct motion){{1, 2, 3}, {4, 5, 6}};
	record->motion_version = 2;
	peer_set4(&record->peer, 0x0100000a);
	peer_set_channel(&record->peer, BE16(4000), 1);
	assert_true(pg_session_inspect(o.state, session, &info));
	assert_int_equal(info.connected, 1);
	assert_int_equal(info.max_datagram, 1232);
	assert_int_equal(info.packets_sent, 9);
	assert_true(info.silent_ms < 10000);
	assert_int_equal(info.peer.family, 4);
	assert_memory_equal(info.peer.bytes, "\x0a\0\0\x01", 4);
	assert_int_equal(info.peer_port, 4000);
	assert_int_equal(info.has_motion, 1);
	assert_memory_equal(info.position, &record->motion.position, sizeof(info.position));
	assert_memory_equal(info.velocity, &record->motion.velocity, sizeof(info.velocity));
	peer_set6(&record->peer, (const uint8_t *)"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07");
	assert_true(pg_session_inspect(o.state, session, &info));
	assert_int_equal(info.peer.family, 6);
	assert_memory_equal(info.peer.bytes, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07", 16);
	office_close(&o);
}

static void a_motion_that_is_being_written_is_left_out(void **state UNUSED)
{
	struct office o = office_open(10);
	const uint32_t session = issue(&o, 5);
	struct issued *record = record_of(&o, session);
	struct pg_session_info info;

	connect_to(&o, session, 0);
	record->max_datagram = 508;
	record->motion = (struct motion){{1, 2, 3}, {4, 5, 6}};
	record->motion_version = 1;
	assert_true(pg_session_inspect(o.state, session, &info));
	assert_int_equal(info.has_motion, 0);
	assert_true(info.position[0] == 0);
	assert_int_equal(info.max_datagram, 508);
	office_close(&o);
}

static void many_that_end_at_once_are_collected_a_part_at_a_time(void **state UNUSED)
{
	struct office o = office_open(5000);

	for (uint32_t player = 1; player <= 5000; player++)
		end_now(&o, issue(&o, player));
	assert_int_equal(pg_session_count(o.state), 0);
	for (uint32_t player = 6000; player < 11000; player++)
		assert_int_not_equal(issue(&o, player), 0);
	assert_int_equal(pg_session_count(o.state), 5000);
	office_close(&o);
}

static void a_revoked_session_is_over_but_its_player_can_be_told(void **state UNUSED)
{
	struct office o = office_open(10);
	const uint32_t session = issue(&o, 9);
	const struct issued *record = record_of(&o, session);
	struct pg_session_info info;
	uint8_t key[SESSION_KEY_LEN];

	memset(key, 9, sizeof(key));
	assert_true(pg_session_revoke(o.state, session));
	assert_false(issued_stands(record, session));
	assert_int_equal(record->expired_or_revoked, SESSION_DENIED_REVOKED);
	assert_int_equal(record->number, session);
	assert_memory_equal(record->key, key, sizeof(key));
	assert_false(pg_session_inspect(o.state, session, &info));
	assert_int_equal(pg_session_of_player(o.state, 9), 0);
	assert_int_equal(pg_session_count(o.state), 0);
	assert_false(pg_session_revoke(o.state, session));
	office_close(&o);
}

static void a_player_who_gets_another_session_loses_the_first(void **state UNUSED)
{
	struct office o = office_open(10);
	const uint32_t first = issue(&o, 9), second = issue(&o, 9);

	assert_int_not_equal(first, second);
	assert_false(issued_stands(record_of(&o, first), first));
	assert_int_equal(record_of(&o, first)->expired_or_revoked, SESSION_DENIED_REVOKED);
	assert_int_equal(pg_session_of_player(o.state, 9), second);
	assert_int_equal(pg_session_count(o.state), 1);
	office_close(&o);
}

static void a_session_whose_time_is_over_is_not_told_and_is_collected(void **state UNUSED)
{
	struct office o = office_open(10);
	const uint32_t session = issue(&o, 9);
	struct pg_session_info info;
	uint32_t from = 0;

	end_now(&o, session);
	assert_false(pg_session_inspect(o.state, session, &info));
	assert_int_equal(pg_session_list(o.state, &from, &info, 1), 0);
	assert_int_equal(pg_session_of_player(o.state, 9), 0);
	assert_int_equal(pg_session_count(o.state), 0);
	assert_false(pg_session_revoke(o.state, session));
	assert_int_equal(record_of(&o, session)->session, 0);
	assert_int_equal(record_of(&o, session)->expired_or_revoked, SESSION_DENIED_EXPIRED);
	office_close(&o);
}

static void requests_that_cannot_be_are_refused_in_a_sentence(void **state UNUSED)
{
	struct office o = office_open(10), none = office_open(0);
	const struct pg_issue_request wrong[] = {
		{.player_id = 0, .ttl_s = 1},
		{.player_id = 1, .ttl_s = 0},
		{.player_id = 1, .ttl_s = 366 * 86400 + 1},
	};
	const struct pg_issue_request right = {.player_id = 1, .ttl_s = 1};
	struct pg_session_info info;
	uint32_t session, from = 0;

	for (unsigned i = 0; i < COUNT(wrong); i++) {
		error.message[0] = 0;
		assert_int_equal(pg_session_issue(o.state, &wrong[i], &session, &error), PG_ERROR_USAGE);
		assert_int_not_equal(error.message[0], 0);
	}
	assert_int_equal(pg_session_count(o.state), 0);
	// A gateway without a listener of this profile.
	assert_int_equal(pg_session_issue(none.state, &right, &session, &error), PG_ERROR_USAGE);
	assert_false(pg_session_revoke(none.state, 1));
	assert_false(pg_session_inspect(none.state, 1, &info));
	assert_int_equal(pg_session_of_player(none.state, 1), 0);
	assert_int_equal(pg_session_list(none.state, &from, &info, 1), 0);
	assert_int_equal(from, UINT32_MAX);
	assert_int_equal(pg_session_count(none.state), 0);
	office_close(&o);
	office_close(&none);
}

// ---------------------------------------------------------------- slots

static void the_slot_that_rested_longest_is_used_again_first(void **state UNUSED)
{
	struct office o = office_open(3);
	const uint32_t a = issue(&o, 1), b = issue(&o, 2);

	assert_true(pg_session_revoke(o.state, b));
	assert_true(pg_session_revoke(o.state, a));
	assert_int_equal(session_slot(issue(&o, 3)), 2); // never used: before any that was
	assert_int_equal(session_slot(issue(&o, 4)), session_slot(b));
	assert_int_equal(session_slot(issue(&o, 5)), session_slot(a));
	office_close(&o);
}

static void when_every_slot_is_taken_nothing_is_issued_until_one_ends(void **state UNUSED)
{
	struct office o = office_open(2);
	const uint32_t a = issue(&o, 1);

	issue(&o, 2);
	assert_int_equal(issue(&o, 3), 0);
	assert_int_equal(error.code, PG_ERROR_MEMORY);
	assert_int_equal(pg_session_count(o.state), 2);
	end_now(&o, a);
	assert_int_not_equal(issue(&o, 3), 0);
	assert_int_equal(issue(&o, 1), 0);
	assert_int_not_equal(issue(&o, 3), 0); // his own slot comes free
	office_close(&o);
}

static void a_slot_whose_connection_lives_is_not_used_again(void **state UNUSED)
{
	struct office o = office_open(2);
	const uint32_t a = issue(&o, 1), b = issue(&o, 2);

	connect_to(&o, a, 0);
	assert_true(pg_session_revoke(o.state, a));
	assert_int_equal(issue(&o, 3), 0);
	assert_true(pg_session_revoke(o.state, b));
	assert_int_equal(session_slot(issue(&o, 4)), session_slot(b)); // though the other rested longer
	issued_let_go(record_of(&o, a));
	assert_int_equal(session_slot(issue(&o, 5)), session_slot(a));
	office_close(&o);
}

static void a_slot_used_again_remembers_nothing_of_its_last_player(void **state UNUSED)
{
	struct office o = office_open(1);
	const uint32_t first = issue(&o, 1);
	struct issued *record = record_of(&o, first), want;

	connect_to(&o, first, 0);
	memset(&record->tx_counter, 0xee, offsetof(struct issued, key) - offsetof(struct issued, tx_counter));
	issued_let_go(record);
	assert_true(pg_session_revoke(o.state, first));
	memset(&want, 0, sizeof(want));

	const uint32_t second = issue_for(&o, 2, 50);

	want.session = want.number = second;
	want.owner = ISSUED_NO_OWNER;
	want.expires_at = record->expires_at;
	want.player_id = 2;
	memset(want.key, 2, sizeof(want.key));
	assert_memory_equal(record, &want, offsetof(struct issued, expired_or_revoked));
	assert_int_equal(record->expired_or_revoked, 0);
	office_close(&o);
}

static void generations_go_round_and_no_session_is_0(void **state UNUSED)
{
	struct office o = office_open(1);
	const uint32_t first = issue(&o, 1);
	uint32_t session = first;

	for (uint32_t n = 0; n < SESSION_GENERATION_MASK; n++) {
		const uint32_t next = issue(&o, 1);

		assert_int_not_equal(next, 0);
		assert_int_not_equal(next, session);
		assert_int_equal(session_slot(next), 0);
		assert_true(n + 1 == SESSION_GENERATION_MASK || next != first);
		session = next;
	}
	assert_int_equal(session, first);
	office_close(&o);
}

/// A worker that was about to claim when the session ended.
static void a_claim_of_a_session_that_is_over_fails_and_leaves_the_slot(void **state UNUSED)
{
	struct office o = office_open(1);
	const uint32_t first = issue(&o, 1), second = issue(&o, 1);

	assert_false(issued_claim(record_of(&o, first), first, 7));
	assert_int_equal(issued_owner(record_of(&o, first)), ISSUED_NO_OWNER);
	assert_true(issued_claim(record_of(&o, second), second, 7));
	assert_false(issued_claim(record_of(&o, second), second, 8));
	assert_int_equal(issued_owner(record_of(&o, second)), 7);
	office_close(&o);
}

static void a_packet_that_names_session_0_finds_nothing(void **state UNUSED)
{
	struct office o = office_open(1);

	assert_false(issued_stands(&o.parts.records[0], 0));
	office_close(&o);
}

// ---------------------------------------------------------------- lists

static void a_list_goes_on_where_it_stopped(void **state UNUSED)
{
	struct office o = office_open(100);
	struct pg_session_info info[7];
	uint32_t from = 0, seen = 0, last_slot = 0;

	for (uint32_t player = 1; player <= 60; player++)
		issue(&o, player);
	for (uint32_t player = 2; player <= 60; player += 2)
		assert_true(pg_session_revoke(o.state, pg_session_of_player(o.state, player)));
	while (from != UINT32_MAX) {
		const uint32_t n = pg_session_list(o.state, &from, info, COUNT(info));

		for (uint32_t i = 0; i < n; i++, seen++) {
			assert_int_equal(info[i].player_id % 2, 1);
			assert_true(seen == 0 || session_slot(info[i].session) > last_slot);
			last_slot = session_slot(info[i].session);
		}
	}
	assert_int_equal(seen, 30);
	assert_int_equal(pg_session_count(o.state), 30);
	office_close(&o);
}

static void a_list_from_beyond_the_end_is_empty(void **state UNUSED)
{
	struct office o = office_open(4);
	struct pg_session_info info;
	uint32_t from = 1000000;

	issue(&o, 1);
	assert_int_equal(pg_session_list(o.state, &from, &info, 1), 0);
	assert_int_equal(from, UINT32_MAX);
	office_close(&o);
}

// ---------------------------------------------------------------- against a model

/// What stands, by player; who is connected; what was said of the numbers.
struct model {
	uint32_t session[PLAYERS];   // 0: none
	uint32_t connected[PLAYERS]; // session that an owner has, standing or not
	uint32_t standing;
};

static uint32_t connections_of_the_dead(const struct model *m)
{
	uint32_t n = 0;

	for (uint32_t p = 0; p < PLAYERS; p++)
		n += m->connected[p] != 0 && m->connected[p] != m->session[p];
	return n;
}

static void forget(struct model *m, uint32_t player)
{
	m->standing -= m->session[player] != 0;
	m->session[player] = 0;
}

static void model_issue(const struct office *o, struct model *m, uint32_t player)
{
	forget(m, player);

	const bool room = m->standing + connections_of_the_dead(m) < o->parts.issued_capacity;
	const uint32_t session = issue(o, player + 1);

	assert_int_equal(session != 0, room);
	m->session[player] = session;
	m->standing += session != 0;
}

static void model_connect(const struct office *o, struct model *m, uint32_t player)
{
	if (m->connected[player]) {
		issued_let_go(record_of(o, m->connected[player]));
		m->connected[player] = 0;
	} else if (m->session[player]) {
		connect_to(o, m->session[player], (uint8_t)(player % 32));
		m->connected[player] = m->session[player];
	}
}

static void assert_model(const struct office *o, const struct model *m)
{
	assert_int_equal(pg_session_count(o->state), m->standing);
	for (uint32_t p = 0; p < PLAYERS; p++) {
		assert_int_equal(pg_session_of_player(o->state, p + 1), m->session[p]);
		if (m->connected[p])
			assert_int_equal(issued_owner(record_of(o, m->connected[p])), p % 32);
	}
}

static void what_stands_is_what_a_model_says(void **state UNUSED)
{
	const uint32_t capacities[] = {1, 3, 16, 25, 64};

	for (unsigned c = 0; c < COUNT(capacities); c++) {
		struct office o = office_open(capacities[c]);
		struct model m = {0};
		uint64_t seed = c + 1;

		for (int step = 0; step < STEPS / (int)COUNT(capacities); step++) {
			const uint32_t player = random_below(&seed, PLAYERS);

			switch (random_below(&seed, 4)) {
			case 0:
				model_issue(&o, &m, player);
				break;
			case 1:
				assert_int_equal(pg_session_revoke(o.state, m.session[player]), m.session[player] != 0);
				forget(&m, player);
				break;
			case 2:
				if (m.session[player])
					end_now(&o, m.session[player]);
				forget(&m, player);
				break;
			default:
				model_connect(&o, &m, player);
			}
			assert_model(&o, &m);
		}
		office_close(&o);
	}
}

// ---------------------------------------------------------------- readers

struct watch {
	struct office office;
	atomic_bool stop;
	atomic_uint missed, wrong;
};

/// Player 1 always stands; all that can be read of any other is whole.
static void *read_all_the_time(void *argument)
{
	struct watch *w = argument;
	const struct state_parts *parts = &w->office.parts;

	while (!atomic_load(&w->stop)) {
		if (player_index_find(parts->players, parts->records, 1) != 0)
			atomic_fetch_add(&w->missed, 1);
		for (uint32_t slot = 0; slot < __atomic_load_n(&parts->desk->used, __ATOMIC_ACQUIRE); slot++) {
			const struct issued *record = &parts->records[slot];
			const uint32_t session = issued_session(record);
			uint8_t key[SESSION_KEY_LEN], want[SESSION_KEY_LEN];

			memset(want, (int)__atomic_load_n(&record->player_id, __ATOMIC_RELAXED), sizeof(want));
			memcpy(key, record->key, sizeof(key));
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			if (session != 0 && issued_session(record) == session && memcmp(key, want, sizeof(key)) != 0)
				atomic_fetch_add(&w->wrong, 1);
		}
	}
	return NULL;
}

/// A small index is renewed every few steps.
static void a_reader_never_misses_who_stands_nor_reads_a_key_of_two(void **state UNUSED)
{
	struct watch w = {.office = office_open(6)};
	pthread_t reader;

	assert_int_equal(session_slot(issue(&w.office, 1)), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_all_the_time, &w), 0);
	for (uint32_t n = 0; n < REISSUES; n++) {
		if (n >= 4)
			assert_true(pg_session_revoke(w.office.state, pg_session_of_player(w.office.state, n - 2)));
		assert_int_not_equal(issue(&w.office, 2 + n), 0);
	}
	atomic_store(&w.stop, true);
	assert_int_equal(pthread_join(reader, NULL), 0);
	assert_int_equal(w.missed, 0);
	assert_int_equal(w.wrong, 0);
	assert_true(w.office.parts.players->version > REISSUES / 32);
	office_close(&w.office);
}

/// Claims what it can of what it reads; lets go at once.
static void *claim_all_the_time(void *argument)
{
	struct watch *w = argument;
	const struct state_parts *parts = &w->office.parts;

	while (!atomic_load(&w->stop)) {
		struct issued *record = &parts->records[0];
		const uint32_t session = issued_session(record);

		if (session == 0 || !issued_claim(record, session, 4))
			continue;
		// Ours: nobody may write it, or give it to another player.
		record->tx_counter = session;
		if (record->number != session || record->tx_counter != session)
			atomic_fetch_add(&w->wrong, 1);
		issued_let_go(record);
	}
	return NULL;
}

static void an_owner_never_finds_his_slot_given_away(void **state UNUSED)
{
	struct watch w = {.office = office_open(1)};
	pthread_t worker;

	assert_int_not_equal(issue(&w.office, 1), 0);
	assert_int_equal(pthread_create(&worker, NULL, claim_all_the_time, &w), 0);
	for (uint32_t n = 0; n < REISSUES; n++)
		issue(&w.office, 1 + n % 2);
	atomic_store(&w.stop, true);
	assert_int_equal(pthread_join(worker, NULL), 0);
	assert_int_equal(w.wrong, 0);
	office_close(&w.office);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_of_another_shape_is_refused),
		cmocka_unit_test(parts_of_a_state_do_not_overlap),
		cmocka_unit_test(cookie_secrets_of_two_states_differ),
		cmocka_unit_test(an_issued_session_is_told_as_it_was_issued),
		cmocka_unit_test(a_connected_session_tells_where_its_player_is),
		cmocka_unit_test(a_motion_that_is_being_written_is_left_out),
		cmocka_unit_test(many_that_end_at_once_are_collected_a_part_at_a_time),
		cmocka_unit_test(a_revoked_session_is_over_but_its_player_can_be_told),
		cmocka_unit_test(a_player_who_gets_another_session_loses_the_first),
		cmocka_unit_test(a_session_whose_time_is_over_is_not_told_and_is_collected),
		cmocka_unit_test(requests_that_cannot_be_are_refused_in_a_sentence),
		cmocka_unit_test(the_slot_that_rested_longest_is_used_again_first),
		cmocka_unit_test(when_every_slot_is_taken_nothing_is_issued_until_one_ends),
		cmocka_unit_test(a_slot_whose_connection_lives_is_not_used_again),
		cmocka_unit_test(a_slot_used_again_remembers_nothing_of_its_last_player),
		cmocka_unit_test(generations_go_round_and_no_session_is_0),
		cmocka_unit_test(a_claim_of_a_session_that_is_over_fails_and_leaves_the_slot),
		cmocka_unit_test(a_packet_that_names_session_0_finds_nothing),
		cmocka_unit_test(a_list_goes_on_where_it_stopped),
		cmocka_unit_test(a_list_from_beyond_the_end_is_empty),
		cmocka_unit_test(what_stands_is_what_a_model_says),
		cmocka_unit_test(a_reader_never_misses_who_stands_nor_reads_a_key_of_two),
		cmocka_unit_test(an_owner_never_finds_his_slot_given_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
