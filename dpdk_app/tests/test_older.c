// SPDX-License-Identifier: BSD-3-Clause
// test_older.c: who is issued a newer session and connects with it ends the connections of those before, of whatever worker.

#include "unit.h"

#include "session/older.h"
#include "watched.h"

/// Of the second worker to the first: what it was told.
struct told_relay {
	struct relay relay;
	unsigned times;
	uint8_t owner;
	uint32_t session;
};

static bool note_end(struct relay *relay, uint8_t owner, uint32_t session)
{
	struct told_relay *told = (struct told_relay *)relay;

	told->times++;
	told->owner = owner;
	told->session = session;
	return true;
}

static uint64_t revoked(unsigned worker)
{
	return fixture->stats[worker].closed[SESSION_CLOSED_REVOKED];
}

/// The same player with another ticket, at another address.
static struct player issued_again(const struct player *before)
{
	struct player player = fixture_issue(fixture, before->id, 1000, false);

	player.peer = peer_at(0x14000063, 6000, 0);
	return player;
}

static void who_connects_again_ends_the_older_connection_of_the_worker_first(void **state UNUSED)
{
	struct player older = connected_player(), newer = issued_again(&older);

	assert_false(older_are_gone(fixture->shard[0], slot_of(&newer)));
	assert_true(fixture_connect(fixture, 0, &newer));
	assert_int_equal(revoked(0), 1);
	assert_int_equal(record_owner(fixture_record(fixture, &older)), RECORD_NO_OWNER);
	assert_true(older_are_gone(fixture->shard[0], slot_of(&newer)));
	assert_told(&older, &older.peer, SESSION_CLOSED_REVOKED);
}

static void a_worker_is_told_of_its_connection_whose_player_connects_elsewhere(void **state UNUSED)
{
	struct told_relay told = {.relay.end = note_end};
	struct player older = connected_player(), newer = issued_again(&older);

	fixture->shard[1]->relay = &told.relay;
	assert_true(fixture_connect(fixture, 1, &newer));
	assert_int_equal(told.times, 1);
	assert_int_equal(told.owner, 0);
	assert_int_equal(told.session, older.session);
	assert_false(older_are_gone(fixture->shard[1], slot_of(&newer)));
	older_ended(fixture->shard[0], told.session, fixture->now);
	assert_int_equal(revoked(0), 1);
	assert_true(older_are_gone(fixture->shard[1], slot_of(&newer)));
	older_ended(fixture->shard[0], told.session, fixture->now);
	assert_int_equal(revoked(0), 1);
	fixture->shard[1]->relay = NULL;
}

static void a_session_that_stands_is_not_ended(void **state UNUSED)
{
	struct player player = connected_player();

	older_ended(fixture->shard[0], player.session, fixture->now);
	older_ended(fixture->shard[1], player.session, fixture->now);
	older_ended(fixture->shard[0], UINT32_MAX, fixture->now);
	assert_int_equal(fixture->stats[0].connected, 1);
	assert_true(older_are_gone(fixture->shard[0], slot_of(&player)));
}

/// The CONFIRM of the older one comes last: it is refused, so here the older one is still there, and must not come anywhere.
static void of_two_the_older_one_is_never_the_newest(void **state UNUSED)
{
	struct player older = connected_player(), newer = issued_again(&older);

	assert_false(older_are_gone(fixture->shard[0], slot_of(&older)));
	assert_true(fixture_connect(fixture, 1, &newer)); // nobody passes it on
	assert_false(older_are_gone(fixture->shard[0], slot_of(&older)));
	assert_false(older_are_gone(fixture->shard[1], slot_of(&newer)));
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, fixture->capacity), 1);
	assert_true(older_are_gone(fixture->shard[1], slot_of(&newer)));
}

/// Of several, some of which have never connected.
static void all_that_came_before_end(void **state UNUSED)
{
	struct player first = connected_player(), never = issued_again(&first), second = issued_again(&never);

	assert_true(fixture_connect(fixture, 1, &second));
	assert_int_equal(fixture->stats[0].connected, 1);

	struct player third = issued_again(&second);

	assert_true(fixture_connect(fixture, 0, &third));
	assert_int_equal(revoked(0), 1);
	assert_false(older_are_gone(fixture->shard[0], slot_of(&third)));
	older_ended(fixture->shard[1], second.session, fixture->now);
	assert_true(older_are_gone(fixture->shard[0], slot_of(&third)));
}

/// However often somebody comes, no more is looked at than what is still connected.
static void those_that_were_closed_are_forgotten(void **state UNUSED)
{
	struct player player = connected_player();

	for (unsigned times = 0; times < 40; times++) {
		struct player newer = issued_again(&player);
		struct player_walk walk = {0};
		unsigned slots = 0;

		assert_true(fixture_connect(fixture, times % 2, &newer));
		connection_sweep(fixture->shard[1 - times % 2], fixture->now, fixture->capacity);
		while (player_index_next(fixture->store.players, fixture->store.records, player.id, &walk) !=
		       PLAYER_NONE)
			slots++;
		assert_in_range(slots, 1, 2);
		fixture_wait(fixture, 2000);
		player = newer;
	}
	assert_int_equal(revoked(0) + revoked(1), 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(who_connects_again_ends_the_older_connection_of_the_worker_first),
		fixture_test(a_worker_is_told_of_its_connection_whose_player_connects_elsewhere),
		fixture_test(a_session_that_stands_is_not_ended),
		fixture_test(of_two_the_older_one_is_never_the_newest),
		fixture_test(all_that_came_before_end),
		fixture_test(those_that_were_closed_are_forgotten),
	};

	return cmocka_run_group_tests_name("older", tests, NULL, NULL);
}
