// SPDX-License-Identifier: BSD-3-Clause
// test_sealed_refused.c: datagrams of the session profile that the pipeline refuses, each under its reason, and what they leave behind.

#include "unit.h"

#include <string.h>

#include "pipeline_fixture.h"

static void test_replay_is_dropped_before_its_tag(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = seal_data(g, &player, true, &move, datagram);
	struct reply reply = send_from(g, 0, &player.peer, datagram, length);

	assert_int_equal(reply.result, PG_DROP_NONE);
	datagram[length - 1] ^= 1; // nobody looks
	reply = send_from(g, 0, &player.peer, datagram, length);
	check_dropped(g, &reply, PG_DROP_REPLAYED);
}

static void test_of_two_copies_in_a_burst_one_is_taken(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	const struct peer peers[2] = {player.peer, player.peer};
	static uint8_t payload[2][1500];
	static struct reply reply[2];
	uint16_t length[2];

	length[0] = length[1] = seal_data(g, &player, true, &move, payload[0]);
	memcpy(payload[1], payload[0], length[0]);
	deliver(g, 0, peers, payload, length, reply, 2);
	assert_int_equal(reply[0].result, PG_DROP_NONE);
	check_dropped(g, &reply[1], PG_DROP_REPLAYED);
	assert_int_equal(g->fixture->stats[0].messages.received[PG_REQUEST_MOVE], 1);
}

static void test_changed_bytes_are_found_out(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = seal_data(g, &player, true, &move, datagram);
	struct reply reply;

	for (unsigned i = 8; i < length; i++) { // kind, length and session have reasons of their own
		datagram[i] ^= 0x10;
		reply = send_from(g, 0, &player.peer, datagram, length);
		assert_true(reply.result == PG_DROP_BAD_TAG || (i < 12 && reply.result == PG_DROP_REPLAYED));
		datagram[i] ^= 0x10;
	}
	reply = send_from(g, 0, &player.peer, datagram, length); // none of them moved the window
	assert_int_equal(reply.result, PG_DROP_NONE);
}

static void test_wrong_headers_are_named(void **state)
{
	static const struct {
		uint8_t kind, flags;
		int length, off_by;
		enum pg_drop drop;
	} cases[] = {
		{SESSION_DATA, 0, 100, -1, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 0, 100, 1, PG_DROP_SESSION_HEADER},
		{SESSION_HELLO, 1, 72, 0, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 2, 100, 0, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 0x80, 100, 0, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 0, SESSION_DATA_MIN - 1, 0, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 0, 12, 0, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 0, 11, 0, PG_DROP_TRUNCATED},
		{SESSION_DATA, 0, 0, 0, PG_DROP_TRUNCATED},
		{SESSION_DATA, 0, SESSION_DATAGRAM_MAX + 1, 0, PG_DROP_SESSION_HEADER},
		{SESSION_CLOSE, 0, 35, 0, PG_DROP_SESSION_HEADER},
		{SESSION_CLOSE, 0, 37, 0, PG_DROP_SESSION_HEADER},
		{SESSION_CLOSE, 2, 36, 0, PG_DROP_SESSION_HEADER},
		{SESSION_PATH_RESPONSE, 0, 35, 0, PG_DROP_SESSION_HEADER},
		{SESSION_PATH_RESPONSE, 0, 37, 0, PG_DROP_SESSION_HEADER},
		{SESSION_HELLO, 0, 71, 0, PG_DROP_SESSION_HEADER},
		{SESSION_HELLO, 0, 73, 0, PG_DROP_SESSION_HEADER},
		{SESSION_HELLO, 1, 72, 0, PG_DROP_SESSION_HEADER},
		{SESSION_CONFIRM, 0, 507, 0, PG_DROP_SESSION_HEADER},
		{0, 0, 100, 0, PG_DROP_SESSION_HEADER},
		{SESSION_PROBE, 0, SESSION_DATA_MIN - 1, 0, PG_DROP_SESSION_HEADER},
		{SESSION_PROBE, 0, SESSION_DATAGRAM_MAX + 1, 0, PG_DROP_SESSION_HEADER},
		{SESSION_PROBE, 4, 100, 0, PG_DROP_SESSION_HEADER},
		{12, 0, 100, 0, PG_DROP_SESSION_HEADER},
		{255, 0, 100, 0, PG_DROP_SESSION_HEADER},
		{SESSION_CHALLENGE, 0, 52, 0, PG_DROP_SESSION_STATE},
		{SESSION_WELCOME, 0, 508, 0, PG_DROP_SESSION_STATE},
		{SESSION_PATH_CHALLENGE, 0, 36, 0, PG_DROP_SESSION_STATE},
		{SESSION_DENIED, 0, 48, 0, PG_DROP_SESSION_STATE},
		{SESSION_RESET, 0, 28, 0, PG_DROP_SESSION_STATE},
	};
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);

	for (unsigned i = 0; i < COUNT(cases); i++) {
		uint8_t datagram[1500] = {0};
		const struct session_header header = {
			.kind = cases[i].kind,
			.flags = cases[i].flags,
			.length = (uint16_t)(cases[i].length + cases[i].off_by),
			.session = player.session,
		};
		struct reply reply;

		memcpy(datagram, &header, sizeof(header));
		reply = send_from(g, 0, &player.peer, datagram, (uint16_t)cases[i].length);
		check_dropped(g, &reply, cases[i].drop);
	}
}

static void test_numbers_of_another_gateway_are_dropped_as_such(void **state)
{
	struct pipeline_fixture *g = *state;
	const struct message move = a_move();
	struct player player = connected(g, 1), idle = issue(g, 2);
	const uint32_t foreign[] = {player.session ^ 1U << 24, player.session ^ 1U << 31, idle.session ^ 1U << 28,
				    0xff000000 | PIPELINE_FIXTURE_CAPACITY, UINT32_MAX};
	const uint32_t real = player.session;

	for (unsigned i = 0; i < COUNT(foreign); i++) {
		struct reply reply;

		player.session = foreign[i];
		reply = say(g, &player, true, &move);
		check_dropped(g, &reply, PG_DROP_SESSION_FOREIGN);
		reply.length = player_hello(&player, reply.bytes);
		reply = send_from(g, 0, &player.peer, reply.bytes, reply.length);
		check_dropped(g, &reply, PG_DROP_SESSION_FOREIGN);
	}
	player.session = real;
	assert_int_equal(say(g, &player, true, &move).result, PG_DROP_NONE);
}

static void test_numbers_that_name_nobody_are_dropped(void **state)
{
	struct pipeline_fixture *g = *state;
	const struct message move = a_move();
	struct player player = connected(g, 1), idle = issue(g, 2);
	const uint32_t real = player.session;
	const uint32_t strange[] = {0, fixture_next_number(g->fixture, real), PIPELINE_FIXTURE_CAPACITY - 1,
				    SESSION_SLOTS_MAX - 1, 7};
	struct reply reply;

	for (unsigned i = 0; i < COUNT(strange); i++) {
		player.session = strange[i];
		reply = say(g, &player, true, &move);
		check_dropped(g, &reply, PG_DROP_SESSION_UNKNOWN);
	}
	player.session = real;
	idle.cipher = player.cipher;
	reply = say(g, &idle, true, &move);
	check_dropped(g, &reply, PG_DROP_SESSION_STATE);
	assert_true(pg_session_revoke(g->fixture->state, real));
	reply = say(g, &player, true, &move);
	check_dropped(g, &reply, PG_DROP_SESSION_OVER);
}

static void test_longer_than_the_handshake_proved_is_taken(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = issue(g, 1);
	struct message bulk = {.length = 0};
	uint8_t body[600] = {0};

	player.max_datagram = SESSION_DATAGRAM_MIN;
	assert_true(connect_by(g, 0, &player));
	add_message(&bulk, SESSION_BULK, 0, 0, body, sizeof(body)); // the path has become wider, or always was
	assert_int_equal(say(g, &player, true, &bulk).result, PG_DROP_NONE);
}

static void test_session_has_a_rate_of_its_own(void **state)
{
	struct pipeline_fixture *g = *state;
	const struct message move = a_move();
	struct player player = connected(g, 1), other = connected(g, 2);
	unsigned answers = 0;
	struct reply reply;

	g->rig->policy.sessions.session[listener_of(g)] = rate_make(100, 10, pg_tsc_hz());
	for (unsigned i = 0; i < 20; i++)
		answers += say(g, &player, true, &move).result == PG_DROP_NONE;
	assert_int_equal(answers, 10);
	reply = say(g, &player, true, &move);
	check_dropped(g, &reply, PG_DROP_SESSION_RATE_LIMITED);
	assert_int_equal(say(g, &other, true, &move).result, PG_DROP_NONE);
	fixture_wait(g->fixture, 1000);
	assert_int_equal(say(g, &player, true, &move).result, PG_DROP_NONE);
}

static void test_forgeries_do_not_use_up_the_session_rate(void **state)
{
	struct pipeline_fixture *g = *state;
	const struct message move = a_move();
	struct player player = connected(g, 1), forger = player;

	g->rig->policy.sessions.session[listener_of(g)] = rate_make(100, 10, pg_tsc_hz());
	memset(&forger.cipher.seal.data, 0x5a, 64);
	for (unsigned i = 0; i < 50; i++) {
		const struct reply reply = say(g, &forger, true, &move);

		check_dropped(g, &reply, PG_DROP_BAD_TAG);
	}
	assert_int_equal(say(g, &player, true, &move).result, PG_DROP_NONE);
}

static void test_only_unproved_addresses_have_a_source_rate(void **state)
{
	struct pipeline_fixture *g = *state;
	const struct message move = a_move();
	struct player player = connected(g, 1), elsewhere = player;
	struct reply reply;

	rig_limit_sources(g->rig, listener_of(g), (struct rate){.interval = pg_tsc_hz(), .tolerance = 0});
	elsewhere.peer = peer_number(g, 9);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(say(g, &player, true, &move).result, PG_DROP_NONE);
	elsewhere.sent = player.sent;
	say(g, &elsewhere, true, &move);
	reply = say(g, &elsewhere, true, &move);
	check_dropped(g, &reply, PG_DROP_SOURCE_RATE_LIMITED);
	player.sent = elsewhere.sent;
	assert_int_equal(say(g, &player, true, &move).result, PG_DROP_NONE);
	assert_true(connect_by(g, 0, &elsewhere)); // handshakes have a budget: it is not short
}

static void test_one_bad_message_is_skipped_alone(void **state)
{
	struct pipeline_fixture *g = *state;
	const struct message move = a_move();
	struct player player = connected(g, 1);
	struct message two = a_move();
	static const float infinite[6] = {__builtin_inff()};
	struct reply reply;

	add_message(&two, SESSION_MOVE, 0, 0, infinite, sizeof(infinite));
	assert_int_equal(say(g, &player, true, &two).result, PG_DROP_NONE);
	assert_int_equal(fixture_record(g->fixture, &player)->motion_version, 2);
	assert_int_equal(g->fixture->stats[0].messages.skipped, 1);
	reply = say(g, &player, true, &move);
	opened(g, &player, reply.bytes, reply.length, SESSION_DATA);
	assert_int_equal(prefix_of(reply.bytes).ack, 2);
	assert_int_equal(prefix_of(reply.bytes).ack_bits, 1); // the first was taken, too
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_EVERY_WAY(test_replay_is_dropped_before_its_tag),
		BY_EVERY_WAY(test_of_two_copies_in_a_burst_one_is_taken),
		BY_EVERY_WAY(test_changed_bytes_are_found_out),
		BY_EVERY_WAY(test_wrong_headers_are_named),
		BY_EVERY_WAY(test_numbers_that_name_nobody_are_dropped),
		BY_EVERY_WAY(test_numbers_of_another_gateway_are_dropped_as_such),
		BY_EVERY_WAY(test_longer_than_the_handshake_proved_is_taken),
		BY_EVERY_WAY(test_session_has_a_rate_of_its_own),
		BY_EVERY_WAY(test_forgeries_do_not_use_up_the_session_rate),
		BY_EVERY_WAY(test_only_unproved_addresses_have_a_source_rate),
		BY_EVERY_WAY(test_one_bad_message_is_skipped_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
