// SPDX-License-Identifier: BSD-3-Clause
// test_mail_budget.c: a worker looks at no more mail in a turn than its budget, whatever it is, and loses none of the rest.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "engine/socket/socket.h"
#include "rig.h"
#include "session_fixture.h"

#define WORKERS 2
#define BUDGET 64

struct mail_fixture {
	struct session_fixture *sessions;
	struct mailboxes mailboxes;
	struct mail colleague;
	struct socket_worker worker;
	uint8_t bytes[BURST_MAX][DATAGRAM_ROOM];
	struct datagram_burst burst;
};

static int open_fixture(void **state)
{
	struct mail_fixture *t = zeroed_lines(sizeof(*t));

	t->sessions = fixture_open(4, STORE_SOCKETS);
	assert_true(mailboxes_make(&t->mailboxes, WORKERS, true));
	mail_init(&t->worker.common.mail, &t->mailboxes, 0, &t->sessions->stats[0].messages.mailed_out);
	mail_init(&t->colleague, &t->mailboxes, 1, &t->sessions->stats[1].messages.mailed_out);
	t->worker.common.shard = t->sessions->shard[0];
	for (unsigned i = 0; i < BURST_MAX; i++)
		t->burst.payload[i] = t->bytes[i];
	*state = t;
	return 0;
}

static int close_fixture(void **state)
{
	struct mail_fixture *t = *state;

	mailboxes_free(&t->mailboxes);
	fixture_close(t->sessions);
	free(t);
	return 0;
}

/// To a player who is gone: each that is looked at is counted.
static void post_messages(struct mail_fixture *t, unsigned n)
{
	static const uint8_t body[40];
	const struct outgoing message = {.type = SESSION_BULK_EVENT, .body = body, .length = sizeof(body)};

	for (unsigned i = 0; i < n; i++)
		assert_true(mail_message(&t->colleague, 0, 1, &message));
}

static void post_datagram(struct mail_fixture *t, uint32_t number)
{
	const struct peer peer = {.low = number};

	assert_true(mail_has_room(&t->colleague, 0));
	mail_datagram(&t->colleague, 0, &peer, 0, (const uint8_t *)&number, sizeof(number));
}

static uint64_t delivered(const struct mail_fixture *t)
{
	return t->sessions->stats[0].messages.lost[PG_LOSS_NO_PLAYER];
}

/// @return datagrams
static unsigned turn(struct mail_fixture *t, unsigned room)
{
	return sockets_take_mail(&t->worker, &t->burst, room, BUDGET, t->sessions->now);
}

static bool sleeps(struct mail_fixture *t)
{
	const bool may = mail_sleep(&t->worker.common.mail);

	mail_wake(&t->worker.common.mail);
	return may;
}

static void messages_between_datagrams_count_as_they_do(void **state)
{
	struct mail_fixture *t = *state;
	const unsigned rounds = 10, each = BUDGET - 1;
	unsigned turns = 0;

	for (uint32_t i = 0; i < rounds; i++) {
		post_messages(t, each);
		post_datagram(t, i);
	}
	for (uint64_t seen = 0; seen < (uint64_t)rounds * BUDGET; turns++) {
		const uint64_t before = delivered(t);
		const unsigned datagrams = turn(t, BURST_MAX);

		assert_int_equal(delivered(t) - before + datagrams, BUDGET);
		assert_int_equal(datagrams, 1);
		assert_memory_equal(t->bytes[0], &(uint32_t){turns}, sizeof(uint32_t)); // in order, and none is lost
		seen += BUDGET;
		assert_false(sleeps(t)); // there may be more
	}
	assert_int_equal(turns, rounds);
	assert_int_equal(turn(t, BURST_MAX), 0);
	assert_true(sleeps(t));
	assert_int_equal(t->sessions->stats[1].messages.mailed_out, rounds * each);
	assert_int_equal(t->sessions->stats[0].messages.mailed_in, rounds * each);
}

static void what_is_left_over_keeps_the_worker_awake_until_it_is_done(void **state)
{
	struct mail_fixture *t = *state;

	post_messages(t, 3 * BUDGET + 1);
	for (unsigned turns = 1; turns <= 3; turns++) {
		assert_true(mail_waits(&t->worker.common.mail));
		assert_false(sleeps(t));
		turn(t, BURST_MAX);
		assert_int_equal(delivered(t), turns * BUDGET);
	}
	assert_true(mail_waits(&t->worker.common.mail));
	turn(t, BURST_MAX);
	assert_int_equal(delivered(t), 3 * BUDGET + 1);
	assert_false(mail_waits(&t->worker.common.mail));
	assert_true(sleeps(t));
}

static void a_datagram_without_a_buffer_waits_and_what_is_before_it_does_not(void **state)
{
	struct mail_fixture *t = *state;

	post_messages(t, 5);
	post_datagram(t, 7);
	post_messages(t, 5);
	assert_int_equal(turn(t, 0), 0);
	assert_int_equal(turn(t, 0), 0);
	assert_int_equal(delivered(t), 5);
	assert_false(sleeps(t));
	assert_int_equal(turn(t, 1), 1);
	assert_memory_equal(t->bytes[0], &(uint32_t){7}, sizeof(uint32_t));
	turn(t, 1);
	assert_int_equal(delivered(t), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)
		WITH_FIXTURE(messages_between_datagrams_count_as_they_do),
		WITH_FIXTURE(what_is_left_over_keeps_the_worker_awake_until_it_is_done),
		WITH_FIXTURE(a_datagram_without_a_buffer_waits_and_what_is_before_it_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
