// SPDX-License-Identifier: BSD-3-Clause
// test_ring_killed.c: a writer or reader of a ring dies at any instruction, and the next one goes on with exact books.
//
// First after each instruction of a writer's turn, one by one. Then processes, by SIGKILL, at whatever moment.

#include "ring_pair.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "single_step.h"

#define SIZE RING_BYTES_MIN

// ---------------------------------------------------------------- one instruction at a time

/// What lies in the two files, as a crash would leave it.
static struct stepping {
	struct ring_pair pair;
	uint8_t *written; // a copy
	uint8_t *next;    // a ring that goes on where that one ends
	struct ring_read *read;
	uint64_t begun;     // by all before the turn
	uint64_t committed; // messages: by all before
	unsigned batch;
	bool tallied; // all that was committed has a tally
	unsigned looks;
	unsigned gaps; // how many of the looks found one
	int wrong;     // the line of the first check that failed
} stepping;

#define CHECK(condition)                                 \
	do {                                             \
		if (!(condition) && stepping.wrong == 0) \
			stepping.wrong = __LINE__;       \
	} while (0)

/// Adds all that a reader finds: how many messages, how many missing.
static void read_all(const uint8_t *written, uint64_t *messages, uint64_t *missing)
{
	struct ring_reader reader;
	struct ring_message message;
	int n;

	CHECK(ring_reader_attach(&reader, (const struct ring_written *)written, stepping.read, SIZE) == RING_OK);
	while ((n = ring_peek(&reader, &message, 1)) == 1) {
		*messages += message.kind == RING_MESSAGE;
		*missing += message.kind == RING_GAP ? message.length : 0;
		ring_release(&reader);
	}
	CHECK(n == 0);
}

/// Another writer goes on, with another message.
static void go_on_with(uint8_t *written, uint64_t *tally)
{
	struct ring_writer writer;
	void *body;

	CHECK(ring_writer_attach(&writer, (struct ring_written *)written, stepping.read, SIZE) == RING_OK);
	*tally = ring_tally(&writer).count - stepping.begun;
	CHECK(ring_reserve(&writer, 8, 1, &body) == RING_OK);
	ring_commit(&writer);
}

static void check_books(uint64_t messages, uint64_t missing, uint64_t begun, uint64_t tally)
{
	CHECK(messages + missing == begun + 1);
	CHECK(missing == begun || missing == 0); // all of a batch or nothing
	CHECK(missing == 0 || begun <= stepping.batch);
	CHECK(tally + missing == begun || !stepping.tallied);
}

/// The writer dies here: another goes on, in the same memory, or in new memory behind it.
static void after_an_instruction(int signal UNUSED)
{
	const struct ring_pair *pair = &stepping.pair;
	uint64_t messages = 0, missing = 0, begun, tally;

	memcpy(stepping.written, pair->written.at, ring_written_bytes(SIZE));
	memcpy(stepping.read, pair->read.at, sizeof(*stepping.read));
	begun = ((struct ring_written *)stepping.written)->begun - stepping.begun;
	memset(stepping.next, 0, ring_written_bytes(SIZE));
	CHECK(ring_format_after((struct ring_written *)stepping.next, SIZE,
				(const struct ring_written *)stepping.written) == RING_OK);
	go_on_with(stepping.next, &tally);
	read_all(stepping.written, &messages, &missing);
	read_all(stepping.next, &messages, &missing);
	check_books(messages, missing, begun, tally);

	memcpy(stepping.read, pair->read.at, sizeof(*stepping.read));
	messages = missing = 0;
	go_on_with(stepping.written, &tally);
	read_all(stepping.written, &messages, &missing);
	check_books(messages, missing, begun, tally);
	stepping.looks++;
	stepping.gaps += missing != 0;
}

/// Writes a batch, dying after each instruction of it.
static void step_through(struct ring_pair *pair, unsigned batch, uint32_t length)
{
	uint64_t body[RING_BYTES_MIN / 32] = {0};

	stepping.begun = pair_written(pair)->begun;
	stepping.batch = batch;
	stepping.tallied = true;
	single_step(after_an_instruction);
	for (unsigned i = 0; i < batch; i++) {
		void *at = NULL;

		if (ring_reserve(&pair->writer, length, 1, &at) == RING_OK)
			memcpy(at, body, length);
	}
	ring_commit_with(&pair->writer, stepping.begun + batch);
	single_step_end();
}

static void make_copies(void)
{
	pair_make(&stepping.pair, SIZE);
	stepping.written = aligned_alloc(RING_APART, ring_written_bytes(SIZE));
	stepping.next = aligned_alloc(RING_APART, ring_written_bytes(SIZE));
	stepping.read = aligned_alloc(RING_APART, sizeof(*stepping.read));
	stepping.looks = stepping.gaps = 0;
}

static void free_copies(void)
{
	free(stepping.written);
	free(stepping.next);
	free(stepping.read);
	pair_close(&stepping.pair);
}

static void a_writer_that_dies_after_any_instruction_leaves_exact_books(void **state UNUSED)
{
	struct ring_pair *pair = &stepping.pair;

	make_copies();
	for (unsigned turn = 0; turn < 60; turn++) { // around the data's end, too
		const unsigned batch = 1 + turn % 3;
		const uint32_t length = 8 * (turn * 7 % 40);

		step_through(pair, batch, length);
		assert_int_equal(stepping.wrong, 0);
		for (unsigned i = 0; i < batch; i++) {
			struct ring_message message;

			assert_int_equal(ring_peek(&pair->reader, &message, 1), 1);
			ring_release(&pair->reader);
		}
	}
	assert_true(stepping.looks > 60 * 20);
	assert_true(stepping.gaps > 60 * 5);
	free_copies();
}

static void so_does_its_successor_while_it_attaches(void **state UNUSED)
{
	struct ring_pair *pair = &stepping.pair;

	make_copies();
	for (unsigned turn = 0; turn < 40; turn++) {
		stepping.begun = pair_written(pair)->begun;
		stepping.batch = 2;
		stepping.tallied = false;
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(pair_reserve(pair, 1, 8 * (turn * 7 % 40)), RING_OK);
		single_step(after_an_instruction);
		ring_writer_attach(&pair->writer, pair->written.at, pair->read_there.at, SIZE);
		single_step_end();
		assert_int_equal(stepping.wrong, 0);
		pair_expect_gap(pair, 2);
		pair_say(pair, turn, 56);
		pair_expect(pair, turn, 56);
	}
	assert_int_equal(stepping.gaps, stepping.looks); // whenever it died, both are told as missing
	free_copies();
}

// ---------------------------------------------------------------- processes

#define KILLS 300
#define TYPE 3

/// What the processes leave for the test, in memory of all.
struct books {
	uint64_t position;  // up to which the reader is releasing
	uint64_t releasing; // messages before it, those that are missing among them
	uint64_t released;  // those that are
	uint64_t wrong;     // the line of the first check that failed, in whatever process
	uint64_t stop;      // 1: the writer, in good order; 2: the reader, when there is nothing more
	uint64_t done;      // the reader has found nothing after that
};

struct scene {
	struct ring_pair pair;
	struct books *books;
};

static void note(struct books *books, bool right, unsigned line)
{
	if (!right && books->wrong == 0)
		__atomic_store_n(&books->wrong, line, __ATOMIC_RELAXED);
}

#define NOTE(right) note(scene->books, right, __LINE__)

static uint32_t length_of(uint64_t number)
{
	return 8 + (uint32_t)(number * 2654435761U % 200);
}

/// Numbers are those of the messages that were begun, so that one that is missing is missed.
static void write_on(const struct scene *scene)
{
	struct ring_written *written = scene->pair.written.at;
	struct ring_writer writer;

	if (ring_writer_attach(&writer, written, scene->pair.read_there.at, SIZE) != RING_OK)
		_exit(1);
	while (!__atomic_load_n(&scene->books->stop, __ATOMIC_RELAXED)) {
		const uint64_t from = writer.begun;

		for (unsigned i = 0; i <= from % 4; i++) {
			const uint64_t number = writer.begun;
			void *body;

			if (ring_reserve(&writer, length_of(number), TYPE, &body) != RING_OK)
				break;
			memset(body, (int)number, length_of(number));
			memcpy(body, &number, sizeof(number));
		}
		ring_commit(&writer);
		ring_wake(&writer);
		if (writer.begun == from)
			sched_yield();
	}
	_exit(0);
}

static bool is_right(const struct ring_message *message, uint64_t number)
{
	const uint8_t *body = message->body;

	if (message->type != TYPE || message->length != length_of(number) || memcmp(body, &number, sizeof(number)) != 0)
		return false;
	for (uint32_t i = sizeof(number); i < message->length; i++)
		if (body[i] != (uint8_t)number)
			return false;
	return true;
}

/// @param at  the number of the first message
static void read_on(const struct scene *scene, uint64_t at)
{
	struct ring_reader reader, *readers[] = {&reader};
	struct ring_waiting waiting = {.spin_ns = 20000, .sleep_ns = 20000000};
	struct books *books = scene->books;
	struct ring_message message[8];
	int n;

	NOTE(ring_reader_attach(&reader, scene->pair.written_there.at, scene->pair.read.at, SIZE) == RING_OK);
	while ((n = ring_peek(&reader, message, COUNT(message))) >= 0) {
		const bool stopped = __atomic_load_n(&books->stop, __ATOMIC_ACQUIRE) == 2;

		for (int i = 0; i < n; i++) {
			const bool is_gap = message[i].kind == RING_GAP;

			NOTE(is_gap || is_right(&message[i], at));
			at += is_gap ? message[i].length : 1;
		}
		if (n > 0) {
			__atomic_store_n(&books->position, reader.next, __ATOMIC_SEQ_CST);
			__atomic_store_n(&books->releasing, at, __ATOMIC_SEQ_CST);
			ring_release(&reader);
			__atomic_store_n(&books->released, at, __ATOMIC_SEQ_CST);
		} else if (stopped) {
			__atomic_store_n(&books->done, 1, __ATOMIC_RELEASE);
			_exit(0);
		} else {
			NOTE(ring_wait(readers, 1, &waiting) != RING_NO_WAIT);
		}
	}
	NOTE(false);
	_exit(1);
}

static pid_t start_writer(const struct scene *scene)
{
	const pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		write_on(scene);
	}
	assert_true(pid > 0);
	return pid;
}

static pid_t start_reader(const struct scene *scene, uint64_t at)
{
	const pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		read_on(scene, at);
	}
	assert_true(pid > 0);
	return pid;
}

static void wait_a_moment(unsigned round)
{
	const struct timespec moment = {.tv_nsec = (long)(round * 48271 % 1500000)};

	nanosleep(&moment, NULL);
}

static int end_of(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void kill_one(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	end_of(pid);
}

static void open_scene(struct scene *scene)
{
	pair_make(&scene->pair, SIZE);
	scene->books = mmap(NULL, sizeof(*scene->books), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(scene->books != MAP_FAILED);
}

/// Lets both come to their end, and looks whether each message is accounted for.
static void close_scene(struct scene *scene, pid_t writer, pid_t reader)
{
	const struct ring_written *written = scene->pair.written.at;

	__atomic_store_n(&scene->books->stop, 1, __ATOMIC_SEQ_CST);
	assert_int_equal(end_of(writer), 0);
	pair_attach_writer(&scene->pair); // nothing was left begun
	__atomic_store_n(&scene->books->stop, 2, __ATOMIC_SEQ_CST);
	assert_int_equal(end_of(reader), 0);
	assert_int_equal(scene->books->wrong, 0);
	assert_int_equal(scene->books->done, 1);
	assert_int_equal(scene->books->released, written->begun);
	munmap(scene->books, sizeof(*scene->books));
	pair_close(&scene->pair);
}

static void writers_that_are_killed_leave_each_message_read_or_missing(void **state UNUSED)
{
	struct scene scene;
	pid_t reader, writer;

	open_scene(&scene);
	reader = start_reader(&scene, 0);
	writer = start_writer(&scene);
	for (unsigned round = 0; round < KILLS; round++) {
		wait_a_moment(round);
		kill_one(writer);
		writer = start_writer(&scene);
	}
	assert_true(((struct ring_written *)scene.pair.written.at)->begun > KILLS);
	close_scene(&scene, writer, reader);
}

/// The number of the message that the next reader sees first.
static uint64_t first_unreleased(const struct scene *scene)
{
	const struct ring_read *read = scene->pair.read.at;
	const struct books *books = scene->books;

	return read->released == books->position ? books->releasing : books->released;
}

static void readers_that_are_killed_see_again_what_they_had_not_released(void **state UNUSED)
{
	struct scene scene;
	pid_t reader, writer;

	open_scene(&scene);
	writer = start_writer(&scene);
	reader = start_reader(&scene, 0);
	for (unsigned round = 0; round < KILLS; round++) {
		wait_a_moment(round);
		kill_one(reader);
		reader = start_reader(&scene, first_unreleased(&scene));
	}
	close_scene(&scene, writer, reader);
}

static void both_killed_at_once_leave_exact_books(void **state UNUSED)
{
	struct scene scene;
	pid_t reader, writer;

	open_scene(&scene);
	writer = start_writer(&scene);
	reader = start_reader(&scene, 0);
	for (unsigned round = 0; round < KILLS; round++) {
		wait_a_moment(round);
		kill_one(reader);
		kill_one(writer);
		reader = start_reader(&scene, first_unreleased(&scene));
		writer = start_writer(&scene);
	}
	close_scene(&scene, writer, reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_writer_that_dies_after_any_instruction_leaves_exact_books),
		cmocka_unit_test(so_does_its_successor_while_it_attaches),
		cmocka_unit_test(writers_that_are_killed_leave_each_message_read_or_missing),
		cmocka_unit_test(readers_that_are_killed_see_again_what_they_had_not_released),
		cmocka_unit_test(both_killed_at_once_leave_exact_books),
	};

	return cmocka_run_group_tests_name("ring_killed", tests, NULL, NULL);
}
