// SPDX-License-Identifier: BSD-3-Clause
// fuzz_ring.c: both sides of a ring at work while the input is written over what they share, between any two of their loads.
//
// The input is steps: what a side does next, and with it what is scribbled where before which of the loads to come. Nothing
// is read or written outside the ring, no call takes more turns than its budget, and a side that has found a fault says
// so for good. Messages that come all the same are read to their last byte.

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bus/shared.h"

static void scribble(void);

static uint64_t scribbled_acquire(const uint64_t *word)
{
	scribble();
	return shared_acquire(word);
}

static uint32_t scribbled_acquire32(const uint32_t *word)
{
	scribble();
	return shared_acquire32(word);
}

#define shared_acquire(word) scribbled_acquire(word)
#define shared_acquire32(word) scribbled_acquire32(word)
#define shared_wake(word) ((void)(word))
#include "bus/ring.c"
#include "bus/wait.c"

#define SIZE RING_BYTES_MIN
#define PEEKED 5
/// Loads of one call at most, but for a writer that attaches: which looks at each entry.
#define LOADS_MAX (2 * PEEKED + 4)

static struct {
	const uint8_t *input;
	size_t left;
	unsigned loads;       // of this call
	unsigned before_load; // scribble when so many were made; 0: not in this call
	struct ring_written *written;
	struct ring_read *read;
	struct ring_writer writer;
	struct ring_reader reader;
	volatile uint64_t sum; // of all that was read
} fuzz;

static void require(bool right)
{
	if (!right)
		abort();
}

static uint8_t take(void)
{
	if (fuzz.left == 0)
		return 0;
	fuzz.left--;
	return *fuzz.input++;
}

/// Anything in the one side's memory, or an entry or position that could be.
static void scribble_now(void)
{
	uint8_t *memory = (uint8_t *)fuzz.written;
	size_t bytes = ring_written_bytes(SIZE), at;
	const uint8_t how = take();
	uint64_t word = 0;

	if (how & 1) {
		memory = (uint8_t *)fuzz.read;
		bytes = sizeof(*fuzz.read);
	}
	at = ((size_t)take() << 8 | take()) % (bytes / 8) * 8;
	if (how & 2) // where it hurts
		at = how & 1 ? 0 :
			       (how & 4 ? fuzz.reader.next : fuzz.writer.next) % SIZE +
				       offsetof(struct ring_written, data);
	for (unsigned i = 0; i < (how & 8 ? 8 : 3); i++)
		word = word << 8 | take();
	if (how & 16)
		word |= (uint64_t)(1 + how / 64) << 48;
	if (how & 32)
		word += how & 1 ? fuzz.read->released : 0;
	memcpy(memory + at, &word, sizeof(word));
}

static void scribble(void)
{
	fuzz.loads++;
	if (fuzz.loads == fuzz.before_load)
		scribble_now();
}

static void attach_writer(void)
{
	const enum ring_result result = ring_writer_attach(&fuzz.writer, fuzz.written, fuzz.read, SIZE);

	require(result == RING_OK || (result == RING_BROKEN && fuzz.writer.fault != RING_SOUND));
	require(fuzz.loads <= SIZE / 8 + 16);
}

static void attach_reader(void)
{
	const enum ring_result result = ring_reader_attach(&fuzz.reader, fuzz.written, fuzz.read, SIZE);

	require(result == RING_OK || (result == RING_BROKEN && fuzz.reader.fault != RING_SOUND));
	require(fuzz.loads <= LOADS_MAX);
}

static void write_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const uint32_t length = (uint32_t)take() * (take() % 8);
		const bool was_sound = fuzz.writer.fault == RING_SOUND;
		void *body = NULL;

		switch (ring_reserve(&fuzz.writer, length, take(), &body)) {
		case RING_OK:
			require((uintptr_t)body % 8 == 0);
			memset(body, (int)length, length);
			break;
		case RING_TOO_LONG:
			require(length > SIZE / 4);
			break;
		case RING_BROKEN:
			require(fuzz.writer.fault != RING_SOUND);
			break;
		default:
			require(was_sound);
			ring_miss(&fuzz.writer);
		}
	}
	require(fuzz.loads <= 2 * n);
}

static void read_message(const struct ring_message *message)
{
	const uint8_t *body = message->body;

	require(message->kind == RING_MESSAGE || (message->kind == RING_GAP && !body));
	require(message->end % 8 == 0 && message->end <= fuzz.reader.next);
	for (uint32_t i = 0; message->kind == RING_MESSAGE && i < message->length; i++)
		fuzz.sum += body[i];
}

static void read_some(unsigned n, bool release)
{
	const bool was_sound = fuzz.reader.fault == RING_SOUND;
	struct ring_message message[PEEKED];
	const int found = ring_peek(&fuzz.reader, message, n);

	require(found <= (int)n && fuzz.loads <= LOADS_MAX);
	require(was_sound || found == -1);
	require(found >= 0 || fuzz.reader.fault != RING_SOUND);
	for (int i = 0; i < found; i++)
		read_message(&message[i]);
	if (release && found > 0)
		ring_release_to(&fuzz.reader, &message[(unsigned)found / 2]);
	else if (release && found == 0)
		ring_release(&fuzz.reader);
}

static void step(uint8_t what)
{
	uint32_t wakes;

	switch (what % 10) {
	case 0:
		attach_writer();
		break;
	case 1:
		attach_reader();
		break;
	case 2:
		ring_abandon(&fuzz.writer);
		break;
	case 3:
		scribble_now();
		break;
	case 4:
		(void)ring_tell_missed(&fuzz.writer);
		ring_wake(&fuzz.writer);
		break;
	case 5:
		if (ring_fall_asleep(&fuzz.reader, &wakes))
			ring_stay_awake(&fuzz.reader);
		break;
	case 6:
	case 7:
		write_some(1 + what / 10 % 4);
		if (what & 0x80)
			ring_commit(&fuzz.writer);
		break;
	default:
		read_some(1 + what / 10 % PEEKED, what & 0x80);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz.input = data;
	fuzz.left = size;
	fuzz.before_load = fuzz.loads = 0;
	fuzz.written = aligned_alloc(RING_APART, ring_written_bytes(SIZE));
	fuzz.read = aligned_alloc(RING_APART, sizeof(*fuzz.read));
	require(fuzz.written && fuzz.read);
	memset(fuzz.written, 0, ring_written_bytes(SIZE));
	memset(fuzz.read, 0, sizeof(*fuzz.read));
	ring_format(fuzz.written, SIZE);
	attach_writer();
	fuzz.loads = 0;
	attach_reader();
	while (fuzz.left > 0) {
		const uint8_t what = take();

		fuzz.loads = 0;
		fuzz.before_load = take() % 16;
		step(what);
	}
	free(fuzz.written);
	free(fuzz.read);
	return 0;
}
