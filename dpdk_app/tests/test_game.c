// SPDX-License-Identifier: BSD-3-Clause
// test_game.c: what a game process hears of players at one worker, and what it breaks.

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

static uint64_t dispatched(enum pg_destination to)
{
	return fixture->sessions->stats[0].messages.dispatched[to];
}

static void expect_message(uint32_t player, uint8_t type, const char *words)
{
	const struct game_message *message = (const struct game_message *)fixture->record;

	game_expect(fixture, GAME_MESSAGE);
	assert_int_equal(fixture->length, sizeof(*message) + strlen(words));
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
	game_connect_first(fixture);
	game_fixture_say(fixture, 0, 64, "first", 5);
	game_fixture_say(fixture, 0, 70, "", 0);
	game_expect_nothing(fixture); // the turn has not ended
	game_fixture_turn(fixture);
	expect_message(1, 64, "first");
	expect_message(1, 70, "");
	game_expect_nothing(fixture);
	assert_int_equal(counts()->delivered, 2);
	books_are_exact();
}

static void who_is_in_is_listed_and_who_comes_and_goes_is_told(void **state UNUSED)
{
	const struct game_left *left = (const struct game_left *)fixture->record;

	game_fixture_connect(fixture, 0);
	game_fixture_attach(fixture, false);
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_LISTING);
	game_expect_joined(fixture, 1, GAME_JOINED_BEFORE);
	game_expect(fixture, GAME_LISTED);
	game_fixture_connect(fixture, 1);
	connection_close(fixture->sessions->shard[0], fixture_slot(fixture->sessions, &fixture->player[0]),
			 SESSION_CLOSED_IDLE, fixture->sessions->now);
	game_fixture_turn(fixture);
	game_expect_joined(fixture, 2, GAME_JOINED_NOW);
	game_expect(fixture, GAME_LEFT);
	assert_int_equal(left->player, 1);
	assert_int_equal(left->session, fixture->player[0].session);
	assert_int_equal(left->why, SESSION_CLOSED_IDLE);
	game_expect_nothing(fixture);
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
	game_expect_empty_listing(fixture);
	for (unsigned i = 0; i < GAME_PLAYERS; i++) {
		const bool ours = game_route(&fixture->routes, 0, 64, i + 1) == 0;

		game_fixture_connect(fixture, i);
		game_fixture_say(fixture, i, 64, "x", 1);
		game_fixture_turn(fixture);
		if (ours) {
			game_expect_joined(fixture, i + 1, GAME_JOINED_NOW);
			expect_message(i + 1, 64, "x");
		}
		game_expect_nothing(fixture);
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
	const struct game_position *position = (const struct game_position *)fixture->record;

	game_fixture_attach(fixture, true);
	game_fixture_connect(fixture, 0);
	game_fixture_connect(fixture, 1);
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_LISTING);
	game_expect_joined(fixture, 1, GAME_JOINED_BEFORE);
	game_expect_joined(fixture, 2, GAME_JOINED_BEFORE);
	game_expect(fixture, GAME_LISTED);
	say_motion(0, 1);
	say_motion(1, 10);
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_MOVED);
	assert_int_equal(fixture->length, 2 * sizeof(*position));
	assert_int_equal(position[0].player, 1);
	assert_int_equal((int)position[0].position[0], 1);
	assert_int_equal((int)position[0].velocity[2], 6);
	assert_int_equal(position[1].player, 2);
	assert_int_equal((int)position[1].position[0], 10);
	game_expect_nothing(fixture);
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

/// It reads nothing for a while: then it is told how many there was no room for, and who is in.
static void a_slow_process_loses_messages_by_count_and_players_not_at_all(void **state UNUSED)
{
	unsigned read = 0;
	int type;

	game_fixture_route(fixture, 64, 64);
	game_fixture_attach(fixture, false);
	game_connect_first(fixture);
	while (counts()->lost[PG_PROCESS_LOSS_FULL] < 300) {
		game_fixture_say(fixture, 0, 64, "", 0);
		game_fixture_turn(fixture);
	}
	game_fixture_connect(fixture, 1); // no room to say so
	game_fixture_turn(fixture);
	while ((type = game_fixture_read(fixture)) == GAME_MESSAGE)
		read++;
	assert_int_equal(counts()->delivered, read);
	books_are_exact();
	game_fixture_turn(fixture);
	if (type == -1) // it may have fitted into the last bytes
		game_expect(fixture, 0);
	assert_int_equal(fixture->length, counts()->lost[PG_PROCESS_LOSS_FULL]);
	game_expect(fixture, GAME_LISTING);
	game_expect_joined(fixture, 1, GAME_JOINED_BEFORE);
	game_expect_joined(fixture, 2, GAME_JOINED_BEFORE);
	game_expect(fixture, GAME_LISTED);
	game_expect_nothing(fixture);
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
	game_connect_first(fixture);
	game_fixture_say(fixture, 0, 64, "seen", 4);
	game_fixture_turn(fixture);
	for (unsigned i = 0; i < 3; i++)
		game_fixture_say(fixture, 0, 64, "lost", 4);
	game_fixture_restart(fixture);
	expect_message(1, 64, "seen");
	game_expect_nothing(fixture);
	memory_file_close(&fixture->theirs);
	assert_true(memory_file_map(&fixture->theirs, fixture->worker_fd, bus_file_bytes(GAME_RING),
				    (char *)fixture->record, sizeof(fixture->record)));
	assert_int_equal(ring_reader_attach(&fixture->reader, &((struct bus_file *)fixture->theirs.at)->writer,
					    &((struct bus_file *)fixture->ours.at)->reader, GAME_RING),
			 RING_OK);
	game_fixture_turn(fixture);
	game_expect(fixture, 0);
	assert_int_equal(fixture->length, 3);
	game_expect(fixture, GAME_LISTING);
	game_expect_joined(fixture, 1, GAME_JOINED_BEFORE);
	game_expect(fixture, GAME_LISTED);
	assert_int_equal(counts()->lost[PG_PROCESS_LOSS_WORKER_LOST], 3);
	assert_int_equal(counts()->delivered, 1);
	books_are_exact();
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
	assert_int_equal(fixture->game->listing | fixture->game->filled | fixture->game->present, 0); // it may sleep
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
		GAME_TEST(a_process_that_breaks_its_ring_is_given_up_and_what_is_for_it_counted),
		GAME_TEST(so_is_one_that_takes_back_what_it_released),
	};

	return cmocka_run_group_tests_name("game", tests, NULL, NULL);
}
