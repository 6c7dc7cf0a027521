// SPDX-License-Identifier: BSD-3-Clause
// test_sealed_messages.c: messages of sealed datagrams: who gets them, who is told, and when they end the connection.

#include "unit.h"

#include <string.h>

#include "pipeline_fixture.h"

// ---------------------------------------------------------------- whom they reach

static void test_attack_reaches_its_target(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player attacker = connected(g, 1), target = connected(g, 2);
	const struct message attack = an_attack(2, 0, 0);
	struct left left[BURST_MAX];
	struct session_message head;

	assert_int_equal(say(g, &attacker, true, &attack).result, PG_DROP_NONE);
	assert_int_equal(await_egress(g, 10, left), 1);
	assert_true(peer_equal(&left[0].peer, &target.peer));
	opened(g, &target, left[0].bytes, left[0].length, SESSION_DATA);
	memcpy(&head, left[0].bytes + SESSION_BEFORE_MESSAGES, sizeof(head));
	assert_int_equal(head.type, SESSION_ATTACK_EVENT);
	assert_int_equal(head.body_len, 24);
	assert_int_equal(get_le32(left[0].bytes + SESSION_BEFORE_MESSAGES + 4), 1); // whose blow it was
	assert_memory_equal(left[0].bytes + SESSION_BEFORE_MESSAGES + 8, attack.bytes + 4, 20);
}

static void test_player_may_write_to_himself(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message attack = an_attack(1, 0, 0);
	struct reply reply = say(g, &player, true, &attack);

	assert_int_equal(reply.result, PG_DROP_NONE);
	opened(g, &player, reply.bytes, reply.length, SESSION_DATA);
	assert_int_equal(reply.bytes[SESSION_BEFORE_MESSAGES], SESSION_ATTACK_EVENT);
}

static void test_message_for_nobody_is_counted_lost(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1), idle = issue(g, 2);
	const struct message absent = an_attack(99, 0, 0), away = an_attack(idle.id, 0, 0);

	assert_int_equal(say(g, &player, true, &absent).result, PG_DROP_NONE);
	assert_int_equal(say(g, &player, true, &away).result, PG_DROP_NONE);
	assert_int_equal(g->fixture->stats[0].messages.lost[PG_LOSS_NO_PLAYER], 2);
	assert_int_equal(g->fixture->stats[0].messages.lost[PG_LOSS_NO_RECEIVER], 0);
}

/// A target_id of 0 wherever the type has it, beside what is for nobody else than its sender's session.
static void test_message_for_everyone_near_is_taken_and_counted_lost(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const uint8_t chat[] = {0, 0, 0, 0, 7, 0, 2, 0, 'h', 'i'}, skill[] = {9, 0, 0, 0, 0, 0, 0, 0}, bulk[5] = {0};
	struct message all = an_attack(0, 0, 0);

	add_message(&all, SESSION_CHAT, 0, 0, chat, sizeof(chat));
	add_message(&all, SESSION_SKILL, 0, 0, skill, sizeof(skill));
	add_message(&all, SESSION_BULK, 0, 0, bulk, sizeof(bulk));
	add_message(&all, SESSION_HEARTBEAT, 0, 0, "", 0);
	add_message(&all, SESSION_MOVE, 0, 0, &a_motion, sizeof(a_motion));
	assert_int_equal(say(g, &player, true, &all).result, PG_DROP_NONE);
	assert_int_equal(g->fixture->stats[0].messages.lost[PG_LOSS_NO_RECEIVER], 4);
	assert_int_equal(g->fixture->stats[0].messages.lost[PG_LOSS_NO_PLAYER], 0);
}

static void test_message_of_the_games_own_is_taken_and_counted_lost(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct message all = an_attack(0, 0, 0);

	add_message(&all, SESSION_GAME, 0, 0, "", 0);
	add_message(&all, SESSION_GAME_LAST, SESSION_MESSAGE_RELIABLE, 0, "\xff", 1);
	assert_int_equal(say(g, &player, true, &all).result, PG_DROP_NONE);
	assert_int_equal(g->fixture->stats[0].messages.received[PG_REQUEST_GAME], 2);
	assert_int_equal(g->fixture->stats[0].messages.lost[PG_LOSS_NO_RECEIVER], 3); // and the attack
	assert_int_equal(g->fixture->stats[0].messages.skipped, 0);
}

struct taken_by_relay {
	struct relay relay;
	unsigned count;
	uint8_t owner;
	uint32_t session;
	bool busy;
};

static bool pass(struct relay *relay, uint8_t owner, uint32_t session, const struct outgoing *message)
{
	struct taken_by_relay *taken = (struct taken_by_relay *)relay;

	(void)message;
	if (taken->busy)
		return false;
	taken->count++;
	taken->owner = owner;
	taken->session = session;
	return true;
}

static void test_message_for_another_workers_player_is_passed_on(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1), other = issue(g, 2);
	struct taken_by_relay taken = {.relay.pass = pass};
	const struct message attack = an_attack(2, 0, 0);
	struct pg_message_stats *stats = &g->fixture->stats[0].messages;

	assert_true(connect_by(g, 1, &other));
	say(g, &player, true, &attack);
	assert_int_equal(stats->lost[PG_LOSS_OWNER_BUSY], 1); // nobody takes it
	g->fixture->shard[0]->relay = &taken.relay;
	say(g, &player, true, &attack);
	assert_int_equal(taken.count, 1);
	assert_int_equal(taken.owner, 1);
	assert_int_equal(taken.session, other.session);
	taken.busy = true;
	say(g, &player, true, &attack);
	assert_int_equal(stats->lost[PG_LOSS_OWNER_BUSY], 2);
}

static void test_ids_are_kept_with_the_record_before_anything_leaves_that_tells_of_them(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct session_record *record = fixture_record(g->fixture, &player);
	const struct message attack = an_attack(1, SESSION_MESSAGE_RELIABLE, 0); // to itself

	assert_int_equal(say(g, &player, true, &attack).result, PG_DROP_NONE);
	assert_int_equal(record->ids.rx[0], 1);
	assert_int_equal(record->ids.tx[0], 1);
}

static void test_ids_of_what_is_skipped_are_kept_with_the_record(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct message unknown = an_attack(1, SESSION_MESSAGE_RELIABLE, 0);

	unknown.bytes[0] = 100; // its type
	assert_int_equal(say(g, &player, true, &unknown).result, PG_DROP_NONE);
	assert_int_equal(fixture_record(g->fixture, &player)->ids.rx[0], 1);
}

static void test_what_came_before_others_without_order_is_kept_with_the_record(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct session_record *record = fixture_record(g->fixture, &player);
	const struct id_bits *seen = &g->fixture->store.seen[fixture_slot(g->fixture, &player)];
	const uint8_t flags = SESSION_MESSAGE_RELIABLE | SESSION_CHANNEL_UNORDERED << SESSION_MESSAGE_CHANNEL_SHIFT;
	const struct message first = an_attack(1, flags, 0), second = an_attack(1, flags, 1),
			     third = an_attack(1, flags, 2);

	say(g, &player, true, &third);
	assert_int_equal(record->seen, RECORD_SEEN_STORED);
	assert_int_equal(record->ids.rx[SESSION_CHANNEL_UNORDERED], 0);
	assert_int_equal(seen->done[0], 1U << 2);
	say(g, &player, true, &first);
	assert_int_equal(record->ids.rx[SESSION_CHANNEL_UNORDERED], 1);
	say(g, &player, true, &second);
	assert_int_equal(record->seen, RECORD_SEEN_NONE);
	assert_int_equal(record->ids.rx[SESSION_CHANNEL_UNORDERED], 3);
}

// ---------------------------------------------------------------- what becomes of the connection

static void test_who_acknowledges_nothing_is_told_again_and_again_and_stays(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct message attack = an_attack(1, SESSION_MESSAGE_RELIABLE, 0);
	struct left left[BURST_MAX];

	assert_int_equal(say(g, &player, true, &attack).result, PG_DROP_NONE);
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(await_egress(g, 3000, left), 1);
		opened(g, &player, left[0].bytes, left[0].length, SESSION_DATA);
		assert_int_equal(left[0].bytes[SESSION_BEFORE_MESSAGES], SESSION_ATTACK_EVENT);
	}
	assert_int_equal(g->fixture->stats[0].connected, 1);
}

static void test_what_is_over_its_limit_is_refused_alone_and_its_sender_is_told(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1), target = connected(g, 2);
	struct message three = an_attack(2, SESSION_MESSAGE_RELIABLE, 0);
	const uint8_t chat[] = {2, 0, 0, 0, 7, 0, 2, 0, 'h', 'i'};
	struct session_busy busy;
	struct reply reply;

	(void)target;
	g->rig->policy.sessions.delivery.message_rate[PG_REQUEST_CHAT] = rate_make(1, 1, pg_tsc_hz());
	add_message(&three, SESSION_CHAT, SESSION_MESSAGE_RELIABLE | 1 << SESSION_MESSAGE_CHANNEL_SHIFT, 0, chat,
		    sizeof(chat));
	add_message(&three, SESSION_CHAT, SESSION_MESSAGE_RELIABLE | 1 << SESSION_MESSAGE_CHANNEL_SHIFT, 1, chat,
		    sizeof(chat));
	reply = say(g, &player, true, &three);
	assert_int_equal(reply.result, PG_DROP_NONE);
	opened(g, &player, reply.bytes, reply.length, SESSION_DATA);
	assert_int_equal(reply.bytes[SESSION_BEFORE_MESSAGES], SESSION_BUSY);
	memcpy(&busy, reply.bytes + SESSION_BEFORE_MESSAGES + sizeof(struct session_message), sizeof(busy));
	assert_int_equal(busy.reason, PG_REFUSED_RATE);
	assert_int_equal(busy.type, SESSION_CHAT);
	assert_int_equal(busy.counter, 1);
	assert_int_equal(prefix_of(reply.bytes).ack, 0); // it comes again
	assert_int_equal(g->fixture->stats[0].messages.received[PG_REQUEST_ATTACK], 1);
	assert_int_equal(g->fixture->stats[0].messages.received[PG_REQUEST_CHAT], 1);
	assert_int_equal(g->fixture->stats[0].messages.refused[PG_REFUSED_RATE], 1);
	assert_int_equal(g->fixture->stats[0].handled[PG_MESSAGE_SESSION_DATA], 1);
}

static void test_an_event_has_the_priority_with_which_its_message_was_said(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1), target = connected(g, 2);
	const uint8_t chat[] = {2, 0, 0, 0, 7, 0, 2, 0, 'h', 'i'};
	struct left left[BURST_MAX];
	struct session_message head;

	for (unsigned priority = 0; priority < 4; priority++) {
		struct message one = {.length = 0};

		add_message(&one, SESSION_CHAT, (uint8_t)(priority << SESSION_MESSAGE_PRIORITY_SHIFT), 0, chat,
			    sizeof(chat));
		say(g, &player, true, &one);
		assert_int_equal(delivery_due(store_delivery(&g->fixture->store, fixture_slot(g->fixture, &target))) <=
					 g->fixture->now,
				 priority == 0);
		assert_int_equal(await_egress(g, priority < 3 ? 10 : 1000, left), 1); // the second with bulk has a pace
		opened(g, &target, left[0].bytes, left[0].length, SESSION_DATA);
		memcpy(&head, left[0].bytes + SESSION_BEFORE_MESSAGES, sizeof(head));
		assert_int_equal(head.type, SESSION_CHAT_EVENT);
		assert_int_equal(head.flags >> SESSION_MESSAGE_PRIORITY_SHIFT, priority < 2 ? priority : 2);
	}
}

static void test_what_is_urgent_leaves_in_the_turn_in_which_it_was_said(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct outgoing message = {.type = SESSION_INVENTORY, .body = (const uint8_t *)"sword", .length = 5};
	struct left left[BURST_MAX];

	while (await_egress(g, 300, left) != 0) // what it is told at its beginning
		;
	message.priority = PRIORITY_NORMAL;
	assert_int_equal(session_deliver(g->fixture->shard[0], player.session, &message, g->fixture->now),
			 PG_LOSS_NONE);
	assert_int_equal(drain_egress(g, left), 0);
	message.priority = PRIORITY_URGENT;
	assert_int_equal(session_deliver(g->fixture->shard[0], player.session, &message, g->fixture->now),
			 PG_LOSS_NONE);
	assert_int_equal(drain_egress(g, left), 1);
	opened(g, &player, left[0].bytes, left[0].length, SESSION_DATA);
	assert_int_equal(left[0].bytes[SESSION_BEFORE_MESSAGES], SESSION_INVENTORY);
	assert_int_equal(drain_egress(g, left), 0);
}

static void test_violation_ends_the_connection(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	struct message second_first = {.length = 0};
	const uint8_t piece[] = {1, 0, 2, 0, 'x'}; // index 1 of 2, though none came before
	struct left left[BURST_MAX];

	add_message(&second_first, SESSION_BULK, SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT, 0, piece,
		    sizeof(piece));
	assert_int_equal(say(g, &player, true, &second_first).result, PACKET_ABSORBED);
	assert_int_equal(drain_egress(g, left), 1);
	opened(g, &player, left[0].bytes, left[0].length, SESSION_CLOSE);
	assert_int_equal(left[0].bytes[sizeof(struct session_header)], SESSION_CLOSED_PROTOCOL);
	assert_int_equal(g->fixture->stats[0].handled[PG_MESSAGE_SESSION_DATA], 1);
}

static void test_close_ends_it_also_for_what_follows_in_the_burst(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected(g, 1);
	const struct session_close_body leave = {.reason = SESSION_CLOSED_LEFT};
	const struct peer peers[2] = {player.peer, player.peer};
	static uint8_t payload[2][1500];
	static struct reply reply[2];
	uint16_t length[2];

	length[0] = player_seal(g->fixture, &player, SESSION_CLOSE, &leave, sizeof(leave), payload[0]);
	length[1] = seal_data(g, &player, true, &nothing, payload[1]);
	deliver(g, 0, peers, payload, length, reply, 2);
	assert_int_equal(reply[0].result, PACKET_ABSORBED);
	check_dropped(g, &reply[1], PG_DROP_SESSION_STATE);
	assert_int_equal(g->fixture->stats[0].handled[PG_MESSAGE_SESSION_CLOSE], 1);
	fixture_wait(g->fixture, 10);
	assert_true(connect_by(g, 0, &player)); // the session still stands
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_EVERY_WAY(test_attack_reaches_its_target),
		BY_EVERY_WAY(test_player_may_write_to_himself),
		BY_EVERY_WAY(test_message_for_nobody_is_counted_lost),
		BY_EVERY_WAY(test_message_for_everyone_near_is_taken_and_counted_lost),
		BY_EVERY_WAY(test_message_of_the_games_own_is_taken_and_counted_lost),
		BY_EVERY_WAY(test_message_for_another_workers_player_is_passed_on),
		BY_EVERY_WAY(test_ids_are_kept_with_the_record_before_anything_leaves_that_tells_of_them),
		BY_EVERY_WAY(test_ids_of_what_is_skipped_are_kept_with_the_record),
		BY_EVERY_WAY(test_what_came_before_others_without_order_is_kept_with_the_record),
		BY_EVERY_WAY(test_who_acknowledges_nothing_is_told_again_and_again_and_stays),
		BY_EVERY_WAY(test_what_is_over_its_limit_is_refused_alone_and_its_sender_is_told),
		BY_EVERY_WAY(test_an_event_has_the_priority_with_which_its_message_was_said),
		BY_EVERY_WAY(test_what_is_urgent_leaves_in_the_turn_in_which_it_was_said),
		BY_EVERY_WAY(test_violation_ends_the_connection),
		BY_EVERY_WAY(test_close_ends_it_also_for_what_follows_in_the_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
