// SPDX-License-Identifier: BSD-3-Clause
// ring_pair.c: see ring_pair.h.

#include "ring_pair.h"

#include <string.h>

static void map(struct memory_file *there, const struct memory_file *file)
{
	char why[200];

	assert_true(memory_file_map(there, file->fd, file->bytes, why, sizeof(why)));
}

void pair_make(struct ring_pair *pair, uint32_t size)
{
	char why[200];

	*pair = (struct ring_pair){.size = size};
	assert_true(memory_file_make(&pair->written, "written", ring_written_bytes(size), why, sizeof(why)));
	assert_true(memory_file_make(&pair->read, "read", sizeof(struct ring_read), why, sizeof(why)));
	assert_true(memory_file_seal(pair->written.fd, why, sizeof(why)));
	assert_true(memory_file_seal(pair->read.fd, why, sizeof(why)));
	map(&pair->written_there, &pair->written);
	map(&pair->read_there, &pair->read);
	ring_format(pair->written.at, size);
	pair_attach_writer(pair);
	pair_attach_reader(pair);
}

void pair_close(struct ring_pair *pair)
{
	memory_file_close(&pair->written);
	memory_file_close(&pair->read);
	memory_file_close(&pair->written_there);
	memory_file_close(&pair->read_there);
}

void pair_attach_writer(struct ring_pair *pair)
{
	assert_int_equal(ring_writer_attach(&pair->writer, pair->written.at, pair->read_there.at, pair->size), RING_OK);
}

void pair_attach_reader(struct ring_pair *pair)
{
	assert_int_equal(ring_reader_attach(&pair->reader, pair->written_there.at, pair->read.at, pair->size), RING_OK);
}

struct ring_written *pair_written(struct ring_pair *pair)
{
	return pair->written.at;
}

struct ring_read *pair_read(struct ring_pair *pair)
{
	return pair->read.at;
}

enum ring_result pair_reserve(struct ring_pair *pair, uint64_t number, uint32_t length)
{
	void *body = NULL;
	const enum ring_result result = ring_reserve(&pair->writer, length, (uint16_t)number, &body);

	if (result == RING_OK)
		memset(body, (int)(number % 251), length);
	return result;
}

void pair_say(struct ring_pair *pair, uint64_t number, uint32_t length)
{
	assert_int_equal(pair_reserve(pair, number, length), RING_OK);
	ring_commit(&pair->writer);
}

void pair_expect(struct ring_pair *pair, uint64_t number, uint32_t length)
{
	struct ring_message message;

	assert_int_equal(ring_peek(&pair->reader, &message, 1), 1);
	assert_int_equal(message.kind, RING_MESSAGE);
	assert_int_equal(message.type, (uint16_t)number);
	assert_int_equal(message.length, length);
	assert_int_equal((uintptr_t)message.body % 8, 0);
	for (uint32_t i = 0; i < length; i++)
		assert_int_equal(((const uint8_t *)message.body)[i], number % 251);
	ring_release_to(&pair->reader, &message);
}

void pair_expect_gap(struct ring_pair *pair, uint32_t messages)
{
	struct ring_message message;

	assert_int_equal(ring_peek(&pair->reader, &message, 1), 1);
	assert_int_equal(message.kind, RING_GAP);
	assert_int_equal(message.length, messages);
	assert_null(message.body);
	ring_release_to(&pair->reader, &message);
}

void pair_expect_nothing(struct ring_pair *pair)
{
	struct ring_message message;

	assert_int_equal(ring_peek(&pair->reader, &message, 1), 0);
}
