// SPDX-License-Identifier: BSD-3-Clause
// test_sealed_addresses.c: a connection whose player is heard from elsewhere, is replaced, or outlives the worker.

#include "unit.h"

#include <string.h>

#include "pipeline_fixture.h"

static void test_new_address_is_asked_before_it_is_believed(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct peer before = player.peer;
	const struct message move = a_move();
	uint8_t token[SESSION_PATH_TOKEN_LEN], old[SESSION_PATH_TOKEN_LEN], datagram[PLAYER_BUFFER];
	struct left left[BURST_MAX];
	struct reply reply;

	fixture_wait(g->fixture, 2000);
	player.peer = peer_number(g, 9);
	reply = say(g, &player, true, &move);
	assert_int_equal(reply.result, PG_DROP_NONE);
	opened(g, &player, reply.bytes, reply.length, SESSION_PATH_CHALLENGE);
	memcpy(token, reply.bytes + sizeof(struct session_header), sizeof(token));
	assert_int_equal(drain_egress(g, left), 1); // the proved address is asked
	assert_true(peer_equal(&left[0].peer, &before));
	opened(g, &player, left[0].bytes, left[0].length, SESSION_PATH_CHALLENGE);
	memcpy(old, left[0].bytes + sizeof(struct session_header), sizeof(old));
	assert_int_equal(await_egress(g, 30, left), 1); // and acknowledgements go there
	assert_true(peer_equal(&left[0].peer, &before));
	assert_int_equal(acknowledged_by(g, &player, left[0].bytes, left[0].length).ack, 1);
	reply = say(g, &player, true, &move); // not asked again within the second
	assert_int_equal(reply.result, PACKET_ABSORBED);

	reply = send_from(g, 0, &player.peer, datagram,
			  player_seal(g->fixture, &player, SESSION_PATH_RESPONSE, token, sizeof(token), datagram));
	assert_int_equal(reply.result, PACKET_ABSORBED);
	assert_int_equal(g->fixture->stats[0].path_changes, 1);
	assert_int_equal(g->fixture->stats[0].handled[PG_MESSAGE_SESSION_PATH_RESPONSE], 1);
	assert_int_equal(say(g, &player, false, &move).result, PG_DROP_NONE); // at once: more than that is due
	assert_int_equal(await_egress(g, 30, left), 1);                       // what the new path carries is searched
	assert_true(peer_equal(&left[0].peer, &player.peer));
	opened(g, &player, left[0].bytes, left[0].length, SESSION_PROBE);

	// Somebody copied it all: the player answers at the old address, too.
	reply = send_from(g, 0, &before, datagram,
			  player_seal(g->fixture, &player, SESSION_PATH_RESPONSE, old, sizeof(old), datagram));
	assert_int_equal(reply.result, PACKET_ABSORBED);
	assert_int_equal(g->fixture->stats[0].path_changes, 2);
	assert_true(peer_equal(&fixture_record(g->fixture, &player)->peer, &before));
}

/// Who copies the answer to a challenge from elsewhere does not use it up.
static void test_answer_from_elsewhere_is_as_if_it_had_not_come(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct peer there = peer_number(g, 9), elsewhere = peer_number(g, 11);
	const struct message move = a_move();
	uint8_t datagram[PLAYER_BUFFER], copy[PLAYER_BUFFER];
	struct reply reply;
	uint16_t length;

	fixture_wait(g->fixture, 2000);
	player.peer = there;
	reply = say(g, &player, true, &move);
	opened(g, &player, reply.bytes, reply.length, SESSION_PATH_CHALLENGE);
	length = player_seal(g->fixture, &player, SESSION_PATH_RESPONSE, reply.bytes + sizeof(struct session_header),
			     SESSION_PATH_TOKEN_LEN, datagram);
	memcpy(copy, datagram, length);
	assert_int_equal(send_from(g, 0, &elsewhere, copy, length).result, PG_DROP_BAD_PATH_RESPONSE);
	memcpy(copy, datagram, length);
	assert_int_equal(send_from(g, 0, &there, copy, length).result, PACKET_ABSORBED);
	assert_true(peer_equal(&fixture_record(g->fixture, &player)->peer, &there));
}

static void test_old_packet_from_elsewhere_asks_nobody(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	uint8_t late[PLAYER_BUFFER];
	const uint16_t length = seal_data(g, &player, true, &nothing, late);
	const struct peer elsewhere = peer_number(g, 9);
	const struct message move = a_move();

	fixture_wait(g->fixture, 2000);
	assert_int_equal(say(g, &player, true, &move).result, PG_DROP_NONE);
	assert_int_equal(send_from(g, 0, &elsewhere, late, length).result, PACKET_ABSORBED);
}

static void test_who_is_replaced_is_told_at_his_address(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player first = connected(g, 1), again = first;
	struct left left[BURST_MAX];

	fixture_wait(g->fixture, 10);
	again.peer = peer_number(g, 9);
	assert_true(connect_by(g, 0, &again));
	assert_int_equal(drain_egress(g, left), 1);
	assert_true(peer_equal(&left[0].peer, &first.peer));
	opened(g, &first, left[0].bytes, left[0].length, SESSION_CLOSE);
	assert_int_equal(left[0].bytes[sizeof(struct session_header)], SESSION_CLOSED_REPLACED);
}

/// A neighbour that has the player's address, or sees what the player sends, but has not the player's key.
static void test_no_confirm_that_anybody_can_send_teaches_a_way(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = issue(g, 1), neighbour;
	const struct message move = a_move();
	uint8_t confirm[PLAYER_BUFFER], datagram[PLAYER_BUFFER];
	uint16_t length = player_hello(&player, datagram);
	struct reply reply = send_from(g, 0, &player.peer, datagram, length);
	struct left left[BURST_MAX];

	assert_true(player_take_challenge(&player, reply.bytes, reply.length));
	length = player_confirm(&player, confirm);
	reply = send_from(g, 0, &player.peer, confirm, length);
	assert_true(player_take_welcome(g->fixture, &player, reply.bytes, reply.length));
	neighbour = player;
	g->from_a_neighbour = true;
	reply = send_from(g, 0, &player.peer, confirm, length); // seen
	assert_int_equal(reply.result, PG_DROP_NONE);
	fixture_wait(g->fixture, 10);
	length = player_hello(&neighbour, datagram);
	reply = send_from(g, 0, &player.peer, datagram, length);
	assert_true(player_take_challenge(&neighbour, reply.bytes, reply.length));
	memset(neighbour.key, 0, sizeof(neighbour.key));
	length = player_confirm(&neighbour, datagram);
	((struct session_confirm *)datagram)->version++;
	assert_int_equal(send_from(g, 0, &player.peer, datagram, length).result, PG_DROP_NONE); // DENIED
	g->from_a_neighbour = false;

	assert_int_equal(say(g, &player, false, &move).result, PACKET_ABSORBED);
	assert_int_equal(await_egress(g, 30, left), 1);
	opened(g, &player, left[0].bytes, left[0].length, SESSION_DATA);
}

static void restart(struct pipeline_fixture *g)
{
	assert_int_equal(fixture_restart(g->fixture), 1);
	for (unsigned i = 0; i < FIXTURE_SHARDS; i++) {
		g->ingress[i].shard = g->fixture->shard[i];
		session_shard_use(g->fixture->shard[i], &g->rig->policy.sessions);
	}
}

static void test_whom_a_crash_made_lost_sight_of_is_reached_when_he_was_heard_however_soon(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	struct left left[BURST_MAX];

	restart(g);
	assert_int_equal(say(g, &player, false, &move).result, PACKET_ABSORBED);
	assert_int_equal(await_egress(g, 30, left), 1);
	opened(g, &player, left[0].bytes, left[0].length, SESSION_DATA);
}

static void test_session_goes_on_after_a_crash_and_is_reached_when_it_was_heard(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	struct left left[BURST_MAX];

	assert_int_equal(say(g, &player, true, &move).result, PG_DROP_NONE);
	fixture_wait(g->fixture, 3000);
	restart(g);
	assert_int_equal(say(g, &player, false, &move).result, PACKET_ABSORBED);
	assert_int_equal(await_egress(g, 30, left), 1);
	opened(g, &player, left[0].bytes, left[0].length, SESSION_DATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_EVERY_WAY(test_new_address_is_asked_before_it_is_believed),
		BY_EVERY_WAY(test_answer_from_elsewhere_is_as_if_it_had_not_come),
		BY_EVERY_WAY(test_old_packet_from_elsewhere_asks_nobody),
		BY_EVERY_WAY(test_who_is_replaced_is_told_at_his_address),
		BY_EVERY_WAY(test_no_confirm_that_anybody_can_send_teaches_a_way),
		BY_EVERY_WAY(test_whom_a_crash_made_lost_sight_of_is_reached_when_he_was_heard_however_soon),
		BY_EVERY_WAY(test_session_goes_on_after_a_crash_and_is_reached_when_it_was_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
