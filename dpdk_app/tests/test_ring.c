// SPDX-License-Identifier: BSD-3-Clause
// test_ring.c: messages in a ring of the bus come out as they went in, in order, or are refused; what files are refused.

#include "bus/file.h"
#include "ring_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE RING_BYTES_MIN
#define LONGEST (SIZE / 4)

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static uint32_t length_of(uint64_t number)
{
	uint64_t state = number;
	const uint64_t any = next(&state);

	return (uint32_t)(any % 8 == 0 ? next(&state) % (LONGEST + 1) : next(&state) % 100);
}

static void messages_come_out_as_they_went_in(void **state UNUSED)
{
	uint64_t in = 0, out = 0, seed = 5;
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	while (in < 30000) {
		for (uint64_t n = next(&seed) % 60; n > 0 && pair_reserve(&pair, in, length_of(in)) == RING_OK; n--) {
			in++;
			ring_commit(&pair.writer);
		}
		for (uint64_t n = next(&seed) % 60; n > 0 && out < in; n--, out++)
			pair_expect(&pair, out, length_of(out));
	}
	while (out < in)
		pair_expect(&pair, out, length_of(out)), out++;
	pair_expect_nothing(&pair);
	pair_close(&pair);
}

static void batches_are_seen_at_once_and_released_at_once(void **state UNUSED)
{
	struct ring_message message[64];
	uint64_t in = 0, out = 0, seed = 9;
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	while (in < 30000) {
		uint64_t from = in;
		int n;

		for (uint64_t k = next(&seed) % 30; k > 0 && pair_reserve(&pair, in, length_of(in)) == RING_OK; k--)
			in++;
		pair_expect_nothing(&pair);
		ring_commit(&pair.writer);
		n = ring_peek(&pair.reader, message, COUNT(message));
		assert_int_equal(n, in - from);
		for (int i = 0; i < n; i++, out++) {
			assert_int_equal(message[i].type, (uint16_t)out);
			assert_int_equal(message[i].length, length_of(out));
		}
		ring_release(&pair.reader);
	}
	assert_int_equal(out, in);
	pair_close(&pair);
}

static void what_is_reserved_and_abandoned_was_never_there(void **state UNUSED)
{
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	for (uint64_t number = 0; number < 1000; number++) {
		while (pair_reserve(&pair, 77, LONGEST / 3) == RING_OK)
			;
		ring_abandon(&pair.writer);
		ring_commit(&pair.writer);
		pair_expect_nothing(&pair);
		pair_say(&pair, number, length_of(number));
		pair_expect(&pair, number, length_of(number));
	}
	assert_int_equal(pair_reserve(&pair, 77, 8), RING_OK);
	ring_abandon(&pair.writer);
	pair_attach_writer(&pair); // whoever comes next knows of none
	pair_expect_nothing(&pair);
	ring_miss(&pair.writer);
	assert_int_equal(pair_reserve(&pair, 77, 8), RING_OK);
	ring_abandon(&pair.writer);
	pair_attach_writer(&pair);
	pair_expect_gap(&pair, 1);
	pair_close(&pair);
}

static void an_empty_ring_takes_the_longest_message_wherever_it_stands(void **state UNUSED)
{
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	for (uint64_t i = 0; i < SIZE / 8; i++) {
		pair_say(&pair, i, LONGEST);
		pair_expect(&pair, i, LONGEST);
		pair_say(&pair, i, 8 * (i % 7));
		pair_expect(&pair, i, 8 * (i % 7));
	}
	assert_int_equal(pair_reserve(&pair, 0, LONGEST + 1), RING_TOO_LONG);
	assert_int_equal(pair_reserve(&pair, 0, UINT32_MAX), RING_TOO_LONG);
	pair_close(&pair);
}

static void a_full_ring_refuses_and_takes_again_when_one_is_released(void **state UNUSED)
{
	struct ring_pair pair;
	uint64_t in = 0, out = 0;

	pair_make(&pair, SIZE);
	for (unsigned round = 0; round < 500; round++) {
		while (pair_reserve(&pair, in, 56) == RING_OK) {
			ring_commit(&pair.writer);
			in++;
		}
		assert_int_equal(in - out, SIZE / 64 - 1); // behind the last is the word that says that there is none
		pair_expect(&pair, out++, 56);
		pair_say(&pair, in++, 56);
		assert_int_equal(pair_reserve(&pair, in, 56), RING_FULL);
		for (unsigned i = 0; i < 7; i++)
			pair_expect(&pair, out++, 56);
	}
	pair_close(&pair);
}

static void what_is_peeked_and_not_released_is_seen_again_by_the_next_reader(void **state UNUSED)
{
	struct ring_message message[4];
	struct ring_pair pair;

	pair_make(&pair, SIZE);
	for (uint64_t number = 0; number < 6; number++)
		pair_say(&pair, number, 40);
	pair_expect(&pair, 0, 40);
	assert_int_equal(ring_peek(&pair.reader, message, 4), 4);
	ring_release_to(&pair.reader, &message[1]);
	pair_attach_reader(&pair); // the last one died
	for (uint64_t number = 3; number < 6; number++)
		pair_expect(&pair, number, 40);
	pair_expect_nothing(&pair);
	pair_close(&pair);
}

static void a_new_writer_goes_on_and_tells_how_many_were_lost(void **state UNUSED)
{
	struct ring_pair pair;
	uint64_t lost;

	pair_make(&pair, SIZE);
	for (uint64_t number = 0; number < 3000; number += 3) {
		pair_say(&pair, number, length_of(number));
		for (unsigned i = 0; i < number % 4; i++)
			assert_int_equal(pair_reserve(&pair, 1, length_of(number + i) / 4), RING_OK);
		assert_int_equal(ring_uncommitted(pair.written_there.at, SIZE, &lost), RING_OK);
		assert_int_equal(lost, number % 4);
		pair_attach_writer(&pair);
		assert_int_equal(ring_uncommitted(pair.written_there.at, SIZE, &lost), RING_OK);
		assert_int_equal(lost, 0);
		pair_attach_writer(&pair); // to attach twice is to attach once
		pair_say(&pair, number + 2, 30);
		pair_expect(&pair, number, length_of(number));
		if (number % 4 != 0)
			pair_expect_gap(&pair, number % 4);
		pair_expect(&pair, number + 2, 30);
		pair_expect_nothing(&pair);
	}
	pair_close(&pair);
}

static void a_new_writer_of_a_full_ring_has_room_for_the_gap(void **state UNUSED)
{
	for (uint32_t length = 0; length < 70; length++) {
		struct ring_pair pair;
		uint32_t in = 0, out = 0;

		pair_make(&pair, SIZE);
		while (pair_reserve(&pair, in, length) == RING_OK) {
			ring_commit(&pair.writer);
			in++;
		}
		do
			pair_expect(&pair, out++, length);
		while (pair_reserve(&pair, in, length) != RING_OK); // at the data's end, one message is not enough
		pair_attach_writer(&pair);
		while (out < in)
			pair_expect(&pair, out++, length);
		pair_expect_gap(&pair, 1);
		pair_expect_nothing(&pair);
		pair_close(&pair);
	}
}

static void what_there_was_no_room_for_is_told_when_there_is(void **state UNUSED)
{
	struct ring_pair pair;
	uint64_t said = 0;

	pair_make(&pair, SIZE);
	while (pair_reserve(&pair, said, 48) == RING_OK) // to the last word
		said++;
	for (unsigned i = 0; i < 3; i++)
		ring_miss(&pair.writer);
	ring_commit(&pair.writer);
	assert_int_equal(ring_tell_missed(&pair.writer), RING_FULL);
	for (uint64_t i = 0; i < said; i++)
		pair_expect(&pair, i, 48);
	ring_release(&pair.reader);
	assert_int_equal(ring_tell_missed(&pair.writer), RING_OK);
	assert_int_equal(ring_tell_missed(&pair.writer), RING_OK); // there is none any more
	assert_int_equal(pair_reserve(&pair, 99, 8), RING_OK);
	ring_commit(&pair.writer);
	pair_expect_gap(&pair, 3);
	pair_expect(&pair, 99, 8);
	pair_expect_nothing(&pair);
	pair_close(&pair);
}

static void so_it_is_by_the_next_writer_together_with_what_was_begun(void **state UNUSED)
{
	struct ring_pair pair;
	uint64_t said = 0;

	pair_make(&pair, SIZE);
	while (pair_reserve(&pair, said, 48) == RING_OK)
		said++;
	ring_commit(&pair.writer);
	ring_miss(&pair.writer);
	ring_miss(&pair.writer);
	pair_attach_writer(&pair); // for which there is no room, either
	for (uint64_t i = 0; i < said; i++)
		pair_expect(&pair, i, 48);
	pair_expect_nothing(&pair);
	ring_release(&pair.reader);
	assert_int_equal(pair_reserve(&pair, 7, 8), RING_OK); // begun
	pair_attach_writer(&pair);
	pair_expect_gap(&pair, 3);
	pair_expect_nothing(&pair);
	pair_close(&pair);
}

static void sizes_that_no_ring_has_are_refused_in_a_sentence(void **state UNUSED)
{
	char why[200] = "";

	assert_true(ring_size_fits(RING_BYTES_DEFAULT, why, sizeof(why)));
	assert_true(ring_size_fits(RING_BYTES_MIN, why, sizeof(why)));
	assert_true(ring_size_fits(RING_BYTES_MAX, why, sizeof(why)));
	assert_string_equal(why, "");
	assert_false(ring_size_fits(0, why, sizeof(why)));
	assert_false(ring_size_fits(RING_BYTES_MIN / 2, why, sizeof(why)));
	assert_false(ring_size_fits(2ULL * RING_BYTES_MAX, why, sizeof(why)));
	assert_false(ring_size_fits(RING_BYTES_DEFAULT + 4096, why, sizeof(why)));
	assert_string_equal(why, "a ring of 1052672 bytes: it must be a power of two from 4096 to 1073741824");
}

static void a_file_of_ours_is_read_by_others_and_never_written(void **state UNUSED)
{
	struct memory_file file;
	struct ring_pair pair;
	char why[200];

	pair_make(&pair, SIZE);
	assert_int_equal((intptr_t)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, pair.written.fd, 0), -1);
	assert_int_equal(ftruncate(pair.written.fd, 0), -1);
	assert_int_equal(write(pair.written.fd, "x", 1), -1);
	assert_int_equal(fallocate(pair.written.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	assert_int_equal(madvise(pair.written_there.at, 4096, MADV_REMOVE), -1);
	assert_int_equal(madvise(pair.written.at, 4096, MADV_REMOVE), -1); // its writer
	assert_int_equal(errno, EPERM);
	assert_int_equal(mprotect(pair.written_there.at, 4096, PROT_READ | PROT_WRITE), -1);
	assert_false(memory_file_map(&file, pair.written.fd, pair.written.bytes + 4096, why, sizeof(why)));
	assert_non_null(strstr(why, "it is shorter"));
	pair_close(&pair);
}

static void a_file_that_can_shrink_is_not_mapped(void **state UNUSED)
{
	const int fd = memfd_create("shrinks", MFD_ALLOW_SEALING);
	const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct memory_file file;
	char why[200];

	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_false(memory_file_map(&file, fd, 4096, why, sizeof(why)));
	assert_non_null(strstr(why, "not sealed against shrinking"));
	assert_false(memory_file_map(&file, null, 4096, why, sizeof(why)));
	assert_non_null(strstr(why, "it is none"));
	assert_false(memory_file_make(&file, "huge", SIZE_MAX / 4, why, sizeof(why)));
	close(fd);
	close(null);
}

/// Whether there are huge pages here or not, it can be mapped and unmapped, read and written; tests/bus has both.
static void a_file_in_huge_pages_or_where_there_are_none_is_like_others(void **state UNUSED)
{
	struct memory_file made, there;
	char why[200];

	assert_true(memory_file_make_huge(&made, "huge", 5000, why, sizeof(why)));
	((char *)made.at)[4999] = 'x';
	assert_true(memory_file_seal(made.fd, why, sizeof(why)));
	assert_int_equal(madvise(made.at, made.bytes, MADV_REMOVE), -1);
	assert_true(memory_file_map_sealed(&there, made.fd, 5000, why, sizeof(why)));
	assert_int_equal(((const char *)there.at)[4999], 'x');
	assert_true(there.bytes == made.bytes);
	memory_file_close(&there);
	memory_file_close(&made);
	assert_false(memory_file_make_huge(&made, "huge", SIZE_MAX / 4, why, sizeof(why)));
	assert_false(memory_file_make_huge(&made, "huge", SIZE_MAX, why, sizeof(why)));
}

/// Maps a file of size SIZE; it stays mapped until the program ends.
static struct bus_file *file_of(int fd)
{
	struct memory_file file;
	char why[200];

	assert_true(memory_file_map_for_writing(&file, fd, bus_file_bytes(SIZE), why, sizeof(why)));
	return file.at;
}

static void write_two_and_begin_one(struct bus_file *own, const struct bus_file *other)
{
	struct ring_writer writer;
	void *body;

	assert_int_equal(ring_writer_attach(&writer, &own->writer, &other->reader, SIZE), RING_OK);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ring_reserve(&writer, 8, 7, &body), RING_OK);
		if (i == 1)
			ring_commit_with(&writer, 20);
	}
}

static void a_file_goes_on_where_that_of_a_dead_writer_ended(void **state UNUSED)
{
	char why[200] = "";
	const int process = bus_file_make("process", SIZE, false, -1, why, sizeof(why));
	const int first = bus_file_make("worker", SIZE, false, -1, why, sizeof(why));
	struct bus_file *theirs = file_of(process), *dead = file_of(first), *next;
	struct ring_message message;
	struct ring_reader reader;
	struct ring_writer writer;
	int second;

	write_two_and_begin_one(dead, theirs);
	dead->reader.released = 64; // of what the process wrote
	second = bus_file_make("worker", SIZE, false, first, why, sizeof(why));
	assert_true(second >= 0);
	next = file_of(second);
	assert_int_equal(next->reader.released, 64);
	assert_int_equal(ring_writer_attach(&writer, &next->writer, &theirs->reader, SIZE), RING_OK);
	assert_int_equal(ring_tally(&writer).count, 20);
	assert_int_equal(ring_reader_attach(&reader, &dead->writer, &theirs->reader, SIZE), RING_OK);
	assert_int_equal(ring_peek(&reader, &message, 1), 1);
	assert_int_equal(ring_peek(&reader, &message, 1), 1);
	assert_int_equal(ring_peek(&reader, &message, 1), 0);
	ring_release(&reader);
	assert_int_equal(ring_reader_attach(&reader, &next->writer, &theirs->reader, SIZE), RING_OK);
	assert_int_equal(ring_peek(&reader, &message, 1), 1);
	assert_int_equal(message.kind, RING_GAP);
	assert_int_equal(message.length, 1);
	assert_int_equal(bus_file_make("worker", SIZE * 2, false, first, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "it is shorter"));
	close(process);
	close(first);
	close(second);
}

static void what_nobody_read_is_counted_and_a_gap_takes_its_place(void **state UNUSED)
{
	char why[200] = "";
	const int process = bus_file_make("process", SIZE, false, -1, why, sizeof(why));
	const int dead_fd = bus_file_make("worker", SIZE, false, -1, why, sizeof(why));
	struct bus_file *theirs = file_of(process), *dead = file_of(dead_fd), *gap;
	struct ring_message message[2] = {0};
	struct ring_reader reader;
	struct ring_left left;
	int fd;

	write_two_and_begin_one(dead, theirs); // two words and two bodies of a word
	dead->reader.released = 64;
	assert_true(bus_file_count_left(dead_fd, SIZE, 0, 7, &left, why, sizeof(why)));
	assert_int_equal(left.messages, 2);
	assert_int_equal(left.of_type, 2);
	assert_true(bus_file_count_left(dead_fd, SIZE, 16, 6, &left, why, sizeof(why)));
	assert_int_equal(left.messages, 1);
	assert_int_equal(left.of_type, 0);
	assert_false(bus_file_count_left(dead_fd, SIZE, 4, 7, &left, why, sizeof(why)));
	fd = bus_file_make_gap("gap", SIZE, false, dead_fd, 32, 2, why, sizeof(why));
	assert_true(fd >= 0);
	gap = file_of(fd);
	assert_int_equal(gap->reader.released, 64);
	theirs->reader.released = 32 - RING_WORD;
	assert_true(bus_file_count_left(fd, SIZE, 32 - RING_WORD, 7, &left, why, sizeof(why)));
	assert_int_equal(left.messages, 2);
	assert_int_equal(left.of_type, 0);
	assert_int_equal(ring_reader_attach(&reader, &gap->writer, &theirs->reader, SIZE), RING_OK);
	assert_int_equal(ring_peek(&reader, message, 2), 1);
	assert_int_equal(message[0].kind, RING_GAP);
	assert_int_equal(message[0].length, 2);
	assert_int_equal(message[0].end, 32); // where the next file begins
	assert_int_equal(bus_file_make_gap("gap", SIZE, false, dead_fd, 0, 2, why, sizeof(why)), -1);
	assert_int_equal(bus_file_make_gap("gap", SIZE, false, dead_fd, 36, 2, why, sizeof(why)), -1);
	assert_string_equal(why, "a gap that ends where no entry begins");
	close(process);
	close(dead_fd);
	close(fd);
}

static void a_count_of_what_cannot_be_ends(void **state UNUSED)
{
	char why[200] = "";
	const int fd = bus_file_make("worker", SIZE, false, -1, why, sizeof(why));
	struct bus_file *file = file_of(fd);
	struct ring_left left;

	for (uint64_t at = 0; at < SIZE; at += RING_WORD) // no word without an entry
		*(uint64_t *)(file->writer.data + at) = ring_word(RING_MESSAGE, 7, 0);
	assert_true(bus_file_count_left(fd, SIZE, 0, 7, &left, why, sizeof(why)));
	assert_int_equal(left.messages, SIZE / RING_WORD);
	*(uint64_t *)(file->writer.data + RING_WORD) = ring_word(RING_MESSAGE, 7, SIZE);
	assert_false(bus_file_count_left(fd, SIZE, 0, 7, &left, why, sizeof(why)));
	assert_int_equal(left.messages, 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_out_as_they_went_in),
		cmocka_unit_test(batches_are_seen_at_once_and_released_at_once),
		cmocka_unit_test(what_is_reserved_and_abandoned_was_never_there),
		cmocka_unit_test(an_empty_ring_takes_the_longest_message_wherever_it_stands),
		cmocka_unit_test(a_full_ring_refuses_and_takes_again_when_one_is_released),
		cmocka_unit_test(what_is_peeked_and_not_released_is_seen_again_by_the_next_reader),
		cmocka_unit_test(a_new_writer_goes_on_and_tells_how_many_were_lost),
		cmocka_unit_test(a_new_writer_of_a_full_ring_has_room_for_the_gap),
		cmocka_unit_test(what_there_was_no_room_for_is_told_when_there_is),
		cmocka_unit_test(so_it_is_by_the_next_writer_together_with_what_was_begun),
		cmocka_unit_test(sizes_that_no_ring_has_are_refused_in_a_sentence),
		cmocka_unit_test(a_file_of_ours_is_read_by_others_and_never_written),
		cmocka_unit_test(a_file_that_can_shrink_is_not_mapped),
		cmocka_unit_test(a_file_in_huge_pages_or_where_there_are_none_is_like_others),
		cmocka_unit_test(a_file_goes_on_where_that_of_a_dead_writer_ended),
		cmocka_unit_test(what_nobody_read_is_counted_and_a_gap_takes_its_place),
		cmocka_unit_test(a_count_of_what_cannot_be_ends),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
