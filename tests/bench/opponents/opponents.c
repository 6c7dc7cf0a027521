// SPDX-License-Identifier: BSD-3-Clause
// opponents.c: what `pollgate bench sessions-sealed` compares the gateway with, and the load on it: a bare echo on kernel
// sockets, which receives and sends in bursts as the gateway's engine does, a server on ENet, which seals nothing, and one
// on netcode's reference implementation, which seals.
//
//     opponents echo-serve PORT            prints "ready", and serves until it is killed
//     opponents echo-load PORT PLAYERS RATE WINDOW SECONDS
//     opponents enet-serve PORT            likewise, where this was compiled with -DWITH_ENET and -lenet
//     opponents enet-load PORT PLAYERS RATE WINDOW SECONDS
//     opponents netcode-serve PORT         likewise, where with -DWITH_NETCODE, netcode.c and -lsodium; up to 256 players
//     opponents netcode-load PORT PLAYERS RATE WINDOW SECONDS
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
#ifdef WITH_NETCODE
#include <netcode.h>
#endif

#define BURST 32
#define BURST_PACED 16 // messages that a load sends at once, as `pollgate load` does over sockets
#define BURST_WINDOWED 4
#define REQUEST_BYTES 68 // a sealed movement
#define ANSWER_BYTES 40  // its acknowledgement
#define MESSAGE_BYTES 28 // the message alone, for those that add what is theirs
#define REPLY_BYTES 12   // likewise
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
			enet_peer_send(
				event.peer, 0,
				enet_packet_create(event.packet->data, REPLY_BYTES, ENET_PACKET_FLAG_UNSEQUENCED));
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

// ---------------------------------------------------------------- netcode

#ifdef WITH_NETCODE

#define PROTOCOL_ID 0x706f6c6c67617465ULL
#define UPDATE_NS (NS / 20) // clients that nothing came for
#define LIFETIME_S 300

static uint8_t private_key[NETCODE_KEY_BYTES];

static double seconds(void)
{
	return (double)now_ns() / NS;
}

/// The number of the next socket: those of netcode's are its own, and cannot be waited for without.
static int next_descriptor(void)
{
	const int next = dup(STDIN_FILENO);

	close(next);
	return next;
}

static void netcode_begin(void)
{
	netcode_init();
	netcode_log_level(NETCODE_LOG_LEVEL_NONE);
}

static void answer_client(struct netcode_server_t *server, int client)
{
	uint64_t sequence;
	uint8_t *packet;
	int bytes;

	while ((packet = netcode_server_receive_packet(server, client, &bytes, &sequence))) {
		netcode_server_send_packet(server, client, packet, REPLY_BYTES);
		netcode_server_free_packet(server, packet);
	}
}

static int netcode_serve(int port)
{
	struct netcode_server_config_t config;
	struct netcode_server_t *server;
	struct pollfd ready = {.events = POLLIN};
	char address[32];

	netcode_begin();
	ready.fd = next_descriptor();
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	netcode_default_server_config(&config);
	config.protocol_id = PROTOCOL_ID;
	server = netcode_server_create(address, &config, seconds());
	if (!server)
		return die("netcode_server_create");
	netcode_server_start(server, NETCODE_MAX_CLIENTS);
	puts("ready");
	fflush(stdout);
	for (;;) {
		poll(&ready, 1, 10);
		netcode_server_update(server, seconds());
		for (int client = 0; client < NETCODE_MAX_CLIENTS; client++)
			answer_client(server, client);
	}
}

struct netcode_load {
	struct netcode_client_t **client;
	unsigned players;
	int epoll;
	uint64_t updated;
};

static bool join_netcode(struct netcode_load *load, unsigned i, const char *server)
{
	static uint64_t client_id;
	uint8_t token[NETCODE_CONNECT_TOKEN_BYTES], user_data[NETCODE_USER_DATA_BYTES] = {0};
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
	struct netcode_client_config_t config;
	const int fd = next_descriptor();

	if (client_id == 0)
		netcode_random_bytes((uint8_t *)&client_id, sizeof(client_id));
	netcode_default_client_config(&config);
	load->client[i] = netcode_client_create("0.0.0.0", &config, seconds());
	if (!load->client[i] || epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return false;
	if (netcode_generate_connect_token(1, &server, &server, LIFETIME_S, 30, ++client_id, PROTOCOL_ID, private_key,
					   user_data, token) != NETCODE_OK)
		return false;
	netcode_client_connect(load->client[i], token);
	return true;
}

static unsigned update_client(struct netcode_client_t *client, double now)
{
	unsigned taken = 0;
	uint64_t sequence;
	uint8_t *packet;
	int bytes;

	netcode_client_update(client, now);
	for (; (packet = netcode_client_receive_packet(client, &bytes, &sequence)); taken++)
		netcode_client_free_packet(client, packet);
	return taken;
}

/// Those for whom something came, and now and then the others.
static unsigned update_clients(struct netcode_load *load)
{
	struct epoll_event event[BURST];
	const int ready = epoll_wait(load->epoll, event, BURST, 0);
	const double now = seconds();
	unsigned taken = 0;

	for (int i = 0; i < ready; i++)
		taken += update_client(load->client[event[i].data.u32], now);
	if (now_ns() - load->updated > UPDATE_NS) {
		load->updated = now_ns();
		for (unsigned i = 0; i < load->players; i++)
			taken += update_client(load->client[i], now);
	}
	return taken;
}

static unsigned netcode_connected(const struct netcode_load *load)
{
	unsigned connected = 0;

	for (unsigned i = 0; i < load->players; i++)
		connected += netcode_client_state(load->client[i]) == NETCODE_CLIENT_STATE_CONNECTED;
	return connected;
}

static int netcode_load(int port, struct play *play)
{
	struct netcode_load load = {.players = play->players, .epoll = epoll_create1(0)};
	const uint64_t until = now_ns() + 30 * NS;
	static const uint8_t bytes[MESSAGE_BYTES];
	char server[32];

	netcode_begin();
	snprintf(server, sizeof(server), "127.0.0.1:%d", port);
	load.client = calloc(play->players, sizeof(*load.client));
	for (unsigned i = 0; i < play->players; i++)
		if (!join_netcode(&load, i, server))
			return die("a client");
	while (netcode_connected(&load) < play->players && now_ns() < until)
		update_clients(&load);
	if (netcode_connected(&load) < play->players) {
		fprintf(stderr, "opponents: %u of %u players are connected after 30 s\n", netcode_connected(&load),
			play->players);
		return 1;
	}
	begin(play);
	while (!over(play)) {
		for (unsigned left = due(play); left > 0; left--)
			netcode_client_send_packet(load.client[play->sent++ % play->players], bytes, sizeof(bytes));
		play->answered += update_clients(&load);
	}
	for (unsigned i = 0; i < play->players; i++)
		netcode_client_disconnect(load.client[i]);
	return end(play);
}

#else

static int netcode_serve(int port)
{
	(void)port;
	fputs("opponents: compiled without netcode\n", stderr);
	return 2;
}

static int netcode_load(int port, struct play *play)
{
	(void)play;
	return netcode_serve(port);
}

#endif

// ---------------------------------------------------------------- the command

struct kind {
	const char *name;
	int (*serve)(int port);
	int (*load)(int port, struct play *play);
};

static const struct kind kinds[] = {
	{"echo", echo_serve, echo_load},
	{"enet", enet_serve, enet_load},
	{"netcode", netcode_serve, netcode_load},
};

/// @param what  "echo-serve", for example
static const struct kind *kind_of(const char *what)
{
	const char *dash = strchr(what, '-');

	for (unsigned i = 0; dash && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(what, kinds[i].name, (size_t)(dash - what)) == 0)
			return &kinds[i];
	return NULL;
}

int main(int count, char **argument)
{
	const char *what = count > 2 ? argument[1] : "";
	const int port = count > 2 ? (int)strtol(argument[2], NULL, 10) : 0;
	const struct kind *kind = kind_of(what);
	struct play play = {0};

	if (kind && count == 3 && strstr(what, "-serve"))
		return kind->serve(port);
	if (!kind || count != 7) {
		fputs("usage: opponents echo-serve|enet-serve|netcode-serve PORT\n"
		      "       opponents echo-load|enet-load|netcode-load PORT PLAYERS RATE WINDOW SECONDS\n",
		      stderr);
		return 2;
	}
	play.players = (unsigned)strtoul(argument[3], NULL, 10);
	play.rate = strtod(argument[4], NULL);
	play.window = (unsigned)strtoul(argument[5], NULL, 10);
	play.length = (uint64_t)(strtod(argument[6], NULL) * NS);
	return kind->load(port, &play);
}
