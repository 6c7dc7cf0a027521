// SPDX-License-Identifier: BSD-3-Clause
// test_mail.c: mail between workers: it arrives in order, wakes who sleeps, and is refused when there is too much of
// it.

#include "unit.h"

#include <poll.h>
#include <string.h>

#include "runtime/mail.h"

#define WORKERS 3

struct process_fixture {
	struct mailboxes mailboxes;
	struct mail mail[WORKERS], control;
	uint64_t messages[WORKERS], letters;
};

static void settle(struct process_fixture *t)
{
	memset(t, 0, sizeof(*t));
	assert_true(mailboxes_make(&t->mailboxes, WORKERS, true));
	for (uint32_t i = 0; i < WORKERS; i++)
		mail_init(&t->mail[i], &t->mailboxes, i, &t->messages[i]);
	mail_init(&t->control, &t->mailboxes, MAIL_CONTROL, &t->letters);
}

/// In a turn that may look at so much.
static const struct mailed_datagram *oldest(struct mail *mail, uint32_t most)
{
	return mail_oldest_datagram(mail, NULL, &most, 0);
}

static void send_datagram(struct mail *from, uint32_t to, uint32_t number)
{
	const struct peer peer = {.low = number};

	assert_true(mail_has_room(from, to));
	mail_datagram(from, to, &peer, 7, (const uint8_t *)&number, sizeof(number));
}

static bool rings(const struct process_fixture *t, uint32_t worker)
{
	struct pollfd bell = {.fd = t->mailboxes.box[worker].bell, .events = POLLIN};

	return poll(&bell, 1, 0) == 1;
}

static void mail_takes_what_the_plan_says(void **state UNUSED)
{
	struct process_fixture t;
	size_t size = 0;

	settle(&t);
	for (uint32_t to = 0; to < WORKERS; to++) {
		for (uint32_t from = 0; from <= PG_WORKERS_MAX; from++)
			size += t.mailboxes.box[to].from[from] ? t.mailboxes.mailbox : 0;
	}
	assert_int_equal(size, pg_mail_size(WORKERS));
	mailboxes_free(&t.mailboxes);
}

static void datagrams_of_one_writer_come_in_order(void **state UNUSED)
{
	struct process_fixture t;
	const struct mailed_datagram *mail;
	uint32_t next[WORKERS] = {0};

	settle(&t);
	assert_false(mail_waits(&t.mail[0]));
	for (uint32_t i = 0; i < 50; i++) {
		send_datagram(&t.mail[1], 0, 1000 + i);
		send_datagram(&t.mail[2], 0, 2000 + i);
	}
	assert_true(mail_waits(&t.mail[0]));
	assert_false(mail_waits(&t.mail[1]));
	while ((mail = oldest(&t.mail[0], 1))) {
		const uint32_t writer = (uint32_t)mail->peer.low / 1000;

		assert_int_equal(mail->peer.low % 1000, next[writer]++);
		assert_int_equal(mail->length, sizeof(uint32_t));
		assert_memory_equal(mail->payload, &mail->peer.low, sizeof(uint32_t));
		assert_int_equal(mail->socket_index, 7);
		mail_remove(&t.mail[0]);
	}
	assert_int_equal(next[1], 50);
	assert_int_equal(next[2], 50);
	assert_false(mail_waits(&t.mail[0]));
	mailboxes_free(&t.mailboxes);
}

static void nobody_waits_for_ever_behind_who_writes_a_lot(void **state UNUSED)
{
	struct process_fixture t;
	unsigned others = 0;

	settle(&t);
	send_datagram(&t.mail[2], 0, 2000);
	for (unsigned i = 0; i < 100; i++) {
		const struct mailed_datagram *mail;

		send_datagram(&t.mail[1], 0, 1000);
		send_datagram(&t.mail[1], 0, 1000);
		mail = oldest(&t.mail[0], 1);
		assert_non_null(mail);
		others += mail->peer.low == 2000;
		mail_remove(&t.mail[0]);
	}
	assert_int_equal(others, 1);
	mailboxes_free(&t.mailboxes);
}

static void only_who_sleeps_is_rung_for(void **state UNUSED)
{
	struct process_fixture t;

	settle(&t);
	send_datagram(&t.mail[1], 0, 1);
	assert_false(rings(&t, 0));
	assert_false(mail_sleep(&t.mail[0])); // there is mail
	assert_non_null(oldest(&t.mail[0], 1));
	mail_remove(&t.mail[0]);
	assert_null(oldest(&t.mail[0], 1));
	assert_true(mail_sleep(&t.mail[0]));
	assert_false(rings(&t, 0));
	send_datagram(&t.mail[1], 0, 2);
	assert_true(rings(&t, 0));
	mail_wake(&t.mail[0]);
	assert_true(mail_waits(&t.mail[0]));
	assert_false(rings(&t, 1));
	mailboxes_free(&t.mailboxes);
}

static void who_has_too_much_to_do_is_not_sent_more(void **state UNUSED)
{
	static const uint8_t body[SESSION_MESSAGE_MAX];
	const struct outgoing message = {.type = SESSION_BULK_EVENT, .body = body, .length = sizeof(body)};
	struct process_fixture t;
	unsigned sent = 0;

	settle(&t);
	while (mail_message(&t.control, 0, 1, &message))
		assert_true(++sent < 10000);
	assert_true(sent > 10);
	assert_true(mail_message(&t.mail[1], 0, 1, &message)); // each worker has a mailbox of its own
	assert_true(mail_message(&t.control, 1, 1, &message));
	while (mail_has_room(&t.mail[2], 0))
		send_datagram(&t.mail[2], 0, 1);
	assert_false(mail_message(&t.mail[0], 0, 1, &message)); // nor to oneself, nor to nobody
	assert_false(mail_message(&t.mail[0], WORKERS, 1, &message));
	assert_false(mail_has_room(&t.mail[0], 255));
	mailboxes_free(&t.mailboxes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_takes_what_the_plan_says),
		cmocka_unit_test(datagrams_of_one_writer_come_in_order),
		cmocka_unit_test(nobody_waits_for_ever_behind_who_writes_a_lot),
		cmocka_unit_test(only_who_sleeps_is_rung_for),
		cmocka_unit_test(who_has_too_much_to_do_is_not_sent_more),
	};

	return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
