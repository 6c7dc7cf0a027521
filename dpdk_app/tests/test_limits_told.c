// SPDX-License-Identifier: BSD-3-Clause
// test_limits_told.c: after a crash the next process tells a connected player the limits, where they are not those that the
// player's WELCOME told, or may not be those that it knows; and nothing where they are.

#include "unit.h"

#include <string.h>

#include "pipeline_fixture.h"
#include "session/connection.h"
#include "session/limits.h"

/// Movements, so many a second.
static void limit(struct pipeline_fixture *g, uint32_t moves)
{
	struct session_rules *rules = &g->fixture->rules;

	rules->message_limit[0] = session_limit_make(SESSION_MOVE, moves, 10);
	rules->message_limits = 1;
	rules->limits_digest = limits_digest(rules);
}

/// The process reads another configuration.
static void reload(struct pipeline_fixture *g, uint32_t moves)
{
	limit(g, moves);
	session_shard_use(g->fixture->shard[0], &g->fixture->rules);
}

static void sweep(struct pipeline_fixture *g)
{
	connection_sweep(g->fixture->shard[0], g->fixture->now, PIPELINE_FIXTURE_CAPACITY);
}

/// What the player has of the gateway's DATA.
struct told {
	unsigned limits; // LIMITS that came
	struct session_limits head;
	struct session_limit entry;
};

static void take_message(struct told *told, const struct session_message *message, const uint8_t *body)
{
	if (message->type != SESSION_LIMITS)
		return;
	assert_int_equal(message->body_len, sizeof(told->head) + sizeof(told->entry));
	assert_int_equal(message->flags & SESSION_MESSAGE_CHANNEL_MASK,
			 SESSION_CHANNEL_UNORDERED << SESSION_MESSAGE_CHANNEL_SHIFT);
	memcpy(&told->head, body, sizeof(told->head));
	memcpy(&told->entry, body + sizeof(told->head), sizeof(told->entry));
	told->limits++;
}

static void take(struct pipeline_fixture *g, struct player *player, struct told *told, uint8_t *bytes, uint16_t length)
{
	uint16_t at = SESSION_BEFORE_MESSAGES;

	acknowledged_by(g, player, bytes, length);
	while (at + sizeof(struct session_message) <= length - SESSION_TAG_LEN) {
		struct session_message message;
		uint16_t head = sizeof(message);

		memcpy(&message, bytes + at, sizeof(message));
		if (message.flags & SESSION_MESSAGE_RELIABLE)
			head += sizeof(uint16_t);
		take_message(told, &message, bytes + at + head);
		at += head + message.body_len;
	}
	assert_int_equal(at, length - SESSION_TAG_LEN);
}

/// The player says where it is, the gateway whatever it has to say, for a second.
static struct told talk(struct pipeline_fixture *g, struct player *player)
{
	const struct message move = a_move();
	struct told told = {0};

	for (unsigned i = 0; i < 10; i++) {
		struct reply reply = say(g, player, true, &move);
		struct left left[BURST_MAX];

		assert_int_equal(reply.result, PG_DROP_NONE);
		take(g, player, &told, reply.bytes, reply.length);
		sweep(g);
		if (await_egress(g, 100, left) > 0)
			take(g, player, &told, left[0].bytes, left[0].length);
	}
	return told;
}

static struct player connected_with(struct pipeline_fixture *g, uint32_t moves)
{
	struct player player;

	reload(g, moves);
	player = connected(g, 1);
	assert_int_equal(player.welcome.limits, 1);
	assert_int_equal(talk(g, &player).limits, 0);
	return player;
}

static void assert_limits(const struct told *told, uint16_t version, uint32_t moves)
{
	assert_int_equal(told->limits, 1);
	assert_int_equal(told->head.version, version);
	assert_int_equal(told->head.count, 1);
	assert_int_equal(told->entry.type, SESSION_MOVE);
	assert_int_equal(told->entry.per_minute, 60 * moves);
}

static void test_limits_that_are_those_of_the_welcome_are_not_told_after_a_crash(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected_with(g, 100);

	for (unsigned i = 0; i < 3; i++) {
		fixture_restart_in_place(g->fixture);
		assert_int_equal(talk(g, &player).limits, 0);
	}
}

static void test_other_limits_than_those_of_the_welcome_are_told_once_after_a_crash(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected_with(g, 100);
	struct told told;

	limit(g, 50);
	fixture_restart_in_place(g->fixture);
	told = talk(g, &player);
	assert_limits(&told, 1, 50);
	assert_int_equal(talk(g, &player).limits, 0);
}

/// Whether its player has them, nobody knows any more.
static void test_limits_that_a_process_told_are_told_again_by_the_next(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected_with(g, 100);
	struct told told;

	reload(g, 50);
	told = talk(g, &player);
	assert_limits(&told, 1, 50);
	reload(g, 25);
	told = talk(g, &player);
	assert_limits(&told, 2, 25);
	limit(g, 100); // as its WELCOME said
	fixture_restart_in_place(g->fixture);
	told = talk(g, &player);
	assert_limits(&told, 1, 100);
}

static void test_player_who_connects_after_a_crash_is_told_by_its_welcome(void **state)
{
	struct pipeline_fixture *g = *state;
	struct player player = connected_with(g, 100);

	limit(g, 50);
	fixture_restart_in_place(g->fixture);
	fixture_wait(g->fixture, 50);
	assert_true(connect_by(g, 0, &player));
	assert_int_equal(talk(g, &player).limits, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_EVERY_WAY(test_limits_that_are_those_of_the_welcome_are_not_told_after_a_crash),
		BY_EVERY_WAY(test_other_limits_than_those_of_the_welcome_are_told_once_after_a_crash),
		BY_EVERY_WAY(test_limits_that_a_process_told_are_told_again_by_the_next),
		BY_EVERY_WAY(test_player_who_connects_after_a_crash_is_told_by_its_welcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
