// SPDX-License-Identifier: BSD-3-Clause
// ways.c: see ways.h. Each way as well as it can be done: nobody sleeps but where that is what is measured.

#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bus/ring.h"
#include "bus/wait.h"

/// The first word of a body says which message it is; the last has this type.
#define LAST 9
#define AN_HOUR 3600000000000ULL

uint64_t sum_of(const uint64_t *body, uint32_t bytes)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < bytes / sizeof(uint64_t); i++)
		sum += body[i];
	return sum;
}

volatile uint64_t read_sum;

// ---------------------------------------------------------------- a line

static struct lines {
	uint64_t said RING_APART_ALIGNED;
	uint64_t answered RING_APART_ALIGNED;
	uint64_t spare RING_APART_ALIGNED;
} * lines;

static void make_lines(void)
{
	lines = bench_memory(sizeof(*lines));
}

static void attach_lines(unsigned side)
{
	if (side == 0)
		memset(lines, 0, sizeof(*lines));
}

static void converse_by_line(uint32_t bytes, uint64_t until, struct times *times)
{
	uint64_t number = 0, then = now_cycles();

	(void)bytes;
	while (then < until) {
		uint64_t now;

		for (unsigned i = 0; i < TURNS; i++) {
			__atomic_store_n(&lines->said, ++number, __ATOMIC_RELEASE);
			while (__atomic_load_n(&lines->answered, __ATOMIC_ACQUIRE) != number)
				__builtin_ia32_pause();
		}
		now = now_cycles();
		note_time(times, now - then);
		then = now;
	}
	__atomic_store_n(&lines->said, UINT64_MAX, __ATOMIC_RELEASE);
}

static void answer_by_line(uint32_t bytes)
{
	uint64_t number = 0;

	(void)bytes;
	for (;;) {
		uint64_t said;

		while ((said = __atomic_load_n(&lines->said, __ATOMIC_ACQUIRE)) == number)
			__builtin_ia32_pause();
		if (said == UINT64_MAX)
			return;
		number = said;
		__atomic_store_n(&lines->answered, number, __ATOMIC_RELEASE);
	}
}

const struct way line_way = {
	.name = "line",
	.make = make_lines,
	.attach = attach_lines,
	.converse = converse_by_line,
	.answer = answer_by_line,
};

// ---------------------------------------------------------------- rings

static struct {
	struct ring_written *written[2]; // by side
	struct ring_read *read[2];
	struct ring_writer writer;
	struct ring_reader reader, *readers[1];
	struct ring_waiting waiting;
} ring;

static void make_rings(void)
{
	for (unsigned side = 0; side < 2; side++) {
		ring.written[side] = bench_memory(ring_written_bytes(RING_BYTES_DEFAULT));
		ring.read[side] = bench_memory(sizeof(*ring.read[side]));
		ring_format(ring.written[side], RING_BYTES_DEFAULT);
	}
}

/// On rings that the other side may have begun to use.
static void attach_rings(unsigned side)
{
	struct ring_written *own = ring.written[side], *other = ring.written[1 - side];

	if (ring_writer_attach(&ring.writer, own, ring.read[1 - side], RING_BYTES_DEFAULT) != RING_OK ||
	    ring_reader_attach(&ring.reader, other, ring.read[side], RING_BYTES_DEFAULT) != RING_OK)
		bench_fail(ring_fault_text(ring.reader.fault));
	ring.readers[0] = &ring.reader;
	ring.waiting = (struct ring_waiting){.spin_ns = AN_HOUR, .sleep_ns = AN_HOUR};
}

static void attach_sleepers(unsigned side)
{
	attach_rings(side);
	ring.waiting.spin_ns = 0;
}

static void *reserve(uint32_t bytes, uint16_t type)
{
	enum ring_result result;
	void *body = NULL;

	while ((result = ring_reserve(&ring.writer, bytes, type, &body)) == RING_FULL)
		__builtin_ia32_pause();
	if (result != RING_OK)
		bench_fail(ring_fault_text(ring.writer.fault));
	return body;
}

ALWAYS_INLINE int peek(struct ring_message *message, unsigned n)
{
	int found;

	while ((found = ring_peek(&ring.reader, message, n)) == 0)
		ring_wait(ring.readers, 1, &ring.waiting);
	if (found < 0)
		bench_fail(ring_fault_text(ring.reader.fault));
	return found;
}

ALWAYS_INLINE void say(const uint64_t *body, uint32_t bytes, uint16_t type)
{
	memcpy(reserve(bytes, type), body, bytes);
	ring_commit(&ring.writer);
	if (ring.waiting.spin_ns == 0)
		ring_wake(&ring.writer);
}

static void converse_by_ring(uint32_t bytes, uint64_t until, struct times *times)
{
	uint64_t body[BODY_MAX / 8] = {1}, then = now_cycles();
	struct ring_message message;

	while (then < until) {
		uint64_t now;

		for (unsigned i = 0; i < TURNS; i++) {
			say(body, bytes, 1);
			peek(&message, 1);
			memcpy(body, message.body, bytes);
			ring_release(&ring.reader);
		}
		now = now_cycles();
		note_time(times, now - then);
		then = now;
	}
	say(body, 8, LAST);
}

static void answer_by_ring(uint32_t bytes)
{
	struct ring_message message;

	(void)bytes;
	for (;;) {
		peek(&message, 1);
		if (message.type == LAST)
			break;
		say(message.body, message.length, 1);
		ring_release(&ring.reader);
	}
	ring_release(&ring.reader);
}

static uint64_t send_by_ring(uint32_t bytes, uint64_t until, struct times *times)
{
	uint64_t body[BODY_MAX / 8] = {0}, then = now_cycles();

	while (body[0] % BLOCK != 0 || now_cycles() < until) {
		say(body, bytes, 1);
		note_block(times, ++body[0], &then);
	}
	say(body, bytes, LAST);
	return body[0];
}

static void receive_by_ring(uint32_t bytes, struct times *times)
{
	uint64_t number = 0, noted = 0, then = now_cycles();
	struct ring_message message[32];
	bool is_last = false;

	(void)bytes;
	while (!is_last) {
		const int n = peek(message, 32);
		uint64_t sum = 0;

		for (int i = 0; i < n; i++) {
			const uint64_t *body = message[i].body;

			if (body[0] != number++)
				bench_fail("a message is missing");
			sum += sum_of(body, message[i].length);
		}
		read_sum += sum;
		is_last = message[n - 1].type == LAST;
		ring_release(&ring.reader);
		if (number - noted >= BLOCK) {
			const uint64_t now = now_cycles();

			note_time(times, (now - then) * BLOCK / (number - noted));
			then = now;
			noted = number;
		}
	}
	times->count = number - 1; // the last is none of them
}

const struct way ring_way = {
	.name = "ring",
	.make = make_rings,
	.attach = attach_rings,
	.converse = converse_by_ring,
	.answer = answer_by_ring,
	.send = send_by_ring,
	.receive = receive_by_ring,
};

const struct way asleep_way = {
	.name = "ring, asleep",
	.make = make_rings,
	.attach = attach_sleepers,
	.converse = converse_by_ring,
	.answer = answer_by_ring,
};

// ---------------------------------------------------------------- datagrams

static int socket_pair[2], own_socket;

static void make_sockets(void)
{
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, socket_pair) != 0)
		bench_fail("socketpair");
}

static void attach_sockets(unsigned side)
{
	own_socket = socket_pair[side];
}

static void send_datagram(const uint64_t *body, uint32_t bytes)
{
	while (send(own_socket, body, bytes, MSG_DONTWAIT) < 0)
		if (errno != EAGAIN)
			bench_fail("send");
}

static uint32_t receive_datagram(uint64_t *body)
{
	ssize_t bytes;

	while ((bytes = recv(own_socket, body, BODY_MAX, MSG_DONTWAIT)) < 0)
		if (errno != EAGAIN)
			bench_fail("recv");
	return (uint32_t)bytes;
}

/// A word is the last that is said.
#define LAST_BYTES sizeof(uint64_t)

static void converse_by_datagram(uint32_t bytes, uint64_t until, struct times *times)
{
	uint64_t body[BODY_MAX / 8] = {1}, then = now_cycles();

	while (then < until) {
		uint64_t now;

		for (unsigned i = 0; i < TURNS; i++) {
			send_datagram(body, bytes);
			receive_datagram(body);
		}
		now = now_cycles();
		note_time(times, now - then);
		then = now;
	}
	send_datagram(body, LAST_BYTES);
}

static void answer_by_datagram(uint32_t bytes)
{
	uint64_t body[BODY_MAX / 8];

	while (receive_datagram(body) != LAST_BYTES)
		send_datagram(body, bytes);
}

static uint64_t send_by_datagram(uint32_t bytes, uint64_t until, struct times *times)
{
	uint64_t body[BODY_MAX / 8] = {0}, then = now_cycles();

	while (body[0] % BLOCK != 0 || now_cycles() < until) {
		send_datagram(body, bytes);
		note_block(times, ++body[0], &then);
	}
	send_datagram(body, LAST_BYTES);
	return body[0];
}

static void receive_by_datagram(uint32_t bytes, struct times *times)
{
	uint64_t number = 0, then = now_cycles(), body[BODY_MAX / 8];
	uint32_t came = bytes;

	while (came != LAST_BYTES) {
		came = receive_datagram(body);
		if (body[0] != number++)
			bench_fail("a datagram is missing");
		read_sum += sum_of(body, came);
		note_block(times, number, &then);
	}
	times->count = number - 1;
}

const struct way datagram_way = {
	.name = "datagram",
	.make = make_sockets,
	.attach = attach_sockets,
	.converse = converse_by_datagram,
	.answer = answer_by_datagram,
	.send = send_by_datagram,
	.receive = receive_by_datagram,
};
