// SPDX-License-Identifier: BSD-3-Clause
// bare_echo.c: an echo on kernel sockets, which receives and sends in bursts as the gateway's engine does.

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "opponents.h"

#define REQUEST_BYTES 68 // a sealed movement
#define ANSWER_BYTES 40  // its acknowledgement

int echo_serve(int port)
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
	say_ready();
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

int echo_load(int port, struct play *play)
{
	int *fd = calloc(play->players, sizeof(*fd)), epoll = epoll_create1(0);
	uint8_t bytes[REQUEST_BYTES] = {0};

	if (!fd || !open_players(fd, play->players, epoll, port)) {
		free(fd);
		return die("socket");
	}
	begin(play);
	while (!over(play)) {
		for (unsigned left = due(play); left > 0; left--) {
			if (send(fd[next_player(play)], bytes, sizeof(bytes), MSG_DONTWAIT) < 0)
				break;
			play->sent++;
		}
		play->answered += take_echoes(epoll, 0);
	}
	free(fd);
	return end(play);
}
