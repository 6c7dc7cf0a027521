// SPDX-License-Identifier: BSD-3-Clause
// test_game_turn.c: how much of a worker's time game processes have, and what becomes of an order that takes longer.

#include "game_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session/connection.h"

#define GROUP 7
#define OTHER 5 // another process

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

static uint64_t given(void)
{
	return fixture->sessions->stats[0].messages.sent[PG_EVENT_INVENTORY];
}

/// From now on time is over whenever the clock is looked at.
static void have_no_time(void)
{
	fixture->routes.read_budget = 0;
}

static const struct game_outgoing bag = {.type = SESSION_INVENTORY,
					 .channel = 1,
					 .flags = GAME_RELIABLE,
					 .priority = PRIORITY_NORMAL};

/// Everybody is connected, and in the group.
static void gather(void)
{
	game_fixture_attach(fixture, false);
	for (unsigned i = 0; i < GAME_PLAYERS; i++) {
		const struct game_group join = {.group = GROUP, .player = i + 1};

		game_fixture_connect(fixture, i);
		game_fixture_order(fixture, GAME_GROUP_JOIN, &join, sizeof(join));
		game_fixture_turn(fixture);
	}
	have_no_time();
}

static void say_to_group(void)
{
	uint8_t whole[sizeof(struct game_send_group) + 1] = {0};
	const struct game_send_group send = {.group = GROUP, .message = bag};

	memcpy(whole, &send, sizeof(send));
	game_fixture_order(fixture, GAME_SEND_GROUP, whole, sizeof(whole));
}

static void say_to_list(uint32_t players)
{
	uint8_t whole[sizeof(struct game_send_list) + GAME_PLAYERS * sizeof(uint32_t) + 1] = {0};
	const struct game_send_list list = {.count = players, .message = bag};

	memcpy(whole, &list, sizeof(list));
	for (uint32_t i = 1; i <= players; i++)
		memcpy(whole + sizeof(list) + (i - 1) * sizeof(i), &i, sizeof(i));
	game_fixture_order(fixture, GAME_SEND_LIST, whole, game_list_bytes(players) + 1);
}

static uint32_t waiting_for(unsigned player)
{
	struct session_store *store = fixture->sessions->shard[0]->store;

	return store_delivery(store, fixture_slot(fixture->sessions, &fixture->player[player]))->out.waiting;
}

/// Each has so many messages.
static void expect_each_to_have(uint32_t messages)
{
	for (unsigned i = 0; i < GAME_PLAYERS; i++)
		assert_int_equal(waiting_for(i), messages);
}

static bool is_unfinished(void)
{
	return fixture->link->many.unfinished;
}

// ---------------------------------------------------------------- one turn

static void one_turn_takes_a_part_of_what_it_says_and_the_next_goes_on(void **state UNUSED)
{
	uint64_t before = 0;
	unsigned turns = 0;

	game_fixture_attach(fixture, false);
	have_no_time();
	for (unsigned i = 0; i < 40; i++)
		game_fixture_order(fixture, 999, "what?", 5);
	for (; counts()->orders < 40; turns++) {
		game_fixture_turn(fixture);
		assert_in_range(counts()->orders - before, 1, SLICE_UNITS_PER_LOOK);
		before = counts()->orders;
	}
	assert_true(turns >= 3);
}

static void while_packets_come_processes_have_as_long_as_all_else_took(void **state UNUSED)
{
	struct game_routes routes = {.read_budget = 1000};
	struct game game = {.routes = &routes, .turn_ended = 50000, .received = 3};

	assert_int_equal(turn_allowance(&game, 3, 50010), 1000);
	assert_int_equal(turn_allowance(&game, 4, 50010), 10);
	assert_int_equal(turn_allowance(&game, 4, 50999), 999);
	assert_int_equal(turn_allowance(&game, 4, 90000), 1000);
}

// ---------------------------------------------------------------- orders for many

static void run_until_done(unsigned turns_at_least)
{
	unsigned turns = 0;

	do {
		const uint64_t before = given();

		game_fixture_turn(fixture);
		assert_in_range(given() - before, 1, SLICE_UNITS_PER_LOOK);
		assert_true(turns++ < 100);
	} while (turn_is_wanted(fixture->game, 0));
	assert_true(turns >= turns_at_least);
}

static void an_order_for_many_goes_on_where_it_was(void **state UNUSED)
{
	const uint64_t orders = GAME_PLAYERS;

	gather();
	say_to_group();
	run_until_done(3);
	expect_each_to_have(1);
	assert_int_equal(counts()->orders, orders + 1);
	say_to_list(GAME_PLAYERS);
	run_until_done(3);
	expect_each_to_have(2);
	assert_int_equal(counts()->orders, orders + 2);
	assert_int_equal(fixture->sessions->stats[0].messages.sent[PG_EVENT_INVENTORY], 2 * GAME_PLAYERS);
}

static void what_comes_behind_it_waits(void **state UNUSED)
{
	gather();
	say_to_group();
	game_fixture_order(fixture, 999, "what?", 5);
	game_fixture_turn(fixture);
	assert_true(is_unfinished());
	assert_int_equal(counts()->refused[PG_ORDER_REFUSED_UNKNOWN], 0);
	run_until_done(2);
	assert_int_equal(counts()->refused[PG_ORDER_REFUSED_UNKNOWN], 1);
	assert_int_equal(given(), GAME_PLAYERS);
}

/// The process may write over it at once: it is no longer in its ring.
static void it_does_not_change_while_it_is_unfinished(void **state UNUSED)
{
	const struct bus_file *theirs;

	gather();
	say_to_list(GAME_PLAYERS);
	game_fixture_turn(fixture);
	assert_true(is_unfinished());
	theirs = fixture->theirs.at;
	assert_int_equal(theirs->reader.released, fixture->writer.next);
	memset(fixture->writer.data, 0xff, 128);
	memset(fixture->writer.data + 4096 / 2, 0xff, 128);
	while (is_unfinished())
		game_fixture_turn(fixture);
	expect_each_to_have(1);
}

static void close_player(unsigned player)
{
	connection_close(fixture->sessions->shard[0], fixture_slot(fixture->sessions, &fixture->player[player]),
			 SESSION_CLOSED_IDLE, fixture->sessions->now);
}

static void the_end_of_a_group_takes_as_many_turns_as_it_needs(void **state UNUSED)
{
	const struct game_group end = {.group = GROUP};
	const struct groups *groups;
	unsigned turns = 0;

	gather();
	groups = &fixture->link->groups;
	game_fixture_order(fixture, GAME_GROUP_END, &end, sizeof(end));
	game_fixture_order(fixture, GAME_GROUP_END, &end, sizeof(end));
	for (; turn_is_wanted(fixture->game, 0); turns++)
		game_fixture_turn(fixture);
	assert_true(turns >= 3);
	assert_false(groups_has(groups, GROUP));
	assert_int_equal(counts()->refused[PG_ORDER_REFUSED_NO_GROUP], 1); // the second
	assert_int_equal(counts()->orders, GAME_PLAYERS + 2);
}

/// A writer that dies after each message that it has begun leaves nothing else.
static void gaps_take_time_too(void **state UNUSED)
{
	struct game_fixture *f = fixture;
	void *at = NULL;

	game_fixture_attach(fixture, false);
	have_no_time();
	for (unsigned i = 0; i < 3 * SLICE_UNITS_PER_LOOK; i++) {
		struct bus_file *ours = f->ours.at;
		const struct bus_file *theirs = f->theirs.at;

		assert_int_equal(ring_reserve(&f->writer, 8, 1, &at), RING_OK);
		assert_int_equal(ring_writer_attach(&f->writer, &ours->writer, &theirs->reader, GAME_RING), RING_OK);
	}
	game_fixture_turn(fixture);
	assert_true(turn_is_wanted(fixture->game, 0));
	game_fixture_turn(fixture);
	assert_true(turn_is_wanted(fixture->game, 0));
	game_fixture_turn(fixture);
	assert_false(turn_is_wanted(fixture->game, 0));
}

static void who_leaves_meanwhile_is_passed_over(void **state UNUSED)
{
	gather();
	say_to_group(); // those who joined last come first
	game_fixture_turn(fixture);
	assert_true(is_unfinished());
	for (unsigned i = 0; i < GAME_PLAYERS; i += 3)
		close_player(i);
	while (is_unfinished())
		game_fixture_turn(fixture);
	for (unsigned i = 0; i < GAME_PLAYERS; i++)
		assert_int_equal(waiting_for(i), i % 3 == 0 ? 0 : 1);
}

static void the_next_process_of_the_name_does_not_speak_for_it(void **state UNUSED)
{
	gather();
	say_to_group();
	game_fixture_turn(fixture);
	assert_true(is_unfinished());
	fixture->link->wish = link_wish_pack((struct game_wish){.times = 2, .present = true});
	fixture->game->changed = 1;
	game_heed(fixture->game);
	game_fixture_turn(fixture);
	assert_false(is_unfinished());
	assert_int_equal(given(), SLICE_UNITS_PER_LOOK - 1);
}

static void of_a_process_that_is_given_up_it_is_lost_and_counted(void **state UNUSED)
{
	gather();
	say_to_group();
	game_fixture_turn(fixture);
	game_give_up(fixture->game, 0, "for this test");
	assert_false(is_unfinished());
	assert_int_equal(counts()->refused[PG_ORDER_REFUSED_LOST], 1);
	assert_int_equal(counts()->orders, GAME_PLAYERS + 1);
}

/// At most once, whoever dies.
static void the_next_worker_does_not_begin_it_anew(void **state UNUSED)
{
	gather();
	say_to_group();
	game_fixture_turn(fixture);
	assert_true(is_unfinished());
	game_fixture_restart(fixture);
	assert_int_equal(ring_is_ready(&fixture->link->in), false);
}

// ---------------------------------------------------------------- several processes

struct other {
	struct game_link *link;
	void *groups_memory;
	int fd[2];
	struct memory_file file;
	struct ring_writer writer;
};

static void *zeroed(size_t bytes)
{
	void *memory = aligned_alloc(CACHE_LINE, (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));

	assert_non_null(memory);
	return memset(memory, 0, bytes);
}

static void attach_other(struct other *other)
{
	char why[200];

	*other = (struct other){.fd = {bus_file_make("worker", GAME_RING, false, -1, why, sizeof(why)),
				       bus_file_make("process", GAME_RING, false, -1, why, sizeof(why))}};
	const struct pg_game_rings rings = {
		.ring_bytes = GAME_RING, .worker_fd = other->fd[0], .process_fd = other->fd[1], .bell_fd = -1};

	assert_true(
		memory_file_map_for_writing(&other->file, other->fd[1], bus_file_bytes(GAME_RING), why, sizeof(why)));
	assert_true(memory_file_seal(other->fd[1], why, sizeof(why)));
	other->link = zeroed(sizeof(*other->link));
	other->groups_memory = zeroed(groups_size(fixture->sessions->capacity));
	groups_init(&other->link->groups, other->groups_memory, fixture->sessions->capacity, (const uint64_t[]){5, 7});
	assert_true(link_open(other->link, &rings, &fixture->game->counts[OTHER], why, sizeof(why)));
	fixture->game->arriving[OTHER] = other->link;
	fixture->game->changed = 1U << OTHER;
	game_heed(fixture->game);

	struct bus_file *ours = other->file.at;
	const struct bus_file *theirs = other->link->own.at;

	assert_int_equal(ring_writer_attach(&other->writer, &ours->writer, &theirs->reader, GAME_RING), RING_OK);
}

static void detach_other(struct other *other)
{
	fixture->game->link[OTHER] = NULL;
	fixture->game->linked = fixture->game->heard = 1;
	memory_file_close(&other->file);
	link_close(other->link);
	free(other->link);
	free(other->groups_memory);
	close(other->fd[0]);
	close(other->fd[1]);
}

static void they_take_turns(void **state UNUSED)
{
	struct other other;
	void *at;

	game_fixture_attach(fixture, false);
	attach_other(&other);
	have_no_time();
	for (unsigned i = 0; i < 6 * SLICE_UNITS_PER_LOOK; i++) {
		game_fixture_order(fixture, 999, "", 0);
		assert_int_equal(ring_reserve(&other.writer, 0, 999, &at), RING_OK);
	}
	ring_commit(&other.writer);
	for (unsigned turn = 1; turn <= 12; turn++) {
		game_fixture_turn(fixture);
		assert_int_equal(fixture->game->counts[0].orders, (turn + 1) / 2 * SLICE_UNITS_PER_LOOK);
		assert_int_equal(fixture->game->counts[OTHER].orders, turn / 2 * SLICE_UNITS_PER_LOOK);
	}
	detach_other(&other);
}

// ---------------------------------------------------------------- memory that is slow

static void say_something(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		game_fixture_order(fixture, 999, "", 0);
		game_fixture_turn(fixture);
	}
}

/// All that is read takes longer than it may, on a clock that counts so slowly.
static void reading_that_is_slow_again_and_again_ends_the_link(void **state UNUSED)
{
	game_fixture_attach(fixture, false);
	have_no_time();
	say_something(200);
	assert_int_equal(fixture->game->linked, 1);
	fixture->game->tsc_hz = 1;
	say_something(63);
	assert_int_equal(fixture->game->linked, 1);
	fixture->game->tsc_hz = 1000000000000;
	say_something(63 * 8); // and then all is well again
	fixture->game->tsc_hz = 1;
	say_something(63);
	assert_int_equal(fixture->game->linked, 1);
	say_something(1);
	assert_int_equal(fixture->game->linked, 0);
	assert_string_equal(atomic_load(&fixture->link->broken),
			    "its memory takes longer to read than game.read_budget_us allows, again and again");
}

int main(void)
{
#define GAME_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
	const struct CMUnitTest tests[] = {
		GAME_TEST(one_turn_takes_a_part_of_what_it_says_and_the_next_goes_on),
		GAME_TEST(while_packets_come_processes_have_as_long_as_all_else_took),
		GAME_TEST(an_order_for_many_goes_on_where_it_was),
		GAME_TEST(what_comes_behind_it_waits),
		GAME_TEST(it_does_not_change_while_it_is_unfinished),
		GAME_TEST(the_end_of_a_group_takes_as_many_turns_as_it_needs),
		GAME_TEST(gaps_take_time_too),
		GAME_TEST(who_leaves_meanwhile_is_passed_over),
		GAME_TEST(the_next_process_of_the_name_does_not_speak_for_it),
		GAME_TEST(of_a_process_that_is_given_up_it_is_lost_and_counted),
		GAME_TEST(the_next_worker_does_not_begin_it_anew),
		GAME_TEST(they_take_turns),
		GAME_TEST(reading_that_is_slow_again_and_again_ends_the_link),
	};

	return cmocka_run_group_tests_name("game_turn", tests, NULL, NULL);
}
