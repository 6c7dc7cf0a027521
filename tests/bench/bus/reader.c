// SPDX-License-Identifier: BSD-3-Clause
// reader.c: a game process for `bench game`: it spins, and reads every byte that a worker gives it.
//
//   reader WORKER'S-FILE PROCESS'S-FILE RING-BYTES [answer]    descriptors that it inherits
//
// With `answer` it sends each message back to its player. Says "ready", reads until its standard input ends, and says how many messages it heard, and how many bytes of bodies.

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/file.h"
#include "bus/memory.h"
#include "bus/records.h"

#define AT_ONCE 64
#define TURNS_PER_LOOK 4096

struct heard {
	uint64_t messages, bytes, gaps;
	uint64_t sum;               // so that bodies are read
	struct ring_writer *answer; // NULL: there is none
};

static void fail(const char *why)
{
	(void)fprintf(stderr, "%s\n", why);
	exit(1);
}

static bool has_ended(void)
{
	char byte;
	const ssize_t n = read(STDIN_FILENO, &byte, 1);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void send_back(struct ring_writer *writer, const struct game_message *said, uint32_t length)
{
	struct game_send *answer;
	void *body;

	if (ring_reserve(writer, sizeof(*answer) + length, GAME_SEND, &body) != RING_OK)
		fail("the worker does not read what is answered");
	answer = body;
	*answer = (struct game_send){.player = said->player, .message = {.type = said->type}};
	memcpy(answer->body, said->body, length);
	ring_commit(writer);
}

static void hear_message(struct heard *heard, const struct ring_message *message)
{
	const struct game_message *said = message->body;
	const uint32_t length = message->length - (uint32_t)sizeof(*said);

	if (heard->answer)
		send_back(heard->answer, said, length);
	for (uint32_t i = 0; i < length; i++)
		heard->sum += said->body[i];
	heard->bytes += length;
	heard->messages++;
}

/// @return false: there was nothing
static bool hear(struct ring_reader *reader, struct heard *heard)
{
	struct ring_message message[AT_ONCE];
	const int n = ring_peek(reader, message, AT_ONCE);

	if (n < 0)
		fail(ring_fault_text(reader->fault));
	for (int i = 0; i < n; i++) {
		if (message[i].kind == RING_GAP)
			heard->gaps += message[i].length;
		else if (message[i].type == GAME_MESSAGE)
			hear_message(heard, &message[i]);
	}
	if (n > 0)
		ring_release(reader);
	return n > 0;
}

static void hear_all(struct ring_reader *reader, struct heard *heard)
{
	uint64_t turns = 0;

	while (++turns % TURNS_PER_LOOK != 0 || !has_ended())
		if (!hear(reader, heard))
			__builtin_ia32_pause();
	while (hear(reader, heard)) // what was there when it ended
		;
}

static int descriptor(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
	struct memory_file theirs, own;
	struct ring_reader reader;
	struct ring_writer writer;
	struct heard heard = {0};
	const struct bus_file *file;
	struct bus_file *own_file;
	uint32_t ring_bytes;
	char why[256];

	if (argc < 4)
		fail("usage: reader WORKER'S-FILE PROCESS'S-FILE RING-BYTES [answer]");
	ring_bytes = (uint32_t)strtoul(argv[3], NULL, 10);
	if (!memory_file_map(&theirs, descriptor(argv[1]), bus_file_bytes(ring_bytes), why, sizeof(why)) ||
	    !memory_file_map_for_writing(&own, descriptor(argv[2]), bus_file_bytes(ring_bytes), why, sizeof(why)))
		fail(why);
	file = theirs.at;
	own_file = own.at;
	if (ring_reader_attach(&reader, &file->writer, &own_file->reader, ring_bytes) != RING_OK)
		fail(ring_fault_text(reader.fault));
	if (ring_writer_attach(&writer, &own_file->writer, &file->reader, ring_bytes) != RING_OK)
		fail(ring_fault_text(writer.fault));
	if (argc > 4)
		heard.answer = &writer;
	(void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	(void)puts("ready");
	(void)fflush(stdout);
	hear_all(&reader, &heard);
	printf("{\"messages\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"gaps\": %" PRIu64 ", \"sum\": %" PRIu64 "}\n",
	       heard.messages, heard.bytes, heard.gaps, heard.sum);
	return 0;
}
