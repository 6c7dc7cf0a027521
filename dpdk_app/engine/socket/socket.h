// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/socket.h: kernel sockets before the same core: what the epoll and io_uring engines share.
//
// Every worker has a UDP socket of its own for each of our addresses and each listener. SO_REUSEPORT spreads the peers
// over the workers' sockets by a hash of their addresses, as RSS does over queues: a peer always meets the same worker.

#ifndef POLLGATE_SOCKET_H
#define POLLGATE_SOCKET_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "pipeline/egress.h"
#include "runtime/engine.h"
#include "runtime/worker.h"
#include "runtime/worker_tasks.h"

#define SOCKETS_PER_WORKER_MAX 64

/// A loop that waits turns at least so often: for its heartbeat, a new policy, and the end.
#define WAIT_MS 10

/// Sessions that a sweep looks at in one turn. An idle loop wakes once for so many.
#define SOCKET_SWEPT_AT_ONCE 256

/// What a buffer for a datagram holds: one byte more than the longest tells that it was longer.
#define DATAGRAM_ROOM 1536

/// The room for the address of whoever sent a datagram.
union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct udp_socket {
	// set before launch
	int fd;
	uint8_t port; // index into pg_plan.port
	uint8_t listener;
	uint8_t family;                // AF_INET or AF_INET6
	struct pg_port_counts *counts; // of the port, in this worker

	// control thread only
	uint32_t drops;       // the kernel's count when it was last read
	uint32_t fresh_drops; // what it grew by then
};

/// Begins the worker of each engine.
struct socket_worker {
	struct worker common;

	// read-mostly: set before launch
	datagram_run *run;
	struct ingress ingress;
	struct ingress inbox_ingress; // for what other workers received
	struct udp_socket socket[SOCKETS_PER_WORKER_MAX];
	unsigned socket_count;
	uint64_t wait_cycles; // WAIT_MS
	uint64_t coalesce_ns;

	// control thread only
	pthread_t thread;
	bool launched;

	// written by the worker
	atomic_bool returned CACHE_ALIGNED;
	int full;            // the socket that was full last
	bool awaits_room;    // it still was in this turn
	uint64_t full_until; // TSC: as long as it may be again
};

/// For struct engine: opens nothing itself, but makes sure that nobody else has our addresses and ports.
int sockets_open(struct pg_gateway *g, struct pg_error *error);

/// Make and bind a worker's sockets, worker after worker, so that the order among them is the same in every process.
int sockets_attach(struct pg_gateway *g, struct worker *w, struct pg_error *error);

/// Start a thread on the worker's CPU that runs `loop` with the worker.
int sockets_launch(struct pg_gateway *g, struct worker *w, void *(*loop)(void *), struct pg_error *error);

/// The first thing that a loop does.
void sockets_begin(struct socket_worker *w, const struct engine_parts *parts);

/// For struct engine_parts.
void sockets_use_policy(struct worker *w);

/// The last.
void *sockets_return(struct socket_worker *w);

bool sockets_have_returned(const struct worker *w);
void sockets_join(struct worker *w);
void sockets_housekeep(struct pg_gateway *g);
void sockets_detach(struct worker *w);
void sockets_close(struct pg_gateway *g);

/// How long a loop may sleep, at most WAIT_MS: until a task is due, or not at all; a moment, where what is due waits
/// for room. From now on mail rings its bell.
/// @return ns
uint64_t sockets_sleep(struct socket_worker *w, uint64_t now);

#define SOCKET_SHARE_ENOUGH (BURST_MAX / 4) // datagrams of a turn

/// How much of that a loop sleeps whatever comes, because it has just served something: what comes meanwhile shares a
/// wake-up and its system calls (interrupt moderation, as `ethtool -C rx-usecs` has it for cards). Where many share one
/// already, sleeping saves little and keeps them waiting; a loop that served nothing owes the next datagram an answer at once.
/// @param served  by the turn before, of a burst
/// @param sleep   what sockets_sleep() said: a task that is due is not kept waiting
/// @return ns
ALWAYS_INLINE uint64_t sockets_coalesce(const struct socket_worker *w, unsigned served, uint64_t sleep)
{
	if (served == 0 || served >= SOCKET_SHARE_ENOUGH)
		return 0;
	return w->coalesce_ns < sleep ? w->coalesce_ns : sleep;
}

void sockets_wake(struct socket_worker *w);

/// The bell that mail rings; -1: there is no mail.
int sockets_bell(const struct socket_worker *w);

/// Datagrams of a burst whose sessions are other workers': each is sent there, or counted as dropped.
COLD void sockets_hand_over(struct socket_worker *w, const struct datagram_burst *burst, unsigned n);

/// Mail: messages are delivered; of what other workers received for our sessions the pieces of burst->payload are filled.
/// @param room  buffers, at most BURST_MAX: the first datagram that has none waits, and all that is behind it
/// @param most  messages and datagrams, together
/// @return how many were filled
COLD unsigned sockets_take_mail(struct socket_worker *w, struct datagram_burst *burst, unsigned room, uint32_t most,
				uint64_t now);

/// Nothing more is handed over by this loop.
void sockets_egress(struct socket_worker *w);

/// May there be more mail of others, who have not departed?
bool sockets_expect_mail(const struct socket_worker *w);

/// A datagram did not leave: it is counted, by errno. Where the kernel had no room, it is asked for a while before sessions and
/// worlds write anything: what is late is shed by a tick then, which knows what matters.
COLD void sockets_not_sent(struct socket_worker *w, const struct udp_socket *s, int error);

/// Has the kernel half of the socket's buffer to spare? If not, the loop may sleep for a moment though something is due.
COLD bool sockets_can_write(struct socket_worker *w);

/// May sessions and worlds write something?
ALWAYS_INLINE bool sockets_have_room(struct socket_worker *w, uint64_t now)
{
	return likely(now >= w->full_until) || sockets_can_write(w);
}

ALWAYS_INLINE void peer_of_address(struct peer *peer, const union socket_address *address, uint8_t listener)
{
	if (address->any.sa_family == AF_INET) {
		peer_set4(peer, address->v4.sin_addr.s_addr);
		peer_set_channel(peer, address->v4.sin_port, listener);
	} else {
		peer_set6(peer, address->v6.sin6_addr.s6_addr);
		peer_set_channel(peer, address->v6.sin6_port, listener);
	}
}

ALWAYS_INLINE uint8_t family_of_peer(const struct peer *peer)
{
	return peer->high == 0 && (uint32_t)peer->low == IPV4_MAPPED ? AF_INET : AF_INET6;
}

/// @return its length
ALWAYS_INLINE socklen_t address_of_peer(union socket_address *address, const struct peer *peer)
{
	if (family_of_peer(peer) == AF_INET) {
		address->v4 = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = peer_port(peer),
			.sin_addr.s_addr = (uint32_t)(peer->low >> 32),
		};
		return sizeof(address->v4);
	}
	address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = peer_port(peer)};
	memcpy(address->v6.sin6_addr.s6_addr, &peer->high, sizeof(peer->high));
	memcpy(address->v6.sin6_addr.s6_addr + 8, &peer->low, sizeof(peer->low));
	return sizeof(address->v6);
}

/// `n` datagrams of `bytes` were received. Before the pipeline counts them: should this process die, `received` is
/// settled from this count.
ALWAYS_INLINE void count_arrived(const struct udp_socket *s, unsigned n, uint64_t bytes)
{
	counter_add(&s->counts->rx_packets, n);
	counter_add(&s->counts->rx_bytes, bytes);
}

ALWAYS_INLINE void count_burst(struct socket_worker *w, unsigned n)
{
	counter_add(&w->common.stats->rx_burst[burst_bucket(n)], 1);
}

ALWAYS_INLINE void count_sent(struct socket_worker *w, const struct udp_socket *s, unsigned n, uint64_t bytes)
{
	counter_add(&s->counts->tx_packets, n);
	counter_add(&s->counts->tx_bytes, bytes);
	counter_add(&w->common.stats->tx_sent, n);
}

#endif
