// SPDX-License-Identifier: BSD-3-Clause
// test_game_client_orders.c: what a game process does to clients of the netcode profile, and what it cannot.

#include "game_clients_fixture.h"

#include <stdio.h>
#include <string.h>

/// What leaves for one of them next.
/// @return its kind; NETCODE_KINDS: nothing does
static enum netcode_kind leaves_for(unsigned i, uint8_t *body, uint16_t *length)
{
	struct netcode_shard *shard = fixture->clients->shard[0];
	unsigned looks = 100;
	const uint32_t slot = netcode_next(shard, &looks, fixture->clients->now);
	uint8_t packet[2048];

	if (slot == NETCODE_NONE)
		return NETCODE_KINDS;
	assert_int_equal(slot, client[i].told.client_index);
	*length = netcode_write(shard, slot, packet, fixture->clients->now);
	return netcode_hear(&client[i], packet, *length, body);
}

static void expect_leaving(unsigned i, enum netcode_kind kind)
{
	uint8_t body[2048];
	uint16_t length;

	assert_int_equal(leaves_for(i, body, &length), kind);
}

static void expect_payload(unsigned i, const char *words)
{
	uint8_t body[2048];
	uint16_t length;

	assert_int_equal(leaves_for(i, body, &length), NETCODE_PAYLOAD);
	assert_memory_equal(body, words, strlen(words));
}

/// It has said something: so it knows that it is connected, and is not told again.
static void confirm(unsigned i)
{
	const struct netcode_keep_alive nothing = {0, 0};

	netcode_say(fixture->clients, 0, &client[i], NETCODE_KEEP_ALIVE, &nothing, sizeof(nothing));
}

static void order_with(uint32_t player, struct game_outgoing message, const void *body, uint32_t length)
{
	uint8_t whole[1024] = {0};
	const struct game_send send = {.player = player, .message = message};

	memcpy(whole, &send, sizeof(send));
	if (length != 0)
		memcpy(whole + sizeof(send), body, length);
	game_fixture_order(fixture, GAME_SEND, whole, (uint32_t)sizeof(send) + length);
	game_fixture_turn(fixture);
}

static void order(uint32_t player, const char *words)
{
	order_with(player, (struct game_outgoing){.type = GAME_TYPE_PAYLOAD}, words, (uint32_t)strlen(words));
}

static uint64_t refused(enum pg_order_refusal why)
{
	return counts()->refused[why];
}

static void what_it_says_leaves_as_a_payload(void **state UNUSED)
{
	begin();
	order(record(0)->player, "welcome");
	expect_leaving(0, NETCODE_KEEP_ALIVE); // it has said nothing, and may not know yet that it is connected
	expect_payload(0, "welcome");
	confirm(0);
	order(record(0)->player, "again");
	expect_payload(0, "again");
	expect_leaving(0, NETCODE_KINDS);
	assert_int_equal(stats()->netcode_payloads_offered, 2);
	assert_int_equal(stats()->netcode_payloads_sent, 2);
	assert_int_equal(counts()->orders, 2);
	for (unsigned i = 0; i < PG_ORDER_REFUSALS; i++)
		assert_int_equal(refused(i), 0);
}

static void whoever_hears_payloads_needs_no_keep_alives(void **state UNUSED)
{
	unsigned kept = 0;

	begin();
	confirm(0);
	for (unsigned i = 0; i < 50; i++) {
		netcode_wait(fixture->clients, 0.02);
		confirm(0);
		order(record(0)->player, "state");
		kept += netcode_egress_of(fixture->clients, 0, client, 1, NETCODE_KEEP_ALIVE);
	}
	assert_int_equal(stats()->netcode_payloads_sent, 50);
	assert_int_equal(kept, 0);
	netcode_wait(fixture->clients, 0.11);
	assert_int_equal(netcode_egress_of(fixture->clients, 0, client, 1, NETCODE_KEEP_ALIVE), 1);
}

static void what_the_profile_has_not_is_refused(void **state UNUSED)
{
	const struct game_place place = {.player = 0};
	struct game_outgoing other = {.type = GAME_TYPE_PAYLOAD, .flags = GAME_RELIABLE};
	struct game_place at = place;
	struct game_ask ask = {.cookie = 9};
	const uint8_t body[1000] = {0};

	begin();
	order_with(record(0)->player, other, "x", 1);
	other = (struct game_outgoing){.type = GAME_TYPE_PAYLOAD, .channel = 1};
	order_with(record(0)->player, other, "x", 1);
	other = (struct game_outgoing){.type = GAME_TYPE_PAYLOAD + 1};
	order_with(record(0)->player, other, "x", 1);
	at.player = ask.player = record(0)->player;
	game_fixture_order(fixture, GAME_PLACE, &at, sizeof(at));
	game_fixture_order(fixture, GAME_ASK, &ask, sizeof(ask));
	game_fixture_turn(fixture);
	assert_int_equal(refused(PG_ORDER_REFUSED_PROFILE), 5);
	other = (struct game_outgoing){.type = GAME_TYPE_PAYLOAD};
	order_with(record(0)->player, other, NULL, 0);
	assert_int_equal(refused(PG_ORDER_REFUSED_LENGTH), 1);
	assert_int_equal(stats()->netcode_payloads_offered, 0);
	order_with(record(0)->player, other, body, sizeof(body));
	assert_int_equal(stats()->netcode_payloads_offered, 1);
}

static void what_is_for_one_who_is_gone_reaches_nobody(void **state UNUSED)
{
	uint32_t gone;

	begin();
	gone = record(0)->player;
	order(gone, "waits");
	leave(0);
	get_in(1); // in the same slot
	assert_int_equal(client[1].told.client_index, client[0].told.client_index);
	assert_int_not_equal(record(1)->player, gone);
	expect_leaving(1, NETCODE_KINDS);
	assert_int_equal(stats()->netcode_payloads_closed, 1);
	order(gone, "too late");
	order(NETCODE_PLAYERS | NETCODE_PLAYER_SLOT, "no such slot");
	order(0, "nobody");
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_PLAYER), 3);
	order(record(1)->player, "here");
	expect_leaving(1, NETCODE_KEEP_ALIVE);
	expect_payload(1, "here");
}

static void whom_it_kicks_is_told_and_leaves_at_once(void **state UNUSED)
{
	struct game_kick kick = {.reason = 5};
	unsigned told = 0;

	begin();
	kick.player = record(0)->player;
	game_fixture_order(fixture, GAME_KICK, &kick, sizeof(kick));
	game_fixture_turn(fixture);
	expect_left(kick.player, SESSION_CLOSED_KICKED);
	assert_int_equal(say(0, "x", 1).drop, PG_DROP_SESSION_STATE);
	for (unsigned i = 0; i < 20; i++) {
		netcode_wait(fixture->clients, 0.01);
		told += netcode_egress_of(fixture->clients, 0, client, CLIENTS, NETCODE_DISCONNECT);
	}
	assert_int_equal(told, NETCODE_DISCONNECTS);
	assert_int_equal(stats()->connected, 0);
	game_fixture_turn(fixture);
	game_expect_nothing(fixture);
}

static void order_group(enum game_order_type type, uint32_t group, uint32_t player)
{
	const struct game_group order = {group, player};

	game_fixture_order(fixture, type, &order, sizeof(order));
	game_fixture_turn(fixture);
}

static void order_to_group(uint32_t group, uint32_t except, const char *words)
{
	const size_t length = strlen(words);
	uint8_t whole[256] = {0};
	const struct game_send_group send = {.group = group, .except = except, .message = {.type = GAME_TYPE_PAYLOAD}};

	memcpy(whole, &send, sizeof(send));
	snprintf((char *)whole + sizeof(send), sizeof(whole) - sizeof(send), "%s", words);
	game_fixture_order(fixture, GAME_SEND_GROUP, whole, (uint32_t)(sizeof(send) + length));
	game_fixture_turn(fixture);
}

static unsigned payloads_of_all(void)
{
	return netcode_egress_of(fixture->clients, 0, client, CLIENTS, NETCODE_PAYLOAD);
}

static void a_group_has_players_of_all_profiles_and_one_copy_of_what_they_hear(void **state UNUSED)
{
	const uint64_t *queued = &fixture->sessions->stats[0].messages.sent[PG_EVENT_GAME];

	game_fixture_attach(fixture, false);
	game_fixture_connect(fixture, 0);
	order_group(GAME_GROUP_JOIN, 7, 1);
	for (unsigned i = 0; i < CLIENTS; i++) {
		get_in(i);
		confirm(i);
		order_group(GAME_GROUP_JOIN, 7, record(i)->player);
	}
	order_to_group(7, 0, "to all");
	assert_int_equal(fixture->clients->shard[0]->payloads.end, strlen("to all"));
	assert_int_equal(*queued, 1);
	assert_int_equal(payloads_of_all(), CLIENTS);
	order_to_group(7, record(1)->player, "to the others");
	assert_int_equal(*queued, 2);
	assert_int_equal(payloads_of_all(), CLIENTS - 1);
	leave(0);
	order_group(GAME_GROUP_LEAVE, 7, record(1)->player);
	order_to_group(7, 1, "to the last");
	assert_int_equal(*queued, 2);
	assert_int_equal(payloads_of_all(), 1);
	for (unsigned i = 0; i < PG_ORDER_REFUSALS; i++)
		assert_int_equal(refused(i), 0);
}

static void a_list_has_players_of_all_profiles(void **state UNUSED)
{
	static const uint8_t hello[5] = {'h', 'e', 'l', 'l', 'o'};
	uint8_t whole[64] = {0};
	struct game_send_list *list = (struct game_send_list *)whole;

	game_fixture_attach(fixture, false);
	game_fixture_connect(fixture, 0);
	for (unsigned i = 0; i < 2; i++) {
		get_in(i);
		confirm(i);
	}
	*list = (struct game_send_list){.count = 3, .message = {.type = GAME_TYPE_PAYLOAD}};
	list->player[0] = record(0)->player;
	list->player[1] = 1;
	list->player[2] = record(1)->player;
	memcpy(whole + game_list_bytes(3), hello, sizeof(hello));
	game_fixture_order(fixture, GAME_SEND_LIST, whole, game_list_bytes(3) + (uint32_t)sizeof(hello));
	game_fixture_turn(fixture);
	assert_int_equal(fixture->sessions->stats[0].messages.sent[PG_EVENT_GAME], 1);
	assert_int_equal(payloads_of_all(), 2);
}

static void two_messages_from_one_place_are_two(void **state UNUSED)
{
	begin();
	confirm(0);
	for (unsigned i = 0; i < 100; i++) { // round and round the process's ring
		order(record(0)->player, i % 2 == 0 ? "even" : "odd");
		if (i % 3 == 2)
			for (unsigned k = i - 2; k <= i; k++)
				expect_payload(0, k % 2 == 0 ? "even" : "odd");
	}
}

// ---------------------------------------------------------------- how much

static uint64_t unsent(void)
{
	return stats()->netcode_payloads_no_room + stats()->netcode_payloads_too_many +
	       stats()->netcode_payloads_no_way + stats()->netcode_payloads_closed;
}

static void a_client_is_sent_no_more_than_it_has_sequences_for(void **state UNUSED)
{
	uint64_t first;

	begin();
	confirm(0);
	first = record(0)->tx_sequence;
	for (unsigned i = 0; i < 4000; i++) {
		netcode_wait(fixture->clients, 0.0005);
		netcode_send(fixture->clients->shard[0], client[0].told.client_index, "x", 1, fixture->clients->now);
		payloads_of_all();
	}
	assert_true(stats()->netcode_payloads_too_many > 0);
	assert_true(record(0)->tx_sequence - first <= 3 * NETCODE_SEQUENCES_PER_S);
	assert_int_equal(stats()->netcode_payloads_offered, stats()->netcode_payloads_sent + unsent());
}

static void what_finds_no_room_is_lost_and_what_waits_is_whole(void **state UNUSED)
{
	struct netcode_shard *shard;
	uint8_t body[NETCODE_PAYLOAD_MAX], heard[2048];
	unsigned kept = 0;
	uint16_t length;

	begin();
	confirm(0);
	shard = fixture->clients->shard[0];
	shard->payload_rate = (struct rate){0, 0};
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 1000; i++) {
			memset(body, (int)kept, sizeof(body));
			payloads_begin_body(&shard->payloads);
			kept += netcode_send(shard, client[0].told.client_index, body, (uint16_t)(1100 + i % 100),
					     fixture->clients->now);
		}
		assert_true(stats()->netcode_payloads_no_room > 0);
		for (unsigned i = (unsigned)stats()->netcode_payloads_sent; i < kept; i++) {
			assert_int_equal(leaves_for(0, heard, &length), NETCODE_PAYLOAD);
			memset(body, (int)i, sizeof(body));
			assert_memory_equal(heard, body, 1100);
		}
	}
	assert_int_equal(stats()->netcode_payloads_offered, stats()->netcode_payloads_sent + unsent());
}

static void a_payload_to_whom_no_way_is_known_is_lost(void **state UNUSED)
{
	unsigned looks = 10;

	begin();
	order(record(0)->player, "where?");
	assert_int_equal(netcode_next(fixture->clients->shard[0], &looks, fixture->clients->now),
			 client[0].told.client_index);
	netcode_put_off(fixture->clients->shard[0], client[0].told.client_index, fixture->clients->now);
	assert_int_equal(stats()->netcode_payloads_no_way, 1);
	expect_leaving(0, NETCODE_KINDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALONE(what_it_says_leaves_as_a_payload),
		ALONE(whoever_hears_payloads_needs_no_keep_alives),
		BOTH(what_the_profile_has_not_is_refused),
		ALONE(what_is_for_one_who_is_gone_reaches_nobody),
		BOTH(whom_it_kicks_is_told_and_leaves_at_once),
		BOTH(a_group_has_players_of_all_profiles_and_one_copy_of_what_they_hear),
		BOTH(a_list_has_players_of_all_profiles),
		ALONE(two_messages_from_one_place_are_two),
		ALONE(a_client_is_sent_no_more_than_it_has_sequences_for),
		ALONE(what_finds_no_room_is_lost_and_what_waits_is_whole),
		ALONE(a_payload_to_whom_no_way_is_known_is_lost),
	};

	return cmocka_run_group_tests_name("game_client_orders", tests, NULL, NULL);
}
