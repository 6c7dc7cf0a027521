// SPDX-License-Identifier: BSD-3-Clause
// test_load_inflight.c: every answer is settled against the message that it answers, once.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "load/inflight.h"
#include "load/pace.h"

#define HZ 1000000000ULL // a cycle is a nanosecond
#define OPENED 5000ULL
#define FIRST_ID 900
#define PLAYERS 8

struct book {
	struct inflight inflight;
	struct pg_load_counts counts;
};

static struct book *book_open(void)
{
	struct book *book = calloc(1, sizeof(*book));

	assert_true(inflight_open(&book->inflight, PLAYERS, FIRST_ID, &book->counts, OPENED, HZ));
	inflight_begin(&book->inflight, PLAYERS, OPENED);
	return book;
}

static void book_close(struct book *book)
{
	inflight_close(&book->inflight);
	free(book);
}

/// A heartbeat of a player, entered as sent at `now`. @return its stamp
static uint64_t enter(struct book *book, uint32_t player, uint64_t now)
{
	const struct message message = {
		.player = player, .length = sizeof(struct plain_heartbeat), .type = PLAIN_HEARTBEAT};
	const uint64_t stamp = inflight_stamp(&book->inflight, now);

	inflight_enter(&book->inflight, stamp, &message);
	return stamp;
}

static struct plain_heartbeat reply_to(uint64_t stamp, uint32_t player)
{
	return (struct plain_heartbeat){
		.header = {.packet_type = PLAIN_HEARTBEAT + PLAIN_ACK,
			   .packet_size = sizeof(struct plain_heartbeat),
			   .timestamp = stamp},
		.player_id = FIRST_ID + player,
	};
}

static void hear_bytes(struct book *book, const void *bytes, uint16_t length, uint32_t player, uint64_t now)
{
	const struct answer answer = {.payload = bytes, .when = now, .player = player, .length = length};

	inflight_settle(&book->inflight, &answer, 1);
}

static void hear(struct book *book, uint64_t stamp, uint32_t player, uint64_t now)
{
	const struct plain_heartbeat reply = reply_to(stamp, player);

	hear_bytes(book, &reply, sizeof(reply), player, now);
}

static void assert_counts(const struct book *book, uint64_t acknowledged, uint64_t duplicated, uint64_t reordered,
			  uint64_t invalid, uint64_t stray)
{
	assert_int_equal(book->counts.acknowledged, acknowledged);
	assert_int_equal(book->counts.duplicated, duplicated);
	assert_int_equal(book->counts.reordered, reordered);
	assert_int_equal(book->counts.invalid, invalid);
	assert_int_equal(book->counts.stray, stray);
}

static void a_reply_of_the_game_is_timed_and_settles_nothing(void **state UNUSED)
{
	struct book *book = book_open();
	const struct message said = {.player = 3, .length = 60, .type = PG_LOAD_GAME};
	const uint64_t stamp = inflight_stamp(&book->inflight, OPENED + 100);
	struct plain_heartbeat reply = reply_to(stamp, 3);

	inflight_enter(&book->inflight, stamp, &said);
	reply.header.packet_type = ANSWER_REPLY;
	hear_bytes(book, &reply, sizeof(reply), 3, OPENED + 1100);
	assert_int_equal(book->counts.replies, 1);
	assert_int_equal(book->counts.reply_sum_ns, 1000);
	assert_int_equal(book->counts.reply_max_ns, 1000);
	assert_int_equal(book->inflight.waiting, 1);
	hear_bytes(book, &reply, sizeof(reply), 4, OPENED + 1100); // another player's
	reply.player_id++;
	hear_bytes(book, &reply, sizeof(reply), 3, OPENED + 1100);
	reply = reply_to(enter(book, 3, OPENED + 200), 3); // not of the game's own
	reply.header.packet_type = ANSWER_REPLY;
	hear_bytes(book, &reply, sizeof(reply), 3, OPENED + 1100);
	reply.header.timestamp ^= 1ULL << 40; // of no message
	hear_bytes(book, &reply, sizeof(reply), 3, OPENED + 1100);
	assert_int_equal(book->counts.replies, 1);
	assert_counts(book, 0, 0, 0, 0, 0);
	book_close(book);
}

static void an_answer_is_acknowledged_once_and_then_a_duplicate(void **state UNUSED)
{
	struct book *book = book_open();
	const uint64_t stamp = enter(book, 3, OPENED + 100);

	assert_int_equal(book->inflight.waiting, 1);
	hear(book, stamp, 3, OPENED + 1100);
	assert_int_equal(book->inflight.waiting, 0);
	assert_counts(book, 1, 0, 0, 0, 0);
	hear(book, stamp, 3, OPENED + 1200);
	hear(book, stamp, 3, OPENED + 1300);
	assert_counts(book, 1, 2, 0, 0, 0);
	assert_int_equal(book->counts.acknowledged_of_type[PLAIN_HEARTBEAT - 1], 1);
	book_close(book);
}

static void a_round_trip_counts_from_the_time_that_was_meant(void **state UNUSED)
{
	struct book *book = book_open();

	hear(book, enter(book, 0, OPENED + 400), 0, OPENED + 1400);
	hear(book, enter(book, 0, OPENED + 800), 0, OPENED + 3800);
	assert_int_equal(book->counts.latency[1000], 1);
	assert_int_equal(book->counts.latency[2048 + (3000 - 2048) / 2], 1);
	assert_int_equal(book->counts.latency_sum_ns, 4000);
	assert_int_equal(book->counts.latency_max_ns, 3000);
	book_close(book);
}

static void only_an_overtaken_answer_of_the_same_player_is_reordered(void **state UNUSED)
{
	struct book *book = book_open();
	const uint64_t a1 = enter(book, 1, OPENED), b1 = enter(book, 2, OPENED), a2 = enter(book, 1, OPENED),
		       b2 = enter(book, 2, OPENED), a3 = enter(book, 1, OPENED);

	hear(book, a2, 1, OPENED + 10);
	hear(book, b1, 2, OPENED + 10); // older than a2, but another's
	assert_counts(book, 2, 0, 0, 0, 0);
	hear(book, a1, 1, OPENED + 10);
	assert_counts(book, 3, 0, 1, 0, 0);
	hear(book, a3, 1, OPENED + 10);
	hear(book, b2, 2, OPENED + 10);
	hear(book, a1, 1, OPENED + 10); // a duplicate is not reordered as well
	assert_counts(book, 5, 1, 1, 0, 0);
	book_close(book);
}

static void what_the_protocol_does_not_allow_is_invalid_and_settles_nothing(void **state UNUSED)
{
	struct book *book = book_open();
	const uint64_t stamp = enter(book, 3, OPENED + 100);
	struct plain_heartbeat reply = reply_to(stamp, 3);
	uint8_t longer[sizeof(reply) + 1] = {0};
	const uint64_t now = OPENED + 200;

	reply.header.packet_type = PLAIN_HEARTBEAT; // our own message back
	hear_bytes(book, &reply, sizeof(reply), 3, now);
	reply.header.packet_type = PLAIN_SKILL + PLAIN_ACK;
	hear_bytes(book, &reply, sizeof(reply), 3, now);
	reply = reply_to(stamp, 3);
	reply.header.packet_size++;
	hear_bytes(book, &reply, sizeof(reply), 3, now);
	reply = reply_to(stamp, 3);
	memcpy(longer, &reply, sizeof(reply));
	hear_bytes(book, longer, sizeof(longer), 3, now);
	hear_bytes(book, &reply, sizeof(reply) - 1, 3, now); // too short to name its player
	hear_bytes(book, &reply, 0, 3, now);
	reply.player_id++;
	hear_bytes(book, &reply, sizeof(reply), 3, now);
	reply = reply_to(stamp, 3);
	hear_bytes(book, &reply, sizeof(reply), 4, now); // at somebody else's door
	assert_counts(book, 0, 0, 0, 8, 0);
	assert_int_equal(book->inflight.waiting, 1);
	hear(book, stamp, 3, now);
	assert_counts(book, 1, 0, 0, 8, 0);
	book_close(book);
}

static void an_answer_to_what_was_never_sent_is_invalid(void **state UNUSED)
{
	struct book *book = book_open();
	const uint64_t stamp = enter(book, 3, OPENED + 100), number = book->inflight.next;
	const uint64_t kept_back = enter(book, 3, OPENED + 100);

	inflight_take_back(&book->inflight, number);
	assert_int_equal(book->inflight.waiting, 1);
	hear(book, kept_back, 3, OPENED + 200);
	hear(book, stamp + 2, 3, OPENED + 200);                           // a number of the future
	hear(book, stamp + (8ULL << STAMP_NUMBER_BITS), 3, OPENED + 200); // another time
	hear(book, UINT64_MAX, 3, OPENED + 200);
	assert_counts(book, 0, 0, 0, 4, 0);
	book_close(book);
}

static void an_answer_to_an_earlier_trial_is_a_stray(void **state UNUSED)
{
	struct book *book = book_open();
	const uint64_t early = enter(book, 1, OPENED + 100), answered = enter(book, 1, OPENED + 200);

	hear(book, answered, 1, OPENED + 300);
	inflight_begin(&book->inflight, PLAYERS, OPENED + 1000);
	assert_int_equal(book->inflight.waiting, 0);
	hear(book, early, 1, OPENED + 2000);
	hear(book, answered, 1, OPENED + 2000);
	assert_counts(book, 1, 0, 0, 0, 2);
	hear(book, enter(book, 1, OPENED + 1000), 1, OPENED + 2000);
	assert_counts(book, 2, 0, 0, 0, 2);
	book_close(book);
}

static void numbers_come_round_without_a_mistake(void **state UNUSED)
{
	struct book *book = book_open();
	const uint64_t before = INFLIGHT_MAX - 2;
	uint64_t stamp[5];

	const uint64_t forgotten = enter(book, 0, OPENED + 4);

	for (uint64_t i = 1; i < before; i++)
		hear(book, enter(book, (uint32_t)(i % PLAYERS), OPENED + i * 4), (uint32_t)(i % PLAYERS),
		     OPENED + i * 4 + 40);
	assert_counts(book, before - 1, 0, 0, 0, 0);
	for (unsigned i = 0; i < 5; i++)
		stamp[i] = enter(book, 5, OPENED + 20000000 + i);
	assert_true((stamp[2] & (INFLIGHT_MAX - 1)) == 0);
	hear(book, stamp[3], 5, OPENED + 20000100);
	hear(book, stamp[1], 5, OPENED + 20000100); // overtaken across the wrap
	hear(book, stamp[0], 5, OPENED + 20000100);
	hear(book, stamp[4], 5, OPENED + 20000100);
	assert_counts(book, before + 3, 0, 2, 0, 0);
	hear(book, forgotten, 0, OPENED + 20000100); // its line is used again
	assert_counts(book, before + 3, 0, 2, 0, 1);
	book_close(book);
}

static void what_is_given_up_is_no_longer_waited_for_but_may_still_be_answered(void **state UNUSED)
{
	struct book *book = book_open();
	const uint64_t first = enter(book, 0, OPENED + 1000), second = enter(book, 0, OPENED + 2000);

	inflight_give_up(&book->inflight, OPENED + 10999, 10000);
	assert_int_equal(book->inflight.waiting, 2);
	inflight_give_up(&book->inflight, OPENED + 11000, 10000);
	assert_int_equal(book->inflight.waiting, 1);
	hear(book, first, 0, OPENED + 11500);
	assert_int_equal(book->inflight.waiting, 1);
	hear(book, second, 0, OPENED + 11500);
	assert_int_equal(book->inflight.waiting, 0);
	inflight_give_up(&book->inflight, OPENED + 90000, 10000);
	assert_int_equal(book->inflight.waiting, 0);
	assert_counts(book, 2, 0, 0, 0, 0);
	book_close(book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_of_the_game_is_timed_and_settles_nothing),
		cmocka_unit_test(an_answer_is_acknowledged_once_and_then_a_duplicate),
		cmocka_unit_test(a_round_trip_counts_from_the_time_that_was_meant),
		cmocka_unit_test(only_an_overtaken_answer_of_the_same_player_is_reordered),
		cmocka_unit_test(what_the_protocol_does_not_allow_is_invalid_and_settles_nothing),
		cmocka_unit_test(an_answer_to_what_was_never_sent_is_invalid),
		cmocka_unit_test(an_answer_to_an_earlier_trial_is_a_stray),
		cmocka_unit_test(numbers_come_round_without_a_mistake),
		cmocka_unit_test(what_is_given_up_is_no_longer_waited_for_but_may_still_be_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
