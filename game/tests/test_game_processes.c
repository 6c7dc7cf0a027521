// SPDX-License-Identifier: BSD-3-Clause
// test_game_processes.c: what two game processes say to each other, and sleeping until somebody says something.

#include "gateway.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#define POSTS 20000U

static struct gateway gateway;

static void two(pgg **first, pgg **second)
{
	gateway_start(&gateway, 1);
	*first = gateway_attach(&gateway, "arena");
	*second = gateway_attach(&gateway, "chat");
}

static void end(pgg *first, pgg *second)
{
	pgg_close(first);
	pgg_close(second);
	gateway_stop(&gateway);
}

static void a_post_comes_from_the_process_that_wrote_it(void **state UNUSED)
{
	struct pgg_event event;
	pgg *arena, *chat;

	two(&arena, &chat);
	assert_int_equal(pgg_post(arena, "chat", "a b c", 5), PGG_OK);
	assert_int_equal(pgg_post(arena, "chat", NULL, 0), PGG_OK);
	pgg_flush(arena);
	event = next_event(chat, PGG_POST);
	assert_string_equal(event.as.post.process, "arena");
	assert_null(event.as.post.topic);
	assert_int_equal(event.as.post.length, 5);
	assert_memory_equal(event.as.post.body, "a b c", 5);
	assert_int_equal(next_event(chat, PGG_POST).as.post.length, 0);
	no_event(chat);
	assert_int_equal(pgg_post(chat, "arena", "back", 4), PGG_OK);
	pgg_flush(chat);
	assert_string_equal(next_event(arena, PGG_POST).as.post.process, "chat");
	end(arena, chat);
}

static void a_post_that_cannot_be_is_refused(void **state UNUSED)
{
	static const char body[RING];
	pgg *arena, *chat;
	unsigned posted = 0;

	two(&arena, &chat);
	assert_int_equal(pgg_post(arena, "nobody", "x", 1), PGG_NOT_HERE);
	assert_int_equal(pgg_post(arena, "arena", "x", 1), PGG_ARGUMENT);
	assert_int_equal(pgg_post(arena, "no name", "x", 1), PGG_ARGUMENT);
	assert_int_equal(pgg_post(arena, NULL, "x", 1), PGG_ARGUMENT);
	assert_int_equal(pgg_post(arena, "chat", NULL, 1), PGG_ARGUMENT);
	assert_int_equal(pgg_post(arena, "chat", body, RING / 4 + 1), PGG_TOO_LONG);
	while (pgg_post(arena, "chat", body, RING / 4) == PGG_OK)
		posted++;
	assert_int_equal(pgg_post(arena, "chat", body, RING / 4), PGG_FULL);
	assert_true(posted >= 2);
	for (unsigned i = 0; i < posted; i++)
		assert_int_equal(next_event(chat, PGG_POST).as.post.length, RING / 4);
	no_event(chat);
	assert_int_equal(pgg_post(arena, "chat", body, RING / 4), PGG_OK);
	end(arena, chat);
}

static void whoever_subscribes_hears_what_is_published(void **state UNUSED)
{
	struct pgg_event event;
	pgg *arena, *chat;

	two(&arena, &chat);
	assert_int_equal(pgg_publish(arena, "scores", "1:0", 3), 0);
	assert_int_equal(pgg_subscribe(chat, "scores"), PGG_OK);
	while (pgg_publish(arena, "scores", "2:0", 3) != 1) // until it has been told
		sched_yield();
	pgg_flush(arena);
	event = next_event(chat, PGG_PUBLISHED);
	assert_string_equal(event.as.post.process, "arena");
	assert_string_equal(event.as.post.topic, "scores");
	assert_memory_equal(event.as.post.body, "2:0", 3);
	assert_int_equal(pgg_unsubscribe(chat, "scores"), PGG_OK);
	assert_int_equal(pgg_unsubscribe(chat, "scores"), PGG_ARGUMENT);
	while (pgg_publish(arena, "scores", "3:0", 3) != 0)
		sched_yield();
	pgg_flush(arena);
	no_event(chat); // what came meanwhile is of no topic any more
	assert_int_equal(pgg_publish(arena, "", "x", 1), PGG_ARGUMENT);
	assert_int_equal(pgg_publish(arena, "scores", "x", RING), PGG_TOO_LONG);
	end(arena, chat);
}

static void there_is_an_end_to_topics(void **state UNUSED)
{
	char name[] = "topic00";
	pgg *arena, *chat;

	two(&arena, &chat);
	for (unsigned i = 0; i < PGG_TOPICS_MAX; i++) {
		name[5] = (char)('0' + i / 10);
		name[6] = (char)('0' + i % 10);
		assert_int_equal(pgg_subscribe(arena, name), PGG_OK);
		assert_int_equal(pgg_subscribe(arena, name), PGG_OK);
	}
	assert_int_equal(pgg_subscribe(arena, "one-more"), PGG_TOO_MANY);
	end(arena, chat);
}

static void a_process_that_spoils_its_ring_spoils_nothing_else(void **state UNUSED)
{
	struct bus_file *file;
	pgg *arena, *chat;

	two(&arena, &chat);
	assert_int_equal(pgg_post(chat, "arena", "x", 1), PGG_OK);
	pgg_flush(chat);
	next_event(arena, PGG_POST);
	file = mmap(NULL, bus_file_bytes(RING), PROT_READ | PROT_WRITE, MAP_SHARED, gateway.pair[1][0][0], 0);
	assert_ptr_not_equal(file, MAP_FAILED);
	((uint64_t *)file->writer.data)[2] = 5; // an entry of no kind
	assert_string_equal(next_event(arena, PGG_SPOILT).as.gap.process, "chat");
	no_event(arena);
	gateway_say(&gateway, 0, 7, 64, "goes on");
	next_event(arena, PGG_MESSAGE);
	no_event(arena);
	munmap(file, bus_file_bytes(RING));
	end(arena, chat);
}

static void *pair_file(int fd)
{
	void *at = mmap(NULL, bus_file_bytes(RING), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static void a_ring_that_is_none_is_none_to_these_two_alone(void **state UNUSED)
{
	const int none[2] = {memfd_create("none", MFD_CLOEXEC), memfd_create("none", MFD_CLOEXEC)};
	struct bus_file *file;
	char why[200];
	pgg *arena, *chat;

	two(&arena, &chat);
	gateway.pair[1][0][0] = bus_file_make("test", RING, false, -1, why, sizeof(why));
	file = pair_file(gateway.pair[1][0][0]);
	file->writer.magic = 0;
	assert_int_equal(pgg_post(chat, "arena", "x", 1), PGG_NOT_HERE);
	assert_non_null(strstr(pgg_why(chat, PGG_NOT_HERE), "`arena` says what cannot be"));
	assert_string_equal(next_event(arena, PGG_SPOILT).as.gap.process, "chat");
	memcpy(gateway.pair[0][1], none, sizeof(none)); // cannot be mapped at all
	assert_int_equal(pgg_post(arena, "chat", "x", 1), PGG_NOT_HERE);
	assert_string_equal(next_event(chat, PGG_SPOILT).as.gap.process, "arena");
	file->writer.magic = RING_MAGIC; // as if there was another for the next one
	assert_int_equal(pgg_post(chat, "arena", "y", 1), PGG_OK);
	pgg_flush(chat);
	assert_memory_equal(next_event(arena, PGG_POST).as.post.body, "y", 1);
	no_event(arena);
	no_event(chat);
	munmap(file, bus_file_bytes(RING));
	end(arena, chat);
}

static void a_process_that_says_it_read_what_nobody_wrote_is_written_to_no_more(void **state UNUSED)
{
	struct bus_file *file;
	pgg *arena, *chat;
	int result;

	two(&arena, &chat);
	assert_int_equal(pgg_post(arena, "chat", "x", 1), PGG_OK);
	file = pair_file(gateway.pair[0][1][1]);
	file->reader.released = 1U << 20;
	do
		result = pgg_post(arena, "chat", "x", 1);
	while (result == PGG_OK);
	assert_int_equal(result, PGG_NOT_HERE);
	assert_int_equal(pgg_post(arena, "chat", "x", 1), PGG_NOT_HERE);
	no_event(arena);
	munmap(file, bus_file_bytes(RING));
	end(arena, chat);
}

static void a_writer_whose_place_another_has_is_read_for_a_ring_more_at_most(void **state UNUSED)
{
	struct pgg_event event = {0};
	struct bus_file *written;
	struct ring_writer next;
	unsigned old = 0;
	pgg *arena, *chat;
	void *body = NULL;

	two(&arena, &chat);
	assert_int_equal(pgg_post(chat, "arena", "old", 3), PGG_OK);
	pgg_flush(chat);
	next_event(arena, PGG_POST);
	gateway_pair_follows(&gateway, 1, 0);
	written = pair_file(gateway.pair[1][0][0]);
	assert_int_equal(ring_writer_attach(&next, &written->writer,
					    &((struct bus_file *)pair_file(gateway.pair[1][0][1]))->reader, RING),
			 RING_OK);
	assert_int_equal(ring_reserve(&next, 3, 1, &body), RING_OK);
	if (body)
		memcpy(body, "new", 3);
	ring_commit(&next);
	while (event.type != PGG_POST || memcmp(event.as.post.body, "new", 3) != 0) { // it never stops
		while (pgg_post(chat, "arena", "old", 3) == PGG_OK)
			continue;
		pgg_flush(chat);
		assert_true(pgg_poll(arena, &event, 1) >= 0);
		assert_true(++old < 3 * RING / 16);
	}
	munmap((void *)next.reader, bus_file_bytes(RING));
	munmap(written, bus_file_bytes(RING));
	end(arena, chat);
}

static void a_full_ring_has_room_as_soon_as_another_reads_it(void **state UNUSED)
{
	struct bus_file *file;
	pgg *arena, *chat;

	two(&arena, &chat);
	while (pgg_post(arena, "chat", "x", 1) == PGG_OK)
		continue;
	gateway_reader_follows(&gateway, 0, 1);
	file = pair_file(gateway.pair[0][1][1]);
	assert_int_equal(pgg_post(arena, "chat", "x", 1), PGG_FULL);
	file->reader.released = RING / 2; // as the next one says
	assert_int_equal(pgg_post(arena, "chat", "x", 1), PGG_OK);
	no_event(arena);
	munmap(file, bus_file_bytes(RING));
	end(arena, chat);
}

// ---------------------------------------------------------------- threads

static void *post_all(void *argument)
{
	pgg *game = argument;

	uint32_t body[25] = {0};

	for (uint32_t number = 0; number < POSTS;) {
		body[0] = number;
		const int result = pgg_post(game, "chat", body, number % 100 < 4 ? 4 : number % 100);

		if (result == PGG_FULL)
			sched_yield();
		else if (result == PGG_OK)
			number++;
		else
			fail_msg("%s", pgg_result_text(result));
		if (number % 16 == 0)
			pgg_flush(game);
	}
	pgg_flush(game);
	return NULL;
}

static void expect_post(const struct pgg_event *event, uint32_t number)
{
	assert_int_equal(event->type, PGG_POST);
	assert_int_equal(event->as.post.length, number % 100 < 4 ? 4 : number % 100);
	assert_memory_equal(event->as.post.body, &number, 4);
}

static void two_threads_exchange_every_post(void **state UNUSED)
{
	struct pgg_event event[50];
	pgg *arena, *chat;
	pthread_t writer;
	uint32_t found = 0;

	two(&arena, &chat);
	assert_int_equal(pthread_create(&writer, NULL, post_all, arena), 0);
	while (found < POSTS) {
		int n;

		assert_true(pgg_wait(chat, 60000) >= 0);
		n = pgg_poll(chat, event, COUNT(event));
		for (int i = 0; i < n; i++)
			expect_post(&event[i], found++);
	}
	pthread_join(writer, NULL);
	no_event(chat);
	end(arena, chat);
}

static void *sleep_for_long(void *argument)
{
	pgg_sleep(argument, 600000);
	return NULL;
}

static void a_thread_that_sleeps_is_woken_by_whoever_writes(void **state UNUSED)
{
	struct pgg_event event;
	pgg *arena, *chat;
	pthread_t sleeper;

	two(&arena, &chat);
	gateway_listing(&gateway, 0, (const uint32_t[]){7}, 1);
	next_event(arena, PGG_JOINED);
	next_event(arena, PGG_LISTED);
	for (unsigned turn = 0; turn < 20; turn++) {
		const struct pgg_message message = {.type = 64, .body = "x", .length = 1};

		assert_int_equal(pgg_sleep_begin(arena), 0);
		assert_int_equal(pthread_create(&sleeper, NULL, sleep_for_long, arena), 0);
		assert_int_equal(pgg_send(arena, 7, &message), PGG_OK); // meanwhile
		pgg_flush(arena);
		gateway_say(&gateway, 0, 7, 64, "wake up");
		pthread_join(sleeper, NULL);
		pgg_sleep_end(arena);
		next_event(arena, PGG_MESSAGE);
	}
	gateway_say(&gateway, 0, 7, 64, "there is something");
	assert_int_equal(pgg_sleep_begin(arena), 1);
	assert_int_equal(pgg_poll(arena, &event, 1), 1);
	gateway_replace_worker(&gateway, 0, 0);
	assert_int_equal(pgg_sleep_begin(arena), 1); // another ring is to be read
	no_event(arena);
	assert_int_equal(pgg_sleep_begin(arena), 0);
	pgg_interrupt(arena); // before it sleeps
	pgg_sleep(arena, 600000);
	pgg_sleep_end(arena);
	end(arena, chat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_post_comes_from_the_process_that_wrote_it),
		cmocka_unit_test(a_post_that_cannot_be_is_refused),
		cmocka_unit_test(whoever_subscribes_hears_what_is_published),
		cmocka_unit_test(there_is_an_end_to_topics),
		cmocka_unit_test(a_process_that_spoils_its_ring_spoils_nothing_else),
		cmocka_unit_test(a_ring_that_is_none_is_none_to_these_two_alone),
		cmocka_unit_test(a_process_that_says_it_read_what_nobody_wrote_is_written_to_no_more),
		cmocka_unit_test(a_writer_whose_place_another_has_is_read_for_a_ring_more_at_most),
		cmocka_unit_test(a_full_ring_has_room_as_soon_as_another_reads_it),
		cmocka_unit_test(two_threads_exchange_every_post),
		cmocka_unit_test(a_thread_that_sleeps_is_woken_by_whoever_writes),
	};

	return cmocka_run_group_tests_name("game_processes", tests, NULL, NULL);
}
