// SPDX-License-Identifier: BSD-3-Clause
// socket_players.c: see socket_players.h.

#include "socket_players.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "unit.h"

void allot(struct appliance *a, uint8_t engine, uint32_t workers)
{
	appliance_plan(a, engine, workers, CAPACITY);
	appliance_prepare(a);
}

void assert_conserved(const struct appliance *a)
{
	for (uint32_t i = 0; i < a->plan.worker_count; i++) {
		const struct pg_worker_stats *s = &a->page->worker[i];

		assert_int_equal(s->handed_in, 0);
		assert_int_equal(s->handed_out, 0);
		assert_int_equal(s->unanswered, 0);
		assert_int_equal(s->tx_originated, 0);
	}
	appliance_assert_conserved(a);
}

int player_socket(void)
{
	const struct timeval patience = {.tv_sec = 2};
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_return_code(bind(fd, (const struct sockaddr *)&any, sizeof(any)), errno);
	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), errno);
	return fd;
}

void send_to(const struct appliance *a, int fd, const void *bytes, size_t length)
{
	const struct sockaddr_in ingress = {
		.sin_family = AF_INET,
		.sin_port = htons(a->plan.listener_port[0]),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	assert_int_equal(sendto(fd, bytes, length, 0, (const struct sockaddr *)&ingress, sizeof(ingress)), length);
}

ssize_t next_answer(int fd, void *answer, size_t room)
{
	ssize_t length;

	do
		length = recv(fd, answer, room, 0);
	while (length < 0 && errno == EINTR);
	return length;
}

void assert_refused(struct appliance *a, int code, const char *said)
{
	a->gateway = pg_open(&a->plan, a->page, a->state, a->state_size, &a->error);
	assert_null(a->gateway);
	assert_int_equal(a->error.code, code);
	if (!strstr(a->error.message, said))
		fail_msg("\"%s\" is not in \"%s\"", said, a->error.message);
}
