// SPDX-License-Identifier: BSD-3-Clause
// test_issue.c: issuing sessions: what is told of them, how they end, lists; and the state that they lie in.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "issuer.h"
#include "rig.h"

static struct pg_error error;

// ---------------------------------------------------------------- the state

static void a_state_of_another_shape_is_refused(void **state UNUSED)
{
	const size_t size = pg_state_size(64, 2, 10);
	const struct state_shape right = {64, 2, 10, 0};
	const struct state_shape wrong[] = {
		{65, 2, 10, 0}, {64, 1, 10, 0}, {64, 2, 9, 0}, {64, 2, 0, 0}, {64, 2, 10, 1}};
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
	pg_state_release(memory);
	free(memory);
}

static void parts_of_a_state_do_not_overlap(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	const uint8_t *base = o.state;

	assert_true((uint8_t *)(o.parts.issuing + 1) <= (uint8_t *)state_region(o.state, 0));
	assert_true((uint8_t *)o.parts.players >= (uint8_t *)state_region(o.state, 1) + plain_region_size(64));
	assert_ptr_equal(o.parts.records, (uint8_t *)o.parts.players + player_index_size(10));
	assert_int_equal((uintptr_t)o.parts.records % CACHE_LINE, 0);
	assert_ptr_equal(o.parts.seen, o.parts.records + 10);
	assert_true((uint8_t *)o.parts.visible.of >= (uint8_t *)(o.parts.seen + 10));
	assert_int_equal((uintptr_t)o.parts.visible.of % CACHE_LINE, 0);
	assert_ptr_equal(o.parts.visible.table, o.parts.visible.of + 10);
	assert_ptr_equal(o.parts.visible.table + o.parts.visible.mask + 1, base + pg_state_size(64, 2, 10));
	issuer_close(&o);
}

/// Where another process, or this one at another address, would have nothing of its own to go by.
static void in_a_state_that_this_process_did_not_make_nothing_is_issued(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	const uint32_t session = issue(&o, 1);
	const struct pg_issue_request request = {.player_id = 2, .ttl_s = 60};
	uint8_t *copy = zeroed_lines(pg_state_size(64, 2, 10));
	struct pg_session_info info;
	uint32_t from = 0, other;

	memcpy(copy, o.state, pg_state_size(64, 2, 10));
	assert_int_equal(pg_session_issue(copy, &request, &other, &error), PG_ERROR_USAGE);
	assert_non_null(strstr(error.message, "did not make"));
	assert_int_equal(pg_state_gateway(copy, 8, 1, &error), PG_ERROR_USAGE);
	assert_non_null(strstr(error.message, "did not make"));
	assert_false(pg_session_revoke(copy, session));
	assert_false(pg_session_inspect(copy, session, &info));
	assert_int_equal(pg_session_of_player(copy, 1), 0);
	assert_int_equal(pg_session_list(copy, &from, &info, 1), 0);
	assert_int_equal(from, UINT32_MAX);
	assert_int_equal(pg_session_count(copy), 0);
	pg_state_release(copy); // nor is there anything to free
	assert_int_equal(pg_session_of_player(o.state, 1), session);
	issuer_close(&o);
	free(copy);
}

static void secrets_of_two_states_differ(void **state UNUSED)
{
	struct issuer a = issuer_open(1), b = issuer_open(1);

	assert_memory_not_equal(a.parts.issuing->secret, b.parts.issuing->secret, STATE_SECRET_LEN);
	issuer_close(&a);
	issuer_close(&b);
}

// ---------------------------------------------------------------- one session

static void an_issued_session_is_told_as_it_was_issued(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
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
	assert_false(pg_session_inspect(o.state, session_number_next(&o.parts.numbers, 0, session), &info));
	assert_false(pg_session_inspect(o.state, 0, &info));
	issuer_close(&o);
}

static void a_connected_session_tells_where_its_player_is(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	const uint32_t session = issue(&o, 5);
	struct session_record *record = record_of(&o, session);
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
	issuer_close(&o);
}

static void a_motion_that_is_being_written_is_left_out(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	const uint32_t session = issue(&o, 5);
	struct session_record *record = record_of(&o, session);
	struct pg_session_info info;

	connect_to(&o, session, 0);
	record->max_datagram = 508;
	record->motion = (struct motion){{1, 2, 3}, {4, 5, 6}};
	record->motion_version = 1;
	assert_true(pg_session_inspect(o.state, session, &info));
	assert_int_equal(info.has_motion, 0);
	assert_true(info.position[0] == 0);
	assert_int_equal(info.max_datagram, 508);
	issuer_close(&o);
}

static void many_that_end_at_once_are_collected_a_part_at_a_time(void **state UNUSED)
{
	struct issuer o = issuer_open(5000);

	for (uint32_t player = 1; player <= 5000; player++)
		end_now(&o, issue(&o, player));
	assert_int_equal(pg_session_count(o.state), 0);
	for (uint32_t player = 6000; player < 11000; player++)
		assert_int_not_equal(issue(&o, player), 0);
	assert_int_equal(pg_session_count(o.state), 5000);
	issuer_close(&o);
}

static void a_revoked_session_is_over_but_its_player_can_be_told(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	const uint32_t session = issue(&o, 9);
	const struct session_record *record = record_of(&o, session);
	struct pg_session_info info;
	uint8_t key[SESSION_KEY_LEN];

	memset(key, 9, sizeof(key));
	assert_true(pg_session_revoke(o.state, session));
	assert_false(record_stands(record, session));
	assert_int_equal(record->expired_or_revoked, SESSION_DENIED_REVOKED);
	assert_int_equal(record->number, session);
	assert_memory_equal(record->key, key, sizeof(key));
	assert_false(pg_session_inspect(o.state, session, &info));
	assert_int_equal(pg_session_of_player(o.state, 9), 0);
	assert_int_equal(pg_session_count(o.state), 0);
	assert_false(pg_session_revoke(o.state, session));
	issuer_close(&o);
}

static void a_player_who_gets_another_session_loses_the_first(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
	const uint32_t first = issue(&o, 9), second = issue(&o, 9);

	assert_int_not_equal(first, second);
	assert_false(record_stands(record_of(&o, first), first));
	assert_int_equal(record_of(&o, first)->expired_or_revoked, SESSION_DENIED_REVOKED);
	assert_int_equal(pg_session_of_player(o.state, 9), second);
	assert_int_equal(pg_session_count(o.state), 1);
	issuer_close(&o);
}

static void a_session_whose_time_is_over_is_not_told_and_is_collected(void **state UNUSED)
{
	struct issuer o = issuer_open(10);
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
	issuer_close(&o);
}

static void requests_that_cannot_be_are_refused_in_a_sentence(void **state UNUSED)
{
	struct issuer o = issuer_open(10), none = issuer_open(0);
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
	issuer_close(&o);
	issuer_close(&none);
}

// ---------------------------------------------------------------- lists

static void a_list_goes_on_where_it_stopped(void **state UNUSED)
{
	struct issuer o = issuer_open(100);
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
			assert_true(seen == 0 || slot_in(&o, info[i].session) > last_slot);
			last_slot = slot_in(&o, info[i].session);
		}
	}
	assert_int_equal(seen, 30);
	assert_int_equal(pg_session_count(o.state), 30);
	issuer_close(&o);
}

static void a_list_from_beyond_the_end_is_empty(void **state UNUSED)
{
	struct issuer o = issuer_open(4);
	struct pg_session_info info;
	uint32_t from = 1000000;

	issue(&o, 1);
	assert_int_equal(pg_session_list(o.state, &from, &info, 1), 0);
	assert_int_equal(from, UINT32_MAX);
	issuer_close(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_of_another_shape_is_refused),
		cmocka_unit_test(parts_of_a_state_do_not_overlap),
		cmocka_unit_test(in_a_state_that_this_process_did_not_make_nothing_is_issued),
		cmocka_unit_test(secrets_of_two_states_differ),
		cmocka_unit_test(an_issued_session_is_told_as_it_was_issued),
		cmocka_unit_test(a_connected_session_tells_where_its_player_is),
		cmocka_unit_test(a_motion_that_is_being_written_is_left_out),
		cmocka_unit_test(many_that_end_at_once_are_collected_a_part_at_a_time),
		cmocka_unit_test(a_revoked_session_is_over_but_its_player_can_be_told),
		cmocka_unit_test(a_player_who_gets_another_session_loses_the_first),
		cmocka_unit_test(a_session_whose_time_is_over_is_not_told_and_is_collected),
		cmocka_unit_test(requests_that_cannot_be_are_refused_in_a_sentence),
		cmocka_unit_test(a_list_goes_on_where_it_stopped),
		cmocka_unit_test(a_list_from_beyond_the_end_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
