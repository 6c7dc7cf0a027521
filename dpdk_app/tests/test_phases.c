// SPDX-License-Identifier: BSD-3-Clause
// test_phases.c: key updates of the session profile, through the whole pipeline: who begins, who follows, what is late, what a
// crash leaves.

#include "unit.h"

#include "phases_talk.h"
#include "session/connection.h"

static uint64_t updates(const struct pipeline_fixture *g)
{
	return g->fixture->stats[0].key_updates;
}

// ---------------------------------------------------------------- the player begins

static void test_gateway_follows_to_each_phase_at_once(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);

	check_answered_in(g, &player, 0);
	for (unsigned phase = 1; phase < 6; phase++) {
		player_seal_in(g->fixture, &player, phase);
		check_answered_in(g, &player, phase);
		check_answered_in(g, &player, phase);
	}
	assert_int_equal(updates(g), 5);
	assert_int_equal(g->fixture->stats[0].messages.received[PG_REQUEST_MOVE], 11);
}

static void test_gateway_follows_in_the_middle_of_a_burst(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	static uint8_t payload[8][1500];
	static struct reply reply[8];
	struct peer peer[8];
	uint16_t length[8];

	for (unsigned i = 0; i < COUNT(length); i++) {
		if (i == 3)
			player_seal_in(g->fixture, &player, 1);
		peer[i] = player.peer;
		length[i] = seal_data(g, &player, true, a_request(), payload[i]);
	}
	deliver(g, 0, peer, payload, length, reply, COUNT(length));
	for (unsigned i = 0; i < COUNT(length); i++) {
		assert_int_equal(reply[i].result, PG_DROP_NONE);
		assert_int_equal(header_of(reply[i].bytes).flags, i >= 3);
		assert_int_equal(acknowledged_by(g, &player, reply[i].bytes, reply[i].length).ack, i + 1);
	}
}

static void test_late_datagram_of_the_phase_before_is_taken_for_three_seconds(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct late first = a_late_one(g, &player), second = a_late_one(g, &player);
	struct reply reply;

	player_seal_in(g->fixture, &player, 1);
	check_answered_in(g, &player, 1);
	fixture_wait(g->fixture, 2900);
	sweep(g);
	assert_int_equal(arrives(g, &player, &first).result, PG_DROP_NONE);
	fixture_wait(g->fixture, 200);
	reply = arrives(g, &player, &second);
	check_dropped(g, &reply, PG_DROP_BAD_TAG);
	sweep(g);
	assert_false(g->fixture->shard[0]->phases.of[fixture_slot(g->fixture, &player) % PHASES_KEPT].has_before);
	check_answered_in(g, &player, 1);
}

static void test_phase_that_is_over_is_never_gone_back_to(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct reply reply;

	player_seal_in(g->fixture, &player, 1);
	check_answered_in(g, &player, 1);
	player_seal_in(g->fixture, &player, 0); // of which the counter says that it is not late
	reply = say(g, &player, true, a_request());
	check_dropped(g, &reply, PG_DROP_BAD_TAG);
	player_seal_in(g->fixture, &player, 1);
	check_answered_in(g, &player, 1);
}

static void test_phase_is_never_skipped(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct reply reply;

	player_seal_in(g->fixture, &player, 3);
	reply = say(g, &player, true, a_request());
	check_dropped(g, &reply, PG_DROP_BAD_TAG);
	player_seal_in(g->fixture, &player, 1);
	check_answered_in(g, &player, 1);
}

// ---------------------------------------------------------------- the gateway begins

static void test_update_is_due_within_an_hour_and_not_soon(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct session_record *record = record_of(g, &player);

	check_answered_in(g, &player, 0);
	sweep(g);
	assert_int_equal(record->open_flags, 0);
	record_of(g, &player)->phase_began_at -= (PHASE_SECONDS / 8 * 7 - 10) / PHASE_TICK_S;
	sweep(g);
	assert_int_equal(record->open_flags, 0);
	record_of(g, &player)->phase_began_at -= (PHASE_SECONDS / 8 + 20) / PHASE_TICK_S;
	sweep(g);
	assert_int_equal(record->open_flags, PHASE_DUE);
	check_answered_in(g, &player, 1);
}

static void test_update_is_due_by_the_number_of_datagrams(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);

	for (unsigned phase = 0; phase < 4; phase++) {
		check_answered_in(g, &player, phase);
		record_of(g, &player)->phase_began = record_of(g, &player)->tx_counter;
		record_of(g, &player)->tx_counter += PHASE_DATAGRAMS / 8 * 7;
		sweep(g);
		check_answered_in(g, &player, phase);
		record_of(g, &player)->tx_counter += PHASE_DATAGRAMS / 8;
		sweep(g);
		check_answered_in(g, &player, phase + 1);
	}
	assert_int_equal(updates(g), 4);
}

static void test_crowd_does_not_update_at_once(void **state)
{
	struct pipeline_fixture *g = *state;
	unsigned due = 0;

	for (unsigned i = 0; i < 32; i++) {
		const struct player player = connected(g, 1 + i);

		record_of(g, &player)->phase_began_at -= PHASE_SECONDS / 16 * 15 / PHASE_TICK_S;
	}
	sweep(g);
	for (unsigned slot = 0; slot < PIPELINE_FIXTURE_CAPACITY; slot++)
		due += g->fixture->store.records[slot].open_flags == PHASE_DUE;
	assert_in_range(due, 8, 24);
}

static void test_gateway_waits_until_something_of_the_phase_was_acknowledged(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const uint32_t welcome = player.newest;
	struct reply reply;

	player_seal_in(g->fixture, &player, 1);
	reply = say(g, &player, true, a_request()); // the gateway follows, but the player has not heard it
	assert_int_equal(reply.result, PG_DROP_NONE);
	make_due(g, &player);
	for (unsigned i = 0; i < 3; i++) {
		reply = say(g, &player, true, a_request());
		assert_int_equal(header_of(reply.bytes).flags, 1);
		assert_int_equal(player.newest, welcome);
	}
	acknowledged_by(g, &player, reply.bytes, reply.length);
	check_answered_in(g, &player, 2);
}

static void test_acknowledgement_of_what_was_never_sent_begins_no_phase(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct reply reply;

	make_due(g, &player);
	player.newest = 1000;
	reply = say(g, &player, true, a_request());
	assert_int_equal(header_of(reply.bytes).flags, 0);
}

static void test_player_who_has_not_followed_is_heard_and_can_begin_himself(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct reply reply;

	make_due(g, &player);
	for (unsigned i = 0; i < 3; i++) { // answers are lost
		reply = say(g, &player, true, a_request());
		assert_int_equal(reply.result, PG_DROP_NONE);
		assert_int_equal(header_of(reply.bytes).flags, 1);
	}
	sweep(g);
	player_seal_in(g->fixture, &player, 1);
	check_answered_in(g, &player, 1);
	assert_int_equal(updates(g), 1);
}

static void test_peer_that_acknowledges_nothing_is_closed_before_keys_wear_out(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);

	record_of(g, &player)->tx_counter += SESSION_PHASE_MOST - 2;
	sweep(g);
	assert_int_equal(g->fixture->stats[0].closed[SESSION_CLOSED_PROTOCOL], 0);
	record_of(g, &player)->tx_counter++;
	sweep(g);
	assert_int_equal(g->fixture->stats[0].closed[SESSION_CLOSED_PROTOCOL], 1);
}

static void test_connection_whose_counters_run_out_is_closed_as_restarted(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct left left[BURST_MAX];
	struct session_record *record = record_of(g, &player);

	check_answered_in(g, &player, 0);
	record->tx_counter = record->phase_began = SESSION_COUNTERS - 1;
	sweep(g);
	assert_int_equal(g->fixture->stats[0].connected, 1);
	record->tx_counter++;
	sweep(g);
	assert_int_equal(g->fixture->stats[0].closed[SESSION_CLOSED_RESTARTED], 1);
	assert_int_equal(drain_egress(g, left), 1);
	assert_int_equal(opened(g, &player, left[0].bytes, left[0].length, SESSION_CLOSE).counter,
			 SESSION_COUNTERS + 1);
	assert_int_equal(left[0].bytes[sizeof(struct session_header)], SESSION_CLOSED_RESTARTED);
	assert_true(connect_by(g, 0, &player)); // and connects anew
}

static void test_close_is_sealed_in_the_present_phase(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct left left[BURST_MAX];

	player_seal_in(g->fixture, &player, 1);
	check_answered_in(g, &player, 1);
	connection_close(g->fixture->shard[0], fixture_slot(g->fixture, &player), SESSION_CLOSED_SHUTDOWN,
			 g->fixture->now);
	assert_int_equal(drain_egress(g, left), 1);
	assert_int_equal(opened(g, &player, left[0].bytes, left[0].length, SESSION_CLOSE).flags, 1);
}

/// The handshake proved less than the longest datagram.
static void test_path_is_searched_with_the_keys_of_the_phase(void **state)
{
	struct pipeline_fixture *g = *state;
	static const uint16_t size[] = {1232, 1400}; // each when that before was acknowledged
	struct player player = issue(g, 1);
	struct left left[BURST_MAX];

	player.max_datagram = 1000;
	assert_true(connect_by(g, 0, &player));
	check_answered_in(g, &player, 0);
	sweep(g);
	fixture_wait(g->fixture, 10100);
	for (unsigned phase = 1; phase <= COUNT(size); phase++) {
		player_seal_in(g->fixture, &player, phase);
		check_answered_in(g, &player, phase);
		sweep(g);
		assert_int_equal(await_egress(g, 2000, left), 1);
		assert_int_equal(left[0].length, size[phase - 1]);
		assert_int_equal(opened(g, &player, left[0].bytes, left[0].length, SESSION_PROBE).flags, phase % 2);
		assert_int_equal(player.open_phase, phase);
	}
}

static void test_another_connection_begins_in_the_first_phase(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);

	player_seal_in(g->fixture, &player, 1);
	check_answered_in(g, &player, 1);
	fixture_wait(g->fixture, 50);
	assert_true(connect_by(g, 0, &player));
	assert_int_equal(g->fixture->shard[0]->phases.of[fixture_slot(g->fixture, &player) % PHASES_KEPT].slot_after,
			 0);
	check_answered_in(g, &player, 0);
}

// ---------------------------------------------------------------- a crash

static void test_phases_outlive_a_crash(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);

	check_answered_in(g, &player, 0);
	player_seal_in(g->fixture, &player, 1);
	check_answered_in(g, &player, 1);
	fixture_restart_in_place(g->fixture);
	check_answered_in(g, &player, 1);
	player_seal_in(g->fixture, &player, 2);
	check_answered_in(g, &player, 2);
}

static void test_crash_before_the_player_followed_costs_nothing(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct reply reply;

	make_due(g, &player);
	reply = say(g, &player, true, a_request());
	assert_int_equal(header_of(reply.bytes).flags, 1);
	fixture_restart_in_place(g->fixture);
	reply = say(g, &player, true, a_request()); // who has not heard of it
	assert_int_equal(header_of(reply.bytes).flags, 1);
	acknowledged_by(g, &player, reply.bytes, reply.length);
	check_answered_in(g, &player, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_EVERY_WAY(test_gateway_follows_to_each_phase_at_once),
		BY_EVERY_WAY(test_gateway_follows_in_the_middle_of_a_burst),
		BY_EVERY_WAY(test_late_datagram_of_the_phase_before_is_taken_for_three_seconds),
		BY_EVERY_WAY(test_phase_that_is_over_is_never_gone_back_to),
		BY_EVERY_WAY(test_phase_is_never_skipped),
		BY_EVERY_WAY(test_update_is_due_within_an_hour_and_not_soon),
		BY_EVERY_WAY(test_update_is_due_by_the_number_of_datagrams),
		BY_EVERY_WAY(test_crowd_does_not_update_at_once),
		BY_EVERY_WAY(test_gateway_waits_until_something_of_the_phase_was_acknowledged),
		BY_EVERY_WAY(test_acknowledgement_of_what_was_never_sent_begins_no_phase),
		BY_EVERY_WAY(test_player_who_has_not_followed_is_heard_and_can_begin_himself),
		BY_EVERY_WAY(test_peer_that_acknowledges_nothing_is_closed_before_keys_wear_out),
		BY_EVERY_WAY(test_connection_whose_counters_run_out_is_closed_as_restarted),
		BY_EVERY_WAY(test_close_is_sealed_in_the_present_phase),
		BY_EVERY_WAY(test_path_is_searched_with_the_keys_of_the_phase),
		BY_EVERY_WAY(test_another_connection_begins_in_the_first_phase),
		BY_EVERY_WAY(test_phases_outlive_a_crash),
		BY_EVERY_WAY(test_crash_before_the_player_followed_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
