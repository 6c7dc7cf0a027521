// SPDX-License-Identifier: BSD-3-Clause
// load/sockets.c: players over the kernel: a connected UDP socket each, all of them watched by one epoll.

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load/pace.h"
#include "load/target.h"
#include "load/transport.h"

/// Files that a process has open anyway: standard streams, epoll, Python's.
#define OTHER_FILES 64

/// One byte more than the longest answer, so that a longer one is seen to be.
#define ANSWER_ROOM (MESSAGE_MAX + 1)

/// A system call each: a burst is only as long as one look at epoll is worth.
#define BURST_PACED 16
#define BURST_WINDOWED 4 // the last one's time must not be wrong by much

/// Below this many players several answers wait at one socket, and recvmmsg takes them all.
#define FEW_PLAYERS 256
#define ANSWERS_AT_ONCE 16

/// A sleep ends this much too late on a bad day, so that long before a message is due we are awake.
#define AWAKE_BEFORE_NS 100000ULL

/// To be woken takes longer than a fast target needs to answer: after a message or an answer we watch for so long.
#define WATCH_NS 100000ULL

#define SLEEP_MAX_NS 10000000ULL // the stop flag is looked at so often

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct sockets {
	struct transport transport;
	int epoll;
	int *fd; // of each player; -1: not open
	uint32_t players;
	uint64_t tsc_hz;
	uint64_t watch; // WATCH_NS in cycles
	union socket_address target;
	char target_name[TARGET_NAME_MAX];

	// of the trial
	unsigned at_once;     // answers asked of a socket in one call
	uint64_t watch_until; // TSC: no sleep before

	// of the turn
	uint8_t out[BURST_PACED][MESSAGE_MAX];
	uint8_t in[LOAD_BURST][ANSWER_ROOM];
	struct iovec iovec[LOAD_BURST];
	struct mmsghdr header[LOAD_BURST];
};

// ---------------------------------------------------------------- opening

static socklen_t make_address(union socket_address *to, const struct pg_address *from, uint16_t port)
{
	memset(to, 0, sizeof(*to));
	if (from->family == 4) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(port);
		memcpy(&to->v4.sin_addr, from->bytes, sizeof(to->v4.sin_addr));
		return sizeof(to->v4);
	}
	to->v6.sin6_family = AF_INET6;
	to->v6.sin6_port = htons(port);
	memcpy(&to->v6.sin6_addr, from->bytes, sizeof(to->v6.sin6_addr));
	return sizeof(to->v6);
}

/// As far as the hard limit, or beyond it where we may.
static int raise_file_limit(uint32_t players, struct pg_error *error)
{
	const rlim_t needed = (rlim_t)players + OTHER_FILES;
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= needed)
		return PG_OK;
	if (limit.rlim_max < needed) {
		const struct rlimit more = {.rlim_cur = needed, .rlim_max = needed};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return PG_OK;
	}
	limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= needed)
		return PG_OK;
	return error_set(
		error, PG_ERROR_SYSTEM,
		"%u players need %llu open files and this process may have %llu, %llu too few; raise the limit "
		"(ulimit -n) or play with fewer",
		players, (unsigned long long)needed, (unsigned long long)limit.rlim_cur,
		(unsigned long long)(needed - limit.rlim_cur));
}

/// @return PG_OK, or errno said as a sentence
static int refuse(uint32_t player, const char *what, int code, struct pg_error *error)
{
	if (code == EADDRNOTAVAIL)
		return error_set(error, PG_ERROR_SYSTEM,
				 "player %u: no port is free, or the address is not this host's; give the players more "
				 "addresses of this host",
				 player);
	return error_set(error, PG_ERROR_SYSTEM, "player %u: %s: %s", player, what, strerror(code));
}

static int bind_socket(const struct pg_load_plan *plan, uint32_t player, int fd, struct pg_error *error)
{
	const uint32_t index = player / plan->ports_per_address, offset = player % plan->ports_per_address;
	const uint16_t port = plan->first_port ? (uint16_t)(plan->first_port + offset) : 0;
	union socket_address local;
	const socklen_t size = make_address(&local, &plan->address[index], port);

	if (bind(fd, &local.any, size) < 0)
		return errno == EADDRINUSE && port != 0 ?
			       error_set(error, PG_ERROR_SYSTEM,
					 "player %u: UDP port %u is in use; choose another first port", player, port) :
			       refuse(player, "its address cannot be bound", errno, error);
	return PG_OK;
}

/// Another port, which the kernel chooses, of the same address.
static bool sockets_rebind(struct transport *t, uint32_t player)
{
	struct sockets *s = (struct sockets *)t;
	struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = player}};
	union socket_address local = {.any = {0}};
	socklen_t size = sizeof(local);
	const int fd = socket(s->target.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	if (getsockname(s->fd[player], &local.any, &size) == 0) {
		if (local.any.sa_family == AF_INET)
			local.v4.sin_port = 0;
		else
			local.v6.sin6_port = 0;
		if (bind(fd, &local.any, size) == 0 && connect(fd, &s->target.any, size) == 0 &&
		    epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == 0) {
			close(s->fd[player]);
			s->fd[player] = fd;
			return true;
		}
	}
	close(fd);
	return false;
}

static int open_player(struct sockets *s, const struct pg_load_plan *plan, uint32_t player, struct pg_error *error)
{
	const int fd = socket(s->target.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = player}};
	union socket_address target;
	const socklen_t size = make_address(&target, &plan->target, plan->target_port);

	if (fd < 0)
		return refuse(player, "no socket", errno, error);
	s->fd[player] = fd;
	if (plan->address_count > 0) {
		const int rc = bind_socket(plan, player, fd, error);

		if (rc != PG_OK)
			return rc;
	}
	if (connect(fd, &target.any, size) < 0) {
		if (errno != ENETUNREACH && errno != EHOSTUNREACH)
			return refuse(player, "its socket cannot be connected", errno, error);
		return s->transport.ops->explain(&s->transport, errno, error);
	}
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return refuse(player, "its socket cannot be watched", errno, error);
	return PG_OK;
}

static void close_sockets(struct transport *t)
{
	struct sockets *s = (struct sockets *)t;

	for (uint32_t i = 0; s->fd && i < s->players; i++)
		if (s->fd[i] >= 0)
			close(s->fd[i]);
	if (s->epoll >= 0)
		close(s->epoll);
	free(s->fd);
	free(s);
}

static int sockets_explain(const struct transport *t, int refusal, struct pg_error *error)
{
	return target_refuses(((const struct sockets *)t)->target_name, refusal, error);
}

// ---------------------------------------------------------------- a trial

static int sockets_begin(struct transport *t, const struct pg_load_trial *trial, struct pg_error *error)
{
	struct sockets *s = (struct sockets *)t;

	(void)error;
	t->burst = trial->window ? BURST_WINDOWED : BURST_PACED;
	s->at_once = trial->players < FEW_PLAYERS ? ANSWERS_AT_ONCE : 1;
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); // sleep as exactly as the kernel can
	return PG_OK;
}

static unsigned sockets_room(struct transport *t, struct outgoing_message *outgoing, unsigned n)
{
	struct sockets *s = (struct sockets *)t;

	for (unsigned i = 0; i < n; i++)
		outgoing[i].payload = s->out[i];
	return n;
}

/// @return 0, or why it was not sent: an errno
static int try_to_send(int fd, const struct outgoing_message *outgoing)
{
	if (likely(send(fd, outgoing->payload, outgoing->message.length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0))
		return 0;
	return errno;
}

static bool is_full(int why)
{
	return why == EAGAIN || why == ENOBUFS;
}

/// What a connected socket reports of an earlier message, it reports once and sends nothing: so try again. A firewall
/// speaks of this message.
static bool send_one(struct transport *t, int fd, struct outgoing_message *outgoing)
{
	int why = try_to_send(fd, outgoing);

	if (likely(why == 0))
		return true;
	if (!is_full(why)) {
		transport_refused(t, why);
		if (why != EPERM)
			why = try_to_send(fd, outgoing);
		if (why == 0)
			return true;
	}
	outgoing->unsent = is_full(why) ? PG_LOAD_QUEUE_FULL : PG_LOAD_REFUSED;
	return false;
}

static uint64_t sockets_send(struct transport *t, struct outgoing_message *outgoing, unsigned n)
{
	struct sockets *s = (struct sockets *)t;
	uint64_t taken = 0;

	for (unsigned i = 0; i < n; i++)
		taken |= (uint64_t)send_one(t, s->fd[outgoing[i].message.player], &outgoing[i]) << i;
	s->watch_until = pg_tsc() + s->watch;
	return taken;
}

static void note_refusal(struct transport *t)
{
	if (errno != EAGAIN && errno != EINTR)
		transport_refused(t, errno);
}

/// @param first  buffers before it are taken
/// @return answers taken from one player's socket
static unsigned receive_from(struct sockets *s, uint32_t player, struct answer *answer, unsigned first)
{
	unsigned room = LOAD_BURST - first, got = 0;
	uint64_t now;

	if (room > s->at_once)
		room = s->at_once;
	if (room == 1) {
		const ssize_t length = recv(s->fd[player], s->in[first], ANSWER_ROOM, MSG_DONTWAIT);

		if (length < 0) {
			note_refusal(&s->transport);
			return 0;
		}
		s->header[first].msg_len = (unsigned)length;
		got = 1;
	} else {
		const int n = recvmmsg(s->fd[player], &s->header[first], room, MSG_DONTWAIT, NULL);

		if (n < 0) {
			note_refusal(&s->transport);
			return 0;
		}
		got = (unsigned)n;
	}
	now = pg_tsc();
	for (unsigned i = first; i < first + got; i++)
		answer[i] = (struct answer){
			.payload = s->in[i], .when = now, .player = player, .length = (uint16_t)s->header[i].msg_len};
	return got;
}

static unsigned sockets_receive(struct transport *t, struct answer *answer)
{
	struct sockets *s = (struct sockets *)t;
	struct epoll_event event[LOAD_BURST];
	const int ready = epoll_wait(s->epoll, event, LOAD_BURST, 0);
	unsigned n = 0;

	for (int i = 0; i < ready && n < LOAD_BURST; i++)
		n += receive_from(s, event[i].data.u32, answer, n);
	if (n > 0)
		s->watch_until = answer[n - 1].when + s->watch;
	return n;
}

static void sockets_wait(struct transport *t, uint64_t until)
{
	struct sockets *s = (struct sockets *)t;
	const uint64_t now = pg_tsc();
	struct epoll_event event;
	struct timespec timeout = {0};
	uint64_t ns;

	if (until <= now || now < s->watch_until)
		return;
	ns = (uint64_t)((unsigned __int128)(until - now) * SECOND_NS / s->tsc_hz);
	if (ns <= AWAKE_BEFORE_NS)
		return;
	ns -= AWAKE_BEFORE_NS;
	timeout.tv_nsec = (long)(ns < SLEEP_MAX_NS ? ns : SLEEP_MAX_NS);
	epoll_pwait2(s->epoll, &event, 1, &timeout, NULL);
}

static const struct transport_ops sockets_ops = {
	.begin = sockets_begin,
	.room = sockets_room,
	.send = sockets_send,
	.receive = sockets_receive,
	.wait = sockets_wait,
	.rebind = sockets_rebind,
	.explain = sockets_explain,
	.close = close_sockets,
};

static int open_all(struct sockets *s, const struct pg_load_plan *plan, struct pg_error *error)
{
	int rc = raise_file_limit(plan->players, error);

	for (uint32_t i = 0; i < plan->players && rc == PG_OK; i++)
		rc = open_player(s, plan, i, error);
	return rc;
}

static void make_buffers(struct sockets *s)
{
	for (unsigned i = 0; i < LOAD_BURST; i++) {
		s->iovec[i] = (struct iovec){.iov_base = s->in[i], .iov_len = ANSWER_ROOM};
		s->header[i].msg_hdr = (struct msghdr){.msg_iov = &s->iovec[i], .msg_iovlen = 1};
	}
}

struct transport *transport_over_sockets(const struct pg_load_plan *plan, struct pg_load_page *page,
					 struct pg_error *error)
{
	struct sockets *s = calloc(1, sizeof(*s));

	if (!s || !(s->fd = malloc(plan->players * sizeof(*s->fd)))) {
		free(s);
		error_set(error, PG_ERROR_MEMORY, "no memory for the sockets of %u players", plan->players);
		return NULL;
	}
	s->transport = (struct transport){.ops = &sockets_ops, .page = page, .burst = BURST_PACED};
	s->players = plan->players;
	s->tsc_hz = pg_tsc_hz();
	s->watch = s->tsc_hz / (SECOND_NS / WATCH_NS);
	memset(s->fd, 0xff, plan->players * sizeof(*s->fd)); // -1
	make_address(&s->target, &plan->target, plan->target_port);
	target_name(plan, s->target_name);
	make_buffers(s);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		error_set(error, PG_ERROR_SYSTEM, "no epoll: %s", strerror(errno));
	else if (open_all(s, plan, error) == PG_OK)
		return &s->transport;
	close_sockets(&s->transport);
	return NULL;
}
