// SPDX-License-Identifier: BSD-3-Clause
// socket/epoll.c: the epoll engine: waits for its sockets, and takes and gives datagrams by the burst.

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "socket/socket.h"
#include "stats/error.h"

/// The pieces that recvmmsg and sendmmsg want for a burst, pointing at each other once and for all.
struct message_room {
	struct mmsghdr message[BURST_MAX];
	struct iovec part[BURST_MAX];
	union socket_address from[BURST_MAX];
	uint8_t bytes[BURST_MAX][DATAGRAM_ROOM] CACHE_ALIGNED;
};

struct epoll_worker {
	struct socket_worker common;
	int epoll;
	struct message_room room;      // as received
	struct mmsghdr out[BURST_MAX]; // those of room.message that are answers
};

// ---------------------------------------------------------------- receive

static void lay_out(struct message_room *room)
{
	for (unsigned i = 0; i < BURST_MAX; i++) {
		room->part[i] = (struct iovec){room->bytes[i], DATAGRAM_ROOM};
		room->message[i].msg_hdr = (struct msghdr){
			.msg_name = &room->from[i],
			.msg_namelen = sizeof(room->from[i]),
			.msg_iov = &room->part[i],
			.msg_iovlen = 1,
		};
	}
}

/// The kernel and the last answer wrote into these.
static void restore(struct message_room *room, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		room->part[i].iov_len = DATAGRAM_ROOM;
		room->message[i].msg_hdr.msg_namelen = sizeof(room->from[i]);
	}
}

/// @return bytes received
static uint64_t fill_burst(struct datagram_burst *burst, struct message_room *room, unsigned n, uint8_t listener)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		peer_of_address(&burst->peer[i], &room->from[i], listener);
		burst->payload[i] = room->bytes[i];
		burst->length[i] = (uint16_t)room->message[i].msg_len;
		bytes += room->message[i].msg_len;
	}
	return bytes;
}

// ---------------------------------------------------------------- transmit

/// @return how many answers there are, in w->out
static unsigned keep_answers(struct epoll_worker *w, const struct datagram_burst *burst, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		if (unlikely(burst->drop[i] != PG_DROP_NONE))
			continue;
		w->room.part[i].iov_len = burst->length[i];
		w->out[kept++] = w->room.message[i];
	}
	return kept;
}

static uint64_t total_bytes(const struct mmsghdr *messages, unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += messages[i].msg_len;
	return bytes;
}

/// Every answer is sent or counted as dropped: sendmmsg stops at the first that the kernel does not take.
static void send_answers(struct epoll_worker *w, const struct udp_socket *s, unsigned n)
{
	unsigned next = 0;

	counter_add(&w->common.common.stats->tx_offered, n);
	while (next < n) {
		const int sent = sendmmsg(s->fd, w->out + next, n - next, MSG_DONTWAIT);

		if (likely(sent > 0)) {
			count_sent(&w->common, s, (unsigned)sent, total_bytes(w->out + next, (unsigned)sent));
			next += (unsigned)sent;
		} else if (errno != EINTR) {
			counter_add(&w->common.common.stats->tx_dropped[sockets_tx_drop(errno)], 1);
			next++;
		}
	}
}

// ---------------------------------------------------------------- loop

/// @return datagrams received
static unsigned serve_socket(struct epoll_worker *w, const struct udp_socket *s)
{
	struct datagram_burst burst;
	const int n = recvmmsg(s->fd, w->room.message, BURST_MAX, MSG_DONTWAIT, NULL);
	const uint64_t now = pg_tsc();

	if (n <= 0) // nothing, or an error of an earlier answer, which is told only once
		return 0;
	count_arrived(s, (unsigned)n, fill_burst(&burst, &w->room, (unsigned)n, s->listener));
	count_burst(&w->common, (unsigned)n);
	w->common.run(&w->common.gate, &burst, (unsigned)n, now);

	const unsigned answers = keep_answers(w, &burst, (unsigned)n);

	if (likely(answers > 0)) {
		send_answers(w, s, answers);
		worker_count_handling(&w->common.common, answers, pg_tsc() - now);
	}
	restore(&w->room, (unsigned)n);
	return (unsigned)n;
}

/// @return datagrams received
static unsigned serve_ready(struct epoll_worker *w, const struct epoll_event *events, int ready)
{
	unsigned moved = 0;

	for (int i = 0; i < ready; i++)
		moved += serve_socket(w, events[i].data.ptr);
	return moved;
}

static void *epoll_loop(void *argument)
{
	struct epoll_worker *w = argument;
	struct worker *common = &w->common.common;
	struct epoll_event events[SOCKETS_PER_WORKER_MAX];
	uint64_t now;
	unsigned moved = 0;

	worker_begin(common);
	now = pg_tsc();
	while (!worker_stops(common)) {
		const int ready = epoll_wait(w->epoll, events, SOCKETS_PER_WORKER_MAX, WAIT_MS);
		const uint64_t woken = pg_tsc();

		// After a full burst there is more, and looking is part of the work; waiting is not.
		worker_count_turn(common, moved >= BURST_MAX, now, woken);
		sockets_keep_house(&w->common, woken);
		moved = serve_ready(w, events, ready);
		now = pg_tsc();
		worker_count_turn(common, moved != 0, woken, now);
	}
	return sockets_return(&w->common);
}

// ---------------------------------------------------------------- life

static int watch_sockets(struct epoll_worker *w)
{
	for (unsigned i = 0; i < w->common.socket_count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &w->common.socket[i]};

		if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->common.socket[i].fd, &event) != 0)
			return -1;
	}
	return 0;
}

static int equip(struct pg_gateway *g, struct worker *common, struct pg_error *error)
{
	struct epoll_worker *w = (struct epoll_worker *)common;
	int rc;

	w->epoll = -1;
	rc = sockets_equip(g, common, error);
	if (rc != PG_OK)
		return rc;
	lay_out(&w->room);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0 || watch_sockets(w) != 0)
		return error_set(error, PG_ERROR_SYSTEM, "worker %u: epoll: %s", common->number, strerror(errno));
	return PG_OK;
}

static int launch(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	(void)g;
	return sockets_launch(w, epoll_loop, error);
}

static void strip(struct worker *common)
{
	struct epoll_worker *w = (struct epoll_worker *)common;

	if (w->epoll > 0)
		close(w->epoll);
	sockets_strip(common);
}

const struct engine epoll_engine = {
	.worker_size = sizeof(struct epoll_worker),
	.open = sockets_open,
	.equip = equip,
	.launch = launch,
	.has_returned = sockets_have_returned,
	.join = sockets_join,
	.housekeep = sockets_housekeep,
	.strip = strip,
	.close = sockets_close,
};
