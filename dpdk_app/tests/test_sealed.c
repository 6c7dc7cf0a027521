// SPDX-License-Identifier: BSD-3-Clause
// test_sealed.c: datagrams of the session profile through the whole pipeline, by every way: answers, other workers' sessions, bursts.

#include "unit.h"

#include <string.h>

#include "pipeline_fixture.h"

// ---------------------------------------------------------------- answers

static void test_move_is_taken_and_acknowledged_in_place(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	struct reply reply = say(g, &player, true, &move);
	const struct session_record *record = fixture_record(g->fixture, &player);
	const struct pg_worker_stats *stats = &g->fixture->stats[0];

	assert_int_equal(reply.result, PG_DROP_NONE);
	assert_int_equal(reply.length, SESSION_DATA_MIN);
	assert_int_equal(acknowledged_by(g, &player, reply.bytes, reply.length).ack, 1);
	assert_memory_equal(&record->motion, &a_motion, sizeof(a_motion));
	assert_int_equal(record->motion_version % 2, 0);
	assert_int_equal(stats->handled[PG_MESSAGE_SESSION_HELLO], 1);
	assert_int_equal(stats->handled[PG_MESSAGE_SESSION_CONFIRM], 1);
	assert_int_equal(stats->handled[PG_MESSAGE_SESSION_DATA], 1);
	assert_int_equal(stats->messages.received[PG_REQUEST_MOVE], 1);
	assert_int_equal(stats->unanswered, 0);
}

static void test_acknowledgement_that_is_not_urgent_leaves_later(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	struct left left[BURST_MAX];

	assert_int_equal(say(g, &player, false, &move).result, PACKET_ABSORBED);
	assert_int_equal(g->fixture->stats[0].unanswered, 1);
	assert_int_equal(drain_egress(g, left), 0);
	assert_int_equal(await_egress(g, 30, left), 1);
	assert_true(peer_equal(&left[0].peer, &player.peer));
	assert_int_equal(acknowledged_by(g, &player, left[0].bytes, left[0].length).ack, 1);
	assert_int_equal(await_egress(g, 2000, left), 0); // and once
}

static void test_data_without_messages_asks_for_nothing(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct left left[BURST_MAX];

	assert_int_equal(say(g, &player, false, &nothing).result, PACKET_ABSORBED);
	assert_int_equal(await_egress(g, 2000, left), 0);
}

static void test_bits_tell_which_were_taken(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	uint64_t seed = 7, taken = 0;
	uint64_t counters[200];

	// Within the window, in any order, a third of them never.
	for (unsigned i = 0; i < COUNT(counters); i++)
		counters[i] = i + 1;
	for (unsigned i = 0; i + 8 < COUNT(counters); i++) {
		const unsigned j = i + random_below(&seed, 8);
		const uint32_t counter = counters[j];

		counters[j] = counters[i];
		counters[i] = counter;
	}
	uint32_t newest = 0;
	bool seen[COUNT(counters) + 1] = {false};

	for (unsigned i = 0; i < COUNT(counters); i++) {
		struct reply reply;
		struct session_prefix prefix;

		if (random_below(&seed, 3) == 0)
			continue;
		player.sent = counters[i] - 1;
		reply = say(g, &player, true, &move);
		assert_int_equal(reply.result, PG_DROP_NONE);
		opened(g, &player, reply.bytes, reply.length, SESSION_DATA);
		prefix = prefix_of(reply.bytes);
		seen[counters[i]] = true;
		newest = counters[i] > newest ? counters[i] : newest;
		taken++;
		assert_int_equal(prefix.ack, newest);
		for (unsigned bit = 0; bit < 32; bit++)
			assert_int_equal(prefix.ack_bits >> bit & 1, newest > bit + 1 && seen[newest - 1 - bit]);
	}
	assert_int_equal(g->fixture->stats[0].messages.received[PG_REQUEST_MOVE], taken);
}

static void test_counters_go_on_to_the_last(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct session_record *record = fixture_record(g->fixture, &player);
	const struct message move = a_move();

	player.sent = record->replay.newest = record->taken.newest = UINT32_MAX - 3;
	for (unsigned i = 0; i < 3; i++) {
		struct reply reply = say(g, &player, true, &move);

		assert_int_equal(reply.result, PG_DROP_NONE);
		opened(g, &player, reply.bytes, reply.length, SESSION_DATA);
		assert_int_equal(prefix_of(reply.bytes).ack, player.sent);
	}
	assert_int_equal(record->replay.newest, UINT32_MAX);
	for (unsigned i = 0; i < 3; i++) { // none comes after it
		const struct reply reply = say(g, &player, true, &move);

		check_dropped(g, &reply, PG_DROP_REPLAYED);
	}
}

// ---------------------------------------------------------------- workers

static void test_packet_of_another_workers_session_is_handed_over_untouched(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message move = a_move();
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = seal_data(g, &player, true, &move, datagram);
	struct reply reply = send_from(g, 1, &player.peer, datagram, length);

	assert_int_equal(reply.result, PACKET_ELSEWHERE);
	assert_int_equal(reply.owner, 0);
	assert_memory_equal(reply.bytes, datagram, length);
	g->fixture->stats[1].handed_out++; // as the loop counts it
	g->ingress[1].settles_here = true;
	assert_int_equal(send_from(g, 1, &player.peer, datagram, length).result, PG_DROP_SESSION_STATE);
	g->ingress[1].settles_here = false;
	g->rig->registry.ports[0] = 2; // its owner does not serve this port
	assert_int_equal(send_from(g, 1, &player.peer, datagram, length).result, PG_DROP_OWNER_BUSY);
	assert_int_equal(send_from(g, 0, &player.peer, datagram, length).result, PG_DROP_NONE);
}

static void test_confirm_of_another_workers_session_is_handed_over(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	uint8_t datagram[PLAYER_BUFFER], original[PLAYER_BUFFER];
	uint16_t length = player_hello(&player, datagram);
	struct reply reply;

	fixture_wait(g->fixture, 10);
	reply = send_from(g, 1, &player.peer, datagram, length);
	assert_int_equal(reply.result, PG_DROP_NONE); // anybody can bake a cookie
	assert_true(player_take_challenge(&player, reply.bytes, reply.length));
	length = player_confirm(&player, datagram);
	memcpy(original, datagram, length);
	reply = send_from(g, 1, &player.peer, datagram, length);
	assert_int_equal(reply.result, PACKET_ELSEWHERE);
	assert_int_equal(reply.owner, 0);
	assert_memory_equal(reply.bytes, original, length);
	g->fixture->stats[1].handed_out++;
	reply = send_from(g, 0, &player.peer, original, length);
	assert_true(player_take_welcome(g->fixture, &player, reply.bytes, reply.length));
}

// ---------------------------------------------------------------- bursts

static void test_burst_of_many_sessions_is_answered_one_by_one(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player[BURST_MAX - 4];
	const struct message move = a_move();
	struct peer peers[BURST_MAX];
	static uint8_t payload[BURST_MAX][1500];
	static struct reply reply[BURST_MAX];
	uint16_t length[BURST_MAX];

	for (unsigned i = 0; i < COUNT(player); i++) {
		player[i] = connected(g, i + 1);
		peers[i] = player[i].peer;
		length[i] = seal_data(g, &player[i], true, &move, payload[i]);
		if (i % 7 == 3)
			payload[i][30] ^= 1;
	}
	deliver(g, 0, peers, payload, length, reply, COUNT(player));
	for (unsigned i = 0; i < COUNT(player); i++) {
		assert_int_equal(reply[i].result, i % 7 == 3 ? PG_DROP_BAD_TAG : PG_DROP_NONE);
		if (i % 7 != 3)
			assert_int_equal(acknowledged_by(g, &player[i], reply[i].bytes, reply[i].length).ack, 1);
	}
}

static void test_whatever_comes_ends_in_one_counter(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player[8];
	const struct message move = a_move();
	static uint8_t payload[BURST_MAX][1500];
	static struct reply reply[BURST_MAX];
	struct peer peers[BURST_MAX];
	struct left left[BURST_MAX];
	uint16_t length[BURST_MAX];
	uint64_t seed = 5;

	for (unsigned i = 0; i < COUNT(player); i++)
		player[i] = connected(g, i + 1);
	for (unsigned round = 0; round < 300; round++) {
		for (unsigned i = 0; i < BURST_MAX; i++) {
			struct player *p = &player[random_below(&seed, COUNT(player))];

			peers[i] = random_below(&seed, 8) ? p->peer : peer_number(g, 30 + random_below(&seed, 4));
			length[i] = random_below(&seed, 8) ?
					    seal_data(g, p, random_below(&seed, 2), &move, payload[i]) :
					    player_hello(&(struct player){.session = p->session}, payload[i]);
			if (random_below(&seed, 3) == 0)
				payload[i][random_below(&seed, length[i])] ^= (uint8_t)(1U << random_below(&seed, 8));
			if (random_below(&seed, 9) == 0)
				length[i] = (uint16_t)random_below(&seed, length[i]);
		}
		deliver(g, 0, peers, payload, length, reply, BURST_MAX);
		check_conserved(g);
		fixture_wait(g->fixture, 5);
		drain_egress(g, left);
	}
	assert_true(g->fixture->stats[0].handled[PG_MESSAGE_SESSION_DATA] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_EVERY_WAY(test_move_is_taken_and_acknowledged_in_place),
		BY_EVERY_WAY(test_acknowledgement_that_is_not_urgent_leaves_later),
		BY_EVERY_WAY(test_data_without_messages_asks_for_nothing),
		BY_EVERY_WAY(test_bits_tell_which_were_taken),
		BY_EVERY_WAY(test_counters_go_on_to_the_last),
		BY_EVERY_WAY(test_packet_of_another_workers_session_is_handed_over_untouched),
		BY_EVERY_WAY(test_confirm_of_another_workers_session_is_handed_over),
		BY_EVERY_WAY(test_burst_of_many_sessions_is_answered_one_by_one),
		BY_EVERY_WAY(test_whatever_comes_ends_in_one_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
