// SPDX-License-Identifier: BSD-3-Clause
// test_game.c: what a game process hears of players and does to them, at one worker.

#include "game_fixture.h"

#include <string.h>

#include "session/connection.h"

static struct game_fixture *fixture;
static uint64_t record[GAME_RING / 8];
static uint32_t length;

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

static uint64_t dispatched(enum pg_destination to)
{
	return fixture->sessions->stats[0].messages.dispatched[to];
}

static void expect(int type)
{
	assert_int_equal(game_fixture_read(fixture, record, &length), type);
}

static void expect_nothing(void)
{
	expect(-1);
}

static void expect_joined(uint32_t player, enum game_how how)
{
	const struct game_joined *joined = (const struct game_joined *)record;

	expect(GAME_JOINED);
	assert_int_equal(length, sizeof(*joined));
	assert_int_equal(joined->player, player);
	assert_int_equal(joined->session, fixture->player[player - 1].session);
	assert_int_equal(joined->port, 9000);
	assert_int_equal(joined->profile, PG_PROFILE_SESSION);
	assert_int_equal(joined->how, how);
}

static void expect_empty_listing(void)
{
	game_fixture_turn(fixture);
	expect(GAME_LISTING);
	expect(GAME_LISTED);
	expect_nothing();
}

/// The process has attached, and then the player comes.
static void connect_first(void)
{
	expect_empty_listing();
	game_fixture_connect(fixture, 0);
	game_fixture_turn(fixture);
	expect_joined(1, GAME_JOINED_NOW);
}

static void expect_message(uint32_t player, uint8_t type, const char *words)
{
	const struct game_message *message = (const struct game_message *)record;

	expect(GAME_MESSAGE);
	assert_int_equal(length, sizeof(*message) + strlen(words));
	assert_int_equal(message->player, player);
	assert_int_equal(message->type, type);
	assert_int_equal(message->channel, 1);
	assert_int_equal(message->flags, GAME_RELIABLE);
	assert_int_equal(message->priority, PRIORITY_NORMAL);
	assert_memory_equal(message->body, words, strlen(words));
}

static void books_are_exact(void)
{
	uint64_t lost = 0;

	for (unsigned i = 0; i < PG_PROCESS_LOSSES; i++)
		lost += counts()->lost[i];
	assert_int_equal(counts()->offered, counts()->delivered + lost);
	assert_int_equal(counts()->offered, dispatched(PG_DESTINATION_PROCESS));
}

// ---------------------------------------------------------------- what it hears

static void what_a_route_takes_reaches_its_process_and_nobody_else(void **state UNUSED)
{
	game_fixture_route(fixture, 64, 70);
	game_fixture_attach(fixture, false);
	connect_first();
	game_fixture_say(fixture, 0, 64, "first", 5);
	game_fixture_say(fixture, 0, 70, "", 0);
	expect_nothing(); // the turn has not ended
	game_fixture_turn(fixture);
	expect_message(1, 64, "first");
	expect_message(1, 70, "");
	expect_nothing();
	assert_int_equal(counts()->delivered, 2);
	books_are_exact();
}

static void who_is_in_is_listed_and_who_comes_and_goes_is_told(void **state UNUSED)
{
	const struct game_left *left = (const struct game_left *)record;

	game_fixture_connect(fixture, 0);
	game_fixture_attach(fixture, false);
	game_fixture_turn(fixture);
	expect(GAME_LISTING);
	expect_joined(1, GAME_JOINED_BEFORE);
	expect(GAME_LISTED);
	game_fixture_connect(fixture, 1);
	connection_close(fixture->sessions->shard[0], fixture_slot(fixture->sessions, &fixture->player[0]),
			 SESSION_CLOSED_IDLE, fixture->sessions->now);
	game_fixture_turn(fixture);
	expect_joined(2, GAME_JOINED_NOW);
	expect(GAME_LEFT);
	assert_int_equal(left->player, 1);
	assert_int_equal(left->session, fixture->player[0].session);
	assert_int_equal(left->why, SESSION_CLOSED_IDLE);
	expect_nothing();
}

static void who_shares_a_route_hears_of_those_whose_messages_it_gets(void **state UNUSED)
{
	unsigned heard = 0;

	game_fixture_route(fixture, 64, 64);
	fixture->policy.route[0].processes = 2;
	fixture->policy.route[0].process[1] = 1;
	memset(&fixture->routes, 0, sizeof(fixture->routes));
	game_routes_init(&fixture->routes, &fixture->policy, 1000000);
	game_fixture_attach(fixture, false);
	expect_empty_listing();
	for (unsigned i = 0; i < GAME_PLAYERS; i++) {
		const bool ours = game_route(&fixture->routes, 0, 64, i + 1) == 0;

		game_fixture_connect(fixture, i);
		game_fixture_say(fixture, i, 64, "x", 1);
		game_fixture_turn(fixture);
		if (ours) {
			expect_joined(i + 1, GAME_JOINED_NOW);
			expect_message(i + 1, 64, "x");
		}
		expect_nothing();
		heard += ours;
	}
	assert_true(heard > 0 && heard < GAME_PLAYERS);
	assert_int_equal(fixture->game->counts[1].lost[PG_PROCESS_LOSS_AWAY], GAME_PLAYERS - heard);
}

static void say_motion(unsigned player, float x)
{
	const struct motion motion = {.position = {x, 2, 3}, .velocity = {4, 5, 6}};

	game_fixture_say(fixture, player, SESSION_MOVE, &motion, sizeof(motion));
}

static void positions_are_told_once_a_turn_to_who_asked(void **state UNUSED)
{
	const struct game_position *position = (const struct game_position *)record;

	game_fixture_attach(fixture, true);
	game_fixture_connect(fixture, 0);
	game_fixture_connect(fixture, 1);
	game_fixture_turn(fixture);
	expect(GAME_LISTING);
	expect_joined(1, GAME_JOINED_BEFORE);
	expect_joined(2, GAME_JOINED_BEFORE);
	expect(GAME_LISTED);
	say_motion(0, 1);
	say_motion(1, 10);
	game_fixture_turn(fixture);
	expect(GAME_MOVED);
	assert_int_equal(length, 2 * sizeof(*position));
	assert_int_equal(position[0].player, 1);
	assert_int_equal((int)position[0].position[0], 1);
	assert_int_equal((int)position[0].velocity[2], 6);
	assert_int_equal(position[1].player, 2);
	assert_int_equal((int)position[1].position[0], 10);
	expect_nothing();
	assert_int_equal(counts()->positions, 2);
}

static void nobody_there_is_counted(void **state UNUSED)
{
	game_fixture_route(fixture, 64, 64);
	game_fixture_connect(fixture, 0);
	game_fixture_say(fixture, 0, 64, "x", 1);
	assert_int_equal(counts()->lost[PG_PROCESS_LOSS_AWAY], 1);
	books_are_exact();
}

/// It reads nothing for a while: then what it was not told of is listed again.
static void a_slow_process_loses_messages_by_count_and_players_not_at_all(void **state UNUSED)
{
	unsigned read = 0;
	int type;

	game_fixture_route(fixture, 64, 64);
	game_fixture_attach(fixture, false);
	connect_first();
	while (counts()->lost[PG_PROCESS_LOSS_FULL] < 300) {
		game_fixture_say(fixture, 0, 64, "", 0);
		game_fixture_turn(fixture);
	}
	game_fixture_connect(fixture, 1); // no room to say so
	game_fixture_turn(fixture);
	while ((type = game_fixture_read(fixture, record, &length)) == GAME_MESSAGE)
		read++;
	assert_int_equal(counts()->delivered, read);
	books_are_exact();
	game_fixture_turn(fixture);
	if (type == -1) // a listing may have begun in the last bytes
		expect(GAME_LISTING);
	expect_joined(1, GAME_JOINED_BEFORE);
	expect_joined(2, GAME_JOINED_BEFORE);
	expect(GAME_LISTED);
	expect_nothing();
}

static void what_is_longer_than_a_ring_takes_is_counted(void **state UNUSED)
{
	static const uint8_t body[GAME_RING] = {0};

	game_fixture_route(fixture, 64, 64);
	game_fixture_attach(fixture, false);
	game_fixture_connect(fixture, 0);
	game_fixture_say(fixture, 0, 64, body, GAME_RING / 4);
	game_fixture_say(fixture, 0, 64, body, GAME_RING / 4 - sizeof(struct game_message));
	assert_int_equal(counts()->lost[PG_PROCESS_LOSS_TOO_LONG], 1);
	game_fixture_turn(fixture);
	books_are_exact();
	assert_int_equal(counts()->delivered, 1);
}

/// In the middle of a turn: what was said in it is a gap, and counted.
static void a_worker_that_dies_leaves_a_gap_of_what_it_counts_as_lost(void **state UNUSED)
{
	game_fixture_route(fixture, 64, 64);
	game_fixture_attach(fixture, false);
	connect_first();
	game_fixture_say(fixture, 0, 64, "seen", 4);
	game_fixture_turn(fixture);
	for (unsigned i = 0; i < 3; i++)
		game_fixture_say(fixture, 0, 64, "lost", 4);
	game_fixture_restart(fixture);
	expect_message(1, 64, "seen");
	expect_nothing();
	memory_file_close(&fixture->theirs);
	assert_true(memory_file_map(&fixture->theirs, fixture->worker_fd, bus_file_bytes(GAME_RING), (char *)record,
				    sizeof(record)));
	assert_int_equal(ring_reader_attach(&fixture->reader, &((struct bus_file *)fixture->theirs.at)->writer,
					    &((struct bus_file *)fixture->ours.at)->reader, GAME_RING),
			 RING_OK);
	game_fixture_turn(fixture);
	expect(0);
	assert_int_equal(length, 3);
	expect(GAME_LISTING);
	expect_joined(1, GAME_JOINED_BEFORE);
	expect(GAME_LISTED);
	assert_int_equal(counts()->lost[PG_PROCESS_LOSS_WORKER_LOST], 3);
	assert_int_equal(counts()->delivered, 1);
	books_are_exact();
}

// ---------------------------------------------------------------- what it does

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
	const struct game_quality *quality = (const struct game_quality *)record;
	struct game_ask ask = {.player = 1, .cookie = 77};

	game_fixture_attach(fixture, false);
	expect_empty_listing();
	game_fixture_connect(fixture, 0);
	game_fixture_turn(fixture);
	expect_joined(1, GAME_JOINED_NOW);
	game_fixture_order(fixture, GAME_ASK, &ask, sizeof(ask));
	game_fixture_turn(fixture);
	expect(GAME_QUALITY);
	assert_int_equal(quality->player, 1);
	assert_int_equal(quality->cookie, 77);
	assert_int_equal(quality->sent, 0);
	order_send(1, of_type(SESSION_INVENTORY), "things", 6);
	send_and_lose(2);
	game_fixture_order(fixture, GAME_ASK, &ask, sizeof(ask));
	game_fixture_turn(fixture);
	expect(GAME_QUALITY);
	assert_int_equal(quality->sent, 2);
	assert_int_equal(quality->lost, 1);
	ask.player = 2;
	game_fixture_order(fixture, GAME_ASK, &ask, sizeof(ask));
	game_fixture_turn(fixture);
	expect_nothing();
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_PLAYER), 1);
}

static void whom_it_kicks_leaves_with_its_reason(void **state UNUSED)
{
	const struct game_kick kick = {.player = 1, .reason = 200};
	const struct game_left *left = (const struct game_left *)record;

	game_fixture_attach(fixture, false);
	connect_first();
	game_fixture_order(fixture, GAME_KICK, &kick, sizeof(kick));
	game_fixture_turn(fixture);
	expect(GAME_LEFT);
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
	connect_first();
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

// ---------------------------------------------------------------- what it breaks

static void a_process_that_breaks_its_ring_is_given_up_and_what_is_for_it_counted(void **state UNUSED)
{
	struct bus_file *ours;

	game_fixture_route(fixture, 64, 64);
	game_fixture_attach(fixture, false);
	game_fixture_connect(fixture, 0);
	game_fixture_say(fixture, 0, 64, "x", 1);
	ours = fixture->ours.at;
	memset(ours->writer.data, 0xff, 64);
	game_fixture_turn(fixture);
	assert_string_equal(fixture->link->broken, "an entry of no kind that there is");
	game_fixture_say(fixture, 0, 64, "x", 1);
	game_fixture_turn(fixture);
	assert_int_equal(counts()->lost[PG_PROCESS_LOSS_BROKEN], 2);
	books_are_exact();
}

static void so_is_one_that_takes_back_what_it_released(void **state UNUSED)
{
	struct bus_file *ours;

	game_fixture_route(fixture, 64, 64);
	game_fixture_attach(fixture, false);
	game_fixture_connect(fixture, 0);
	ours = fixture->ours.at;
	ours->reader.released = 1ULL << 40;
	for (unsigned i = 0; i < 500; i++)
		game_fixture_say(fixture, 0, 64, "0123456789", 10);
	assert_true(link_is_broken(fixture->link));
	books_are_exact();
	game_fixture_turn(fixture);
	books_are_exact();
}

int main(void)
{
#define GAME_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
	const struct CMUnitTest tests[] = {
		GAME_TEST(what_a_route_takes_reaches_its_process_and_nobody_else),
		GAME_TEST(who_is_in_is_listed_and_who_comes_and_goes_is_told),
		GAME_TEST(who_shares_a_route_hears_of_those_whose_messages_it_gets),
		GAME_TEST(positions_are_told_once_a_turn_to_who_asked),
		GAME_TEST(nobody_there_is_counted),
		GAME_TEST(a_slow_process_loses_messages_by_count_and_players_not_at_all),
		GAME_TEST(what_is_longer_than_a_ring_takes_is_counted),
		GAME_TEST(a_worker_that_dies_leaves_a_gap_of_what_it_counts_as_lost),
		GAME_TEST(what_it_says_is_queued_for_the_player),
		GAME_TEST(what_cannot_be_is_refused_and_counted),
		GAME_TEST(a_list_is_sent_to_each_who_is_there),
		GAME_TEST(a_group_gets_what_is_sent_to_it_until_its_members_leave),
		GAME_TEST(a_process_that_comes_after_another_has_no_groups),
		GAME_TEST(it_is_told_how_a_players_connection_is),
		GAME_TEST(whom_it_kicks_leaves_with_its_reason),
		GAME_TEST(where_it_places_a_player_is_where_the_player_is_and_is_told),
		GAME_TEST(a_process_that_breaks_its_ring_is_given_up_and_what_is_for_it_counted),
		GAME_TEST(so_is_one_that_takes_back_what_it_released),
	};

	return cmocka_run_group_tests_name("game", tests, NULL, NULL);
}
