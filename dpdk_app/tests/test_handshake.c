// SPDX-License-Identifier: BSD-3-Clause
// test_handshake.c: HELLO: who gets in, who is told why not, who is kept waiting; and that nobody else leaves a trace.

#include "unit.h"

#include <string.h>

#include "handshake_fixture.h"
#include "rig.h"

#define SPOOFED 1000000

// ---------------------------------------------------------------- the good way

static void a_player_with_a_key_gets_in(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	struct session_record *record = fixture_record(fixture, &player);

	assert_true(fixture_connect(fixture, 0, &player));
	assert_int_equal(player.welcome.player_id, 7);
	assert_uint_in_range(player.welcome.expires_in_s, 590, 600);
	assert_int_equal(player.welcome.idle_timeout_ms, 30000);
	assert_int_equal(player.welcome.max_datagram, 1400);
	assert_int_equal(player.welcome.limits, 0);
	assert_int_not_equal(player.welcome.spare, 0);
	assert_int_equal(player.welcome.header.counter, 1);
	assert_int_equal(record->phase, RECORD_CONNECTED);
	assert_int_equal(record->owner, 0);
	assert_int_equal(record->connections, 1);
	assert_true(peer_equal(&record->peer, &player.peer));
	assert_int_equal(fixture->stats[0].connected, 1);
	assert_int_equal(fixture->stats[0].connections, 1);
}

static void the_welcome_is_as_long_as_its_confirm(void **state UNUSED)
{
	for (uint16_t length = SESSION_DATAGRAM_MIN; length <= SESSION_DATAGRAM_MAX; length += 97) {
		struct player player = fixture_issue(fixture, 7, 600, false);

		player.max_datagram = length;
		assert_true(fixture_connect(fixture, 0, &player));
		assert_int_equal(player.welcome.header.length, length);
		assert_int_equal(player.welcome.max_datagram, length);
		assert_int_equal(fixture_record(fixture, &player)->max_datagram, length);
	}
}

static void both_directions_have_keys_of_their_own(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	const size_t clear = sizeof(struct session_header);
	uint8_t datagram[PLAYER_BUFFER];
	struct session_keys keys;
	uint16_t length;

	assert_true(fixture_connect(fixture, 0, &player));
	keys = store_keys(&fixture->store, fixture_slot(fixture, &player));
	length = player_seal(fixture, &player, SESSION_DATA, "hello", 5, datagram);
	assert_false(cipher_open(&fixture->shard[0]->code, keys.seal, 1, datagram, clear, length));
	length = player_seal(fixture, &player, SESSION_DATA, "hello", 5, datagram);
	assert_true(cipher_open(&fixture->shard[0]->code, keys.open, 2, datagram, clear, length));
	assert_memory_equal(datagram + clear, "hello", 5);
}

// ---------------------------------------------------------------- HELLO, bad

static void a_million_spoofed_hellos_change_nothing(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t *before = state_copy();
	uint64_t seed = 99, in = 0, out = 0;
	struct session_hello hello = {.header = {.kind = SESSION_HELLO, .length = sizeof(hello)},
				      .version = SESSION_VERSION};

	for (unsigned i = 0; i < SPOOFED; i++) {
		const struct peer peer = peer_at((uint32_t)random_next(&seed), (uint16_t)random_next(&seed), 0);
		uint8_t datagram[sizeof(hello)];
		struct handshake_outcome outcome;

		hello.header.session = i % 2 ? player.session : (uint32_t)random_next(&seed) & 0xffffff; // ours all
		memcpy(hello.client_nonce, &i, sizeof(i));
		memcpy(datagram, &hello, sizeof(hello));
		outcome = send_from(0, &peer, datagram, sizeof(datagram));
		assert_int_equal(outcome.drop, PG_DROP_NONE);
		in += sizeof(datagram);
		out += outcome.answer;
	}
	assert_true(out <= in);
	assert_true(fixture->shard[0]->wheel.scheduled == 0);
	assert_int_equal(fixture->stats[0].connected, 0);
	assert_state_is(before);
}

static void a_hello_of_any_other_length_is_refused(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER] = {0};

	player_hello(&player, datagram);
	for (uint16_t length = 0; length <= SESSION_DATAGRAM_MAX; length++) {
		struct session_header *header = (struct session_header *)datagram;

		if (length == sizeof(struct session_hello))
			continue;
		header->length = sizeof(struct session_hello); // cut, or with something behind
		assert_dropped(&player, datagram, length, PG_DROP_SESSION_HEADER);
		header->length = length; // and owning up to it
		assert_dropped(&player, datagram, length, PG_DROP_SESSION_HEADER);
	}
}

static void a_hello_whose_length_field_lies_is_refused(void **state UNUSED)
{
	static const uint16_t lies[] = {0, 1, 12, 71, 73, 1400, 0xffff};
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = player_hello(&player, datagram);

	for (size_t i = 0; i < COUNT(lies); i++) {
		((struct session_header *)datagram)->length = lies[i];
		assert_dropped(&player, datagram, length, PG_DROP_SESSION_HEADER);
	}
}

static void a_hello_with_anything_where_zeros_belong_is_refused(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = player_hello(&player, datagram);

	for (size_t i = 0; i < length; i++) {
		const bool zero =
			i == offsetof(struct session_header, flags) ||
			(i >= offsetof(struct session_header, session) + 4 && i < sizeof(struct session_header)) ||
			(i >= offsetof(struct session_hello, reserved) &&
			 i < offsetof(struct session_hello, client_nonce)) ||
			i >= offsetof(struct session_hello, padding);

		if (!zero)
			continue;
		datagram[i] = 1;
		assert_dropped(&player, datagram, length, PG_DROP_SESSION_HEADER);
		datagram[i] = 0;
	}
}

static void kinds_that_no_client_greets_with_are_refused(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER], *before = state_copy();
	const uint16_t length = player_hello(&player, datagram);

	for (unsigned kind = 0; kind < 256; kind++) {
		if (kind == SESSION_HELLO || kind == SESSION_CONFIRM)
			continue;
		datagram[0] = (uint8_t)kind;
		assert_dropped(&player, datagram, length, PG_DROP_SESSION_STATE);
	}
	datagram[0] = SESSION_CONFIRM; // as short as a HELLO
	assert_dropped(&player, datagram, length, PG_DROP_SESSION_HEADER);
	assert_state_is(before);
}

// ---------------------------------------------------------------- DENIED

/// The answer, if it is a DENIED with this reason.
static struct session_denied assert_denied(const struct player *player, uint8_t *datagram, uint16_t length,
					   enum session_denial why)
{
	const uint64_t before = fixture->stats[0].denied[why];
	const struct handshake_outcome outcome = send_handshake(player, datagram, length);
	struct session_denied denied;

	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_int_equal(outcome.answer, sizeof(denied));
	assert_true(outcome.answer <= length);
	memcpy(&denied, datagram, sizeof(denied));
	assert_int_equal(denied.header.kind, SESSION_DENIED);
	assert_int_equal(denied.header.length, sizeof(denied));
	assert_int_equal(denied.header.session, player->session);
	assert_int_equal(denied.reason, why);
	assert_memory_equal(denied.client_nonce, player->client_nonce, SESSION_NONCE_LEN);
	assert_int_equal(fixture->stats[0].denied[why], before + 1);
	return denied;
}

static bool is_proved(const struct player *player, const struct session_denied *denied)
{
	return proof_is_right(PROOF_OF_DENIED, player->key, (const uint8_t *)denied, sizeof(*denied));
}

static bool without_proof(const struct session_denied *denied)
{
	static const uint8_t zeros[SESSION_TAG_LEN];

	return memcmp(denied->proof, zeros, sizeof(zeros)) == 0;
}

/// Its own gateway answers.
static void a_number_of_another_gateway_is_not_answered(void **state UNUSED)
{
	static const uint32_t foreign[] = {1U << 24, 1U << 31, 0xff000000};
	struct player player = fixture_issue(fixture, 7, 600, false);
	const uint32_t right = player.session;
	uint8_t datagram[PLAYER_BUFFER];

	for (size_t i = 0; i < COUNT(foreign); i++) {
		player.session = right ^ foreign[i];
		assert_dropped(&player, datagram, player_hello(&player, datagram), PG_DROP_SESSION_FOREIGN);
		assert_dropped(&player, datagram, player_confirm(&player, datagram), PG_DROP_SESSION_FOREIGN);
	}
}

/// With a proof, whoever read a player's nonce could make the gateway say that the player's version is wrong.
static void another_version_is_denied_without_proof(void **state UNUSED)
{
	static const uint8_t versions[3] = {SESSION_VERSION};
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER];
	uint16_t length = player_hello(&player, datagram);
	struct session_denied denied;

	((struct session_hello *)datagram)->version = 3;
	denied = assert_denied(&player, datagram, length, SESSION_DENIED_VERSION);
	assert_true(without_proof(&denied));
	assert_memory_equal(denied.versions, versions, sizeof(versions));
	length = fixture_ask(fixture, 0, &player, datagram);
	((struct session_confirm *)datagram)->version = 0;
	denied = assert_denied(&player, datagram, length, SESSION_DENIED_VERSION);
	assert_true(without_proof(&denied));
}

/// Only who proves to have the key: a HELLO is answered as any other.
static void expired_and_revoked_players_are_told_with_proof_when_they_prove_theirs(void **state UNUSED)
{
	struct player expired = fixture_issue(fixture, 7, 2, false), revoked = fixture_issue(fixture, 8, 600, false);
	uint8_t confirm[2][PLAYER_BUFFER];
	const uint16_t length = fixture_ask(fixture, 0, &expired, confirm[0]);
	struct session_denied denied;

	assert_int_equal(fixture_ask(fixture, 0, &revoked, confirm[1]), length);
	fixture_wait(fixture, 3000);
	assert_true(pg_session_revoke(fixture->state, revoked.session));
	denied = assert_denied(&expired, confirm[0], length, SESSION_DENIED_EXPIRED);
	assert_true(is_proved(&expired, &denied));
	denied = assert_denied(&revoked, confirm[1], length, SESSION_DENIED_REVOKED);
	assert_true(is_proved(&revoked, &denied));
	assert_int_equal(fixture_ask(fixture, 0, &expired, confirm[0]), length); // a CHALLENGE that its ticket proves
	assert_int_equal(fixture_ask(fixture, 0, &revoked, confirm[1]), length);
	assert_denied(&expired, confirm[0], length, SESSION_DENIED_EXPIRED);
	assert_denied(&revoked, confirm[1], length, SESSION_DENIED_REVOKED);
	assert_int_equal(fixture->stats[0].connected, 0);
}

/// What the player says under the keys of a connection, opened.
static void say_something(struct player *player)
{
	struct session_record *record = fixture_record(fixture, player);

	replay_mark(&record->replay, record->replay.newest + 1);
}

static void a_session_for_once_is_consumed_by_what_is_first_said_under_its_keys(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, true);
	uint8_t datagram[PLAYER_BUFFER];
	struct session_denied denied;

	for (unsigned lost = 0; lost < 20; lost++) { // WELCOMEs, of one attempt after the other
		fixture_wait(fixture, 100);
		assert_true(fixture_connect(fixture, 0, &player));
	}
	say_something(&player);
	fixture_wait(fixture, 100);

	const uint16_t length = fixture_ask(fixture, 0, &player, datagram);

	denied = assert_denied(&player, datagram, length, SESSION_DENIED_CONSUMED);
	assert_true(is_proved(&player, &denied));
}

static void a_session_for_once_stays_consumed_when_its_connection_has_ended(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, true);
	uint8_t datagram[PLAYER_BUFFER];

	assert_true(fixture_connect(fixture, 0, &player));
	say_something(&player);
	connection_close(fixture->shard[0], fixture_slot(fixture, &player), SESSION_CLOSED_LEFT, fixture->now);
	for (unsigned i = 0; i < 3; i++) {
		fixture_wait(fixture, 100);

		const uint16_t length = fixture_ask(fixture, 0, &player, datagram);

		assert_denied(&player, datagram, length, SESSION_DENIED_CONSUMED);
	}
	assert_true(fixture_restart(fixture) == 0);
	fixture_wait(fixture, 100);

	const uint16_t length = fixture_ask(fixture, 0, &player, datagram);

	assert_denied(&player, datagram, length, SESSION_DENIED_CONSUMED);
}

static void the_next_session_of_a_slot_is_not_consumed(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, true);
	const uint32_t slot = fixture_slot(fixture, &player);

	assert_true(fixture_connect(fixture, 0, &player));
	say_something(&player);
	connection_close(fixture->shard[0], slot, SESSION_CLOSED_LEFT, fixture->now);
	do
		player = fixture_issue(fixture, 7, 600, true); // each revokes the one before
	while (fixture_slot(fixture, &player) != slot);
	fixture_wait(fixture, 1);
	assert_true(fixture_connect(fixture, 0, &player));
}

static void a_worker_without_memory_for_messages_is_full(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	struct message_pool *pool = fixture->shard[0]->ctx.pool;
	uint8_t datagram[PLAYER_BUFFER];
	const uint32_t used = pool->used;
	const uint16_t length = fixture_ask(fixture, 0, &player, datagram);

	pool->used = pool->blocks;
	assert_denied(&player, datagram, length, SESSION_DENIED_FULL);
	assert_int_equal(fixture_record(fixture, &player)->owner, RECORD_NO_OWNER);
	pool->used = used;
	assert_true(fixture_connect(fixture, 0, &player));
}

// ---------------------------------------------------------------- limits

static void hellos_that_use_up_the_budget_leave_time_for_confirms(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), flood = fixture_issue(fixture, 8, 600, false);
	uint8_t datagram[PLAYER_BUFFER], confirm[PLAYER_BUFFER];
	const uint16_t length = fixture_ask(fixture, 0, &player, confirm);
	struct handshake_outcome outcome = {.drop = PG_DROP_NONE};

	fixture->rules.handshake = handshake_budget_make(200, pg_tsc_hz()); // the default
	for (unsigned i = 0; outcome.drop == PG_DROP_NONE; i++) {
		assert_true(i < 10 * SPOOFED); // time stands still here: it must run out
		player_hello(&flood, datagram);
		outcome = send_handshake(&flood, datagram, sizeof(struct session_hello));
	}
	assert_int_equal(outcome.drop, PG_DROP_HANDSHAKE_BUDGET);
	assert_int_equal(send_handshake(&player, confirm, length).answer, length);
	fixture_wait(fixture, 1000);
	player_hello(&flood, datagram);
	assert_int_equal(send_handshake(&flood, datagram, sizeof(struct session_hello)).drop, PG_DROP_NONE);
}

static void what_the_budget_refuses_is_not_charged_to_it(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false);
	uint8_t datagram[PLAYER_BUFFER];

	fixture->rules.handshake = handshake_budget_make(100, pg_tsc_hz());
	fixture->handshakes[0].conforms_at = fixture->now + pg_tsc_hz();

	const uint64_t before = fixture->handshakes[0].conforms_at;
	const uint16_t length = player_hello(&player, datagram);

	for (unsigned i = 0; i < 100; i++)
		assert_dropped(&player, datagram, length, PG_DROP_HANDSHAKE_BUDGET);
	assert_true(fixture->handshakes[0].conforms_at == before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_player_with_a_key_gets_in),
		fixture_test(the_welcome_is_as_long_as_its_confirm),
		fixture_test(both_directions_have_keys_of_their_own),
		fixture_test(a_million_spoofed_hellos_change_nothing),
		fixture_test(a_hello_of_any_other_length_is_refused),
		fixture_test(a_hello_whose_length_field_lies_is_refused),
		fixture_test(a_hello_with_anything_where_zeros_belong_is_refused),
		fixture_test(kinds_that_no_client_greets_with_are_refused),
		fixture_test(a_number_of_another_gateway_is_not_answered),
		fixture_test(another_version_is_denied_without_proof),
		fixture_test(expired_and_revoked_players_are_told_with_proof_when_they_prove_theirs),
		fixture_test(a_session_for_once_is_consumed_by_what_is_first_said_under_its_keys),
		fixture_test(a_session_for_once_stays_consumed_when_its_connection_has_ended),
		fixture_test(the_next_session_of_a_slot_is_not_consumed),
		fixture_test(a_worker_without_memory_for_messages_is_full),
		fixture_test(hellos_that_use_up_the_budget_leave_time_for_confirms),
		fixture_test(what_the_budget_refuses_is_not_charged_to_it),
	};

	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
