// SPDX-License-Identifier: BSD-3-Clause
// test_mailbox.c: entries between two threads arrive whole, once and in order, or are refused.

#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/mailbox.h"

static struct mailbox *new_box(void)
{
	const size_t bytes = mailbox_bytes(MAILBOX_MIN);
	struct mailbox *box = aligned_alloc(CACHE_LINE, bytes);

	assert_non_null(box);
	memset(box, 0, bytes);
	mailbox_init(box, MAILBOX_MIN);
	return box;
}

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

/// The entry of this number: its length and its bytes follow from it.
static size_t entry(uint8_t *bytes, uint64_t number)
{
	uint64_t state = number;
	const size_t length = next(&state) % (next(&state) % 8 == 0 ? 70000 : 1500);

	memset(bytes, (int)(number % 251), length);
	return length;
}

static bool put(struct mailbox *box, uint64_t number)
{
	static _Thread_local uint8_t bytes[70000];
	const size_t length = entry(bytes, number);
	void *at = mailbox_begin(box, length);

	if (!at)
		return false;
	memcpy(at, bytes, length);
	mailbox_commit(box);
	return true;
}

static bool take(struct mailbox *box, uint64_t number)
{
	static _Thread_local uint8_t bytes[70000];
	size_t length;
	const void *found = mailbox_oldest(box, &length);

	if (!found)
		return false;
	assert_int_equal(length, entry(bytes, number));
	assert_int_equal((uintptr_t)found % 8, 0);
	assert_memory_equal(found, bytes, length);
	mailbox_remove(box);
	return true;
}

static void entries_come_out_as_they_went_in(void **state UNUSED)
{
	struct mailbox *box = new_box();
	uint64_t in = 0, out = 0, seed = 5;

	while (in < 20000) {
		for (uint64_t n = next(&seed) % 200; n > 0 && put(box, in); n--)
			in++;
		for (uint64_t n = next(&seed) % 200; n > 0 && take(box, out); n--)
			out++;
	}
	while (take(box, out))
		out++;
	assert_int_equal(out, in);
	free(box);
}

static void a_full_box_refuses_and_takes_again_when_one_is_removed(void **state UNUSED)
{
	struct mailbox *box = new_box();
	size_t length;
	unsigned n = 0;

	while (mailbox_begin(box, 1000)) {
		mailbox_commit(box);
		n++;
	}
	assert_int_equal(n, MAILBOX_MIN / 1008);
	assert_null(mailbox_begin(box, 1000));
	assert_non_null(mailbox_oldest(box, &length));
	mailbox_remove(box);
	assert_non_null(mailbox_begin(box, 900)); // behind what is left at the end, which 1,000 do not fit
	mailbox_commit(box);
	assert_null(mailbox_begin(box, 900));
	free(box);
}

static void an_empty_box_takes_the_longest_entry_wherever_it_stands(void **state UNUSED)
{
	struct mailbox *box = new_box();
	size_t length;

	for (unsigned i = 0; i < 3 * MAILBOX_MIN / 8 / 7; i++) { // the ring's every third turn is at another place
		assert_non_null(mailbox_begin(box, 48));
		mailbox_commit(box);
		assert_non_null(mailbox_oldest(box, &length));
		mailbox_remove(box);
		if (i % 97 != 0)
			continue;
		assert_non_null(mailbox_begin(box, MAILBOX_ENTRY_MAX));
		mailbox_commit(box);
		assert_non_null(mailbox_oldest(box, &length));
		assert_int_equal(length, MAILBOX_ENTRY_MAX);
		mailbox_remove(box);
	}
	assert_null(mailbox_begin(box, MAILBOX_ENTRY_MAX + 1));
	assert_null(mailbox_oldest(box, &length));
	free(box);
}

static void what_was_begun_and_not_posted_is_not_seen(void **state UNUSED)
{
	struct mailbox *box = new_box();
	size_t length;

	assert_non_null(mailbox_begin(box, 10));
	assert_null(mailbox_oldest(box, &length));
	assert_true(put(box, 1));
	assert_true(take(box, 1));
	assert_false(take(box, 2));
	free(box);
}

#define EXCHANGED 50000

static void *write_all(void *box)
{
	for (uint64_t number = 0; number < EXCHANGED;)
		if (put(box, number))
			number++;
		else
			sched_yield();
	return NULL;
}

static void two_threads_exchange_every_entry(void **state UNUSED)
{
	struct mailbox *box = new_box();
	pthread_t writer;

	assert_int_equal(pthread_create(&writer, NULL, write_all, box), 0);
	for (uint64_t number = 0; number < EXCHANGED;)
		if (take(box, number))
			number++;
		else
			sched_yield();
	pthread_join(writer, NULL);
	free(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_out_as_they_went_in),
		cmocka_unit_test(a_full_box_refuses_and_takes_again_when_one_is_removed),
		cmocka_unit_test(an_empty_box_takes_the_longest_entry_wherever_it_stands),
		cmocka_unit_test(what_was_begun_and_not_posted_is_not_seen),
		cmocka_unit_test(two_threads_exchange_every_entry),
	};

	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
