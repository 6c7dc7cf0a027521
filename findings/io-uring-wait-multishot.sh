#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Linux (seen on 6.18) with liburing 2.3 (Debian 12: 2.3-3): a wait for n datagrams, n above one, does not end when n are there.
#
# With IORING_SETUP_DEFER_TASKRUN, which servers are told to set, io_uring_submit_and_wait_timeout(wait_nr = 5) sleeps until
# its time-out, although ten datagrams came one by one for a receive that goes on by itself (multishot). A ring without the flag
# ends the same wait with the fifth. Arrivals do not run the receive while the thread sleeps; they queue one piece of work for
# it, however many datagrams there are, and the sleeper is woken when as many pieces of work as completions it wants are queued.
# With wait_nr = 1 it works. Whoever wants to gather datagrams bounds the wait by a short time-out, which always passes in full,
# or sleeps and then asks (io_uring_get_events), which is cheaper.
#
# Source: io_uring_enter(2) on min_complete, which knows no such exception; io_uring/poll.c and io_uring/io_uring.c of
# Linux (IOU_F_TWQ_LAZY_WAKE, io_req_local_work_add).
#
# Seen: "deferred: 10 ready after 300 ms; not deferred: 5 ready after 46 ms", twice.
# Fails when the deferred wait ends early, or the other does not. Run as any user on Debian 12 with gcc.

set -euo pipefail
readonly version=2.3-3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download "liburing-dev=$version" "liburing2=$version" >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" root; done

cat >wait.c <<'C'
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DATAGRAMS = 10, WANTED = 5, BUFFERS = 16, ROOM = 2048, TIMEOUT_MS = 300 };
static struct sockaddr_in to = {.sin_family = AF_INET};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void *say(void *argument)
{
	const struct timespec gap = {.tv_nsec = 5000000};
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (int i = 0; i < 4 + DATAGRAMS; i++) {
		nanosleep(&gap, NULL);
		if (i >= 4) // by then the other sleeps
			sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	}
	return argument;
}

static double wait_for_some(unsigned flags, unsigned *ready)
{
	struct io_uring_params params = {.flags = flags};
	struct __kernel_timespec timeout = {.tv_nsec = TIMEOUT_MS * 1000000LL};
	struct msghdr shape = {.msg_namelen = sizeof(to)};
	socklen_t size = sizeof(to);
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct io_uring_cqe *first;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	pthread_t speaker;
	double began;
	void *group;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = 0;
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)) || getsockname(fd, (struct sockaddr *)&to, &size) ||
	    io_uring_queue_init_params(8, &ring, &params) || posix_memalign(&group, 4096, 4096))
		exit(2);
	memset(group, 0, 4096);
	struct io_uring_buf_reg registration = {.ring_addr = (size_t)group, .ring_entries = BUFFERS};
	if (io_uring_register_buf_ring(&ring, &registration, 0))
		exit(2);
	for (int i = 0; i < BUFFERS; i++)
		io_uring_buf_ring_add(group, malloc(ROOM), ROOM, i, BUFFERS - 1, i);
	io_uring_buf_ring_advance(group, BUFFERS);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recvmsg_multishot(sqe, fd, &shape, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	pthread_create(&speaker, NULL, say, NULL);
	began = now_ms();
	io_uring_submit_and_wait_timeout(&ring, &first, WANTED, &timeout, NULL);
	began = now_ms() - began;
	*ready = io_uring_cq_ready(&ring);
	pthread_join(speaker, NULL);
	io_uring_queue_exit(&ring);
	return began;
}

int main(void)
{
	unsigned deferred, plain;
	const double deferred_ms = wait_for_some(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, &deferred);
	const double plain_ms = wait_for_some(0, &plain);

	printf("deferred: %u ready after %.0f ms; not deferred: %u ready after %.0f ms\n", deferred, deferred_ms, plain,
	       plain_ms);
	return !(deferred == DATAGRAMS && deferred_ms >= TIMEOUT_MS - 1 && plain < DATAGRAMS && plain_ms < TIMEOUT_MS / 2);
}
C
gcc -O1 -Iroot/usr/include -o wait wait.c root/usr/lib/x86_64-linux-gnu/liburing.so.2 -lpthread
LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu ./wait
