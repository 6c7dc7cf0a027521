// SPDX-License-Identifier: BSD-3-Clause
// test_connection.c: the life of a connection: replaced, closed, swept; and no nonce twice.

#include "unit.h"

#include <string.h>

#include "watched.h"

// ---------------------------------------------------------------- replaced

static void who_confirms_from_elsewhere_replaces_who_was_there(void **state UNUSED)
{
	struct player before = connected_player(), after = before;

	fixture_wait(fixture, 50);
	after.peer = peer_at(0x14000063, 7000, 0);
	assert_true(fixture_connect(fixture, 0, &after));
	assert_memory_not_equal(before.server_nonce, after.server_nonce, SESSION_NONCE_LEN);
	assert_true(peer_equal(&fixture_record(fixture, &after)->peer, &after.peer));
	assert_told(&before, &before.peer, SESSION_CLOSED_REPLACED); // under the old keys
	assert_int_equal(fixture->stats[0].closed[SESSION_CLOSED_REPLACED], 1);
	assert_int_equal(fixture->stats[0].connected, 1);
	assert_int_equal(fixture->stats[0].connections, 2);
}

static void who_starts_again_at_the_same_address_is_not_told_of_himself(void **state UNUSED)
{
	struct player player = connected_player();

	fixture_wait(fixture, 50);
	assert_true(fixture_connect(fixture, 0, &player));
	assert_int_equal(fixture->shard[0]->outbox.count, 0);
	assert_int_equal(fixture->stats[0].closed[SESSION_CLOSED_REPLACED], 1);
}

static void a_new_connection_remembers_nothing_of_the_last(void **state UNUSED)
{
	struct player player = connected_player();
	struct session_record *record = fixture_record(fixture, &player);

	replay_mark(&record->replay, 1000);
	record->taken = (struct taken){1000, 7};
	record->taken_at = fixture->now;
	record->tx_counter = 5000;
	record->ids = (struct delivery_ids){.tx = {0, 9}, .rx = {0, 0, 8}};
	record->seen = RECORD_SEEN_STORED;
	record->epoch = 3;
	fixture_wait(fixture, 50);
	assert_true(fixture_connect(fixture, 0, &player));
	assert_int_equal(player.welcome.header.counter, 1);
	assert_int_equal(record->taken.newest | record->taken.bits | record->taken_at, 0);
	assert_true(replay_fresh(&record->replay, 1));
	assert_int_equal(record->ids.tx[1] | record->ids.rx[2] | record->seen | record->epoch, 0);
}

static void a_close_of_any_other_length_is_refused(void **state UNUSED)
{
	struct player player = connected_player();
	const uint8_t body[64] = {SESSION_CLOSED_LEFT};

	for (uint16_t length = 0; length <= (uint16_t)sizeof(body); length++) {
		if (length != sizeof(struct session_close_body))
			assert_int_equal(control(&player, &player.peer, SESSION_CLOSE, body, length).drop,
					 PG_DROP_SESSION_HEADER);
	}
	assert_int_equal(fixture_record(fixture, &player)->phase, RECORD_CONNECTED);
}

static void kinds_that_no_client_sends_are_refused_sealed_too(void **state UNUSED)
{
	struct player player = connected_player();
	uint8_t body[8] = {SESSION_CLOSED_LEFT};

	for (unsigned kind = 0; kind < 256; kind++)
		if (kind != SESSION_CLOSE && kind != SESSION_PATH_RESPONSE)
			assert_int_equal(control(&player, &player.peer, (enum session_kind)kind, body, 8).drop,
					 PG_DROP_SESSION_STATE);
	assert_int_equal(fixture_record(fixture, &player)->phase, RECORD_CONNECTED);
}

// ---------------------------------------------------------------- closed

/// In the lines that are its own.
static void assert_no_key_is_left(uint32_t slot)
{
	const struct session_keys keys = store_keys(&fixture->store, slot);
	static const uint8_t nothing[CACHE_LINE];

	for (uint32_t rest = fixture->store.keys.places.kept; rest; rest &= rest - 1) {
		const size_t at = (size_t)__builtin_ctz(rest) * CACHE_LINE;

		assert_memory_equal((const uint8_t *)keys.open + at, nothing, CACHE_LINE);
		assert_memory_equal((const uint8_t *)keys.seal + at, nothing, CACHE_LINE);
	}
}

static void who_leaves_is_gone_and_may_come_again(void **state UNUSED)
{
	struct player player = connected_player();
	const struct session_close_body body = {.reason = SESSION_CLOSED_LEFT};
	const struct handshake_outcome outcome = control(&player, &player.peer, SESSION_CLOSE, &body, sizeof(body));

	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_int_equal(outcome.message, PG_MESSAGE_SESSION_CLOSE);
	assert_int_equal(outcome.answer, 0);
	assert_nobody_is_connected(&player);
	assert_int_equal(fixture->shard[0]->outbox.count, 0); // the player knows
	assert_int_equal(fixture->stats[0].closed[SESSION_CLOSED_LEFT], 1);
	assert_no_key_is_left(slot_of(&player));
	fixture_wait(fixture, 1);
	assert_true(fixture_connect(fixture, 1, &player)); // by another worker, even
	assert_int_equal(fixture_record(fixture, &player)->owner, 1);
}

static void a_close_with_no_reason_or_with_rubbish_behind_it_is_refused(void **state UNUSED)
{
	static const uint8_t bad[][4] = {{0, 0, 0, 0}, {10, 0, 0, 0}, {255, 0, 0, 0}, {1, 1, 0, 0}, {1, 0, 0, 1}};
	struct player player = connected_player();

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(control(&player, &player.peer, SESSION_CLOSE, bad[i], sizeof(bad[i])).drop,
				 PG_DROP_SESSION_HEADER);
	assert_int_equal(fixture_record(fixture, &player)->phase, RECORD_CONNECTED);
}

static void the_silent_are_closed_as_idle(void **state UNUSED)
{
	struct player player = connected_player();

	fixture_wait(fixture, 29999);
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 0);
	fixture_wait(fixture, 2);
	assert_int_equal(connection_sweep(fixture->shard[1], fixture->now, 16), 0); // another worker's
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_IDLE);
	assert_nobody_is_connected(&player);
}

static void the_expired_are_closed_as_expired(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 5, false);

	assert_true(fixture_connect(fixture, 0, &player));
	fixture_wait(fixture, 4900);
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 0);
	fixture_wait(fixture, 200);
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_EXPIRED);
	assert_nobody_is_connected(&player);
}

static void the_revoked_are_closed_as_revoked(void **state UNUSED)
{
	struct player player = connected_player();

	assert_true(pg_session_revoke(fixture->state, player.session));
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_REVOKED);
	assert_nobody_is_connected(&player);
}

/// A reason of the game's own is 128 more on the wire.
static void who_is_kicked_is_told_why_and_may_come_again(void **state UNUSED)
{
	static const struct {
		uint8_t why, said;
	} kicks[] = {{0, 128}, {7, 135}, {127, 255}, {128, SESSION_CLOSED_KICKED}, {255, SESSION_CLOSED_KICKED}};
	struct player player = connected_player();

	for (unsigned i = 0; i < COUNT(kicks); i++) {
		connection_kick(fixture->shard[0], slot_of(&player), kicks[i].why, fixture->now);
		assert_told(&player, &player.peer, kicks[i].said);
		assert_nobody_is_connected(&player);
		assert_no_key_is_left(slot_of(&player));
		assert_int_equal(fixture->stats[0].closed[SESSION_CLOSED_KICKED], i + 1);
		fixture_wait(fixture, 50);
		assert_true(fixture_connect(fixture, 0, &player));
	}
}

static void a_sweep_looks_at_no_more_than_its_budget(void **state UNUSED)
{
	for (uint32_t id = 1; id <= 10; id++) {
		struct player player = fixture_issue(fixture, id, 600, false);

		assert_true(fixture_connect(fixture, 0, &player));
	}
	fixture_wait(fixture, 31000);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 2), 2);
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 2), 0);
}

static void a_sweep_waits_for_room_in_the_outbox(void **state UNUSED)
{
	struct player player = connected_player();
	struct outbox *outbox = &fixture->shard[0]->outbox;

	outbox->count = OUTBOX_SIZE;
	fixture_wait(fixture, 31000);
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 0);
	outbox->count = 0;
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(who_confirms_from_elsewhere_replaces_who_was_there),
		fixture_test(who_starts_again_at_the_same_address_is_not_told_of_himself),
		fixture_test(a_new_connection_remembers_nothing_of_the_last),
		fixture_test(a_close_of_any_other_length_is_refused),
		fixture_test(kinds_that_no_client_sends_are_refused_sealed_too),
		fixture_test(who_leaves_is_gone_and_may_come_again),
		fixture_test(a_close_with_no_reason_or_with_rubbish_behind_it_is_refused),
		fixture_test(the_silent_are_closed_as_idle),
		fixture_test(the_expired_are_closed_as_expired),
		fixture_test(the_revoked_are_closed_as_revoked),
		fixture_test(who_is_kicked_is_told_why_and_may_come_again),
		fixture_test(a_sweep_looks_at_no_more_than_its_budget),
		fixture_test(a_sweep_waits_for_room_in_the_outbox),
	};

	return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
