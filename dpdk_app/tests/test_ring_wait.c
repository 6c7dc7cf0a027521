// SPDX-License-Identifier: BSD-3-Clause
// test_ring_wait.c: two threads on a ring, which spin, sleep and wake each other; a reader of several rings.

#include "ring_pair.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SIZE RING_BYTES_MIN
#define MESSAGES 30000
#define A_MINUTE 60000000000ULL

static uint32_t length_of(uint64_t number)
{
	return (uint32_t)(number * 2654435761U % (number % 8 == 0 ? SIZE / 4 : 90));
}

static void *write_all(void *argument)
{
	struct ring_pair *pair = argument;

	for (uint64_t number = 0; number < MESSAGES;) {
		const uint64_t from = number;

		for (unsigned i = 0; i <= from % 3 && number < MESSAGES; i++)
			if (pair_reserve(pair, number, length_of(number)) == RING_OK)
				number++;
		ring_commit(&pair->writer);
		ring_wake(&pair->writer);
		if (number == from)
			sched_yield();
		if (number % 512 < 3)
			usleep(50); // long enough for a reader to sleep
	}
	return NULL;
}

static void exchange(struct ring_waiting waiting)
{
	struct ring_pair pair;
	struct ring_reader *readers[] = {&pair.reader};
	pthread_t writer;

	pair_make(&pair, SIZE);
	assert_int_equal(pthread_create(&writer, NULL, write_all, &pair), 0);
	for (uint64_t number = 0; number < MESSAGES; number++) {
		while (!ring_is_ready(&pair.reader)) // a signal or a time that is over is no message
			assert_int_not_equal(ring_wait(readers, 1, &waiting), RING_NO_WAIT);
		pair_expect(&pair, number, length_of(number));
	}
	pthread_join(writer, NULL);
	pair_expect_nothing(&pair);
	pair_close(&pair);
}

static void two_threads_exchange_every_message_and_sleep_in_between(void **state UNUSED)
{
	exchange((struct ring_waiting){.sleep_ns = A_MINUTE});
}

static void two_threads_exchange_every_message_and_spin_in_between(void **state UNUSED)
{
	exchange((struct ring_waiting){.spin_ns = 50000, .sleep_ns = A_MINUTE});
}

static void who_waits_for_nothing_is_told_so(void **state UNUSED)
{
	struct ring_waiting waiting = {.spin_ns = 1000, .sleep_ns = 1000000};
	struct ring_reader *readers[RING_WAIT_MAX + 1];
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	for (unsigned i = 0; i < COUNT(readers); i++)
		readers[i] = &pair.reader;
	assert_int_equal(ring_wait(readers, 1, &waiting), RING_NOTHING);
	assert_int_equal(pair_read(&pair)->sleeps % 2, 0);
	assert_int_equal(ring_wait(readers, 0, &waiting), RING_NO_WAIT);
	assert_int_equal(ring_wait(readers, COUNT(readers), &waiting), RING_NO_WAIT);
	pair_say(&pair, 1, 10);
	assert_int_equal(ring_wait(readers, 1, &waiting), RING_READY);
	pair_expect(&pair, 1, 10);
	*(uint64_t *)(pair_written(&pair)->data + pair.reader.next) = 5; // a broken ring is no reason to sleep
	assert_int_equal(ring_wait(readers, 1, &waiting), RING_READY);
	pair_close(&pair);
}

struct late {
	struct ring_pair *pair;
	struct ring_pair *other;
};

/// Wakes the reader by a look without a fence, as a worker does in each of its turns.
static void *say_when_the_reader_sleeps(void *argument)
{
	const struct late *late = argument;
	const struct ring_read *read = pair_read(late->pair);
	const struct ring_read *other = pair_read(late->other);

	while (__atomic_load_n(&read->sleeps, __ATOMIC_ACQUIRE) % 2 == 0 ||
	       __atomic_load_n(&other->sleeps, __ATOMIC_ACQUIRE) % 2 == 0)
		sched_yield();
	pair_say(late->pair, 9, 30);
	ring_wake_later(&late->pair->writer);
	return NULL;
}

static void a_reader_of_several_rings_is_woken_by_any(void **state UNUSED)
{
	for (unsigned turn = 0; turn < 6; turn++) {
		struct ring_waiting waiting = {.sleep_ns = A_MINUTE};
		struct ring_pair pair[2];
		struct ring_reader *readers[] = {&pair[0].reader, &pair[1].reader};
		struct late late = {&pair[turn % 2], &pair[1 - turn % 2]};
		pthread_t writer;

		pair_make(&pair[0], SIZE);
		pair_make(&pair[1], SIZE);
		assert_int_equal(pthread_create(&writer, NULL, say_when_the_reader_sleeps, &late), 0);
		assert_int_equal(ring_wait(readers, 2, &waiting), RING_READY);
		pthread_join(writer, NULL);
		pair_expect(late.pair, 9, 30);
		pair_expect_nothing(late.other);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(pair_read(&pair[i])->sleeps % 2, 0);
			pair_close(&pair[i]);
		}
	}
}

static void a_sleeper_costs_its_writer_one_system_call_however_often_it_is_looked_at(void **state UNUSED)
{
	struct ring_pair pair;
	uint32_t wakes;

	pair_make(&pair, SIZE);
	assert_true(ring_fall_asleep(&pair.reader, &wakes));
	for (unsigned i = 0; i < 20; i++) {
		pair_say(&pair, i, 8);
		ring_wake(&pair.writer);
		ring_wake_later(&pair.writer);
	}
	assert_int_equal(pair_written(&pair)->wakes, wakes + 1);
	ring_stay_awake(&pair.reader);
	assert_false(ring_fall_asleep(&pair.reader, &wakes)); // there is something
	for (unsigned i = 0; i < 20; i++)
		pair_expect(&pair, i, 8);
	assert_true(ring_fall_asleep(&pair.reader, &wakes));
	ring_wake(&pair.writer);
	assert_int_equal(pair_written(&pair)->wakes, wakes + 1);
	pair_close(&pair);
}

static void who_died_asleep_or_before_it_woke_somebody_is_made_good_by_the_next(void **state UNUSED)
{
	struct ring_pair pair;
	uint32_t wakes;

	pair_make(&pair, SIZE);
	assert_true(ring_fall_asleep(&pair.reader, &wakes));
	pair_say(&pair, 1, 8); // and dies
	pair_attach_writer(&pair);
	assert_int_equal(pair_written(&pair)->wakes, wakes + 1);
	pair_attach_reader(&pair); // it died asleep
	assert_int_equal(pair_read(&pair)->sleeps % 2, 0);
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads_exchange_every_message_and_sleep_in_between),
		cmocka_unit_test(two_threads_exchange_every_message_and_spin_in_between),
		cmocka_unit_test(who_waits_for_nothing_is_told_so),
		cmocka_unit_test(a_reader_of_several_rings_is_woken_by_any),
		cmocka_unit_test(a_sleeper_costs_its_writer_one_system_call_however_often_it_is_looked_at),
		cmocka_unit_test(who_died_asleep_or_before_it_woke_somebody_is_made_good_by_the_next),
	};

	return cmocka_run_group_tests_name("ring_wait", tests, NULL, NULL);
}
