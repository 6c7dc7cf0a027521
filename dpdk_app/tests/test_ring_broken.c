// SPDX-License-Identifier: BSD-3-Clause
// test_ring_broken.c: whatever the other side of a ring says that cannot be is found, and named, and nothing is read by it.

#include "ring_pair.h"

#include <pthread.h>
#include <string.h>

#define SIZE RING_BYTES_MIN
#define LONGEST (SIZE / 4)

static uint64_t *word_at(struct ring_pair *pair, uint64_t position)
{
	return (uint64_t *)(pair_written(pair)->data + position % SIZE);
}

static void expect_fault(struct ring_pair *pair, enum ring_fault fault)
{
	struct ring_message message[4];

	assert_int_equal(ring_peek(&pair->reader, message, COUNT(message)), -1);
	assert_int_equal(pair->reader.fault, fault);
	assert_string_not_equal(ring_fault_text(fault), "?");
}

/// Messages of 56 bytes, all of them read: at a multiple of 64.
static void move_on(struct ring_pair *pair, unsigned messages)
{
	for (unsigned i = 0; i < messages; i++) {
		pair_say(pair, i, 56);
		pair_expect(pair, i, 56);
	}
}

static void every_word_that_no_writer_writes_breaks_the_ring(void **state UNUSED)
{
	const struct {
		unsigned after; // messages of 64 bytes with their words
		uint64_t word;
		enum ring_fault fault;
	} wrong[] = {
		{0, 1, RING_FAULT_KIND},
		{0, UINT64_MAX, RING_FAULT_KIND},
		{0, 4ULL << 48, RING_FAULT_KIND},
		{0, (uint64_t)RING_MESSAGE << 48 | (LONGEST + 1), RING_FAULT_LENGTH},
		{0, (uint64_t)RING_MESSAGE << 48 | UINT32_MAX, RING_FAULT_LENGTH},
		{0, (uint64_t)RING_MESSAGE << 48 | 0x7fffffff, RING_FAULT_LENGTH},
		{SIZE / 64 - 1, (uint64_t)RING_MESSAGE << 48 | 57, RING_FAULT_LENGTH}, // over the data's end
		{0, (uint64_t)RING_SKIP << 48, RING_FAULT_SKIP},
		{SIZE / 64 / 2, (uint64_t)RING_SKIP << 48, RING_FAULT_SKIP},
		{SIZE / 64 - LONGEST / 64 - 1, (uint64_t)RING_SKIP << 48, RING_FAULT_SKIP},
	};

	for (unsigned i = 0; i < COUNT(wrong); i++) {
		struct ring_pair pair;

		pair_make(&pair, SIZE);
		move_on(&pair, wrong[i].after);
		*word_at(&pair, pair.reader.next) = wrong[i].word;
		expect_fault(&pair, wrong[i].fault);
		*word_at(&pair, pair.reader.next) = 0; // too late: it is broken for good
		expect_fault(&pair, wrong[i].fault);
		pair_close(&pair);
	}
}

static void what_came_before_a_wrong_word_is_still_read(void **state UNUSED)
{
	struct ring_message message[8];
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	for (unsigned i = 0; i < 3; i++)
		pair_say(&pair, i, 56);
	*word_at(&pair, 128) = 7;
	assert_int_equal(ring_peek(&pair.reader, message, COUNT(message)), 2);
	expect_fault(&pair, RING_FAULT_KIND);
	pair_close(&pair);
}

static void fill_with_words(struct ring_pair *pair, uint64_t word, unsigned every)
{
	for (unsigned position = 0; position < SIZE; position += every)
		*word_at(pair, position) = word;
}

static void a_row_without_end_is_read_a_budget_at_a_time_and_breaks_where_it_bites_its_tail(void **state UNUSED)
{
	const struct {
		uint64_t word;
		unsigned every;
	} row[] = {
		{(uint64_t)RING_GAP << 48 | 3, 8},
		{(uint64_t)RING_MESSAGE << 48, 8},
		{(uint64_t)RING_MESSAGE << 48 | 56, 64},
	};

	for (unsigned i = 0; i < COUNT(row); i++) {
		struct ring_message message[16];
		struct ring_pair pair;
		unsigned seen = 0;
		int n;

		pair_make(&pair, SIZE);
		fill_with_words(&pair, row[i].word, row[i].every);
		while ((n = ring_peek(&pair.reader, message, COUNT(message))) > 0)
			seen += (unsigned)n;
		assert_int_equal(seen, SIZE / row[i].every - 1);
		assert_int_equal(pair.reader.fault, RING_FAULT_OVERRUN);
		pair_close(&pair);
	}
}

static void one_that_is_released_all_the_time_goes_on_for_ever_a_budget_at_a_time(void **state UNUSED)
{
	struct ring_message message[16];
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	fill_with_words(&pair, (uint64_t)RING_GAP << 48 | 1, 8);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(ring_peek(&pair.reader, message, COUNT(message)), COUNT(message));
		ring_release(&pair.reader);
	}
	pair_close(&pair);
}

static void skips_alone_do_not_hold_the_reader(void **state UNUSED)
{
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	move_on(&pair, SIZE / 64 - 1);
	fill_with_words(&pair, (uint64_t)RING_SKIP << 48, 8);
	expect_fault(&pair, RING_FAULT_SKIP);
	pair_close(&pair);
}

static enum ring_result fill(struct ring_pair *pair)
{
	enum ring_result result;

	while ((result = pair_reserve(pair, 1, 56)) == RING_OK)
		ring_commit(&pair->writer);
	return result;
}

static void a_release_that_cannot_be_breaks_the_ring_for_the_writer(void **state UNUSED)
{
	const int64_t off[] = {2 * SIZE, INT64_MAX, INT64_MIN, -8 - SIZE, -SIZE, -8};

	for (unsigned i = 0; i < COUNT(off); i++) {
		struct ring_pair pair;

		pair_make(&pair, SIZE);
		move_on(&pair, 2 * SIZE / 64 + 5);
		assert_int_equal(fill(&pair), RING_FULL); // so the writer has seen what was released
		pair_read(&pair)->released += (uint64_t)off[i];
		assert_int_equal(fill(&pair), RING_BROKEN);
		assert_int_equal(pair.writer.fault, RING_FAULT_RELEASED);
		pair_read(&pair)->released = pair.reader.released; // too late
		assert_int_equal(fill(&pair), RING_BROKEN);
		pair_close(&pair);
	}
}

static void expect_no_writer(struct ring_pair *pair, enum ring_fault fault)
{
	uint64_t lost;

	assert_int_equal(ring_writer_attach(&pair->writer, pair->written.at, pair->read_there.at, SIZE), RING_BROKEN);
	assert_int_equal(pair->writer.fault, fault);
	assert_int_equal(ring_uncommitted(pair->written_there.at, SIZE, &lost), RING_BROKEN);
}

static void memory_that_is_no_ring_is_refused_by_both(void **state UNUSED)
{
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	pair_written(&pair)->magic++; // another version
	assert_int_equal(ring_reader_attach(&pair.reader, pair.written_there.at, pair.read.at, SIZE), RING_BROKEN);
	expect_fault(&pair, RING_FAULT_MAGIC);
	expect_no_writer(&pair, RING_FAULT_MAGIC);
	pair_written(&pair)->magic--;
	pair_written(&pair)->size *= 2;
	assert_int_equal(ring_reader_attach(&pair.reader, pair.written_there.at, pair.read.at, SIZE), RING_BROKEN);
	expect_fault(&pair, RING_FAULT_SIZE);
	expect_no_writer(&pair, RING_FAULT_SIZE);
	pair_close(&pair);
}

static void a_reader_does_not_begin_between_words(void **state UNUSED)
{
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	pair_read(&pair)->released = 4;
	assert_int_equal(ring_reader_attach(&pair.reader, pair.written_there.at, pair.read.at, SIZE), RING_BROKEN);
	expect_fault(&pair, RING_FAULT_RELEASED);
	assert_int_equal(pair.reader.next, 0); // nobody looks there by mistake
	pair_close(&pair);
}

static void what_a_dead_writer_left_is_checked_like_anything_else(void **state UNUSED)
{
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	move_on(&pair, 5);
	for (unsigned at = 0; at < 2; at++)
		pair_written(&pair)->mark[at].position = 3;
	expect_no_writer(&pair, RING_FAULT_MARK);
	for (unsigned at = 0; at < 2; at++)
		pair_written(&pair)->mark[at].position = 0;
	pair_written(&pair)->begun = 4;
	expect_no_writer(&pair, RING_FAULT_BEGUN);
	pair_written(&pair)->begun = UINT64_MAX;
	expect_no_writer(&pair, RING_FAULT_BEGUN);
	fill_with_words(&pair, (uint64_t)RING_MESSAGE << 48, 8);
	expect_no_writer(&pair, RING_FAULT_OVERRUN);
	fill_with_words(&pair, 9, 8);
	expect_no_writer(&pair, RING_FAULT_KIND);
	pair_close(&pair);
}

// ---------------------------------------------------------------- both sides at work while a third scribbles

struct mad {
	struct ring_pair pair;
	bool stop;
};

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 16;
}

static bool is_over(struct mad *mad)
{
	return __atomic_load_n(&mad->stop, __ATOMIC_ACQUIRE);
}

/// Words that could be an entry, and any others, wherever.
static void *scribble(void *argument)
{
	struct mad *mad = argument;
	uint64_t *written = mad->pair.written.at, *read = mad->pair.read.at, seed = 1;

	for (unsigned i = 0; !is_over(mad); i++) {
		const uint64_t any = next(&seed), length = next(&seed) % (2 * LONGEST);
		const uint64_t word = any % 4 == 0 ? next(&seed) : (any % 4) << 48 | (any % 8 == 0 ? ~0U : length);
		uint64_t *at = &written[next(&seed) % (mad->pair.written.bytes / 8)];

		__atomic_store_n(i % 64 == 0 ? &read[0] : at, i % 3 == 0 ? 0 : word, __ATOMIC_RELAXED);
	}
	return NULL;
}

/// So that there is something to begin with again.
static void mend(struct mad *mad)
{
	struct ring_written *written = mad->pair.written.at;

	__atomic_store_n(&written->magic, RING_MAGIC, __ATOMIC_RELAXED);
	__atomic_store_n(&written->size, SIZE, __ATOMIC_RELAXED);
	for (unsigned at = 0; at < 2; at++)
		__atomic_store_n(&written->mark[at].position, 8 * SIZE, __ATOMIC_RELAXED);
	__atomic_store_n(&((struct ring_read *)mad->pair.read.at)->released, 8 * SIZE, __ATOMIC_RELAXED);
}

static void *write_on(void *argument)
{
	struct mad *mad = argument;
	struct ring_pair *pair = &mad->pair;
	uint32_t length = 0;
	void *body;

	while (!is_over(mad)) {
		length = (length + 37) % LONGEST;
		if (ring_reserve(&pair->writer, length, 1, &body) == RING_OK)
			memset(body, 0, length);
		ring_commit(&pair->writer);
		ring_wake(&pair->writer);
		if (pair->writer.fault == RING_SOUND)
			continue;
		mend(mad);
		(void)ring_writer_attach(&pair->writer, pair->written.at, pair->read_there.at, SIZE);
	}
	return NULL;
}

static volatile uint64_t read_sum; // so that bodies are read

static void read_body(const struct ring_message *message)
{
	for (uint32_t i = 0; message->kind == RING_MESSAGE && i < message->length; i++)
		read_sum += ((const uint8_t *)message->body)[i];
}

static void a_live_ring_that_somebody_scribbles_over_leads_nobody_astray(void **state UNUSED)
{
	struct ring_message message[8];
	pthread_t writer, scribbler;
	uint64_t faults = 0, messages = 0;
	struct mad mad = {0};

	pair_make(&mad.pair, SIZE);
	assert_int_equal(pthread_create(&writer, NULL, write_on, &mad), 0);
	assert_int_equal(pthread_create(&scribbler, NULL, scribble, &mad), 0);
	while (faults < 300 || messages < 300) {
		const int n = ring_peek(&mad.pair.reader, message, COUNT(message));

		for (int i = 0; i < n; i++)
			read_body(&message[i]);
		messages += n > 0 ? (uint64_t)n : 0;
		if (n >= 0) {
			ring_release(&mad.pair.reader);
			continue;
		}
		faults++;
		mend(&mad);
		(void)ring_reader_attach(&mad.pair.reader, mad.pair.written_there.at, mad.pair.read.at, SIZE);
	}
	__atomic_store_n(&mad.stop, true, __ATOMIC_RELEASE);
	pthread_join(writer, NULL);
	pthread_join(scribbler, NULL);
	pair_close(&mad.pair);
}

static void every_fault_has_words(void **state UNUSED)
{
	for (unsigned fault = RING_SOUND; fault < RING_FAULTS; fault++)
		assert_true(strlen(ring_fault_text((enum ring_fault)fault)) > 5);
	assert_string_equal(ring_fault_text(RING_FAULTS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_that_no_writer_writes_breaks_the_ring),
		cmocka_unit_test(what_came_before_a_wrong_word_is_still_read),
		cmocka_unit_test(a_row_without_end_is_read_a_budget_at_a_time_and_breaks_where_it_bites_its_tail),
		cmocka_unit_test(one_that_is_released_all_the_time_goes_on_for_ever_a_budget_at_a_time),
		cmocka_unit_test(skips_alone_do_not_hold_the_reader),
		cmocka_unit_test(a_release_that_cannot_be_breaks_the_ring_for_the_writer),
		cmocka_unit_test(memory_that_is_no_ring_is_refused_by_both),
		cmocka_unit_test(a_reader_does_not_begin_between_words),
		cmocka_unit_test(what_a_dead_writer_left_is_checked_like_anything_else),
		cmocka_unit_test(a_live_ring_that_somebody_scribbles_over_leads_nobody_astray),
		cmocka_unit_test(every_fault_has_words),
	};

	return cmocka_run_group_tests_name("ring_broken", tests, NULL, NULL);
}
