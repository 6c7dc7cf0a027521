// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/bind.c: see bind.h.

#include "engine/socket/bind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/socket/socket.h"
#include "stats/error.h"

/// A ring of a process that died lets go of its sockets a little later than the process does.
#define RELEASE_TRIES 100
#define RELEASE_NS 10000000

#define UDP_HEADER_BYTES 8

static socklen_t to_socket_address(const struct endpoint *e, union socket_address *out)
{
	memset(out, 0, sizeof(*out));
	if (e->address->family == 4) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(e->udp_port);
		memcpy(&out->v4.sin_addr, e->address->bytes, sizeof(out->v4.sin_addr));
		return sizeof(out->v4);
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(e->udp_port);
	memcpy(&out->v6.sin6_addr, e->address->bytes, sizeof(out->v6.sin6_addr));
	return sizeof(out->v6);
}

int bind_error(const struct endpoint *e, int why, struct pg_error *error)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(e->address->family == 4 ? AF_INET : AF_INET6, e->address->bytes, text, sizeof(text));
	switch (why) {
	case EADDRNOTAVAIL:
		return error_set(error, PG_ERROR_DEVICE,
				 "port %s: %s is not an address of this host; give it to an interface "
				 "(ip address add %s/%u dev INTERFACE), or name one that `ip address` shows",
				 e->port->name, text, text, e->address->prefix_len);
	case EADDRINUSE:
		return error_set(error, PG_ERROR_DEVICE,
				 "port %s: UDP port %u of %s is in use by another process; "
				 "ss -lunp 'sport = :%u' shows which",
				 e->port->name, e->udp_port, text, e->udp_port);
	case EACCES:
		return error_set(error, PG_ERROR_SYSTEM,
				 "port %s: UDP port %u is privileged; use one from 1024, or grant CAP_NET_BIND_SERVICE",
				 e->port->name, e->udp_port);
	default:
		return error_set(error, PG_ERROR_SYSTEM, "port %s: UDP port %u of %s: %s", e->port->name, e->udp_port,
				 text, strerror(why));
	}
}

static int attach(int fd, struct sock_filter *instructions, unsigned short n)
{
	const struct sock_fprog program = {n, instructions};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/// Have a socket that is not yet bound take nothing. While only some of the workers have theirs, the kernel gives those
/// the peers of all, and they would be admitted a second time. What comes until the launch is counted as missed.
static int close_ears(int fd)
{
	struct sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, 0);

	return attach(fd, &refuse, 1);
}

void open_ears(int fd)
{
	struct sock_filter take_payloads[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, UDP_HEADER_BYTES, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	// Without the filter, a socket that takes nothing would be worse than one that takes everything.
	if (attach(fd, take_payloads, sizeof(take_payloads) / sizeof(take_payloads[0])) != 0)
		setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int));
}

/// Who has served before goes on with the addresses that are there; the others are heard from when they come back.
static int allow_absence(int fd, sa_family_t family)
{
	const int one = 1;

	return family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one)) :
				    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
}

int bound_socket(const struct endpoint *e, bool shared)
{
	union socket_address address;
	const socklen_t length = to_socket_address(e, &address);
	const int one = 1;
	// Not SOCK_NONBLOCK: io_uring would then report EAGAIN instead of waiting. Each call says what it wants.
	const int fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = address.any.sa_family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) : 0;
	if (rc == 0 && shared)
		rc = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0 ? close_ears(fd) : -1;
	if (rc == 0 && e->may_be_away)
		rc = allow_absence(fd, address.any.sa_family);
	if (rc == 0)
		rc = bind(fd, &address.any, length);
	if (rc == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int make_sure_of(const struct endpoint *e, struct pg_error *error)
{
	const struct timespec pause = {.tv_nsec = RELEASE_NS};
	int fd = bound_socket(e, false);

	for (unsigned tries = 1; fd == -EADDRINUSE && tries < RELEASE_TRIES; tries++) {
		nanosleep(&pause, NULL);
		fd = bound_socket(e, false);
	}
	if (fd < 0)
		return bind_error(e, -fd, error);
	close(fd);
	return PG_OK;
}
