// SPDX-License-Identifier: BSD-3-Clause
// test_connection_crash.c: connections found by the next worker, wherever the last one died; and no nonce twice.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "session/path.h"
#include "single_step.h"
#include "watched.h"

#define CRASHES_MAX 1024

// ---------------------------------------------------------------- a crash

static void a_connection_goes_on_after_a_restart(void **state UNUSED)
{
	struct player player = connected_player();
	struct session_record *record = fixture_record(fixture, &player);
	uint8_t datagram[PLAYER_BUFFER];
	uint16_t length;

	for (unsigned i = 0; i < 5; i++)
		player_seal(fixture, &player, SESSION_DATA, "before", 6, datagram);
	replay_mark(&record->replay, player.sent);
	assert_int_equal(restart(), 1);
	assert_int_equal(fixture->stats[0].connected, 1);
	assert_false(replay_fresh(&record->replay, player.sent)); // the same again
	assert_false(replay_fresh(&record->replay, 2));           // and what may have been seen
	length = player_seal(fixture, &player, SESSION_DATA, "after", 5, datagram);
	assert_true(replay_fresh(&record->replay, player.sent));
	assert_true(cipher_open(&fixture->shard[0]->code, store_keys(&fixture->store, slot_of(&player)).open,
				player.sent, datagram, sizeof(struct session_header), length));
	connection_close(fixture->shard[0], slot_of(&player), SESSION_CLOSED_SHUTDOWN, fixture->now);
	assert_told(&player, &player.peer, SESSION_CLOSED_SHUTDOWN);
	assert_int_equal(player.newest, 2); // after the WELCOME's
}

static void confirms_from_before_a_restart_are_worth_nothing_after_it(void **state UNUSED)
{
	struct player player = fixture_issue(fixture, 7, 600, false), was;
	uint8_t old[PLAYER_BUFFER];
	const uint16_t length = fixture_ask(fixture, 0, &player, old);

	was = player;
	fixture_wait(fixture, 1);
	assert_true(fixture_connect(fixture, 0, &player));
	restart();
	assert_int_equal(handshake_receive(fixture->shard[0], &was.peer, old, length, true, fixture->now).drop,
			 PG_DROP_COOKIE_OLD);
}

/// The share of the WELCOME that was lost died with the process: there is another WELCOME, of another connection.
static void a_confirm_repeated_after_a_restart_connects_when_nothing_was_said(void **state UNUSED)
{
	struct player player = connected_player();
	uint8_t datagram[PLAYER_BUFFER], nonce[SESSION_NONCE_LEN];
	const uint16_t length = player_confirm(&player, datagram);
	struct handshake_outcome outcome;

	memcpy(nonce, player.server_nonce, sizeof(nonce));
	restart();
	outcome = handshake_receive(fixture->shard[0], &player.peer, datagram, length, true, fixture->now);
	assert_true(player_take_welcome(fixture, &player, datagram, outcome.answer));
	assert_memory_not_equal(nonce, player.server_nonce, sizeof(nonce));
}

static void a_confirm_repeated_after_a_restart_changes_nothing_that_is_in_use(void **state UNUSED)
{
	struct player player = connected_player();
	struct session_record *record = fixture_record(fixture, &player), before;
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = player_confirm(&player, datagram);

	replay_mark(&record->replay, 1);
	restart();
	before = *record;
	assert_int_equal(handshake_receive(fixture->shard[0], &player.peer, datagram, length, true, fixture->now).drop,
			 PG_DROP_COOKIE_OLD);
	assert_memory_equal(&before, record, sizeof(before));
}

static void a_connection_of_which_half_was_written_is_closed_as_restarted(void **state UNUSED)
{
	struct player player = connected_player();
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = player_confirm(&player, datagram);

	fixture_record(fixture, &player)->seen = RECORD_SEEN_WRITING;
	assert_int_equal(restart(), 0);
	assert_int_equal(fixture_record(fixture, &player)->phase, RECORD_LOST);
	assert_int_equal(handshake_receive(fixture->shard[0], &player.peer, datagram, length, true, fixture->now).drop,
			 PG_DROP_COOKIE_OLD);
	assert_int_equal(restart(), 0); // once more, before it was closed
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_RESTARTED);
	assert_nobody_is_connected(&player);
	fixture_wait(fixture, 1);
	assert_true(fixture_connect(fixture, 0, &player));
}

static void a_session_revoked_while_no_worker_ran_is_closed_as_revoked(void **state UNUSED)
{
	struct player player = connected_player();

	assert_true(pg_session_revoke(fixture->state, player.session));
	restart();
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_REVOKED);
}

// ---------------------------------------------------------------- a crash, anywhere

/// The record as each store of an interrupted call left it, and what was sealed by then.
static struct crash {
	struct session_record record;
	size_t sealings;
} crashes[CRASHES_MAX];
static volatile size_t crash_count;
static const struct session_record *watched;

static void after_an_instruction(int signal UNUSED)
{
	if (memcmp(&crashes[crash_count - 1].record, watched, sizeof(*watched)) == 0 &&
	    crashes[crash_count - 1].sealings == sealings_logged())
		return;
	if (crash_count == CRASHES_MAX)
		abort();
	crashes[crash_count++] = (struct crash){.record = *watched, .sealings = sealings_logged()};
}

static void watch(const struct session_record *record)
{
	watched = record;
	crashes[0] = (struct crash){.record = *record, .sealings = sealings_logged()};
	crash_count = 1;
}

/// What is done with a record that was found: all that seals.
static void go_on_after(const struct crash *crash, struct player *player, const uint8_t *confirm, uint16_t length)
{
	const struct peer there = peer_at(0x14000077, 7000, 0);
	struct session_record *record = fixture_record(fixture, player);
	uint8_t datagram[PLAYER_BUFFER];

	*record = crash->record;
	sealings_go_back(crash->sealings);
	restart();
	if (record->phase == RECORD_IDLE)
		assert_int_equal(record->owner, RECORD_NO_OWNER);
	if (record->phase == RECORD_CONNECTED)
		path_challenge(fixture->shard[0], slot_of(player), &there, datagram, fixture->now);
	memcpy(datagram, confirm, length); // repeated
	handshake_receive(fixture->shard[0], &player->peer, datagram, length, true, fixture->now);
	connection_sweep(fixture->shard[0], fixture->now, 16);
	fixture_wait(fixture, 5);
	assert_true(fixture_connect(fixture, 0, player)); // anew
	connection_close(fixture->shard[0], slot_of(player), SESSION_CLOSED_SHUTDOWN, fixture->now);
	assert_no_nonce_was_used_twice();
}

static void go_on_after_each(struct player *player, const uint8_t *confirm, uint16_t length)
{
	sealings_keep();
	for (size_t i = 0; i < crash_count; i++)
		go_on_after(&crashes[i], player, confirm, length);
}

/// Interrupt the second CONFIRM of a session (of another address, so that it seals a CLOSE, too) after each of its stores.
/// @return its length
static uint16_t interrupted_confirm(struct player *player, uint8_t *confirm)
{
	uint8_t datagram[PLAYER_BUFFER];
	uint16_t length;

	player->max_datagram = 508;
	fixture_wait(fixture, 5);
	player->peer = peer_at(0x14000063, 7000, 0);
	length = fixture_ask(fixture, 0, player, confirm);
	memcpy(datagram, confirm, length);
	watch(fixture_record(fixture, player));
	single_step(after_an_instruction);
	handshake_receive(fixture->shard[0], &player->peer, datagram, length, true, fixture->now);
	single_step_end();
	assert_true(crash_count > 20);
	return length;
}

static void a_crash_after_any_store_of_a_confirm_repeats_no_nonce(void **state UNUSED)
{
	struct player player = connected_player();
	uint8_t confirm[PLAYER_BUFFER];

	go_on_after_each(&player, confirm, interrupted_confirm(&player, confirm));
}

static bool same_connection(const struct session_record *a, const struct session_record *b)
{
	return peer_equal(&a->peer, &b->peer) && a->max_datagram == b->max_datagram &&
	       memcmp(a->secret, b->secret, HASH_LEN) == 0;
}

static void a_crash_in_a_confirm_leaves_the_old_connection_the_new_one_or_none(void **state UNUSED)
{
	struct player player = connected_player();
	struct session_record *record = fixture_record(fixture, &player);
	const struct session_record before = *record;
	uint8_t confirm[PLAYER_BUFFER];
	unsigned old = 0, new = 0, none = 0;

	interrupted_confirm(&player, confirm);

	const struct session_record after = *record;

	for (size_t i = 0; i < crash_count; i++) {
		*record = crashes[i].record;
		restart();
		if (record->phase == RECORD_IDLE)
			none++;
		else if (same_connection(record, &before))
			old++;
		else if (same_connection(record, &after))
			new ++;
		else
			fail_msg("half a connection goes on after store %zu", i);
	}
	assert_true(old > 0 && none > 0 && new > 0);
}

static void a_crash_after_any_store_of_a_close_repeats_no_nonce(void **state UNUSED)
{
	struct player player = connected_player();
	struct session_record *record = fixture_record(fixture, &player);
	uint8_t confirm[PLAYER_BUFFER];
	const uint16_t length = player_confirm(&player, confirm);

	watch(record);
	single_step(after_an_instruction);
	connection_close(fixture->shard[0], slot_of(&player), SESSION_CLOSED_IDLE, fixture->now);
	single_step_end();
	assert_true(crash_count > 3);
	go_on_after_each(&player, confirm, length);
}

static void nothing_is_ever_sent_to_half_of_an_address(void **state UNUSED)
{
	struct player player = connected_player();
	struct session_record *record = fixture_record(fixture, &player);
	const struct peer there = peer_at(0x15000063, 7000, 1), here = player.peer;

	watch(record);
	single_step(after_an_instruction);
	connection_move(fixture->shard[0], slot_of(&player), &there, fixture->now);
	single_step_end();
	assert_true(crash_count > 2);
	for (size_t i = 0; i < crash_count; i++) {
		*record = crashes[i].record;
		restart();
		if (record->phase == RECORD_CONNECTED)
			assert_true(peer_equal(&record->peer, &here) || peer_equal(&record->peer, &there));
		else
			assert_int_equal(record->owner, RECORD_NO_OWNER);
	}
}

// ---------------------------------------------------------------- all of it, for long

/// What may happen to a session, in any order.
static void happen(struct player *player, uint64_t *seed)
{
	struct session_shard *shard = fixture->shard[0];
	const struct session_record *record = fixture_record(fixture, player);
	const struct peer there = peer_at(0x14000000 + random_below(seed, 4), 5000, 0);
	uint8_t datagram[PLAYER_BUFFER];

	switch (random_below(seed, 8)) {
	case 0:
	case 1:
		player->peer = there;
		fixture_connect(fixture, random_below(seed, 2), player);
		break;
	case 2:
	case 3: // a CONFIRM again: the last, of this connection or a former one
		player_confirm(player, datagram);
		handshake_receive(shard, &player->peer, datagram, player->max_datagram, true, fixture->now);
		break;
	case 4:
		if (record->owner == 0 && record->phase == RECORD_CONNECTED)
			path_challenge(shard, slot_of(player), &there, datagram, fixture->now);
		break;
	case 5:
		if (record->owner == 0 && record->phase == RECORD_CONNECTED)
			connection_close(shard, slot_of(player), SESSION_CLOSED_IDLE, fixture->now);
		break;
	case 6:
		if (random_below(seed, 4) == 0)
			fixture_record(fixture, player)->seen = RECORD_SEEN_WRITING;
		restart();
		break;
	default:
		connection_sweep(shard, fixture->now, 4);
		break;
	}
}

static void no_nonce_is_used_twice_whatever_happens(void **state UNUSED)
{
	struct player player[3];
	uint64_t seed = 5;

	for (uint32_t i = 0; i < COUNT(player); i++)
		player[i] = fixture_issue(fixture, i + 1, 100000, false);
	for (unsigned i = 0; i < 5000; i++) {
		happen(&player[random_below(&seed, COUNT(player))], &seed);
		fixture->shard[0]->outbox.count = fixture->shard[1]->outbox.count = 0;
		fixture_wait(fixture, random_below(&seed, 600));
	}
	assert_true(sealings_logged() > 1000);
	assert_true(fixture->stats[0].connections + fixture->stats[1].connections > 500);
	assert_no_nonce_was_used_twice();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_connection_goes_on_after_a_restart),
		fixture_test(confirms_from_before_a_restart_are_worth_nothing_after_it),
		fixture_test(a_confirm_repeated_after_a_restart_connects_when_nothing_was_said),
		fixture_test(a_confirm_repeated_after_a_restart_changes_nothing_that_is_in_use),
		fixture_test(a_connection_of_which_half_was_written_is_closed_as_restarted),
		fixture_test(a_session_revoked_while_no_worker_ran_is_closed_as_revoked),
		fixture_test(a_crash_after_any_store_of_a_confirm_repeats_no_nonce),
		fixture_test(a_crash_in_a_confirm_leaves_the_old_connection_the_new_one_or_none),
		fixture_test(a_crash_after_any_store_of_a_close_repeats_no_nonce),
		fixture_test(nothing_is_ever_sent_to_half_of_an_address),
		fixture_test(no_nonce_is_used_twice_whatever_happens),
	};

	return cmocka_run_group_tests_name("connection_crash", tests, NULL, NULL);
}
