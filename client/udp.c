// SPDX-License-Identifier: BSD-3-Clause
// udp.c: a client over a UDP socket of POSIX: opens, waits, receives and sends. All system calls are here.

#ifndef PGC_NO_SOCKET

#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (256 << 10)
#define STAMP_AHEAD_NS (5 * NS_PER_MS) // so long before a datagram can be read the kernel may have stamped it

static_assert(sizeof(((struct udp_socket *)NULL)->address) >= sizeof(struct sockaddr_storage), "any address");

void udp_close(struct udp_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
}

/// A datagram that is too long for the path is refused rather than cut: the handshake finds out what fits.
static void forbid_fragments(int fd, int family)
{
#ifdef IP_PMTUDISC_PROBE
	static const int mode4 = IP_PMTUDISC_PROBE, mode6 = IPV6_PMTUDISC_PROBE;

	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &mode6, sizeof(mode6));
	else
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &mode4, sizeof(mode4));
#else
	(void)fd;
	(void)family;
#endif
}

/// The kernel says of each datagram when it came: games look once a frame.
static void ask_for_stamps(int fd)
{
#ifdef SO_TIMESTAMPNS
	static const int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
#else
	(void)fd;
#endif
}

/// @return a connected socket that never blocks, or -1 with errno
static int connected_socket(const struct sockaddr *address, socklen_t length)
{
	const int fd = socket(address->sa_family, SOCK_DGRAM, 0);
	const int buffer = BUFFER_BYTES;

	if (fd < 0)
		return -1;
	forbid_fragments(fd, address->sa_family);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	ask_for_stamps(fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
	    connect(fd, address, length) == 0)
		return fd;

	const int why = errno;

	close(fd);
	errno = why;
	return -1;
}

/// What came from then on may lie in the socket; 0: nothing does.
static void unread(pgc_client *client, uint64_t from)
{
	client->ctx.unread_from = from;
	if (client->state == PGC_CONNECTED)
		delivery_reckon(&client->ctx, client->delivery, client_now(client));
}

static int renew(pgc_client *client)
{
	const int fd = connected_socket((const struct sockaddr *)client->socket.address, client->socket.address_len);

	if (fd < 0)
		return PGC_ERROR_SYSTEM;
	udp_close(&client->socket);
	client->socket.fd = fd;
	client->socket.read_until = client_now(client);
	unread(client, 0);
	return PGC_OK;
}

/// The first of a host's addresses to which this machine has a way. Not AI_ADDRCONFIG: that leaves out 127.0.0.1
/// where the only other address is of IPv6, and ::1 the other way round.
static int reach(pgc_client *client, const char *host, uint16_t port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	struct addrinfo *found;
	char service[8];
	int error = PGC_ERROR_SYSTEM;

	(void)snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &found) != 0)
		return PGC_ERROR_ADDRESS;
	for (const struct addrinfo *at = found; at && error != PGC_OK; at = at->ai_next) {
		memcpy(client->socket.address, at->ai_addr, at->ai_addrlen);
		client->socket.address_len = at->ai_addrlen;
		error = renew(client);
	}
	freeaddrinfo(found);
	return error;
}

int pgc_open(pgc_client *client, const char *host, uint16_t port)
{
	int error;

	if (client->state == PGC_CONNECTING || client->state == PGC_CONNECTED)
		return PGC_ERROR_STATE;
	if (!events_have_room(client))
		return PGC_ERROR_EVENTS;
	if ((error = reach(client, host, port)) != PGC_OK)
		return error;
	return pgc_connect(client);
}

int pgc_rebind(pgc_client *client)
{
	if (client->socket.fd < 0)
		return PGC_ERROR_STATE;
	if (renew(client) != PGC_OK)
		return PGC_ERROR_SYSTEM;
	pgc_moved(client);
	return PGC_OK;
}

int pgc_fd(const pgc_client *client)
{
	return client->socket.fd;
}

int pgc_timeout_ms(const pgc_client *client)
{
	const uint64_t due = pgc_due_ns(client), now = client_now(client);

	if (due == PGC_NEVER)
		return -1;
	if (due <= now)
		return 0;

	const uint64_t ms = (due - now + NS_PER_MS - 1) / NS_PER_MS;

	return ms < INT_MAX ? (int)ms : INT_MAX;
}

void udp_flush(pgc_client *client)
{
	uint8_t out[PGC_DATAGRAM_MAX];
	size_t length;

	if (client->socket.fd < 0)
		return;
	while ((length = pgc_transmit(client, out)) > 0)
		// Whatever else fails is a datagram lost, as on any other part of its way.
		if (send(client->socket.fd, out, length, 0) < 0 && errno == EMSGSIZE)
			pgc_too_long_for_path(client);
}

/// @return ns since the kernel stamped it, by the clock of the stamps, which may have been set meanwhile; 0: not known
static uint64_t age_of(struct msghdr *message)
{
#ifdef SO_TIMESTAMPNS
	struct timespec stamp, now;

	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SO_TIMESTAMPNS)
			continue;
		memcpy(&stamp, CMSG_DATA(at), sizeof(stamp));
		clock_gettime(CLOCK_REALTIME, &now);

		const int64_t age =
			(int64_t)(now.tv_sec - stamp.tv_sec) * (int64_t)NS_PER_S + (now.tv_nsec - stamp.tv_nsec);

		return age > 0 ? (uint64_t)age : 0;
	}
#else
	(void)message;
#endif
	return 0;
}

/// When it came, by the client's clock: not before what was read last, or else the clock of the stamps was set.
static uint64_t came_at(const pgc_client *client, uint64_t age)
{
	const uint64_t now = client_now(client);

	return age <= now - client->socket.read_until + STAMP_AHEAD_NS ? now - age : now;
}

/// @param came  out: when, by the client's clock
/// @return bytes, or -1 with errno
static ssize_t receive(pgc_client *client, void *datagram, size_t bytes, uint64_t *came)
{
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(sizeof(struct timespec))];
	} control;
	struct iovec part = {.iov_base = datagram, .iov_len = bytes};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	const ssize_t length = recvmsg(client->socket.fd, &message, 0);

	if (length >= 0)
		*came = came_at(client, age_of(&message));
	return length;
}

/// All is read that came until then. So what is not acknowledged by now may be lost.
static void all_read(pgc_client *client, uint64_t until)
{
	client->socket.read_until = until;
	unread(client, 0);
}

static bool is_readable(const pgc_client *client)
{
	struct pollfd look = {.fd = client->socket.fd, .events = POLLIN};

	return poll(&look, 1, 0) > 0;
}

/// Until something happens that the game wants to know.
static void take_in(pgc_client *client)
{
	uint8_t datagram[PGC_DATAGRAM_MAX + 1]; // one more byte tells a longer one
	struct udp_socket *socket = &client->socket;
	uint64_t begin = client_now(client);

	unread(client, socket->read_until);
	for (; !pgc_event_waiting(client); begin = client_now(client)) {
		const ssize_t length = receive(client, datagram, sizeof(datagram), &socket->read_until);

		if (length < 0 && errno != ECONNREFUSED && errno != EINTR) { // an ICMP error, which anybody can send
			all_read(client, begin);
			return;
		}
		if (length < 0)
			continue;
		client->ctx.unread_from = socket->read_until;
		(void)pgc_receive_at(client, datagram, (size_t)length, socket->read_until);
		// Before more is read than one acknowledgement can name.
		if (pgc_due_ns(client) <= client_now(client))
			udp_flush(client);
	}
	if (!is_readable(client))
		all_read(client, begin);
}

/// @return ms to wait for the socket, or -1
static int patience_ms(const pgc_client *client, uint64_t deadline)
{
	const int due = pgc_timeout_ms(client);
	const uint64_t now = client_now(client);

	if (deadline == PGC_NEVER)
		return due;

	const uint64_t left = deadline > now ? (deadline - now + NS_PER_MS - 1) / NS_PER_MS : 0;

	return due >= 0 && (uint64_t)due < left ? due : (int)left;
}

int pgc_poll(pgc_client *client, int timeout_ms)
{
	const uint64_t begin = client_now(client);
	const uint64_t deadline = timeout_ms < 0 ? PGC_NEVER : begin + (uint64_t)timeout_ms * NS_PER_MS;

	if (client->socket.fd < 0)
		return PGC_ERROR_STATE;
	for (;;) {
		struct pollfd wait = {.fd = client->socket.fd, .events = POLLIN};

		take_in(client);
		udp_flush(client);
		if (pgc_event_waiting(client))
			return 1;
		if (client_now(client) >= deadline)
			return 0;
		if (poll(&wait, 1, patience_ms(client, deadline)) < 0 && errno != EINTR)
			return PGC_ERROR_SYSTEM;
	}
}

#endif
