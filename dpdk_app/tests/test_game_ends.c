// SPDX-License-Identifier: BSD-3-Clause
// test_game_ends.c: one game process goes and the next one comes: what is read of whom, and what is not.

#include "game_fixture.h"

#include <string.h>

#define ORDERS_PER_TURN 20

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

/// Of a player who is not there: it is counted, and nothing else comes of it.
static void order(void)
{
	game_fixture_order(fixture, GAME_ASK, &(struct game_ask){.player = 99}, sizeof(struct game_ask));
}

static uint64_t orders(void)
{
	return fixture->game->counts[0].orders;
}

static void begin(unsigned messages)
{
	void *body;

	for (unsigned i = 0; i < messages; i++)
		assert_int_equal(ring_reserve(&fixture->writer, 8, GAME_ASK, &body), RING_OK);
}

static void what_it_wrote_is_read_to_its_end_and_the_next_one_goes_on_in_another_file(void **state UNUSED)
{
	const struct bus_file *ours;

	game_fixture_attach(fixture, false);
	for (unsigned i = 0; i < 3; i++)
		order();
	begin(2); // and is killed
	game_fixture_leave(fixture);
	assert_int_equal(orders(), 3);
	assert_int_equal(fixture->game->heard, 0);
	game_fixture_follow(fixture);
	ours = fixture->ours.at;
	assert_int_equal(ring_entry(*(const uint64_t *)(ours->writer.data + (fixture->writer.next - RING_WORD))).kind,
			 RING_GAP);
	assert_int_equal(ring_entry(*(const uint64_t *)(ours->writer.data + (fixture->writer.next - RING_WORD))).length,
			 2);
	order();
	game_fixture_turn(fixture);
	assert_int_equal(orders(), 4);
}

static void what_it_had_not_read_the_next_one_reads(void **state UNUSED)
{
	game_fixture_route(fixture, 64, 64);
	game_fixture_attach(fixture, false);
	game_connect_first(fixture);
	game_fixture_say(fixture, 0, 64, "read", 4);
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_MESSAGE);
	game_fixture_say(fixture, 0, 64, "not", 3);
	game_fixture_turn(fixture);
	game_fixture_leave(fixture);
	game_fixture_say(fixture, 0, 64, "away", 4);
	game_fixture_turn(fixture);
	game_fixture_follow(fixture);
	game_expect(fixture, GAME_MESSAGE);
	assert_int_equal(fixture->length, sizeof(struct game_message) + 3);
	game_expect(fixture, GAME_MESSAGE);
	assert_int_equal(fixture->length, sizeof(struct game_message) + 4);
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_LISTING);
}

static bool has(const void *memory, size_t bytes, const char *text)
{
	return memmem(memory, bytes, text, strlen(text)) != NULL;
}

/// What was said before it may know.
static void what_is_said_when_it_is_gone_it_cannot_read(void **state UNUSED)
{
	const size_t bytes = bus_file_bytes(GAME_RING);
	struct memory_file kept;
	char why[200];

	game_fixture_route(fixture, 64, 64);
	game_fixture_attach(fixture, false);
	game_connect_first(fixture);
	assert_true(memory_file_map(&kept, fixture->worker_fd, bytes, why, sizeof(why)));
	game_fixture_say(fixture, 0, 64, "before", 6); // and not seen yet
	game_fixture_leave(fixture);
	assert_true(has(kept.at, bytes, "before"));
	for (unsigned i = 0; i < 500; i++) // more than there is room for
		game_fixture_say(fixture, 0, 64, "secret", 6);
	game_fixture_turn(fixture);
	assert_false(has(kept.at, bytes, "secret"));
	memory_file_close(&kept);
	game_fixture_restart(fixture); // whoever takes the dead worker's place goes on there, too
}

/// Its memory is still its own: it may even live.
static void who_is_gone_is_not_heard_and_spoils_nothing(void **state UNUSED)
{
	struct bus_file *ours;

	game_fixture_route(fixture, 64, 64);
	game_fixture_attach(fixture, false);
	game_connect_first(fixture);
	game_fixture_leave(fixture);
	order();
	ours = fixture->ours.at;
	ours->reader.released = 1ULL << 40;
	for (unsigned i = 0; i < 500; i++)
		game_fixture_say(fixture, 0, 64, "0123456789", 10);
	game_fixture_turn(fixture);
	assert_int_equal(orders(), 0);
	assert_false(link_is_broken(fixture->link));
	game_fixture_follow(fixture);
	order();
	game_fixture_turn(fixture);
	assert_int_equal(orders(), 1);
	game_expect(fixture, GAME_MESSAGE);
	assert_false(link_is_broken(fixture->link));
}

static void who_is_gone_and_still_writes_is_read_no_further_than_a_ring(void **state UNUSED)
{
	const unsigned most = GAME_RING / 16 + 2 * ORDERS_PER_TURN; // an order takes 16 bytes

	game_fixture_attach(fixture, false);
	fixture->routes.read_budget = 0; // as few orders in a turn as there can be
	fixture->link->end = true;
	fixture->game->changed = 1;
	game_heed(fixture->game);
	while (!fixture->link->ended) {
		for (unsigned i = 0; i < ORDERS_PER_TURN; i++)
			order();
		game_fixture_turn(fixture);
		assert_true(orders() <= most);
	}
	assert_true(orders() >= GAME_RING / 16);
	assert_true(ring_is_ready(&fixture->link->in));
	game_fixture_turn(fixture);
	assert_true(orders() <= most);
}

static void what_it_left_that_cannot_be_is_given_up(void **state UNUSED)
{
	struct bus_file *ours;

	game_fixture_attach(fixture, false);
	order();
	ours = fixture->ours.at;
	memset(ours->writer.data, 0xff, 64);
	game_fixture_leave(fixture);
	assert_string_equal(fixture->link->broken, "an entry of no kind that there is");
	assert_false(fixture->link->ended);
	assert_int_equal(fixture->game->ending | fixture->game->heard, 0);
}

static void so_is_a_release_of_what_was_not_written(void **state UNUSED)
{
	struct bus_file *ours;

	game_fixture_attach(fixture, false);
	ours = fixture->ours.at;
	ours->reader.released = 1ULL << 40;
	game_fixture_leave(fixture);
	assert_string_equal(fixture->link->broken, "a release of what was not written, or that was taken back");
	assert_false(fixture->link->ended);
}

/// A worker dies meanwhile: its successor reads the rest, and nobody else's until there is somebody.
static void the_next_worker_reads_the_rest_or_nothing(void **state UNUSED)
{
	game_fixture_attach(fixture, false);
	order();
	game_fixture_turn(fixture);
	order();
	game_fixture_restart(fixture);
	game_fixture_leave(fixture);
	assert_int_equal(orders(), 2);
	order();
	game_fixture_restart(fixture);
	game_fixture_turn(fixture);
	assert_int_equal(fixture->game->heard, 0);
	assert_int_equal(orders(), 2);
}

int main(void)
{
#define GAME_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
	const struct CMUnitTest tests[] = {
		GAME_TEST(what_it_wrote_is_read_to_its_end_and_the_next_one_goes_on_in_another_file),
		GAME_TEST(what_it_had_not_read_the_next_one_reads),
		GAME_TEST(what_is_said_when_it_is_gone_it_cannot_read),
		GAME_TEST(who_is_gone_is_not_heard_and_spoils_nothing),
		GAME_TEST(who_is_gone_and_still_writes_is_read_no_further_than_a_ring),
		GAME_TEST(what_it_left_that_cannot_be_is_given_up),
		GAME_TEST(so_is_a_release_of_what_was_not_written),
		GAME_TEST(the_next_worker_reads_the_rest_or_nothing),
	};

	return cmocka_run_group_tests_name("game_ends", tests, NULL, NULL);
}
