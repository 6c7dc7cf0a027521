// SPDX-License-Identifier: BSD-3-Clause
// test_ring_model.c: the ring's own code in every order of its accesses, on a weak memory, with deaths between any two stores.
//
// Rings of eight words, a few messages. What holds in every order: messages come once, in order, whole; those that a dead
// writer had begun are told as missing in their place, and none else; no side waits for ever; no access races another.

#include "unit.h"

#include <string.h>

#include "bus/ring.c"
#include "bus/wait.c"

#define SIZE 64U

/// Nothing is stored here: it lends its addresses, and first values.
static union {
	struct ring_written written;
	uint8_t bytes[sizeof(struct ring_written) + SIZE];
} memory;
static struct ring_read memory_read;

#define DATA(word) ((const uint64_t *)(memory.bytes + sizeof(struct ring_written)) + (word))

static const uint64_t *const words[] = {
	&memory.written.magic,
	&memory.written.size,
	(const uint64_t *)&memory.written.wakes,
	&memory.written.begun,
	&memory.written.mark_at,
	&memory.written.mark[0].position,
	&memory.written.mark[0].messages,
	&memory.written.mark[1].position,
	&memory.written.mark[1].messages,
	&memory.written.tally[0].position,
	&memory.written.tally[0].count,
	&memory.written.tally[1].position,
	&memory.written.tally[1].count,
	DATA(0),
	DATA(1),
	DATA(2),
	DATA(3),
	DATA(4),
	DATA(5),
	DATA(6),
	DATA(7),
	&memory_read.released,
	(const uint64_t *)&memory_read.sleeps,
};
#define READERS 2

/// What the programs do.
static struct plan {
	uint64_t before;   // messages, before all begins: so the ring has been gone round
	uint64_t messages; // in all, those that are lost among them
	unsigned batch;    // committed at once
	unsigned peeked;   // at once
	bool sleeps;
	uint32_t words; // of each body; 0: of some more, of some less
	bool misses;    // what there is no room for is given up
} plan;
static uint64_t target; // messages in all, for now
static bool sleeps;

static uint32_t words_of(uint64_t number)
{
	return plan.words != 0 ? plan.words : (const uint8_t[]){2, 1, 2, 0}[number % 4];
}

// ---------------------------------------------------------------- the two sides

static bool write_one(struct ring_writer *writer)
{
	const uint64_t number = writer->begun;
	void *body = NULL;

	if (ring_tell_missed(writer) != RING_OK ||
	    ring_reserve(writer, 8 * words_of(number), (uint16_t)number, &body) != RING_OK)
		return false;
	for (uint32_t word = 0; word < words_of(number); word++)
		model_plain_store((uint64_t *)body + word, number + 1);
	return true;
}

static void write_batch(struct ring_writer *writer)
{
	bool missed = false;

	for (unsigned i = 0; i < plan.batch && writer->begun < target && !missed; i++) {
		if (write_one(writer))
			continue;
		missed = plan.misses;
		if (!missed)
			break;
		ring_miss(writer);
	}
	if (writer->begun == target)
		(void)ring_tell_missed(writer);
	model_require(writer->fault == RING_SOUND, "the writer finds a fault");
	if (writer->first_word == 0 && !missed)
		model_await(&memory_read.released); // full
	ring_commit_with(writer, writer->next);
	if (sleeps)
		ring_wake(writer);
}

static void write_all(void)
{
	struct ring_writer writer;

	model_require(ring_writer_attach(&writer, &memory.written, &memory_read, SIZE) == RING_OK,
		      "a writer cannot attach");
	model_require(ring_tally(&writer).position == 0 || ring_tally(&writer).count == ring_tally(&writer).position,
		      "what was counted is not what was committed");
	while (writer.begun < target || writer.missed != 0)
		write_batch(&writer);
}

static void check_message(const struct ring_message *message, uint64_t number)
{
	model_require(message->type == number, "a message is not the next");
	model_require(message->length == 8 * words_of(number), "a message has another length");
	for (uint32_t word = 0; word < words_of(number); word++)
		model_require(model_plain_load((const uint64_t *)message->body + word) == number + 1,
			      "a message is not whole");
}

static void wait_for_more(struct ring_reader *reader)
{
	uint32_t wakes;

	if (!sleeps) {
		model_await((const uint64_t *)(reader->data + (reader->next & reader->mask)));
	} else if (ring_fall_asleep(reader, &wakes)) {
		model_futex_wait(&reader->writer->wakes, wakes);
		ring_stay_awake(reader);
	}
}

static void read_all(void)
{
	uint64_t number = model_noted(&memory_read.released);
	struct ring_message message[3];
	struct ring_reader reader;

	model_require(ring_reader_attach(&reader, &memory.written, &memory_read, SIZE) == RING_OK,
		      "a reader cannot attach");
	while (number < target) {
		const int n = ring_peek(&reader, message, plan.peeked);

		model_require(n >= 0, "the reader finds a fault");
		for (int i = 0; i < n; i++) {
			if (message[i].kind == RING_MESSAGE)
				check_message(&message[i], number);
			number += message[i].kind == RING_GAP ? message[i].length : 1;
		}
		if (n == 0) {
			wait_for_more(&reader);
			continue;
		}
		model_note(number);
		ring_release(&reader);
	}
	model_require(number == target, "more messages are missing than were begun");
}

static void set_target(bool is_before)
{
	target = is_before ? plan.before : plan.messages;
	sleeps = plan.sleeps && !is_before;
}

static struct model_result explore_plan(struct plan of, unsigned writers, unsigned readers, enum model_lack lack)
{
	const struct model_scene scene = {
		.program = {write_all, read_all},
		.kills = {writers, readers},
		.word = words,
		.words_n = COUNT(words),
		.constants_n = 2,
		.writers_n = COUNT(words) - READERS,
		.before = set_target,
		.lack = lack,
	};
	struct model_result result;

	plan = of;
	memory.written.magic = RING_MAGIC;
	memory.written.size = SIZE;
	result = model_explore(&scene);
	print_message("%lu states, %lu ends%s%s\n", result.states, result.ends, result.wrong ? ": " : "",
		      result.wrong ? result.wrong : "");
	return result;
}

static void holds(struct plan of, unsigned writers, unsigned readers)
{
	const struct model_result result = explore_plan(of, writers, readers, MODEL_WHOLE);

	assert_null(result.wrong);
	assert_true(result.ends > 0);
}

static void fails(struct plan of, unsigned writers, unsigned readers, enum model_lack lack)
{
	assert_non_null(explore_plan(of, writers, readers, lack).wrong);
}

// ---------------------------------------------------------------- tests

static void messages_come_once_and_in_order(void **state UNUSED)
{
	holds((struct plan){.before = 3, .messages = 9, .batch = 1, .peeked = 1}, 0, 0);
	holds((struct plan){.before = 4, .messages = 12, .batch = 2, .peeked = 2}, 0, 0);
	holds((struct plan){.before = 2, .messages = 12, .batch = 3, .peeked = 3}, 0, 0);
}

static void a_writer_that_dies_leaves_a_gap_of_what_it_had_begun(void **state UNUSED)
{
	holds((struct plan){.before = 3, .messages = 6, .batch = 1, .peeked = 2}, 1, 0);
	holds((struct plan){.before = 3, .messages = 7, .batch = 2, .peeked = 2}, 1, 0);
	holds((struct plan){.before = 2, .messages = 7, .batch = 3, .peeked = 3}, 1, 0);
}

static void so_does_its_successor(void **state UNUSED)
{
	holds((struct plan){.before = 3, .messages = 5, .batch = 2, .peeked = 2}, 2, 0);
	holds((struct plan){.before = 3, .messages = 5, .batch = 1, .peeked = 2}, 2, 0);
}

static void a_reader_that_dies_is_succeeded_where_it_had_released(void **state UNUSED)
{
	holds((struct plan){.before = 3, .messages = 8, .batch = 2, .peeked = 2}, 0, 1);
	holds((struct plan){.before = 3, .messages = 6, .batch = 2, .peeked = 2}, 1, 1);
}

static void messages_that_there_is_no_room_for_are_told_as_missing(void **state UNUSED)
{
	holds((struct plan){.before = 3, .messages = 8, .batch = 1, .peeked = 2, .misses = true}, 0, 0);
	holds((struct plan){.before = 3, .messages = 10, .batch = 2, .peeked = 2, .misses = true}, 0, 0);
	holds((struct plan){.before = 3, .messages = 9, .batch = 2, .peeked = 2, .misses = true}, 1, 0);
	holds((struct plan){.before = 3, .messages = 8, .batch = 2, .peeked = 2, .misses = true}, 0, 1);
}

static void nobody_sleeps_while_there_is_something(void **state UNUSED)
{
	holds((struct plan){.before = 3, .messages = 5, .batch = 1, .peeked = 2, .sleeps = true}, 0, 0);
	holds((struct plan){.before = 3, .messages = 4, .batch = 1, .peeked = 2, .sleeps = true}, 1, 0);
	holds((struct plan){.before = 3, .messages = 4, .batch = 1, .peeked = 2, .sleeps = true}, 0, 1);
}

static void each_thing_that_is_taken_out_is_missed(void **state UNUSED)
{
	const struct plan awake = {.before = 3, .messages = 8, .batch = 1, .peeked = 2};
	const struct plan asleep = {.before = 3, .messages = 5, .batch = 1, .peeked = 2, .sleeps = true};

	fails(awake, 0, 0, MODEL_NO_RELEASE);
	fails(awake, 0, 0, MODEL_NO_ACQUIRE);
	fails(awake, 0, 0, MODEL_NO_ZERO);
	fails((struct plan){.messages = 4, .batch = 2, .peeked = 2, .words = 1}, 1, 0, MODEL_NO_ORDER);
	fails(asleep, 0, 0, MODEL_NO_FENCE);
	fails(asleep, 0, 0, MODEL_NO_WAKE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_once_and_in_order),
		cmocka_unit_test(a_writer_that_dies_leaves_a_gap_of_what_it_had_begun),
		cmocka_unit_test(so_does_its_successor),
		cmocka_unit_test(a_reader_that_dies_is_succeeded_where_it_had_released),
		cmocka_unit_test(messages_that_there_is_no_room_for_are_told_as_missing),
		cmocka_unit_test(nobody_sleeps_while_there_is_something),
		cmocka_unit_test(each_thing_that_is_taken_out_is_missed),
	};

	return cmocka_run_group_tests_name("ring_model", tests, NULL, NULL);
}
