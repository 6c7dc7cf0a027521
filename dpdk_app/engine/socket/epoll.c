// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/epoll.c: the epoll engine: waits for its sockets, and takes and gives datagrams by the burst.

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "engine/socket/socket.h"
#include "runtime/game_links.h"
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
	struct message_room room;        // as received, or as originated
	struct mmsghdr out[BURST_MAX];   // those of room.message that leave
	uint8_t socket_index[BURST_MAX]; // by which socket each
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
static uint64_t fill_burst(struct datagram_burst *burst, struct message_room *room, unsigned n, uint8_t listener,
			   uint8_t socket_index)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		peer_of_address(&burst->peer[i], &room->from[i], listener);
		burst->payload[i] = room->bytes[i];
		burst->length[i] = (uint16_t)room->message[i].msg_len;
		burst->socket_index[i] = socket_index;
		bytes += room->message[i].msg_len;
	}
	return bytes;
}

// ---------------------------------------------------------------- transmit

/// @return how many answers there are, in w->out and w->socket_index
static unsigned keep_answers(struct epoll_worker *w, const struct datagram_burst *burst, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		if (unlikely(burst->drop[i] != PG_DROP_NONE))
			continue;
		w->room.part[i].iov_len = burst->length[i];
		w->socket_index[kept] = burst->socket_index[i];
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

/// Every datagram is sent or counted as dropped: sendmmsg stops at the first that the kernel does not take.
static void send_by(struct epoll_worker *w, const struct udp_socket *s, struct mmsghdr *out, unsigned n)
{
	unsigned next = 0;

	while (next < n) {
		const int sent = sendmmsg(s->fd, out + next, n - next, MSG_DONTWAIT);

		if (likely(sent > 0)) {
			count_sent(&w->common, s, (unsigned)sent, total_bytes(out + next, (unsigned)sent));
			next += (unsigned)sent;
		} else if (errno != EINTR) {
			sockets_not_sent(&w->common, s, errno);
			next++;
		}
	}
}

/// The first n of w->out, socket by socket.
static void send_out(struct epoll_worker *w, unsigned n)
{
	counter_add(&w->common.common.stats->tx_offered, n);
	for (unsigned first = 0, count = 0; first < n; first += count) {
		for (count = 1; first + count < n && w->socket_index[first + count] == w->socket_index[first];)
			count++;
		send_by(w, &w->common.socket[w->socket_index[first]], w->out + first, count);
	}
}

// ---------------------------------------------------------------- loop

/// Take a burst through, which lies in the room, and send the answers.
static void process(struct epoll_worker *w, struct ingress *ingress, struct datagram_burst *burst, unsigned n,
		    uint64_t now)
{
	unsigned answers = n;

	w->common.run(ingress, burst, n, now);
	if (unlikely(burst->unanswered > 0))
		sockets_hand_over(&w->common, burst, n);
	answers = keep_answers(w, burst, n);
	if (likely(answers > 0)) {
		send_out(w, answers);
		worker_count_handling(&w->common.common, answers, pg_tsc() - now);
	}
	restore(&w->room, n);
}

/// @return datagrams received
static unsigned serve_socket(struct epoll_worker *w, const struct udp_socket *s)
{
	struct datagram_burst burst;
	const int n = recvmmsg(s->fd, w->room.message, BURST_MAX, MSG_DONTWAIT, NULL);
	const uint64_t now = pg_tsc();
	const uint8_t socket_index = (uint8_t)(s - w->common.socket);

	if (n <= 0) // nothing, or an error of an earlier answer, which is told only once
		return 0;
	count_arrived(s, (unsigned)n, fill_burst(&burst, &w->room, (unsigned)n, s->listener, socket_index));
	count_burst(&w->common, (unsigned)n);
	process(w, &w->common.ingress, &burst, (unsigned)n, now);
	return (unsigned)n;
}

/// To whom the i-th datagram of the room goes.
static void address(struct message_room *room, unsigned i, const struct peer *peer)
{
	room->message[i].msg_hdr.msg_namelen = address_of_peer(&room->from[i], peer);
}

/// Mail of other workers.
/// @return datagrams that they received for our sessions
static COLD unsigned serve_mail(struct worker *common, uint32_t most, uint64_t now)
{
	struct epoll_worker *w = (struct epoll_worker *)common;
	struct datagram_burst burst;
	unsigned n;

	for (unsigned i = 0; i < BURST_MAX; i++)
		burst.payload[i] = w->room.bytes[i];
	n = sockets_take_mail(&w->common, &burst, BURST_MAX, most, now);
	for (unsigned i = 0; i < n; i++)
		address(&w->room, i, &burst.peer[i]);
	if (n > 0)
		process(w, &w->common.inbox_ingress, &burst, n, now);
	return n;
}

/// What sessions have to say without having been asked.
/// @return datagrams
static unsigned send_egress(struct worker *common, const struct egress_source *source, void *of, uint32_t most,
			    uint64_t now)
{
	struct epoll_worker *w = (struct epoll_worker *)common;
	struct datagram_egress out;
	unsigned n;

	if (!sockets_have_room(&w->common, now))
		return 0;
	for (unsigned i = 0; i < BURST_MAX; i++)
		out.payload[i] = w->room.bytes[i];
	n = source->datagrams(of, &out, most, now);
	for (unsigned i = 0; i < n; i++) {
		address(&w->room, i, &out.peer[i]);
		w->room.part[i].iov_len = out.length[i];
		w->out[i] = w->room.message[i];
		w->socket_index[i] = out.socket_index[i];
	}
	if (n > 0)
		send_out(w, n);
	restore(&w->room, n);
	return n;
}

/// The bell is only to wake us: what it rang for says so itself.
static void silence_bell(const struct epoll_worker *w)
{
	uint64_t rings;

	(void)!read(sockets_bell(&w->common), &rings, sizeof(rings));
}

/// A socket, or the worker itself, which stands for its game processes.
static unsigned serve(struct epoll_worker *w, void *what)
{
	if (likely(what != w))
		return serve_socket(w, what);
	game_silence(&w->common.common);
	return 0;
}

static const struct engine_parts parts = {
	.use_policy = sockets_use_policy,
	.serve_mail = serve_mail,
	.send_egress = send_egress,
	.slots = SOCKET_SWEPT_AT_ONCE,
};

/// @return datagrams received
static unsigned receive(struct epoll_worker *w, const struct epoll_event *events, int ready)
{
	unsigned moved = 0;

	for (int i = 0; i < ready; i++)
		if (likely(events[i].data.ptr))
			moved += serve(w, events[i].data.ptr);
		else
			silence_bell(w);
	return moved;
}

/// Others may still hand datagrams over until they, too, receive no more. The control thread bounds the wait.
static void finish(struct epoll_worker *w)
{
	sockets_egress(&w->common);
	while (sockets_expect_mail(&w->common))
		if (serve_mail(&w->common.common, BURST_MAX, pg_tsc()) == 0)
			sched_yield();
}

/// @param served  by the turn before
static int nap(struct epoll_worker *w, struct epoll_event *events, unsigned served, uint64_t now)
{
	const uint64_t most = sockets_sleep(&w->common, now), gather = sockets_coalesce(&w->common, served, most);
	const struct timespec pause = {.tv_nsec = (long)gather};
	int ready;

	if (gather > 0)
		nanosleep(&pause, NULL);
	ready = epoll_wait(w->epoll, events, SOCKETS_PER_WORKER_MAX, (int)((most - gather + 999999) / 1000000));

	sockets_wake(&w->common);
	return ready;
}

static void *epoll_loop(void *argument)
{
	struct epoll_worker *w = argument;
	struct worker *common = &w->common.common;
	struct epoll_event events[SOCKETS_PER_WORKER_MAX];
	uint64_t now;
	unsigned moved = 0;

	sockets_begin(&w->common, &parts);
	now = pg_tsc();
	while (!worker_stops(common)) {
		const int ready = nap(w, events, moved, now);
		const uint64_t woken = pg_tsc();

		// After a full burst there is more, and looking is part of the work; waiting is not.
		if (moved >= BURST_MAX)
			worker_count_turn(common, true, now, woken);
		else
			worker_count_nap(common, now, woken);
		off_cpu_mark_handling(&common->off_cpu);
		moved = receive(w, events, ready);
		moved += tasks_run(&common->tasks, woken);
		now = pg_tsc();
		worker_count_turn(common, moved != 0, woken, now);
	}
	finish(w);
	return sockets_return(&w->common);
}

// ---------------------------------------------------------------- life

static int watch(const struct epoll_worker *w, int fd, void *what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int watch_sockets(struct epoll_worker *w)
{
	const int bell = sockets_bell(&w->common), games = game_bells(&w->common.common);

	for (unsigned i = 0; i < w->common.socket_count; i++)
		if (watch(w, w->common.socket[i].fd, &w->common.socket[i]) != 0)
			return -1;
	if (games >= 0 && watch(w, games, w) != 0)
		return -1;
	return bell >= 0 ? watch(w, bell, NULL) : 0;
}

static int attach(struct pg_gateway *g, struct worker *common, struct pg_error *error)
{
	struct epoll_worker *w = (struct epoll_worker *)common;
	int rc;

	w->epoll = -1;
	rc = sockets_attach(g, common, error);
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
	return sockets_launch(g, w, epoll_loop, error);
}

static void detach(struct worker *common)
{
	struct epoll_worker *w = (struct epoll_worker *)common;

	if (w->epoll > 0)
		close(w->epoll);
	sockets_detach(common);
}

const struct engine epoll_engine = {
	.worker_size = sizeof(struct epoll_worker),
	.open = sockets_open,
	.attach = attach,
	.launch = launch,
	.has_returned = sockets_have_returned,
	.join = sockets_join,
	.housekeep = sockets_housekeep,
	.detach = detach,
	.close = sockets_close,
};
