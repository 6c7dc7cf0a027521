// SPDX-License-Identifier: BSD-3-Clause
// test_game_events.c: what a game process is told of players, and what it still knows when workers die.

#include "gateway.h"

#include <string.h>
#include <unistd.h>

static struct gateway gateway;

static const uint32_t players_7_and_9[] = {7, 9};

static void who_attaches_is_told_of_everybody_who_is_in(void **state UNUSED)
{
	struct pgg_event event;
	pgg *game;

	gateway_start(&gateway, 1);
	gateway_listing(&gateway, 0, players_7_and_9, 2);
	game = gateway_attach(&gateway, "arena");
	event = next_event(game, PGG_JOINED);
	assert_int_equal(event.player, 7);
	assert_int_equal(event.as.joined.session, 1007);
	assert_int_equal(event.as.joined.port, 8081);
	assert_int_equal(event.as.joined.how, PGG_HOW_BEFORE);
	assert_int_equal(next_event(game, PGG_JOINED).player, 9);
	assert_int_equal(next_event(game, PGG_LISTED).as.listed.worker, 0);
	assert_int_equal(pgg_players(game), 2);
	assert_true(pgg_is_here(game, 7));
	assert_false(pgg_is_here(game, 8));
	assert_false(pgg_is_here(game, 0));
	no_event(game);
	gateway_end(&gateway, game);
}

static void players_come_speak_and_go(void **state UNUSED)
{
	struct pgg_event event;
	pgg *game = gateway_begin(&gateway, 1);

	gateway_join(&gateway, 0, 8, GAME_JOINED_NOW);
	gateway_say(&gateway, 0, 8, 100, "hello");
	gateway_leave(&gateway, 0, 8, 2);
	event = next_event(game, PGG_JOINED);
	assert_int_equal(event.player, 8);
	assert_int_equal(event.as.joined.how, PGG_HOW_NOW);
	event = next_event(game, PGG_MESSAGE);
	assert_int_equal(event.player, 8);
	assert_int_equal(event.as.message.sender, 8);
	assert_int_equal(event.as.message.type, 100);
	assert_int_equal(event.as.message.channel, 2);
	assert_true(event.as.message.reliable);
	assert_int_equal(event.as.message.length, 5);
	assert_int_equal((uintptr_t)event.as.message.body % 8, 0);
	assert_memory_equal(event.as.message.body, "hello", 5);
	event = next_event(game, PGG_LEFT);
	assert_int_equal(event.player, 8);
	assert_string_equal(pgg_left_text(event.as.left.why), "idle");
	assert_int_equal(pgg_players(game), 2);
	gateway_end(&gateway, game);
}

static void where_players_moved_is_read_in_place(void **state UNUSED)
{
	struct game_position *at;
	struct pgg_event event;
	pgg *game = gateway_begin(&gateway, 1);

	at = gateway_record(&gateway, 0, GAME_MOVED, 3 * sizeof(*at));
	for (uint32_t i = 0; i < 3; i++)
		at[i] = (struct game_position){7 + i, {(float)i, 2, 3}, {0, 0, 1}};
	gateway_commit(&gateway, 0);
	event = next_event(game, PGG_MOVED);
	assert_int_equal(event.as.moved.count, 3);
	assert_int_equal(event.as.moved.at[2].player, 9);
	assert_true(event.as.moved.at[2].position[0] == 2 && event.as.moved.at[2].velocity[2] == 1);
	gateway_end(&gateway, game);
}

static void an_answer_about_a_player_has_its_question_s_cookie(void **state UNUSED)
{
	struct pgg_event event;
	pgg *game = gateway_begin(&gateway, 1);

	assert_int_equal(pgg_ask(game, 9, 42), PGG_OK);
	assert_int_equal(pgg_flush(game), PGG_OK);
	const struct game_ask *ask = gateway_order(&gateway, 0, GAME_ASK, sizeof(*ask));

	*(struct game_quality *)gateway_record(&gateway, 0, GAME_QUALITY, sizeof(struct game_quality)) =
		(struct game_quality){ask->player, ask->cookie, 5000, 100, 20, 3};
	gateway_commit(&gateway, 0);
	event = next_event(game, PGG_QUALITY);
	assert_int_equal(event.player, 9);
	assert_int_equal(event.as.quality.cookie, 42);
	assert_int_equal(event.as.quality.round_trip_us, 5000);
	assert_int_equal(event.as.quality.lost, 3);
	gateway_end(&gateway, game);
}

static void bodies_stay_until_the_next_poll_and_are_given_back_then(void **state UNUSED)
{
	static const char text[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	const struct ring_writer *writer = &gateway.process[0].worker[0].writer;
	struct pgg_event event[PGG_LIST_MAX];
	pgg *game = gateway_begin(&gateway, 1);
	unsigned said = 0, heard = 0;

	for (unsigned round = 0; round < 50; round++) {
		void *body;
		int n;

		while (ring_reserve((struct ring_writer *)writer, 8 + 64, GAME_MESSAGE, &body) == RING_OK) {
			*(struct game_message *)body = (struct game_message){.player = 7, .type = 64};
			memcpy(((struct game_message *)body)->body, text, 64);
			said++;
		}
		gateway_commit(&gateway, 0);
		n = pgg_poll(game, event, (int)(round % 7 == 0 ? 5 : COUNT(event)));
		for (int i = 0; i < n; i++) {
			assert_int_equal(event[i].type, PGG_MESSAGE);
			assert_int_equal(event[i].as.message.length, 64);
			assert_memory_equal(event[i].as.message.body, text, 64);
		}
		heard += (unsigned)n;
	}
	for (int n; (n = pgg_poll(game, event, COUNT(event))) > 0;)
		heard += (unsigned)n;
	assert_int_equal(heard, said);
	assert_true(said > 50 * 50);
	gateway_end(&gateway, game);
}

static void a_ring_at_a_time_is_read_from_one_memory(void **state UNUSED)
{
	struct pgg_event event[8];
	const void *memory;
	bool seen[2] = {false, false};
	size_t bytes;
	pgg *game = gateway_begin(&gateway, 2);

	for (unsigned i = 0; i < 3; i++) {
		gateway_say(&gateway, 0, 7, 64, "one");
		gateway_say(&gateway, 1, 9, 65, "other");
	}
	for (unsigned turn = 0; turn < 2; turn++) {
		assert_int_equal(pgg_poll_ring(game, event, COUNT(event), &memory, &bytes), 3);
		for (unsigned i = 0; i < 3; i++) {
			const char *body = event[i].as.message.body;

			assert_int_equal(event[i].player, event[0].player);
			assert_true(body >= (const char *)memory &&
				    body + event[i].as.message.length <= (const char *)memory + bytes);
		}
		seen[event[0].player == 9] = true;
	}
	assert_true(seen[0] && seen[1]);
	assert_int_equal(pgg_poll_ring(game, event, COUNT(event), &memory, &bytes), 0);
	assert_null(memory);
	gateway_end(&gateway, game);
}

static void a_worker_that_dies_leaves_a_gap_that_is_named_and_nothing_else(void **state UNUSED)
{
	struct pgg_event event;
	pgg *game = gateway_begin(&gateway, 2);

	gateway_listing(&gateway, 1, (const uint32_t[]){20}, 1);
	next_event(game, PGG_JOINED);
	next_event(game, PGG_LISTED);
	gateway_say(&gateway, 0, 7, 64, "before");
	gateway_replace_worker(&gateway, 0, 3);
	gateway_listing(&gateway, 0, (const uint32_t[]){7}, 1); // 9 is gone
	gateway_say(&gateway, 0, 7, 64, "after");
	event = next_event(game, PGG_MESSAGE);
	assert_memory_equal(event.as.message.body, "before", 6);
	event = next_event(game, PGG_GAP);
	assert_int_equal(event.as.gap.messages, 3);
	assert_int_equal(event.as.gap.worker, 0);
	assert_null(event.as.gap.process);
	event = next_event(game, PGG_JOINED);
	assert_int_equal(event.player, 7);
	assert_int_equal(event.as.joined.how, PGG_HOW_AGAIN);
	event = next_event(game, PGG_LEFT);
	assert_int_equal(event.player, 9);
	assert_int_equal(event.as.left.why, 0);
	next_event(game, PGG_LISTED);
	event = next_event(game, PGG_MESSAGE);
	assert_memory_equal(event.as.message.body, "after", 5);
	assert_true(pgg_is_here(game, 20)); // of another worker
	assert_int_equal(pgg_players(game), 2);
	gateway_end(&gateway, game);
}

static void workers_that_die_before_they_are_read_lose_nothing_that_they_said(void **state UNUSED)
{
	pgg *game = gateway_begin(&gateway, 1);
	char text[2] = "a";

	for (unsigned turn = 0; turn < 4; turn++) {
		text[0] = (char)('a' + turn);
		gateway_say(&gateway, 0, 7, 64, text);
		gateway_replace_worker(&gateway, 0, 0);
	}
	for (unsigned turn = 0; turn < 4; turn++) {
		const struct pgg_event event = next_event(game, PGG_MESSAGE);

		assert_int_equal(*(const char *)event.as.message.body, 'a' + (int)turn);
	}
	gateway_end(&gateway, game);
}

static void what_is_sent_goes_on_over_the_death_of_a_worker(void **state UNUSED)
{
	const struct pgg_message message = {.type = 64, .body = "x", .length = 1};
	pgg *game = gateway_begin(&gateway, 1);

	assert_int_equal(pgg_send(game, 7, &message), PGG_OK);
	pgg_flush(game);
	gateway_replace_worker(&gateway, 0, 0);
	no_event(game);
	assert_int_equal(pgg_send(game, 9, &message), PGG_OK);
	pgg_flush(game);
	for (unsigned i = 0; i < 2; i++) {
		const struct game_send *send = gateway_order(&gateway, 0, GAME_SEND, sizeof(*send) + 1);

		assert_int_equal(send->player, players_7_and_9[i]);
	}
	gateway_no_order(&gateway, 0);
	gateway_end(&gateway, game);
}

static void a_list_that_is_made_again_is_no_news_but_for_who_went(void **state UNUSED)
{
	pgg *game = gateway_begin(&gateway, 1);

	gateway_listing(&gateway, 0, (const uint32_t[]){9, 10}, 2);
	assert_int_equal(next_event(game, PGG_JOINED).player, 10);
	assert_int_equal(next_event(game, PGG_LEFT).player, 7);
	next_event(game, PGG_LISTED);
	no_event(game);
	gateway_end(&gateway, game);
}

static void a_player_who_came_to_another_worker_is_not_said_to_leave(void **state UNUSED)
{
	const struct pgg_message message = {.type = 64, .body = "x", .length = 1};
	struct game_joined *joined;
	pgg *game = gateway_begin(&gateway, 2);

	joined = gateway_record(&gateway, 1, GAME_JOINED, sizeof(*joined));
	*joined = (struct game_joined){7, 5555, 8081, 1, GAME_JOINED_NOW};
	gateway_commit(&gateway, 1);
	assert_int_equal(next_event(game, PGG_JOINED).as.joined.session, 5555);
	gateway_leave(&gateway, 0, 7, 5);
	no_event(game);
	assert_true(pgg_is_here(game, 7));
	assert_int_equal(pgg_send(game, 7, &message), PGG_OK);
	pgg_flush(game);
	gateway_no_order(&gateway, 0);
	gateway_order(&gateway, 1, GAME_SEND, sizeof(struct game_send) + 1);
	gateway_end(&gateway, game);
}

static void a_client_of_netcode_is_named_with_what_its_token_says(void **state UNUSED)
{
	struct game_joined_client *joined;
	struct pgg_event event;
	pgg *game = gateway_begin(&gateway, 1);

	joined = gateway_record(&gateway, 0, GAME_JOINED, sizeof(*joined));
	*joined = (struct game_joined_client){.joined = {0x80000003, 3, 8082, 2, GAME_JOINED_NOW},
					      .client = 0xfedcba9876543210,
					      .user_data = "of the studio"};
	gateway_commit(&gateway, 0);
	event = next_event(game, PGG_JOINED);
	assert_int_equal(event.player, 0x80000003);
	assert_int_equal(event.as.joined.profile, PGG_PROFILE_NETCODE);
	assert_true(event.as.joined.client == 0xfedcba9876543210);
	assert_string_equal(event.as.joined.user_data, "of the studio");
	gateway_join(&gateway, 0, 8, GAME_JOINED_NOW);
	event = next_event(game, PGG_JOINED);
	assert_true(event.as.joined.client == 8);
	assert_null(event.as.joined.user_data);
	gateway_end(&gateway, game);
}

static void who_speaks_before_the_first_list_can_be_answered(void **state UNUSED)
{
	struct pgg_event event;
	pgg *game;

	gateway_start(&gateway, 1);
	gateway_say(&gateway, 0, 7, 64, "while you were away");
	gateway_say(&gateway, 0, 9, 64, "and gone");
	gateway_listing(&gateway, 0, (const uint32_t[]){7}, 1);
	game = gateway_attach(&gateway, "arena");
	event = next_event(game, PGG_MESSAGE);
	assert_int_equal(pgg_send(game, 7, &event.as.message), PGG_OK);
	next_event(game, PGG_MESSAGE);
	assert_int_equal(next_event(game, PGG_JOINED).player, 7);
	next_event(game, PGG_LISTED); // nobody is told that 9 leaves, who was never said to be in
	no_event(game);
	assert_int_equal(pgg_players(game), 1);
	gateway_end(&gateway, game);
}

static void what_a_worker_cannot_write_ends_the_attachment_in_a_sentence(void **state UNUSED)
{
	static const struct {
		uint16_t type;
		uint32_t length;
	} wrong[] = {
		{GAME_MESSAGE, 7}, {GAME_JOINED, 11}, {GAME_LEFT, 13}, {GAME_MOVED, 27}, {GAME_QUALITY, 0}, {99, 8},
	};

	for (unsigned i = 0; i < COUNT(wrong); i++) {
		pgg *game = gateway_begin(&gateway, 1);
		struct pgg_event event;

		gateway_record(&gateway, 0, wrong[i].type, wrong[i].length);
		gateway_commit(&gateway, 0);
		event = next_event(game, PGG_DETACHED);
		assert_non_null(strstr(event.as.ended.text, "worker 0 wrote a record"));
		assert_int_equal(pgg_poll(game, &event, 1), PGG_ENDED);
		assert_int_equal(pgg_wait(game, 0), PGG_ENDED);
		assert_int_equal(pgg_kick(game, 7, 0), PGG_ENDED);
		gateway_end(&gateway, game);
	}
}

static void a_broken_ring_ends_the_attachment_after_what_came_before(void **state UNUSED)
{
	pgg *game = gateway_begin(&gateway, 1);
	struct gate_worker *worker = &gateway.process[0].worker[0];
	struct pgg_event event;

	gateway_say(&gateway, 0, 7, 64, "last");
	*(uint64_t *)(worker->writer.data + (worker->writer.next & worker->writer.mask)) = 77;
	next_event(game, PGG_MESSAGE);
	event = next_event(game, PGG_DETACHED);
	assert_non_null(strstr(event.as.ended.text, "an entry of no kind"));
	gateway_end(&gateway, game);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_attaches_is_told_of_everybody_who_is_in),
		cmocka_unit_test(players_come_speak_and_go),
		cmocka_unit_test(where_players_moved_is_read_in_place),
		cmocka_unit_test(an_answer_about_a_player_has_its_question_s_cookie),
		cmocka_unit_test(bodies_stay_until_the_next_poll_and_are_given_back_then),
		cmocka_unit_test(a_ring_at_a_time_is_read_from_one_memory),
		cmocka_unit_test(a_worker_that_dies_leaves_a_gap_that_is_named_and_nothing_else),
		cmocka_unit_test(workers_that_die_before_they_are_read_lose_nothing_that_they_said),
		cmocka_unit_test(what_is_sent_goes_on_over_the_death_of_a_worker),
		cmocka_unit_test(a_list_that_is_made_again_is_no_news_but_for_who_went),
		cmocka_unit_test(a_player_who_came_to_another_worker_is_not_said_to_leave),
		cmocka_unit_test(a_client_of_netcode_is_named_with_what_its_token_says),
		cmocka_unit_test(who_speaks_before_the_first_list_can_be_answered),
		cmocka_unit_test(what_a_worker_cannot_write_ends_the_attachment_in_a_sentence),
		cmocka_unit_test(a_broken_ring_ends_the_attachment_after_what_came_before),
	};

	return cmocka_run_group_tests_name("game_events", tests, NULL, NULL);
}
