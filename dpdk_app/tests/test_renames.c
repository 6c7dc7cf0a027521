// SPDX-License-Identifier: BSD-3-Clause
// test_renames.c: connections that go from one visible number to the next: what is taken and said under which, and for how long.

#include "unit.h"

#include <string.h>

#include "renaming.h"

// ---------------------------------------------------------------- another number

static void test_who_uses_the_spare_is_answered_under_it_and_given_the_next(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	uint32_t used[6] = {player.session};

	assert_int_equal(answered_under(g, &player), player.session);
	for (unsigned i = 1; i < COUNT(used); i++) {
		await_spare(g, &player);
		used[i] = player.spare.number;
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(used[i], used[k]);
		assert_false(session_is_foreign(&g->fixture->store.numbers, used[i]));
		player_rename(&player);
		assert_int_equal(answered_under(g, &player), used[i]);
		assert_int_equal(answered_under(g, &player), used[i]);
		assert_int_equal(g->fixture->stats[0].number_changes, i);
	}
	assert_int_equal(entries(g), 3); // of now, before and the spare
	assert_int_equal(fixture_record(g->fixture, &player)->number, player.session);
}

static void test_what_leaves_unasked_has_the_number_of_now(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	struct left left[BURST_MAX];

	player_rename(&player);
	answered_under(g, &player);
	await_spare(g, &player);
	assert_int_equal(say(g, &player, false, &move).result, PACKET_ABSORBED);
	assert_int_equal(await_egress(g, 300, left), 1);
	opened(g, &player, left[0].bytes, left[0].length, SESSION_DATA);
	assert_int_equal(player.heard_under, player.now.number);
	connection_close(g->fixture->shard[0], slot_of(g, &player), SESSION_CLOSED_SHUTDOWN, g->fixture->now);
	assert_int_equal(drain_egress(g, left), 1);
	opened(g, &player, left[0].bytes, left[0].length, SESSION_CLOSE);
	assert_int_equal(player.heard_under, player.now.number);
}

/// Whoever sees both numbers, and not the keys, learns from neither counter which belong together.
static void test_counters_in_headers_have_an_offset_of_their_own_in_each_direction(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	struct reply reply;

	answered_under(g, &player);
	assert_int_not_equal(player.spare.offset[0], 0);
	assert_int_not_equal(player.spare.offset[0], player.spare.offset[1]);
	player_rename(&player);
	reply = say(g, &player, true, &move);
	assert_int_equal(reply.result, PG_DROP_NONE);
	assert_int_equal(header_of(reply.bytes).counter,
			 fixture_record(g->fixture, &player)->tx_counter + player.now.offset[1]);
	player.now.offset[0]++; // another counter than that with which it is sealed
	reply = say(g, &player, true, &move);
	check_dropped(g, &reply, PG_DROP_BAD_TAG);
	player.now.offset[0]--;
	player.now.offset[0] -= player.sent; // one that was
	reply = say(g, &player, true, &move);
	check_dropped(g, &reply, PG_DROP_REPLAYED);
}

/// What a worker that died may have left there.
static void test_a_number_that_leads_to_no_slot_is_nobodys(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct visible_numbers *visible = &g->fixture->store.visible;
	const struct message move = a_move();
	struct reply reply;

	await_spare(g, &player);
	visible->table[player.spare.number & visible->mask] = UINT64_C(0x7ffffff0) << 32 | player.spare.number;
	player_rename(&player);
	reply = say(g, &player, true, &move);
	check_dropped(g, &reply, PG_DROP_SESSION_UNKNOWN);
}

static void test_the_number_before_is_somebodys_for_three_seconds(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct reply reply;

	for (unsigned i = 0; i < 2; i++) { // the number issued, and one that was a spare
		await_spare(g, &player);
		player_rename(&player);
		answered_under(g, &player);
		fixture_wait(g->fixture, 2900);
		reply = say_before(g, &player);
		assert_int_equal(reply.result, PG_DROP_NONE);
		opened(g, &player, reply.bytes, reply.length, SESSION_DATA);
		assert_int_equal(player.heard_under, player.now.number);
		fixture_wait(g->fixture, 200);
		reply = say_before(g, &player);
		check_dropped(g, &reply, PG_DROP_SESSION_UNKNOWN);
		assert_int_equal(answered_under(g, &player), player.now.number);
	}
}

static void test_two_numbers_in_one_burst_are_one_player(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1), other = connected(g, 2);
	const struct message move = a_move();
	static uint8_t payload[9][1500];
	static struct reply reply[9];
	uint16_t length[9];
	struct peer peer[9];

	for (unsigned i = 0; i < 9; i++) {
		struct player *who = i % 3 == 2 ? &other : &player;

		if (i == 3)
			player_rename(&player);
		if (i == 6) { // on the path for longer
			const struct visible_number now = player.now;

			player.now = player.before;
			length[i] = seal_data(g, who, true, &move, payload[i]);
			player.now = now;
		} else {
			length[i] = seal_data(g, who, true, &move, payload[i]);
		}
		peer[i] = who->peer;
	}
	deliver(g, 0, peer, payload, length, reply, 9);
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(reply[i].result, PG_DROP_NONE);
	assert_int_equal(g->fixture->stats[0].number_changes, 1);
	assert_int_equal(answered_under(g, &player), player.now.number);
}

static void test_who_has_another_number_updates_keys_as_ever(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	uint8_t late[PLAYER_BUFFER];
	uint16_t length;

	player_rename(&player);
	answered_under(g, &player);
	length = seal_data(g, &player, true, &move, late);
	player_seal_in(g->fixture, &player, 1); // the next phase
	assert_int_equal(answered_under(g, &player), player.now.number);
	assert_int_equal(player.open_phase, 1);
	assert_int_equal(send_from(g, 0, &player.peer, late, length).result, PG_DROP_NONE); // of the one before
	fixture_record(g->fixture, &player)->open_flags |= PHASE_DUE;
	answered_under(g, &player); // of the present one
	answered_under(g, &player);
	assert_int_equal(player.open_phase, 2);
}

/// Of two workers only one has the connection, whatever a number looks like.
static void test_another_worker_gives_it_to_the_owner(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	uint8_t datagram[PLAYER_BUFFER];
	uint16_t length;
	struct reply reply;

	for (unsigned i = 0; i < 3; i++) {
		await_spare(g, &player);
		player_rename(&player);
		length = seal_data(g, &player, true, &move, datagram);
		reply = send_from(g, 1, &player.peer, datagram, length);
		assert_int_equal(reply.result, PACKET_ELSEWHERE);
		assert_int_equal(reply.owner, 0);
		g->fixture->stats[1].handed_out++; // as the worker's loop does
		reply = send_from(g, 0, &player.peer, datagram, length);
		assert_int_equal(reply.result, PG_DROP_NONE);
		opened(g, &player, reply.bytes, reply.length, SESSION_DATA);
		player_take_number(&player, reply.bytes, reply.length);
	}
}

static void test_nobody_shakes_hands_under_a_spare(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1), pretender = player;
	uint8_t datagram[PLAYER_BUFFER];
	struct reply reply;
	uint16_t length;

	player_rename(&player);
	answered_under(g, &player);
	pretender.session = player.now.number;
	length = player_hello(&pretender, datagram);
	reply = send_from(g, 0, &player.peer, datagram, length);
	assert_int_equal(reply.result, PG_DROP_NONE);
	assert_false(player_take_challenge(&pretender, reply.bytes, reply.length)); // under a key that nobody has
}

static void test_the_operator_names_the_number_issued(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct outgoing message = {.type = SESSION_INVENTORY, .body = (const uint8_t *)"sword", .length = 5};
	struct pg_session_info info;
	struct left left[BURST_MAX];

	player_rename(&player);
	answered_under(g, &player);
	await_spare(g, &player);
	assert_true(pg_session_inspect(g->fixture->state, player.session, &info));
	assert_true(info.connected);
	assert_false(pg_session_inspect(g->fixture->state, player.now.number, &info));
	assert_int_equal(session_deliver(g->fixture->shard[0], player.session, &message, g->fixture->now),
			 PG_LOSS_NONE);
	assert_int_equal(await_egress(g, 300, left), 1);
	opened(g, &player, left[0].bytes, left[0].length, SESSION_DATA);
	assert_int_equal(left[0].bytes[SESSION_BEFORE_MESSAGES], SESSION_INVENTORY);
}

/// Every number seems to be of a slot that was issued: what travels under a spare takes the lane of fast frames at first.
static void fill_slots(struct pipeline_fixture *g)
{
	for (uint32_t id = 100; store_used(&g->fixture->store) < PIPELINE_FIXTURE_CAPACITY - 2; id++)
		issue(g, id);
}

static void test_who_uses_the_spare_among_many_is_answered_under_it_and_given_the_next(void **state)
{
	fill_slots(*state);
	test_who_uses_the_spare_is_answered_under_it_and_given_the_next(state);
}

static void test_two_numbers_in_one_burst_are_one_player_among_many(void **state)
{
	fill_slots(*state);
	test_two_numbers_in_one_burst_are_one_player(state);
}

static void test_another_worker_of_many_players_gives_it_to_the_owner(void **state)
{
	fill_slots(*state);
	test_another_worker_gives_it_to_the_owner(state);
}

static void test_the_number_before_is_somebodys_for_three_seconds_among_many(void **state)
{
	fill_slots(*state);
	test_the_number_before_is_somebodys_for_three_seconds(state);
}

// ---------------------------------------------------------------- elsewhere

/// Whoever sees both networks would know both numbers for one player's.
static void test_the_network_before_does_not_see_the_number_of_the_next(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct peer before = player.peer;
	const struct message move = a_move();
	uint8_t token[SESSION_PATH_TOKEN_LEN], datagram[PLAYER_BUFFER];
	struct left left[BURST_MAX];
	struct reply reply;
	unsigned n;

	fixture_wait(g->fixture, 2000);
	player_rename(&player);
	player.peer = peer_number(g, 9);
	reply = say(g, &player, true, &move);
	assert_int_equal(reply.result, PG_DROP_NONE);
	opened(g, &player, reply.bytes, reply.length, SESSION_PATH_CHALLENGE);
	assert_int_equal(player.heard_under, player.now.number);
	memcpy(token, reply.bytes + sizeof(struct session_header), sizeof(token));
	for (unsigned kinds = 0; kinds != 3;) { // a PATH_CHALLENGE, and NUMBER
		n = await_egress(g, 300, left);
		assert_true(n > 0);
		for (unsigned i = 0; i < n; i++) {
			assert_true(peer_equal(&left[i].peer, &before));
			assert_true(player_open(g->fixture, &player, left[i].bytes, left[i].length));
			assert_int_equal(player.heard_under, player.before.number);
			kinds |= left[i].bytes[0] == SESSION_DATA ? 1 : 2;
			if (left[i].bytes[0] == SESSION_DATA)
				player_take_number(&player, left[i].bytes, left[i].length);
		}
	}
	reply = send_from(g, 0, &player.peer, datagram,
			  player_seal(g->fixture, &player, SESSION_PATH_RESPONSE, token, sizeof(token), datagram));
	assert_int_equal(reply.result, PACKET_ABSORBED);
	assert_int_equal(g->fixture->stats[0].path_changes, 1);
	assert_int_equal(answered_under(g, &player), player.now.number);
	await_spare(g, &player);
}

// ---------------------------------------------------------------- ends

static void test_whose_connection_is_lost_is_told_under_the_number_that_he_uses(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct session_reset reset;
	struct left left[BURST_MAX];
	struct reply reply;

	player_rename(&player);
	answered_under(g, &player);
	await_spare(g, &player);
	connection_close(g->fixture->shard[0], slot_of(g, &player), SESSION_CLOSED_IDLE, g->fixture->now);
	drain_egress(g, left);
	fixture_wait(g->fixture, 1000);
	reply = say_before(g, &player); // CLOSE, again
	assert_int_equal(reply.result, PG_DROP_NONE);
	opened(g, &player, reply.bytes, reply.length, SESSION_CLOSE);
	assert_int_equal(player.heard_under, player.now.number);
	fixture_wait(g->fixture, 3000);
	reply = say_before(g, &player);
	assert_int_not_equal(reply.result, PG_DROP_NONE);
	for (unsigned i = 0; i < 2; i++) { // the visible one, and the spare
		const struct message move = a_move();

		reply = say(g, &player, true, &move);
		assert_int_equal(reply.result, PG_DROP_NONE);
		assert_int_equal(reply.length, sizeof(reset));
		memcpy(&reset, reply.bytes, sizeof(reset));
		assert_int_equal(reset.header.kind, SESSION_RESET);
		assert_int_equal(reset.header.session, player.now.number);
		assert_memory_equal(reset.token, player.welcome.reset_token, sizeof(reset.token));
		player_rename(&player);
	}
}

static void test_a_connection_takes_no_number_of_the_one_before(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1), was;
	const struct message move = a_move();
	struct reply reply;

	player_rename(&player);
	answered_under(g, &player);
	await_spare(g, &player);
	was = player;
	fixture_wait(g->fixture, 5);
	assert_true(connect_by(g, 0, &player));
	assert_int_equal(answered_under(g, &player), player.session);
	for (unsigned i = 0; i < 2; i++) {
		reply = say(g, &was, true, &move);
		check_dropped(g, &reply, PG_DROP_SESSION_UNKNOWN);
		player_rename(&was);
	}
	player_rename(&player);
	assert_int_equal(answered_under(g, &player), player.now.number);
}

static void test_a_revoked_session_is_closed_under_its_number(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	struct left left[BURST_MAX];
	struct reply reply;

	player_rename(&player);
	answered_under(g, &player);
	assert_true(pg_session_revoke(g->fixture->state, player.session));
	reply = say(g, &player, true, &move);
	check_dropped(g, &reply, PG_DROP_SESSION_OVER);
	assert_int_equal(connection_sweep(g->fixture->shard[0], g->fixture->now, 16), 1);
	assert_int_equal(drain_egress(g, left), 1);
	opened(g, &player, left[0].bytes, left[0].length, SESSION_CLOSE);
	assert_int_equal(player.heard_under, player.now.number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_EVERY_WAY(test_who_uses_the_spare_is_answered_under_it_and_given_the_next),
		BY_EVERY_WAY(test_what_leaves_unasked_has_the_number_of_now),
		BY_EVERY_WAY(test_counters_in_headers_have_an_offset_of_their_own_in_each_direction),
		BY_EVERY_WAY(test_a_number_that_leads_to_no_slot_is_nobodys),
		BY_EVERY_WAY(test_the_number_before_is_somebodys_for_three_seconds),
		BY_EVERY_WAY(test_two_numbers_in_one_burst_are_one_player),
		BY_EVERY_WAY(test_who_has_another_number_updates_keys_as_ever),
		BY_EVERY_WAY(test_another_worker_gives_it_to_the_owner),
		BY_EVERY_WAY(test_nobody_shakes_hands_under_a_spare),
		BY_EVERY_WAY(test_the_operator_names_the_number_issued),
		BY_EVERY_WAY(test_who_uses_the_spare_among_many_is_answered_under_it_and_given_the_next),
		BY_EVERY_WAY(test_two_numbers_in_one_burst_are_one_player_among_many),
		BY_EVERY_WAY(test_another_worker_of_many_players_gives_it_to_the_owner),
		BY_EVERY_WAY(test_the_number_before_is_somebodys_for_three_seconds_among_many),
		BY_EVERY_WAY(test_the_network_before_does_not_see_the_number_of_the_next),
		BY_EVERY_WAY(test_whose_connection_is_lost_is_told_under_the_number_that_he_uses),
		BY_EVERY_WAY(test_a_connection_takes_no_number_of_the_one_before),
		BY_EVERY_WAY(test_a_revoked_session_is_closed_under_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
