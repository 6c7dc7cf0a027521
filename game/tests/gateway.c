// SPDX-License-Identifier: BSD-3-Clause
// gateway.c: see gateway.h.

#include "gateway.h"

#include "bus/memory.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define A_MINUTE_MS 60000

// ---------------------------------------------------------------- the supervisor

static struct attach_head head(const struct gateway *gateway, enum attach_kind kind)
{
	return (struct attach_head){ATTACH_MAGIC, gateway->version, (uint16_t)kind};
}

static void say(int fd, const void *packet, size_t bytes, const int *fds, unsigned n)
{
	struct iovec part = {(void *)packet, bytes};
	union {
		struct cmsghdr first;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (n > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.first = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.first), fds, n * sizeof(int));
	}
	(void)sendmsg(fd, &message, MSG_NOSIGNAL);
}

static void say_text(const struct gateway *gateway, int fd, enum attach_kind kind, const char *text)
{
	struct attach_text said = {.head = head(gateway, kind), .reason = ATTACH_REFUSED_TAKEN};

	snprintf(said.text, sizeof(said.text), "%s", text);
	say(fd, &said, sizeof(said), NULL, 0);
}

static int make_file(int before)
{
	char why[200];
	const int fd = bus_file_make("test", RING, false, before, why, sizeof(why));

	assert_true(fd >= 0);
	return fd;
}

static void *map(int fd, int protection)
{
	void *at = mmap(NULL, bus_file_bytes(RING), protection, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static void worker_start(struct gate_worker *worker)
{
	worker->own = map(worker->worker_fd, PROT_READ | PROT_WRITE);
	assert_int_equal(ring_writer_attach(&worker->writer, &worker->own->writer, &worker->theirs->reader, RING),
			 RING_OK);
	assert_int_equal(ring_reader_attach(&worker->reader, &worker->theirs->writer, &worker->own->reader, RING),
			 RING_OK);
	worker->incarnation++;
}

static void worker_make(struct gate_worker *worker)
{
	worker->worker_fd = make_file(-1);
	worker->process_fd = make_file(-1);
	worker->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	worker->theirs = map(worker->process_fd, PROT_READ);
	worker_start(worker);
}

static void say_rings(const struct gateway *gateway, const struct gate_process *process, uint32_t number)
{
	const struct gate_worker *worker = &process->worker[number];
	const int fds[] = {worker->worker_fd, worker->process_fd, worker->bell};
	const struct attach_rings rings = {head(gateway, ATTACH_RINGS), number, worker->incarnation};

	say(process->socket, &rings, sizeof(rings), fds, 3);
}

static void say_readers(const struct gateway *gateway, const struct gate_process *to, unsigned of, bool on)
{
	struct attach_topic topic = {.head = head(gateway, ATTACH_READERS), .topic = gateway->topic[of], .on = on};

	memcpy(topic.name, gateway->process[of].name, sizeof(topic.name));
	say(to->socket, &topic, sizeof(topic), NULL, 0);
}

static void welcome(struct gateway *gateway, struct gate_process *process)
{
	const struct attach_welcome said = {
		.head = head(gateway, ATTACH_WELCOME), .workers = gateway->workers, .ring_bytes = RING};

	say(process->socket, &said, sizeof(said), NULL, 0);
	for (unsigned i = 0; i < gateway->workers; i++)
		say_rings(gateway, process, i);
	for (unsigned i = 0; i < gateway->processes; i++)
		if (gateway->topic[i] != 0)
			say_readers(gateway, process, i, true);
}

static void on_hello(struct gateway *gateway, struct gate_process *process)
{
	struct attach_hello hello;

	if (recv(process->socket, &hello, sizeof(hello), 0) != sizeof(hello) || gateway->is_silent)
		return;
	memcpy(process->name, hello.name, sizeof(process->name));
	process->wants = hello.wants;
	if (gateway->token && strcmp(gateway->token, hello.token) != 0)
		say_text(gateway, process->socket, ATTACH_REFUSED, "the token is another");
	else if (gateway->refuses)
		say_text(gateway, process->socket, ATTACH_REFUSED, gateway->refuses);
	else
		welcome(gateway, process);
}

static int find(const struct gateway *gateway, const char *name)
{
	for (unsigned i = 0; i < gateway->processes; i++)
		if (strcmp(gateway->process[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void say_pair(const struct gateway *gateway, unsigned to, uint32_t role, unsigned other, const int *fds)
{
	struct attach_pair pair = {.head = head(gateway, ATTACH_PAIR), .role = role};

	memcpy(pair.name, gateway->process[other].name, sizeof(pair.name));
	say(gateway->process[to].socket, &pair, sizeof(pair), fds, 2);
}

static void on_open(struct gateway *gateway, unsigned from, const struct attach_pair *open)
{
	const int to = find(gateway, open->name);

	if (to < 0) {
		say_text(gateway, gateway->process[from].socket, ATTACH_NOBODY, "there is none");
		return;
	}
	int *fds = gateway->pair[from][to];

	fds[0] = fds[0] ? fds[0] : make_file(-1);
	fds[1] = fds[1] ? fds[1] : make_file(-1);
	say_pair(gateway, from, ATTACH_WRITES, (unsigned)to, fds);
	say_pair(gateway, (unsigned)to, ATTACH_READS, from, fds);
}

void gateway_pair_follows(struct gateway *gateway, unsigned from, unsigned to)
{
	int *fds = gateway->pair[from][to];

	for (unsigned i = 0; i < 2; i++) {
		close(fds[i]);
		fds[i] = make_file(-1);
	}
	say_pair(gateway, to, ATTACH_READS, from, fds);
}

void gateway_reader_follows(struct gateway *gateway, unsigned from, unsigned to)
{
	struct attach_pair pair = {.head = head(gateway, ATTACH_PAIR), .role = ATTACH_RENEWS};
	int *fd = &gateway->pair[from][to][1];

	close(*fd);
	*fd = make_file(-1);
	memcpy(pair.name, gateway->process[to].name, sizeof(pair.name));
	say(gateway->process[from].socket, &pair, sizeof(pair), fd, 1);
}

/// What is said before that has no meaning: all of its rings were there.
static void on_mapped(const struct gateway *gateway, struct gate_process *process)
{
	char why[200];

	for (unsigned i = 0; i < gateway->workers; i++)
		assert_true(memory_file_seal(process->worker[i].process_fd, why, sizeof(why)));
	process->mapped++;
}

static void on_packet(struct gateway *gateway, unsigned from)
{
	union {
		struct attach_head head;
		struct attach_pair pair;
		struct attach_topic topic;
	} packet;
	struct gate_process *process = &gateway->process[from];

	if (recv(process->socket, &packet, sizeof(packet), 0) <= 0) {
		close(process->socket);
		__atomic_store_n(&process->socket, -1, __ATOMIC_RELEASE);
		return;
	}
	if (packet.head.kind == ATTACH_OPEN)
		on_open(gateway, from, &packet.pair);
	if (packet.head.kind == ATTACH_MAPPED)
		on_mapped(gateway, process);
	if (packet.head.kind != ATTACH_TOPIC)
		return;
	gateway->topic[from] = packet.topic.topic;
	for (unsigned i = 0; i < gateway->processes; i++)
		say_readers(gateway, &gateway->process[i], from, packet.topic.on != 0);
}

static void on_connect(struct gateway *gateway)
{
	struct gate_process *process = &gateway->process[gateway->processes];

	process->socket = accept(gateway->listener, NULL, NULL);
	gateway->processes++;
	on_hello(gateway, process);
}

static void *supervise(void *argument)
{
	struct gateway *gateway = argument;
	struct pollfd ready[2 + GATEWAY_PROCESSES];

	for (;;) {
		ready[0] = (struct pollfd){gateway->end, POLLIN, 0};
		ready[1] = (struct pollfd){gateway->listener, POLLIN, 0};
		for (unsigned i = 0; i < gateway->processes; i++)
			ready[2 + i] = (struct pollfd){gateway->process[i].socket, POLLIN, 0};
		poll(ready, 2 + gateway->processes, -1);
		if (ready[0].revents)
			return NULL;
		for (unsigned i = gateway->processes; i-- > 0;)
			if (ready[2 + i].revents)
				on_packet(gateway, i);
		if (ready[1].revents)
			on_connect(gateway);
	}
}

void gateway_start(struct gateway *gateway, unsigned workers)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*gateway = (struct gateway){.workers = workers, .version = ATTACH_VERSION, .directory = "/tmp/pgg-XXXXXX"};
	assert_non_null(mkdtemp(gateway->directory));
	snprintf(gateway->path, sizeof(gateway->path), "%s/game.sock", gateway->directory);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", gateway->path);
	gateway->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(gateway->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(gateway->listener, 8), 0);
	for (unsigned p = 0; p < GATEWAY_PROCESSES; p++)
		for (unsigned w = 0; w < workers; w++)
			worker_make(&gateway->process[p].worker[w]);
	gateway->end = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(&gateway->thread, NULL, supervise, gateway), 0);
}

void gateway_die(struct gateway *gateway)
{
	const uint64_t one = 1;

	if (gateway->listener < 0)
		return;
	assert_int_equal(write(gateway->end, &one, sizeof(one)), sizeof(one));
	pthread_join(gateway->thread, NULL);
	for (unsigned i = 0; i < gateway->processes; i++)
		if (gateway->process[i].socket >= 0)
			close(gateway->process[i].socket);
	close(gateway->listener);
	close(gateway->end);
	gateway->listener = -1;
}

void gateway_stop(struct gateway *gateway)
{
	gateway_die(gateway);
	for (unsigned p = 0; p < GATEWAY_PROCESSES; p++)
		for (unsigned w = 0; w < gateway->workers; w++) {
			struct gate_worker *worker = &gateway->process[p].worker[w];

			if (!worker->own)
				continue; // gateway_follow()
			munmap(worker->own, bus_file_bytes(RING));
			munmap((void *)worker->theirs, bus_file_bytes(RING));
			close(worker->worker_fd);
			close(worker->process_fd);
			close(worker->bell);
		}
	for (unsigned from = 0; from < GATEWAY_PROCESSES; from++)
		for (unsigned to = 0; to < GATEWAY_PROCESSES; to++)
			for (unsigned i = 0; i < 2; i++)
				if (gateway->pair[from][to][i])
					close(gateway->pair[from][to][i]);
	unlink(gateway->path);
	rmdir(gateway->directory);
}

pgg *gateway_attach(struct gateway *gateway, const char *name)
{
	struct pgg_options options;
	struct pgg_error error;
	pgg *game;

	pgg_options_init(&options);
	options.path = gateway->path;
	options.name = name;
	options.timeout_ms = A_MINUTE_MS;
	options.spin_ns = 0;
	game = pgg_open(&options, &error);
	if (!game)
		fail_msg("%s", error.text);
	return game;
}

static void go_on(struct gate_worker *worker)
{
	const struct bus_place place = {.written = worker->own->reader.released,
					.read = worker->theirs->reader.released};
	const int before = worker->process_fd;
	char why[200];

	worker->process_fd = bus_file_make_at("test", RING, false, place, before, why, sizeof(why));
	assert_true(worker->process_fd >= 0);
	close(before);
	munmap((void *)worker->theirs, bus_file_bytes(RING));
	worker->theirs = map(worker->process_fd, PROT_READ);
	worker->writer.reader = &worker->theirs->reader;
	assert_int_equal(ring_reader_attach(&worker->reader, &worker->theirs->writer, &worker->own->reader, RING),
			 RING_OK);
}

void gateway_hear_out(const struct gateway *gateway, unsigned process)
{
	while (__atomic_load_n(&gateway->process[process].socket, __ATOMIC_ACQUIRE) >= 0)
		sched_yield();
}

void gateway_follow(struct gateway *gateway, unsigned process)
{
	gateway_hear_out(gateway, process);
	for (unsigned i = 0; i < gateway->workers; i++) {
		struct gate_worker *worker = &gateway->process[process].worker[i];
		struct gate_worker *next = &gateway->process[gateway->processes].worker[i];

		go_on(worker);
		munmap(next->own, bus_file_bytes(RING));
		munmap((void *)next->theirs, bus_file_bytes(RING));
		close(next->worker_fd);
		close(next->process_fd);
		close(next->bell);
		*next = *worker;
		*worker = (struct gate_worker){.worker_fd = -1, .process_fd = -1, .bell = -1};
	}
}

// ---------------------------------------------------------------- its workers

void gateway_replace_worker(struct gateway *gateway, unsigned number, unsigned begun)
{
	struct gate_worker *worker = &gateway->process[0].worker[number];
	void *body;
	int fd;

	for (unsigned i = 0; i < begun; i++)
		assert_int_equal(ring_reserve(&worker->writer, 8, GAME_MESSAGE, &body), RING_OK);
	fd = make_file(worker->worker_fd);
	close(worker->worker_fd);
	munmap(worker->own, bus_file_bytes(RING));
	worker->worker_fd = fd;
	worker_start(worker);
	ring_commit(&worker->writer);
	say_rings(gateway, &gateway->process[0], number);
}

void *gateway_record(struct gateway *gateway, unsigned worker, uint16_t type, uint32_t length)
{
	void *body = NULL;

	if (ring_reserve(&gateway->process[0].worker[worker].writer, length, type, &body) == RING_OK)
		memset(body, 0, length);
	assert_non_null(body);
	return body;
}

void gateway_commit(struct gateway *gateway, unsigned worker)
{
	struct ring_writer *writer = &gateway->process[0].worker[worker].writer;

	ring_commit(writer);
	ring_wake(writer);
}

void gateway_listing(struct gateway *gateway, unsigned worker, const uint32_t *players, unsigned n)
{
	gateway_record(gateway, worker, GAME_LISTING, 0);
	for (unsigned i = 0; i < n; i++)
		gateway_join(gateway, worker, players[i], GAME_JOINED_BEFORE);
	gateway_record(gateway, worker, GAME_LISTED, 0);
	gateway_commit(gateway, worker);
}

void gateway_join(struct gateway *gateway, unsigned worker, uint32_t player, uint8_t how)
{
	struct game_joined *joined = gateway_record(gateway, worker, GAME_JOINED, sizeof(*joined));

	*joined = (struct game_joined){player, player + 1000, 8081, 1, how};
	gateway_commit(gateway, worker);
}

void gateway_leave(struct gateway *gateway, unsigned worker, uint32_t player, uint8_t why)
{
	struct game_left *left = gateway_record(gateway, worker, GAME_LEFT, sizeof(*left));

	*left = (struct game_left){.player = player, .session = player + 1000, .why = why};
	gateway_commit(gateway, worker);
}

void gateway_say(struct gateway *gateway, unsigned worker, uint32_t player, uint8_t type, const char *body)
{
	struct game_message *said =
		gateway_record(gateway, worker, GAME_MESSAGE, (uint32_t)(sizeof(*said) + strlen(body)));

	*said = (struct game_message){.player = player, .type = type, .channel = 2, .flags = GAME_RELIABLE};
	memcpy(said->body, body, strlen(body));
	gateway_commit(gateway, worker);
}

const void *gateway_order(struct gateway *gateway, unsigned worker, uint16_t type, uint32_t length)
{
	struct ring_reader *reader = &gateway->process[0].worker[worker].reader;
	struct ring_message message = {0};

	assert_int_equal(ring_peek(reader, &message, 1), 1);
	assert_int_equal(message.kind, RING_MESSAGE);
	assert_int_equal(message.type, type);
	assert_int_equal(message.length, length);
	ring_release(reader);
	return message.body;
}

void gateway_no_order(struct gateway *gateway, unsigned worker)
{
	assert_false(ring_is_ready(&gateway->process[0].worker[worker].reader));
}

// ---------------------------------------------------------------- the process

struct pgg_event next_event(pgg *game, enum pgg_event_type type)
{
	struct pgg_event event;
	int n = 0;

	while (n == 0) {
		assert_true(pgg_wait(game, A_MINUTE_MS) >= 0);
		n = pgg_poll(game, &event, 1);
	}
	assert_int_equal(n, 1);
	assert_int_equal(event.type, type);
	return event;
}

void no_event(pgg *game)
{
	struct pgg_event event;

	assert_int_equal(pgg_poll(game, &event, 1), 0);
	assert_int_equal(pgg_wait(game, 0), 0);
}

pgg *gateway_begin(struct gateway *gateway, unsigned workers)
{
	static const uint32_t players[] = {7, 9};
	pgg *game;

	gateway_start(gateway, workers);
	game = gateway_attach(gateway, "arena");
	gateway_listing(gateway, 0, players, 2);
	next_event(game, PGG_JOINED);
	next_event(game, PGG_JOINED);
	next_event(game, PGG_LISTED);
	return game;
}
