// SPDX-License-Identifier: BSD-3-Clause
// opponents.c: what `pollgate bench sessions-sealed` compares the gateway with, and the load on it: a bare echo on kernel
// sockets, which receives and sends in bursts as the gateway's engine does, and a server on ENet, which seals nothing.
//
//     opponents echo-serve PORT            prints "ready", and serves until it is killed
//     opponents echo-load PORT PLAYERS RATE WINDOW SECONDS
//     opponents enet-serve PORT            likewise, where this was compiled with -DWITH_ENET and -lenet
//     opponents enet-load PORT PLAYERS RATE WINDOW SECONDS
//
// A load prints "connected" when all its players are, plays when a line comes, and prints how many messages were answered.
// RATE is in messages a second of all; WINDOW, when it is not 0, is how many are unanswered at a time instead.

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef WITH_ENET
#include <enet/enet.h>
#endif

#define BURST 32
#define BURST_PACED 16 // messages that a load sends at once, as `pollgate load` does over sockets
#define BURST_WINDOWED 4
#define REQUEST_BYTES 68 // a sealed movement
#define ANSWER_BYTES 40  // its acknowledgement
#define MESSAGE_BYTES 28 // of ENet, which seals nothing: the message alone
#define DRAIN_NS 50000000ULL
#define NS 1000000000ULL

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

static int die(const char *what)
{
	fprintf(stderr, "opponents: %s: %s\n", what, strerror(errno));
	return 1;
}

static struct sockaddr_in at_port(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/// What is played, and how far it has come.
struct play {
	unsigned players;
	double rate;
	unsigned window;
	uint64_t began, length;
	uint64_t sent, answered;
};

static void begin(struct play *play)
{
	char line[16];

	puts("connected");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
	play->began = now_ns();
}

/// How many messages are due?
static unsigned due(const struct play *play)
{
	const uint64_t passed = now_ns() - play->began;
	const unsigned most = play->window ? BURST_WINDOWED : BURST_PACED;
	uint64_t total;

	if (passed > play->length)
		return 0;
	total = play->window ? play->answered + play->window : (uint64_t)(play->rate * (double)passed / NS);
	if (total <= play->sent)
		return 0;
	return total - play->sent < most ? (unsigned)(total - play->sent) : most;
}

static bool over(const struct play *play)
{
	return now_ns() - play->began > play->length + DRAIN_NS;
}

static int end(const struct play *play)
{
	printf("{\"sent\": %llu, \"answered\": %llu}\n", (unsigned long long)play->sent,
	       (unsigned long long)play->answered);
	return 0;
}

// ---------------------------------------------------------------- a bare echo

static int echo_serve(int port)
{
	static uint8_t bytes[BURST][2048];
	struct sockaddr_in from[BURST], address = at_port(port);
	struct iovec part[BURST];
	struct mmsghdr message[BURST];
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 4 << 20;
	const int epoll = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN};

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return die("bind");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n;

		epoll_wait(epoll, &event, 1, -1);
		for (int i = 0; i < BURST; i++) {
			part[i] = (struct iovec){bytes[i], sizeof(bytes[i])};
			message[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
							     .msg_namelen = sizeof(from[i]),
							     .msg_iov = &part[i],
							     .msg_iovlen = 1};
		}
		n = recvmmsg(fd, message, BURST, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			part[i].iov_len = message[i].msg_len < ANSWER_BYTES ? message[i].msg_len : ANSWER_BYTES;
		if (n > 0)
			sendmmsg(fd, message, (unsigned)n, MSG_DONTWAIT);
	}
}

static unsigned take_echoes(int epoll, int timeout_ms)
{
	struct epoll_event event[BURST];
	const int ready = epoll_wait(epoll, event, BURST, timeout_ms);
	uint8_t bytes[2048];
	unsigned taken = 0;

	for (int i = 0; i < ready; i++)
		taken += recv(event[i].data.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0;
	return taken;
}

static bool open_players(int *fd, unsigned players, int epoll, int port)
{
	const struct sockaddr_in address = at_port(port);

	for (unsigned i = 0; i < players; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (fd[i] < 0 || connect(fd[i], (const struct sockaddr *)&address, sizeof(address)) < 0)
			return false;
		event.data.fd = fd[i];
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd[i], &event);
	}
	return true;
}

static int echo_load(int port, struct play *play)
{
	int *fd = calloc(play->players, sizeof(*fd)), epoll = epoll_create1(0);
	uint8_t bytes[REQUEST_BYTES] = {0};

	if (!fd || !open_players(fd, play->players, epoll, port)) {
		free(fd);
		return die("socket");
	}
	begin(play);
	while (!over(play)) {
		for (unsigned left = due(play); left > 0; left--)
			if (send(fd[play->sent++ % play->players], bytes, sizeof(bytes), MSG_DONTWAIT) < 0)
				break;
		play->answered += take_echoes(epoll, 0);
	}
	free(fd);
	return end(play);
}

// ---------------------------------------------------------------- ENet

#ifdef WITH_ENET

static int enet_serve(int port)
{
	ENetAddress address = {.host = ENET_HOST_ANY, .port = (enet_uint16)port};
	ENetHost *host = enet_host_create(&address, ENET_PROTOCOL_MAXIMUM_PEER_ID, 1, 0, 0);
	ENetEvent event;

	if (!host)
		return die("enet_host_create");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int more = enet_host_service(host, &event, 10);

		for (; more > 0; more = enet_host_check_events(host, &event)) {
			if (event.type != ENET_EVENT_TYPE_RECEIVE)
				continue;
			enet_peer_send(event.peer, 0,
				       enet_packet_create(event.packet->data, 12, ENET_PACKET_FLAG_UNSEQUENCED));
			enet_packet_destroy(event.packet);
		}
		enet_host_flush(host);
	}
}

static unsigned take_events(ENetHost *host, ENetEventType wanted)
{
	ENetEvent event;
	unsigned taken = 0;

	for (int more = enet_host_service(host, &event, 0); more > 0; more = enet_host_check_events(host, &event)) {
		taken += event.type == wanted;
		if (event.type == ENET_EVENT_TYPE_RECEIVE)
			enet_packet_destroy(event.packet);
	}
	return taken;
}

static int enet_load(int port, struct play *play)
{
	ENetHost *host = enet_host_create(NULL, play->players, 1, 0, 0);
	ENetPeer **peer = calloc(play->players, sizeof(ENetPeer *));
	ENetAddress address = {.port = (enet_uint16)port};
	const uint64_t until = now_ns() + 30 * NS;
	static const uint8_t bytes[MESSAGE_BYTES];
	unsigned connected = 0;

	enet_address_set_host_ip(&address, "127.0.0.1");
	for (unsigned i = 0; i < play->players; i++) {
		peer[i] = enet_host_connect(host, &address, 1, 0);
		if (i % BURST == 0)
			connected += take_events(host, ENET_EVENT_TYPE_CONNECT);
	}
	while (connected < play->players && now_ns() < until)
		connected += take_events(host, ENET_EVENT_TYPE_CONNECT);
	if (connected < play->players) {
		fprintf(stderr, "opponents: %u of %u players are connected after 30 s\n", connected, play->players);
		return 1;
	}
	for (unsigned i = 0; i < play->players; i++) // nothing is held back for what it takes for congestion
		enet_peer_throttle_configure(peer[i], ENET_PEER_PACKET_THROTTLE_INTERVAL,
					     ENET_PEER_PACKET_THROTTLE_SCALE, 0);
	begin(play);
	while (!over(play)) {
		for (unsigned left = due(play); left > 0; left--)
			enet_peer_send(peer[play->sent++ % play->players], 0,
				       enet_packet_create(bytes, sizeof(bytes), ENET_PACKET_FLAG_UNSEQUENCED));
		play->answered += take_events(host, ENET_EVENT_TYPE_RECEIVE);
	}
	for (unsigned i = 0; i < play->players; i++)
		enet_peer_disconnect_now(peer[i], 0);
	enet_host_flush(host);
	return end(play);
}

#else

static int enet_serve(int port)
{
	(void)port;
	fputs("opponents: compiled without ENet\n", stderr);
	return 2;
}

static int enet_load(int port, struct play *play)
{
	(void)play;
	return enet_serve(port);
}

#endif

int main(int count, char **argument)
{
	const char *what = count > 2 ? argument[1] : "";
	const int port = count > 2 ? (int)strtol(argument[2], NULL, 10) : 0;
	struct play play = {0};

	if (strcmp(what, "echo-serve") == 0)
		return echo_serve(port);
	if (strcmp(what, "enet-serve") == 0)
		return enet_serve(port);
	if (count != 7) {
		fputs("usage: opponents echo-serve|enet-serve PORT | echo-load|enet-load PORT PLAYERS RATE WINDOW SECONDS\n",
		      stderr);
		return 2;
	}
	play.players = (unsigned)strtoul(argument[3], NULL, 10);
	play.rate = strtod(argument[4], NULL);
	play.window = (unsigned)strtoul(argument[5], NULL, 10);
	play.length = (uint64_t)(strtod(argument[6], NULL) * NS);
	return strcmp(what, "enet-load") == 0 ? enet_load(port, &play) : echo_load(port, &play);
}
