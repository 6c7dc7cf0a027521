// SPDX-License-Identifier: BSD-3-Clause
// test_game_send.c: what a worker finds of what a game sends, and what is refused before it is written.

#include "gateway.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static struct gateway gateway;

/// 7 and 9 at the first worker, 20 at the second; the third has nobody.
static pgg *begin(void)
{
	pgg *game;

	gateway_start(&gateway, 3);
	game = gateway_attach(&gateway, "arena");
	gateway_listing(&gateway, 0, (const uint32_t[]){7, 9}, 2);
	gateway_listing(&gateway, 1, (const uint32_t[]){20}, 1);
	gateway_listing(&gateway, 2, NULL, 0);
	for (unsigned left = 6; left > 0;) {
		struct pgg_event event[6];
		const int n = pgg_poll(game, event, 6);

		assert_true(n >= 0);
		left -= (unsigned)n;
	}
	return game;
}

static void end(pgg *game)
{
	pgg_close(game);
	gateway_stop(&gateway);
}

static struct pgg_message own(const char *body)
{
	return (struct pgg_message){.type = 100,
				    .reliable = true,
				    .channel = 1,
				    .priority = PGG_NORMAL,
				    .sender = 5,
				    .body = body,
				    .length = (uint32_t)strlen(body)};
}

static void nothing_is_written(void)
{
	for (unsigned w = 0; w < gateway.workers; w++)
		gateway_no_order(&gateway, w);
}

static void a_message_goes_to_the_worker_of_its_player(void **state UNUSED)
{
	const struct pgg_message message = own("hello");
	pgg *game = begin();

	assert_int_equal(pgg_send(game, 20, &message), PGG_OK);
	nothing_is_written();
	assert_int_equal(pgg_flush(game), PGG_OK);
	gateway_no_order(&gateway, 0);
	const struct game_send *send = gateway_order(&gateway, 1, GAME_SEND, sizeof(*send) + 5);

	assert_int_equal(send->player, 20);
	assert_int_equal(send->zero, 0);
	assert_int_equal(send->message.type, 100);
	assert_int_equal(send->message.channel, 1);
	assert_int_equal(send->message.flags, GAME_RELIABLE);
	assert_int_equal(send->message.priority, PGG_NORMAL);
	assert_int_equal(send->message.sender, 0); // the game's own types name nobody
	assert_memory_equal(send->body, "hello", 5);
	end(game);
}

static void what_a_player_said_is_passed_on_as_it_is(void **state UNUSED)
{
	static const char chat[] = "\0\0\0\0\1\0\2\0hi";
	struct pgg_event event;
	pgg *game = begin();
	struct game_message *said = gateway_record(&gateway, 0, GAME_MESSAGE, sizeof(*said) + 10);

	*said = (struct game_message){7, PGG_TYPE_CHAT, 1, GAME_RELIABLE, PGG_NORMAL};
	memcpy(said->body, chat, 10);
	gateway_commit(&gateway, 0);
	event = next_event(game, PGG_MESSAGE);
	assert_int_equal(pgg_send(game, 20, &event.as.message), PGG_OK);
	pgg_flush(game);
	const struct game_send *send = gateway_order(&gateway, 1, GAME_SEND, sizeof(*send) + 10);

	assert_int_equal(send->message.type, SESSION_CHAT_EVENT);
	assert_int_equal(send->message.sender, 7);
	assert_memory_equal(send->body, chat, 10);
	end(game);
}

static void a_body_can_be_written_in_place(void **state UNUSED)
{
	struct pgg_message message = own("");
	pgg *game = begin();
	void *body;

	message.length = 5;
	message.body = NULL;
	assert_int_equal(pgg_send(game, 7, &message), PGG_ARGUMENT);
	assert_int_equal(pgg_send_reserve(game, 7, &message, &body), PGG_OK);
	memcpy(body, "place", 5);
	pgg_flush(game);
	const struct game_send *send = gateway_order(&gateway, 0, GAME_SEND, sizeof(*send) + 5);

	assert_memory_equal(send->body, "place", 5);
	end(game);
}

static void many_messages_are_seen_without_a_flush(void **state UNUSED)
{
	const struct pgg_message message = own("x");
	pgg *game = begin();

	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(pgg_send(game, 7, &message), PGG_OK);
	for (unsigned i = 0; i < 32; i++)
		gateway_order(&gateway, 0, GAME_SEND, sizeof(struct game_send) + 1);
	gateway_no_order(&gateway, 0);
	assert_int_equal(pgg_wait(game, 0), 0);
	gateway_order(&gateway, 0, GAME_SEND, sizeof(struct game_send) + 1);
	end(game);
}

static void a_list_is_one_record_for_each_worker(void **state UNUSED)
{
	const struct pgg_message message = own("to all");
	const uint32_t players[] = {7, 20, 8, 0, 9};
	pgg *game = begin();

	assert_int_equal(pgg_send_list(game, players, 5, &message), 3); // 8 and nobody are not here
	pgg_flush(game);
	const struct game_send_list *list = gateway_order(&gateway, 0, GAME_SEND_LIST, 24 + 6);

	assert_int_equal(list->count, 2);
	assert_int_equal(list->player[0], 7);
	assert_int_equal(list->player[1], 9);
	assert_memory_equal((const char *)list + 24, "to all", 6);
	list = gateway_order(&gateway, 1, GAME_SEND_LIST, 24 + 6);
	assert_int_equal(list->count, 1);
	assert_int_equal(list->player[0], 20);
	assert_memory_equal((const char *)list + 24, "to all", 6);
	gateway_no_order(&gateway, 2);
	assert_int_equal(pgg_send_list(game, players, 0, &message), 0);
	assert_int_equal(pgg_send_list(game, players, PGG_LIST_MAX + 1, &message), PGG_TOO_MANY);
	pgg_flush(game);
	nothing_is_written();
	end(game);
}

static void a_group_is_told_at_every_worker(void **state UNUSED)
{
	const struct pgg_message message = own("score");
	pgg *game = begin();

	assert_int_equal(pgg_group_join(game, 3, 20), PGG_OK);
	assert_int_equal(pgg_group_join(game, 3, 8), PGG_NOT_HERE);
	assert_int_equal(pgg_group_leave(game, 3, 0), PGG_NOT_HERE);
	assert_int_equal(pgg_send_group(game, 3, 20, &message), PGG_OK);
	assert_int_equal(pgg_group_leave(game, 3, 20), PGG_OK);
	assert_int_equal(pgg_group_end(game, 3), PGG_OK);
	pgg_flush(game);
	const struct game_group *group = gateway_order(&gateway, 1, GAME_GROUP_JOIN, sizeof(*group));

	assert_true(group->group == 3 && group->player == 20);
	for (unsigned w = 0; w < 3; w++) {
		const struct game_send_group *send = gateway_order(&gateway, w, GAME_SEND_GROUP, sizeof(*send) + 5);

		assert_true(send->group == 3 && send->except == 20 && send->message.type == 100);
		assert_memory_equal(send->body, "score", 5);
		if (w == 1)
			gateway_order(&gateway, 1, GAME_GROUP_LEAVE, sizeof(*group));
		group = gateway_order(&gateway, w, GAME_GROUP_END, sizeof(*group));
		assert_true(group->group == 3 && group->player == 0);
	}
	nothing_is_written();
	end(game);
}

static void a_group_is_told_at_all_workers_or_at_none(void **state UNUSED)
{
	const struct pgg_message message = own("score");
	struct pgg_statistics statistics;
	pgg *game = begin();

	while (pgg_send(game, 20, &message) == PGG_OK)
		continue;
	assert_int_equal(pgg_send(game, 7, &message), PGG_OK);
	assert_int_equal(pgg_send_group(game, 3, 0, &message), PGG_FULL);
	assert_int_equal(pgg_send_list(game, (const uint32_t[]){7, 20}, 2, &message), PGG_FULL);
	pgg_flush(game);
	gateway_order(&gateway, 0, GAME_SEND, sizeof(struct game_send) + 5);
	gateway_no_order(&gateway, 0);
	gateway_no_order(&gateway, 2);
	pgg_read_statistics(game, &statistics);
	assert_int_equal(statistics.full, 3);
	end(game);
}

static void a_ring_that_is_full_takes_more_when_it_has_been_read(void **state UNUSED)
{
	const struct pgg_message message = own("x");
	struct ring_reader *reader = &gateway.process[0].worker[0].reader;
	struct ring_message read[64];
	unsigned sent = 0, found = 0;
	pgg *game = begin();

	for (unsigned i = 0; i < 10; i++) {
		while (pgg_send(game, 7, &message) == PGG_OK)
			sent++;
		for (int n; (n = ring_peek(reader, read, 64)) > 0; ring_release(reader))
			found += (unsigned)n; // without a flush: a full ring is shown by itself
	}
	assert_int_equal(found, sent);
	assert_true(sent > 1000);
	end(game);
}

static void a_player_can_be_kicked_placed_and_asked_about(void **state UNUSED)
{
	const float position[] = {1, 2, 3}, velocity[] = {0, 0, 1}, wrong[] = {0, NAN, 0}, far[] = {INFINITY, 0, 0};
	pgg *game = begin();

	assert_int_equal(pgg_kick(game, 7, 33), PGG_OK);
	assert_int_equal(pgg_place(game, 9, position, velocity), PGG_OK);
	assert_int_equal(pgg_place(game, 9, wrong, velocity), PGG_ARGUMENT);
	assert_int_equal(pgg_place(game, 9, position, far), PGG_ARGUMENT);
	assert_int_equal(pgg_place(game, 9, NULL, velocity), PGG_ARGUMENT);
	assert_int_equal(pgg_kick(game, 8, 0), PGG_NOT_HERE);
	assert_int_equal(pgg_kick(game, 7, 128), PGG_ARGUMENT);
	assert_int_equal(pgg_ask(game, 0, 0), PGG_NOT_HERE);
	pgg_flush(game);
	const struct game_kick *kick = gateway_order(&gateway, 0, GAME_KICK, sizeof(*kick));

	assert_true(kick->player == 7 && kick->reason == 33);
	const struct game_place *place = gateway_order(&gateway, 0, GAME_PLACE, sizeof(*place));

	assert_true(place->player == 9 && place->position[2] == 3 && place->velocity[2] == 1);
	nothing_is_written();
	end(game);
}

struct refused {
	uint8_t type;
	uint32_t length;
	int result;
};

static void types_and_lengths_are_checked_before_anything_is_written(void **state UNUSED)
{
	static const struct refused wrong[] = {
		{0, 0, PGG_WRONG_TYPE},
		{1, 24, PGG_WRONG_TYPE},
		{4, 0, PGG_WRONG_TYPE},
		{63, 1, PGG_WRONG_TYPE},
		{200, 1, PGG_WRONG_TYPE},
		{203, 10, PGG_WRONG_TYPE},
		{255, 1, PGG_WRONG_TYPE},
		{208, 24, PGG_WRONG_TYPE},
		{PGG_TYPE_ATTACK, 0, PGG_EMPTY},
		{PGG_TYPE_ATTACK, 19, PGG_WRONG_LENGTH},
		{PGG_TYPE_ATTACK, 21, PGG_TOO_LONG},
		{PGG_TYPE_CHAT, 8, PGG_WRONG_LENGTH},
		{PGG_TYPE_CHAT, 521, PGG_TOO_LONG},
		{PGG_TYPE_BULK, 3, PGG_WRONG_LENGTH},
		{PGG_TYPE_INVENTORY, 65537, PGG_TOO_LONG},
		{64, 65537, PGG_TOO_LONG},
		{199, 65536, PGG_TOO_LONG}, // of this ring
		{199, RING / 4, PGG_TOO_LONG},
	};
	static const struct refused right[] = {
		{64, 0, PGG_OK},
		{199, RING / 4 - sizeof(struct game_send), PGG_OK},
		{PGG_TYPE_ATTACK, 20, PGG_OK},
		{PGG_TYPE_CHAT, 520, PGG_OK},
		{PGG_TYPE_INVENTORY, 0, PGG_OK},
	};
	static const char body[65537];
	pgg *game = begin();

	for (unsigned i = 0; i < COUNT(wrong); i++) {
		const struct pgg_message message = {
			.type = wrong[i].type, .reliable = true, .body = body, .length = wrong[i].length};

		assert_int_equal(pgg_send(game, 7, &message), wrong[i].result);
		assert_int_equal(pgg_send_list(game, (const uint32_t[]){7}, 1, &message), wrong[i].result);
		assert_int_equal(pgg_send_group(game, 1, 0, &message), wrong[i].result);
	}
	pgg_flush(game);
	nothing_is_written();
	for (unsigned i = 0; i < COUNT(right); i++) {
		const struct pgg_message message = {
			.type = right[i].type, .reliable = true, .body = body, .length = right[i].length};

		assert_int_equal(pgg_send(game, 7, &message), PGG_OK);
		pgg_flush(game);
		gateway_order(&gateway, 0, GAME_SEND, (uint32_t)sizeof(struct game_send) + right[i].length);
	}
	end(game);
}

static void how_a_message_travels_is_checked_too(void **state UNUSED)
{
	static const char body[1401];
	struct pgg_message message = own("x");
	pgg *game = begin();

	message.channel = 4;
	assert_int_equal(pgg_send(game, 7, &message), PGG_ARGUMENT);
	message.channel = 1;
	message.priority = 3;
	assert_int_equal(pgg_send(game, 7, &message), PGG_ARGUMENT);
	message.priority = 0;
	message.reliable = false;
	assert_int_equal(pgg_send(game, 7, &message), PGG_ARGUMENT); // a channel has what is reliable
	message.channel = 0;
	message.body = body;
	message.length = 1401;
	assert_int_equal(pgg_send(game, 7, &message), PGG_TOO_LONG); // is not cut
	message.reliable = true;
	assert_int_equal(pgg_send(game, 7, &message), PGG_OK);
	message.channel = 3;
	assert_int_equal(pgg_send(game, 7, &message), PGG_TOO_LONG);
	end(game);
}

/// Is it to be woken, and had it not been before?
static bool is_woken(unsigned worker)
{
	uint64_t rings = 0;

	return read(gateway.process[0].worker[worker].bell, &rings, sizeof(rings)) == sizeof(rings) && rings == 1;
}

static void a_worker_that_sleeps_is_woken_once(void **state UNUSED)
{
	const struct pgg_message message = own("x");
	struct gate_worker *worker = &gateway.process[0].worker[0];
	pgg *game = begin();
	uint32_t wakes;

	pgg_send(game, 7, &message);
	pgg_flush(game);
	assert_false(is_woken(0)); // does not sleep
	gateway_order(&gateway, 0, GAME_SEND, sizeof(struct game_send) + 1);
	for (unsigned turn = 0; turn < 2; turn++) {
		assert_true(ring_fall_asleep(&worker->reader, &wakes));
		for (unsigned i = 0; i < 3; i++) {
			pgg_send(game, 7, &message);
			pgg_flush(game);
			assert_int_equal(is_woken(0), i == 0);
		}
		for (unsigned i = 0; i < 3; i++)
			gateway_order(&gateway, 0, GAME_SEND, sizeof(struct game_send) + 1);
		ring_stay_awake(&worker->reader);
		gateway_replace_worker(&gateway, 0, 0); // which counts its sleeps from the beginning
		no_event(game);
	}
	end(game);
}

static void a_worker_that_releases_what_was_not_written_ends_the_attachment(void **state UNUSED)
{
	const struct pgg_message message = own("x");
	pgg *game = begin();
	int result;

	gateway.process[0].worker[0].own->reader.released = 1U << 20;
	while ((result = pgg_send(game, 7, &message)) == PGG_OK)
		continue;
	assert_int_equal(result, PGG_ENDED);
	assert_non_null(strstr(next_event(game, PGG_DETACHED).as.ended.text, "a release of what was not written"));
	end(game);
}

static void what_a_profile_has_not_is_refused(void **state UNUSED)
{
	const float nowhere[3] = {0, 0, 0};
	const uint8_t body[PGG_PAYLOAD_MAX + 1] = {0};
	struct pgg_message message = {.type = PGG_PAYLOAD, .body = body, .length = 1};
	struct game_joined_client *joined;
	struct pgg_event event;
	pgg *game = begin();

	joined = gateway_record(&gateway, 0, GAME_JOINED, sizeof(*joined));
	*joined = (struct game_joined_client){.joined = {0x80000003, 3, 8082, 2, GAME_JOINED_NOW}};
	gateway_commit(&gateway, 0);
	while (pgg_poll(game, &event, 1) == 0)
		;
	message.reliable = true;
	assert_int_equal(pgg_send(game, 0x80000003, &message), PGG_PROFILE);
	message.reliable = false;
	message.length = 0;
	assert_int_equal(pgg_send(game, 0x80000003, &message), PGG_PROFILE);
	message.length = sizeof(body);
	assert_int_equal(pgg_send(game, 0x80000003, &message), PGG_PROFILE);
	assert_int_equal(pgg_send(game, 7, &message), PGG_OK);
	pgg_flush(game);
	gateway_order(&gateway, 0, GAME_SEND, sizeof(struct game_send) + sizeof(body));
	message.length = PGG_PAYLOAD_MAX;
	message.type = PGG_PAYLOAD + 1;
	assert_int_equal(pgg_send(game, 0x80000003, &message), PGG_PROFILE);
	assert_int_equal(pgg_place(game, 0x80000003, nowhere, nowhere), PGG_PROFILE);
	assert_int_equal(pgg_ask(game, 0x80000003, 1), PGG_PROFILE);
	pgg_flush(game);
	nothing_is_written();
	message.type = PGG_PAYLOAD;
	assert_int_equal(pgg_send(game, 0x80000003, &message), PGG_OK);
	pgg_flush(game);
	gateway_order(&gateway, 0, GAME_SEND, sizeof(struct game_send) + PGG_PAYLOAD_MAX);
	assert_int_equal(pgg_kick(game, 0x80000003, 1), PGG_OK);
	pgg_flush(game);
	gateway_order(&gateway, 0, GAME_KICK, sizeof(struct game_kick));
	end(game);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_profile_has_not_is_refused),
		cmocka_unit_test(a_message_goes_to_the_worker_of_its_player),
		cmocka_unit_test(what_a_player_said_is_passed_on_as_it_is),
		cmocka_unit_test(a_body_can_be_written_in_place),
		cmocka_unit_test(many_messages_are_seen_without_a_flush),
		cmocka_unit_test(a_list_is_one_record_for_each_worker),
		cmocka_unit_test(a_group_is_told_at_every_worker),
		cmocka_unit_test(a_group_is_told_at_all_workers_or_at_none),
		cmocka_unit_test(a_ring_that_is_full_takes_more_when_it_has_been_read),
		cmocka_unit_test(a_player_can_be_kicked_placed_and_asked_about),
		cmocka_unit_test(types_and_lengths_are_checked_before_anything_is_written),
		cmocka_unit_test(how_a_message_travels_is_checked_too),
		cmocka_unit_test(a_worker_that_sleeps_is_woken_once),
		cmocka_unit_test(a_worker_that_releases_what_was_not_written_ends_the_attachment),
	};

	return cmocka_run_group_tests_name("game_send", tests, NULL, NULL);
}
