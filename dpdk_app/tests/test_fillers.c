// SPDX-License-Identifier: BSD-3-Clause
// test_fillers.c: who writes into a leaving datagram: in which order, into what room, and that nobody starves.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "sender.h"
#include "talk.h"

#define WHO 9
#define HEAD ((uint32_t)sizeof(struct session_message))

/// A filler of the context: messages of one mark, as long and as many as it is set.
struct marker {
	uint8_t mark;
	uint32_t length;  // of each body
	uint32_t left;    // messages that it still has; UINT32_MAX: always more
	uint64_t due;     // while it has some
	unsigned asked;   // times
	size_t room;      // that it was given last
	uint64_t counter; // of that datagram
};

static bool marker_fill(void *context, uint32_t who, struct leaving *leaving)
{
	struct marker *m = context;
	const struct session_message head = {.type = SESSION_BULK_EVENT, .body_len = (uint16_t)m->length};

	assert_int_equal(who, WHO);
	m->asked++;
	m->room = (size_t)(leaving->end - leaving->at);
	m->counter = leaving->counter;
	while (m->left != 0) {
		uint8_t *at = leaving_room(leaving, HEAD + m->length);

		if (!at)
			return true;
		memcpy(at, &head, sizeof(head));
		memset(at + HEAD, m->mark, m->length);
		m->left -= m->left != UINT32_MAX;
	}
	return false;
}

static uint64_t marker_due(void *context, uint32_t who)
{
	const struct marker *m = context;

	assert_int_equal(who, WHO);
	return m->left != 0 ? m->due : UINT64_MAX;
}

static struct marker marker[2];
static struct filler fillers[2];

static void use(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fillers[i] = (struct filler){.fill = marker_fill, .due = marker_due, .context = &marker[i]};
	ingress.ctx.filler = fillers;
	ingress.ctx.fillers = n;
	delivery_end(&ingress.ctx, &ingress.c, PG_LOSS_CLOSED);
	delivery_begin(&ingress.ctx, &ingress.c, WHO, ingress.room);
}

static void say(const char *mark, bool reliable, enum priority priority, uint64_t now)
{
	assert_int_equal(
		talk_say(&ingress,
			 (struct talk_say){.body = mark, .length = 1, .reliable = reliable, .priority = priority}, now),
		PG_LOSS_NONE);
}

/// The last byte of each message in the packet, as a text.
static const char *marks(void)
{
	static char text[SESSION_MESSAGES_MAX + 1];
	uint32_t at = 0, n = 0;

	while (at < packet.length) {
		struct session_message head;

		memcpy(&head, packet.body + at, sizeof(head));
		at += HEAD + (head.flags & SESSION_MESSAGE_RELIABLE ? 2 : 0) + head.body_len;
		text[n++] = (char)packet.body[at - 1];
	}
	assert_int_equal(at, packet.length);
	text[n] = 0;
	return text;
}

// ---------------------------------------------------------------- order

static void test_repetitions_urgent_normal_and_bulk_come_before_the_halls_in_their_order(UNUSED void **state)
{
	marker[0] = (struct marker){.mark = 'x', .length = 1, .left = 2, .due = T + 205 * TALK_MS};
	marker[1] = (struct marker){.mark = 'y', .length = 1, .left = 1, .due = T};
	use(2);
	ingress.ctx.fillers = 0; // the first datagram is without them
	say("r", true, PRIORITY_BULK, T);
	fill(T + 5 * TALK_MS);
	ingress.ctx.fillers = 2;
	say("b", false, PRIORITY_BULK, T + 205 * TALK_MS);
	say("n", false, PRIORITY_NORMAL, T + 205 * TALK_MS);
	say("u", false, PRIORITY_URGENT, T + 205 * TALK_MS);
	fill(T + 205 * TALK_MS);
	assert_string_equal(marks(), "runbxxy");
	assert_int_equal(marker[0].counter, packet.counter);
}

// ---------------------------------------------------------------- room

static void test_each_gets_the_room_that_those_before_it_left(UNUSED void **state)
{
	const size_t said = HEAD + sizeof(uint32_t) + 1; // with its sender

	marker[0] = (struct marker){.mark = 'x', .length = 100, .left = 1, .due = T};
	marker[1] = (struct marker){.mark = 'y', .length = 50, .left = UINT32_MAX, .due = T};
	use(2);
	say("u", false, PRIORITY_URGENT, T);
	fill(T);
	assert_int_equal(marker[0].room, ingress.room - said);
	assert_int_equal(marker[1].room, marker[0].room - (HEAD + 100));
	assert_int_equal(packet.length, said + HEAD + 100 + marker[1].room / (HEAD + 50) * (HEAD + 50));
}

static void test_the_room_is_used_to_its_last_byte_and_no_further(UNUSED void **state)
{
	for (uint32_t over = 0; over < 2; over++) {
		marker[0] = (struct marker){.mark = 'x', .length = ingress.room - HEAD + over, .left = 1, .due = T};
		use(1);
		delivery_refill(&ingress.ctx, &ingress.c);
		fill(T);
		assert_int_equal(packet.length, over ? 0 : ingress.room);
	}
}

static void test_no_datagram_has_more_messages_than_allowed_whoever_writes_them(UNUSED void **state)
{
	marker[0] = (struct marker){.mark = 'x', .length = 1, .left = UINT32_MAX, .due = T};
	use(1);
	for (unsigned i = 0; i < SESSION_MESSAGES_MAX - 1; i++)
		say("n", false, PRIORITY_NORMAL, T);
	fill(T);
	assert_int_equal(strlen(marks()), SESSION_MESSAGES_MAX);
	assert_int_equal(marks()[SESSION_MESSAGES_MAX - 1], 'x');
}

// ---------------------------------------------------------------- when

static void test_a_datagram_is_due_when_a_filler_has_something(UNUSED void **state)
{
	marker[0] = (struct marker){.mark = 'x', .length = 1, .left = 1, .due = T + 50};
	use(1);
	assert_true(delivery_due(&ingress.c) == UINT64_MAX); // nobody has asked it yet
	delivery_refill(&ingress.ctx, &ingress.c);
	assert_int_equal(delivery_due(&ingress.c), T + 50);
	say("b", false, PRIORITY_BULK, T); // is not due before
	assert_int_equal(delivery_due(&ingress.c), T + 50);
	fill(T + 50);
	assert_string_equal(marks(), "bx");
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
	assert_true(delivery_quiet(&ingress.c));
}

static void test_one_with_nothing_to_write_is_not_asked_where_all_is_quiet(UNUSED void **state)
{
	marker[0] = (struct marker){.left = 0};
	use(1);
	delivery_owe(&ingress.ctx, &ingress.c, T);
	assert_int_equal(delivery_due(&ingress.c), T + 25 * TALK_MS);
	fill(T + 25 * TALK_MS);
	assert_int_equal(packet.length, 0);
	assert_int_equal(marker[0].asked, 0);
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
}

/// What a filler writes lies nowhere before: nothing is lost with the process, so the record need not say that there was
/// something.
static void test_a_filler_that_has_something_is_no_message_that_is_held(UNUSED void **state)
{
	marker[0] = (struct marker){.mark = 'x', .length = 1, .left = 1, .due = T + 50};
	use(1);
	delivery_refill(&ingress.ctx, &ingress.c);
	assert_int_equal(delivery_due(&ingress.c), T + 50);
	assert_true(delivery_quiet(&ingress.c));
	assert_false(delivery_holds_messages(&ingress.c));
	say("r", true, PRIORITY_NORMAL, T);
	assert_true(delivery_holds_messages(&ingress.c));
}

static void test_a_movement_is_taken_by_itself_until_a_filler_is_due(UNUSED void **state)
{
	uint8_t body[DELIVERY_MOVE_LEN] = {0};
	const struct session_message head = {.type = SESSION_MOVE, .body_len = sizeof(struct motion)};

	memcpy(body, &head, sizeof(head));
	marker[0] = (struct marker){.mark = 'x', .length = 1, .left = 1, .due = T + 50};
	use(1);
	delivery_refill(&ingress.ctx, &ingress.c);
	assert_true(delivery_takes_move(&ingress.c, body, sizeof(body), T + 49));
	assert_false(delivery_takes_move(&ingress.c, body, sizeof(body), T + 50));
	fill(T + 49);
	assert_int_equal(packet.length, 0);
	fill(T + 50);
	assert_string_equal(marks(), "x");
	assert_true(delivery_takes_move(&ingress.c, body, sizeof(body), T + 50));
}

static void test_who_did_not_get_all_it_had_into_a_datagram_makes_another_due_at_once(UNUSED void **state)
{
	marker[0] = (struct marker){.mark = 'x', .length = 900, .left = 3, .due = T};
	use(1);
	delivery_refill(&ingress.ctx, &ingress.c);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(delivery_due(&ingress.c), T);
		fill(T);
		assert_int_equal(packet.length, HEAD + 900);
	}
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
}

/// One that knows of its next time, and says beside it that it has more.
static void test_who_says_that_it_has_more_is_due_at_once_whatever_its_time(UNUSED void **state)
{
	marker[0] = (struct marker){.mark = 'x', .length = 900, .left = 2, .due = T};
	use(1);
	delivery_refill(&ingress.ctx, &ingress.c);
	marker[0].due = T + 1000;
	fill(T);
	assert_string_equal(marks(), "x");
	assert_int_equal(delivery_due(&ingress.c), T);
	delivery_refill(&ingress.ctx, &ingress.c); // somebody else's asking does not put it off
	assert_int_equal(delivery_due(&ingress.c), T);
	fill(T);
	assert_string_equal(marks(), "x");
	assert_true(delivery_due(&ingress.c) == UINT64_MAX);
}

// ---------------------------------------------------------------- fairness

/// Each time as much is queued as leaves, so that the delivery alone could fill every datagram.
static void keep_full(uint64_t now)
{
	static const uint8_t body[1200] = {[1199] = 'm'};

	while (delivery_undelivered(&ingress.c) < 3)
		assert_int_equal(
			talk_say(&ingress,
				 (struct talk_say){.body = body, .length = sizeof(body), .priority = PRIORITY_NORMAL},
				 now),
			PG_LOSS_NONE);
}

/// Datagrams in a row, each with room for one of those that write into it: whose is it?
static void count_first(unsigned first[256], unsigned datagrams)
{
	for (unsigned i = 0; i < datagrams; i++) {
		keep_full(T + i);
		fill(T + i);
		assert_int_equal(strlen(marks()), 1);
		first[(uint8_t)marks()[0]]++;
	}
}

static void test_none_starves_whoever_has_how_much(UNUSED void **state)
{
	unsigned first[256] = {0};
	enum { DATAGRAMS = 400 };

	marker[0] = (struct marker){.mark = 'x', .length = 1200, .left = UINT32_MAX, .due = T};
	marker[1] = (struct marker){.mark = 'y', .length = 1200, .left = UINT32_MAX, .due = T};
	use(2);
	count_first(first, DATAGRAMS);
	assert_int_equal(first['m'], DATAGRAMS / 2);
	assert_int_equal(first['x'], DATAGRAMS / 4);
	assert_int_equal(first['y'], DATAGRAMS / 4);
}

/// The first has a message that fits no datagram. It is asked in its turn and goes to the end of the line again.
static void test_one_that_never_finds_room_keeps_no_other_from_going_first(UNUSED void **state)
{
	unsigned first[256] = {0};
	enum { DATAGRAMS = 4000 };

	marker[0] = (struct marker){.mark = 'x', .length = 2000, .left = UINT32_MAX, .due = T};
	marker[1] = (struct marker){.mark = 'y', .length = 1200, .left = UINT32_MAX, .due = T};
	use(2);
	count_first(first, DATAGRAMS);
	assert_int_equal(first['x'], 0);
	assert_int_equal(first['y'], DATAGRAMS / 4);
	assert_int_equal(first['m'], DATAGRAMS / 4 * 3);
}

static void test_one_that_found_room_waits_its_turn(UNUSED void **state)
{
	marker[0] = (struct marker){.mark = 'x', .length = 100, .left = UINT32_MAX, .due = T};
	use(1);
	for (unsigned i = 0; i < 10; i++) {
		keep_full(T + i);
		fill(T + i);
		assert_string_equal(marks(), "mx");
	}
}

static void test_pieces_of_a_long_message_leave_beside_a_greedy_filler(UNUSED void **state)
{
	static const uint8_t body[20000];
	unsigned datagrams = 0;
	uint64_t now = T + 5 * TALK_MS;

	marker[0] = (struct marker){.mark = 'x', .length = 1200, .left = UINT32_MAX, .due = T};
	use(1);
	assert_int_equal(
		talk_say(&ingress,
			 (struct talk_say){.body = body, .length = sizeof(body), .reliable = true, .channel = 1}, T),
		PG_LOSS_NONE);
	for (; ingress.c.out.waiting != 0 && datagrams < 100; now += TALK_MS) {
		fill(now);
		acknowledge(packet.counter, UINT32_MAX, now);
		datagrams++;
	}
	assert_uint_in_range(datagrams, 22, 2 * 22 + 1); // of 44 pieces, two fit
}

#define INGRESS(name) ingress_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		INGRESS(test_repetitions_urgent_normal_and_bulk_come_before_the_halls_in_their_order),
		INGRESS(test_each_gets_the_room_that_those_before_it_left),
		INGRESS(test_the_room_is_used_to_its_last_byte_and_no_further),
		INGRESS(test_no_datagram_has_more_messages_than_allowed_whoever_writes_them),
		INGRESS(test_a_datagram_is_due_when_a_filler_has_something),
		INGRESS(test_one_with_nothing_to_write_is_not_asked_where_all_is_quiet),
		INGRESS(test_a_filler_that_has_something_is_no_message_that_is_held),
		INGRESS(test_a_movement_is_taken_by_itself_until_a_filler_is_due),
		INGRESS(test_who_did_not_get_all_it_had_into_a_datagram_makes_another_due_at_once),
		INGRESS(test_who_says_that_it_has_more_is_due_at_once_whatever_its_time),
		INGRESS(test_none_starves_whoever_has_how_much),
		INGRESS(test_one_that_never_finds_room_keeps_no_other_from_going_first),
		INGRESS(test_one_that_found_room_waits_its_turn),
		INGRESS(test_pieces_of_a_long_message_leave_beside_a_greedy_filler),
	};

	return cmocka_run_group_tests_name("fillers", tests, NULL, NULL);
}
