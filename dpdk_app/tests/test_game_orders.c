// SPDX-License-Identifier: BSD-3-Clause
// test_game_orders.c: what a game process has a worker do, and what it cannot.

#include "game_fixture.h"

#include <string.h>

#include "session/connection.h"

static struct game_fixture *fixture;

static int open_fixture(void **state UNUSED)
{
	fixture = game_fixture_open();
	return 0;
}

static int close_fixture(void **state UNUSED)
{
	game_fixture_close(fixture);
	return 0;
}

static const struct pg_process_counts *counts(void)
{
	return &fixture->game->counts[0];
}

static struct game_outgoing of_type(uint8_t type)
{
	return (struct game_outgoing){.type = type, .channel = 1, .flags = GAME_RELIABLE, .priority = PRIORITY_NORMAL};
}

static void order_send(uint32_t player, struct game_outgoing message, const void *body, uint32_t body_length)
{
	uint8_t whole[512] = {0};
	const struct game_send send = {.player = player, .message = message};

	memcpy(whole, &send, sizeof(send));
	if (body_length != 0)
		memcpy(whole + sizeof(send), body, body_length);
	game_fixture_order(fixture, GAME_SEND, whole, (uint32_t)sizeof(send) + body_length);
	game_fixture_turn(fixture);
}

static uint64_t given(void)
{
	return fixture->sessions->stats[0].messages.sent[PG_EVENT_INVENTORY];
}

static uint64_t refused(enum pg_order_refusal why)
{
	return counts()->refused[why];
}

static void what_it_says_is_queued_for_the_player(void **state UNUSED)
{
	game_fixture_attach(fixture, false);
	game_fixture_connect(fixture, 0);
	order_send(1, of_type(SESSION_INVENTORY), "things", 6);
	assert_int_equal(given(), 1);
	assert_int_equal(counts()->orders, 1);
	for (unsigned i = 0; i < PG_ORDER_REFUSALS; i++)
		assert_int_equal(refused(i), 0);
}

static void what_cannot_be_is_refused_and_counted(void **state UNUSED)
{
	const struct game_outgoing chat = of_type(SESSION_CHAT_EVENT), bag = of_type(SESSION_INVENTORY);
	struct game_outgoing other;

	game_fixture_attach(fixture, false);
	game_fixture_connect(fixture, 0);
	order_send(2, bag, "x", 1); // not connected
	order_send(99, bag, "x", 1);
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_PLAYER), 2);
	order_send(1, of_type(SESSION_MOVE), "x", 1);
	order_send(1, of_type(0), "x", 1);
	other = bag;
	other.channel = SESSION_CHANNELS;
	order_send(1, other, "x", 1);
	other = bag;
	other.flags = 2;
	order_send(1, other, "x", 1);
	other = bag;
	other.priority = PRIORITIES;
	order_send(1, other, "x", 1);
	assert_int_equal(refused(PG_ORDER_REFUSED_TYPE), 5);
	order_send(1, chat, "no chat", 7);
	assert_int_equal(refused(PG_ORDER_REFUSED_BODY), 1);
	game_fixture_order(fixture, GAME_SEND, "short", 5);
	game_fixture_order(fixture, GAME_ASK, "short", 5);
	game_fixture_order(fixture, GAME_GROUP_JOIN, "short", 5);
	game_fixture_order(fixture, GAME_SEND_LIST, "short", 5);
	game_fixture_order(fixture, GAME_SEND_GROUP, "short", 5);
	game_fixture_turn(fixture);
	assert_int_equal(refused(PG_ORDER_REFUSED_LENGTH), 5);
	game_fixture_order(fixture, 999, "what?", 5);
	game_fixture_turn(fixture);
	assert_int_equal(refused(PG_ORDER_REFUSED_UNKNOWN), 1);
	assert_int_equal(given(), 0);
	assert_int_equal(counts()->orders, 14);
	assert_int_equal(fixture->game->linked, 1);
}

static void order_send_list(uint32_t count, const uint32_t *players, uint32_t says)
{
	uint8_t whole[256] = {0};
	const struct game_send_list list = {.count = says, .message = of_type(SESSION_INVENTORY)};
	const uint32_t before = game_list_bytes(count);

	memcpy(whole, &list, sizeof(list));
	memcpy(whole + sizeof(list), players, count * sizeof(*players));
	memcpy(whole + before, (const char[]){'b', 'a', 'g'}, 3);
	game_fixture_order(fixture, GAME_SEND_LIST, whole, before + 3);
	game_fixture_turn(fixture);
}

static void a_list_is_sent_to_each_who_is_there(void **state UNUSED)
{
	const uint32_t players[] = {1, 3, 2};

	game_fixture_attach(fixture, false);
	for (unsigned i = 0; i < 3; i++)
		game_fixture_connect(fixture, i);
	order_send_list(3, players, 3);
	assert_int_equal(given(), 3);
	order_send_list(3, (const uint32_t[]){1, 8, 2}, 3);
	assert_int_equal(given(), 5);
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_PLAYER), 1);
	order_send_list(3, players, 300); // more than there are
	order_send_list(3, players, GAME_LIST_MAX + 1);
	assert_int_equal(refused(PG_ORDER_REFUSED_LENGTH), 1);
	assert_int_equal(refused(PG_ORDER_REFUSED_RECEIVERS), 1);
	assert_int_equal(given(), 5);
}

static void order_group(enum game_order_type type, uint32_t group, uint32_t player)
{
	const struct game_group order = {.group = group, .player = player};

	game_fixture_order(fixture, type, &order, sizeof(order));
	game_fixture_turn(fixture);
}

static void order_send_group(uint32_t group, uint32_t except)
{
	uint8_t whole[sizeof(struct game_send_group) + 3];
	const struct game_send_group send = {.group = group, .except = except, .message = of_type(SESSION_INVENTORY)};

	memcpy(whole, &send, sizeof(send));
	memcpy(whole + sizeof(send), (const char[]){'a', 'l', 'l'}, 3);
	game_fixture_order(fixture, GAME_SEND_GROUP, whole, sizeof(whole));
	game_fixture_turn(fixture);
}

static void a_group_gets_what_is_sent_to_it_until_its_members_leave(void **state UNUSED)
{
	game_fixture_attach(fixture, false);
	for (unsigned i = 0; i < 4; i++) {
		game_fixture_connect(fixture, i);
		order_group(GAME_GROUP_JOIN, 7, i + 1);
	}
	order_send_group(7, 0);
	assert_int_equal(given(), 4);
	order_send_group(7, 2);
	assert_int_equal(given(), 7);
	order_group(GAME_GROUP_LEAVE, 7, 1);
	connection_close(fixture->sessions->shard[0], fixture_slot(fixture->sessions, &fixture->player[3]),
			 SESSION_CLOSED_IDLE, fixture->sessions->now);
	order_send_group(7, 0);
	assert_int_equal(given(), 9);
	order_group(GAME_GROUP_END, 7, 0);
	order_send_group(7, 0);
	assert_int_equal(given(), 9);
	order_group(GAME_GROUP_END, 7, 0);
	order_group(GAME_GROUP_LEAVE, 7, 2);
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_GROUP), 2);
	order_group(GAME_GROUP_JOIN, 7, 8); // is not connected
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_PLAYER), 1);
}

static void a_process_that_comes_after_another_has_no_groups(void **state UNUSED)
{
	game_fixture_attach(fixture, false);
	game_fixture_connect(fixture, 0);
	order_group(GAME_GROUP_JOIN, 7, 1);
	fixture->link->wish = link_wish_pack((struct game_wish){.times = 2, .present = true});
	fixture->game->changed = 1;
	game_heed(fixture->game);
	order_send_group(7, 0);
	assert_int_equal(given(), 0);
}

/// What waits for player 1 leaves so often, and nothing of it arrives.
static void send_and_lose(unsigned times)
{
	struct session_shard *shard = fixture->sessions->shard[0];
	struct delivery *c = store_delivery(shard->store, fixture_slot(fixture->sessions, &fixture->player[0]));
	uint8_t datagram[SESSION_DATAGRAM_MAX];

	for (unsigned i = 0; i < times; i++) {
		fixture_wait(fixture->sessions, 1000);
		delivery_fill(&shard->ctx, c, i + 1, fixture->sessions->now, datagram, sizeof(datagram));
	}
}

static void it_is_told_how_a_players_connection_is(void **state UNUSED)
{
	const struct game_quality *quality = (const struct game_quality *)fixture->record;
	struct game_ask ask = {.player = 1, .cookie = 77};

	game_fixture_attach(fixture, false);
	game_expect_empty_listing(fixture);
	game_fixture_connect(fixture, 0);
	game_fixture_turn(fixture);
	game_expect_joined(fixture, 1, GAME_JOINED_NOW);
	game_fixture_order(fixture, GAME_ASK, &ask, sizeof(ask));
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_QUALITY);
	assert_int_equal(quality->player, 1);
	assert_int_equal(quality->cookie, 77);
	assert_int_equal(quality->sent, 0);
	order_send(1, of_type(SESSION_INVENTORY), "things", 6);
	send_and_lose(2);
	game_fixture_order(fixture, GAME_ASK, &ask, sizeof(ask));
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_QUALITY);
	assert_int_equal(quality->sent, 2);
	assert_int_equal(quality->lost, 1);
	ask.player = 2;
	game_fixture_order(fixture, GAME_ASK, &ask, sizeof(ask));
	game_fixture_turn(fixture);
	game_expect_nothing(fixture);
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_PLAYER), 1);
}

static void whom_it_kicks_leaves_with_its_reason(void **state UNUSED)
{
	const struct game_kick kick = {.player = 1, .reason = 200};
	const struct game_left *left = (const struct game_left *)fixture->record;

	game_fixture_attach(fixture, false);
	game_connect_first(fixture);
	game_fixture_order(fixture, GAME_KICK, &kick, sizeof(kick));
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_LEFT);
	assert_int_equal(left->why, SESSION_CLOSED_KICKED);
	assert_int_equal(fixture->sessions->shard[0]->outbox.count, 1);
	game_fixture_order(fixture, GAME_KICK, &kick, sizeof(kick));
	game_fixture_turn(fixture);
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_PLAYER), 1);
}

static void where_it_places_a_player_is_where_the_player_is_and_is_told(void **state UNUSED)
{
	struct game_place place = {.player = 1, .position = {1, 2, 3}, .velocity = {4, 5, 6}};
	struct motion now;

	game_fixture_attach(fixture, false);
	game_connect_first(fixture);
	game_fixture_order(fixture, GAME_PLACE, &place, sizeof(place));
	game_fixture_turn(fixture);
	now = fixture_record(fixture->sessions, &fixture->player[0])->motion;
	assert_memory_equal(&now, place.position, sizeof(now));
	assert_int_equal(fixture->sessions->stats[0].messages.sent[PG_EVENT_CORRECTION], 1);
	place.position[1] = __builtin_inff();
	game_fixture_order(fixture, GAME_PLACE, &place, sizeof(place));
	game_fixture_turn(fixture);
	assert_int_equal(refused(PG_ORDER_REFUSED_BODY), 1);
	now = fixture_record(fixture->sessions, &fixture->player[0])->motion;
	assert_int_equal((int)now.position[1], 2);
}

int main(void)
{
#define GAME_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
	const struct CMUnitTest tests[] = {
		GAME_TEST(what_it_says_is_queued_for_the_player),
		GAME_TEST(what_cannot_be_is_refused_and_counted),
		GAME_TEST(a_list_is_sent_to_each_who_is_there),
		GAME_TEST(a_group_gets_what_is_sent_to_it_until_its_members_leave),
		GAME_TEST(a_process_that_comes_after_another_has_no_groups),
		GAME_TEST(it_is_told_how_a_players_connection_is),
		GAME_TEST(whom_it_kicks_leaves_with_its_reason),
		GAME_TEST(where_it_places_a_player_is_where_the_player_is_and_is_told),
	};

	return cmocka_run_group_tests_name("game_orders", tests, NULL, NULL);
}
