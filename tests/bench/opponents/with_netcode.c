// SPDX-License-Identifier: BSD-3-Clause
// with_netcode.c: a server on netcode's reference implementation, which seals; up to 256 players.

#include <netcode.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "opponents.h"

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

int netcode_serve(int port)
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
	say_ready();
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

/// What the kernel refuses the library does not tell; it sends nothing for who is not connected.
static bool say(struct netcode_client_t *client)
{
	static const uint8_t bytes[MESSAGE_BYTES];

	if (netcode_client_state(client) != NETCODE_CLIENT_STATE_CONNECTED)
		return false;
	netcode_client_send_packet(client, bytes, sizeof(bytes));
	return true;
}

int netcode_load(int port, struct play *play)
{
	struct netcode_load load = {.players = play->players, .epoll = epoll_create1(0)};
	const uint64_t until = now_ns() + CONNECT_S * NS;
	char server[32];

	netcode_begin();
	snprintf(server, sizeof(server), "127.0.0.1:%d", port);
	load.client = calloc(play->players, sizeof(*load.client));
	for (unsigned i = 0; i < play->players; i++)
		if (!join_netcode(&load, i, server))
			return die("a client");
	while (netcode_connected(&load) < play->players && now_ns() < until)
		update_clients(&load);
	if (netcode_connected(&load) < play->players)
		return few_connected(netcode_connected(&load), play);
	begin(play);
	while (!over(play)) {
		for (unsigned left = due(play); left > 0 && say(load.client[next_player(play)]); left--)
			play->sent++;
		play->answered += update_clients(&load);
	}
	for (unsigned i = 0; i < play->players; i++)
		netcode_client_disconnect(load.client[i]);
	return end(play);
}
