// SPDX-License-Identifier: BSD-3-Clause
// fuzz_game.c: a gateway that is out of its mind: whatever it writes into a live ring, between any two loads of the process, or
// says over the socket, the process stays sound.
//
// The input is a row of steps. Bodies that come all the same are read to their last byte, and no call takes more turns than
// its budget.

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

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

// One file, so that the loads of all of them are scribbled at. NOLINTBEGIN(bugprone-suspicious-include)
#include "bus/file.c"
#include "bus/memory.c"
#include "bus/ring.c"
#include "bus/wait.c"
#undef NS_PER_S

#include "attach.c"
#undef NS_PER_MS
#include "packets.c"
#undef NS_PER_MS
#include "wait.c"

#include "groups.c"
#include "players.c"
#include "records.c"
#include "rings.c"
#include "send.c"
#include "texts.c"
#define go_on poll_go_on
#include "poll.c"
#undef go_on
#undef NS_PER_MS
#include "processes.c"
// NOLINTEND(bugprone-suspicious-include)

#define SIZE RING_BYTES_MIN
#define POLLED 7

static struct {
	const uint8_t *input;
	size_t left;
	unsigned loads;
	unsigned before_load; // scribble when so many were made; 0: not in this call
	pgg *game;
	int gateway; // its end of the socket
	int process_fd, bell;
	int worker_fd; // of the worker that serves now
	struct bus_file *worker;
	const struct bus_file *process;
	struct ring_writer writer; // the worker's
	volatile uint64_t sum;
} fuzz;

static void require(bool right)
{
	if (!right)
		abort();
}

static uint8_t next_byte(void)
{
	if (fuzz.left == 0)
		return 0;
	fuzz.left--;
	return *fuzz.input++;
}

static void fill(void *out, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)out)[i] = next_byte();
}

/// Anything in the worker's memory, most of it where the process looks next.
static void scribble_now(void)
{
	const uint8_t how = next_byte();
	size_t at = ((size_t)next_byte() << 8 | next_byte()) % (bus_file_bytes(SIZE) / 8) * 8;
	uint64_t word = 0;

	if ((how & 1) && fuzz.game->workers > 0)
		at = offsetof(struct bus_file, writer) + offsetof(struct ring_written, data) +
		     fuzz.game->worker[0]->source.reader.next % SIZE;
	fill(&word, how & 2 ? 8 : 2);
	if (how & 4)
		word |= (uint64_t)(1 + how / 64) << 48;
	memcpy((uint8_t *)fuzz.worker + at, &word, sizeof(word));
}

static void scribble(void)
{
	fuzz.loads++;
	if (fuzz.loads == fuzz.before_load)
		scribble_now();
}

static int make_file(int before)
{
	char why[200];

	return bus_file_make("fuzz", SIZE, false, before, why, sizeof(why));
}

static void *map_file(int fd)
{
	void *at = mmap(NULL, bus_file_bytes(SIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	require(at != MAP_FAILED);
	return at;
}

/// A worker that is right, so far.
static void start_worker(void)
{
	fuzz.worker = map_file(fuzz.worker_fd);
	(void)ring_writer_attach(&fuzz.writer, &fuzz.worker->writer, &fuzz.process->reader, SIZE);
}

static void offer_rings(void)
{
	const int fds[] = {fuzz.worker_fd, fuzz.process_fd, fuzz.bell};

	rings_of_worker(fuzz.game, next_byte() % 8 == 0, fds, next_byte() % 8 == 0 ? 1 : 3);
}

/// Dies; what comes after it goes on with its positions, if they can be told.
static void replace_worker(void)
{
	const int fd = make_file(fuzz.worker_fd);

	if (fd < 0)
		return;
	munmap(fuzz.worker, bus_file_bytes(SIZE));
	close(fuzz.worker_fd);
	fuzz.worker_fd = fd;
	start_worker();
	offer_rings();
}

static void write_record(void)
{
	const uint16_t type = next_byte() % 10;
	const uint32_t length =
		next_byte() % 8 == 0 ? next_byte() * 8U : (const uint32_t[]){0, 0, 0, 12, 12, 20, 56, 24, 8, 28}[type];
	void *body;

	if (ring_reserve(&fuzz.writer, length, type, &body) == RING_OK)
		fill(body, length < 12 ? length : 12);
	if (next_byte() % 4 != 0)
		ring_commit(&fuzz.writer);
}

static void say_packet(void)
{
	struct packet packet = {0};

	fill(packet.as.bytes, sizeof(packet.as.head));
	if (next_byte() % 8 != 0)
		packet.as.head = attach_head(1 + next_byte() % 12);
	packet.length = length_of(packet.as.head.kind) + next_byte() % 2;
	fill(packet.as.bytes + sizeof(packet.as.head), next_byte() % 48);
	if (packet.length > 0)
		(void)send(fuzz.gateway, packet.as.bytes, packet.length, MSG_DONTWAIT);
}

static void read_all_bytes(const void *body, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		fuzz.sum += ((const uint8_t *)body)[i];
}

static void poll_some(int n)
{
	struct pgg_event event[POLLED];
	const bool was_told = fuzz.game->over == OVER_TOLD;
	const int found = pgg_poll(fuzz.game, event, n);

	require(found <= n && (found >= 0 || (was_told && found == PGG_ENDED)));
	for (int i = 0; i < found; i++) {
		require(event[i].type >= PGG_JOINED && event[i].type <= PGG_ENTITY_REFUSED);
		if (event[i].type == PGG_MESSAGE)
			read_all_bytes(event[i].as.message.body, event[i].as.message.length);
		if (event[i].type == PGG_MOVED)
			read_all_bytes(event[i].as.moved.at,
				       event[i].as.moved.count * (uint32_t)sizeof(struct pgg_position));
		if (event[i].type == PGG_JOINED && fuzz.game->over == OVER_NOT)
			require(event[i].player != 0);
	}
}

static void send_some(void)
{
	static const uint8_t body[600];
	const uint32_t players[] = {next_byte(), next_byte(), next_byte()};
	const struct pgg_message message = {
		.type = next_byte(), .reliable = true, .body = body, .length = next_byte() * 2U};

	(void)pgg_send(fuzz.game, players[0], &message);
	(void)pgg_send_list(fuzz.game, players, 3, &message);
	(void)pgg_send_group(fuzz.game, players[0], 0, &message);
	(void)pgg_group_join(fuzz.game, 1, players[1]);
}

static void step(uint8_t what)
{
	switch (what % 9) {
	case 0:
		scribble_now();
		break;
	case 1:
		replace_worker();
		break;
	case 2:
		say_packet();
		break;
	case 3:
		send_some();
		break;
	case 4:
		(void)pgg_wait(fuzz.game, 0);
		break;
	case 5:
	case 6:
		write_record();
		break;
	default:
		poll_some(1 + what / 9 % POLLED);
	}
}

static void begin(void)
{
	const struct pgg_options options = {.path = "fuzz", .name = "fuzz"};
	int ends[2];

	fuzz.before_load = 0;
	fuzz.game = make(&options);
	require(fuzz.game && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	fuzz.game->socket = ends[0];
	fuzz.gateway = ends[1];
	fuzz.game->ring_bytes = SIZE;
	fuzz.game->is_welcome = true;
	fuzz.worker_fd = make_file(-1);
	fuzz.process_fd = make_file(-1);
	fuzz.bell = eventfd(0, EFD_NONBLOCK);
	fuzz.process = map_file(fuzz.process_fd);
	start_worker();
}

static void finish(void)
{
	pgg_close(fuzz.game);
	munmap(fuzz.worker, bus_file_bytes(SIZE));
	munmap((void *)fuzz.process, bus_file_bytes(SIZE));
	close(fuzz.worker_fd);
	close(fuzz.process_fd);
	close(fuzz.bell);
	close(fuzz.gateway);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz.input = data;
	fuzz.left = size;
	begin();
	offer_rings();
	while (fuzz.left > 0) {
		const uint8_t what = next_byte();

		fuzz.loads = 0;
		fuzz.before_load = next_byte() % 16;
		step(what);
		fuzz.before_load = 0;
	}
	finish();
	return 0;
}
