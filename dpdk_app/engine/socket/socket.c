// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/socket.c: see socket.h.

#include "engine/socket/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/socket/bind.h"
#include "engine/socket/host_address.h"
#include "engine/socket/kernel_drops.h"
#include "pipeline/profile.h"
#include "runtime/profile_life.h"
#include "stats/error.h"

/// Every worker can answer for every socket: ingress.port_bit.
#define EVERY_SOCKET 1U

/// To ask for all addresses takes the longer the more a host has.
#define ROUNDS_PER_ASKING 10

#define FULL_FOR_MS 100
#define ROOM_AFTER_MS 1 // a link of 1 Gbit/s takes 125 KB meanwhile

/// The control thread's state of the host: losses, interfaces.
struct host_observation {
	struct kernel_drops drops;
	struct interface_state interface[PG_PORTS_MAX];
	unsigned rounds;
};

static struct host_observation *observation_of(const struct pg_gateway *g)
{
	return g->devices;
}

typedef int endpoint_action(void *context, const struct endpoint *e, uint8_t port, uint8_t listener,
			    struct pg_error *error);

/// Every address and UDP port of ours, in the order of the plan, until one fails.
static int each_endpoint(const struct pg_gateway *g, endpoint_action *act, void *context, struct pg_error *error)
{
	const struct pg_plan *plan = &g->plan;

	for (uint32_t p = 0; p < plan->port_count; p++)
		for (uint32_t a = 0; a < plan->port[p].address_count; a++)
			for (uint32_t l = 0; l < plan->listener_count; l++) {
				const struct endpoint e = {&plan->port[p], &plan->port[p].address[a],
							   plan->listener_port[l], g->resumes};
				const int rc = act(context, &e, (uint8_t)p, (uint8_t)l, error);

				if (rc != PG_OK)
					return rc;
			}
	return PG_OK;
}

static int make_sure(void *context, const struct endpoint *e, uint8_t port, uint8_t listener, struct pg_error *error)
{
	(void)context, (void)port, (void)listener;
	return make_sure_of(e, error);
}

int sockets_open(struct pg_gateway *g, struct pg_error *error)
{
	struct host_observation *observation = g->devices = calloc(1, sizeof(*observation));

	if (!observation)
		return error_set(error, PG_ERROR_MEMORY, "no memory for what is known of the host");
	kernel_drops_begin(&observation->drops);
	return each_endpoint(g, make_sure, NULL, error);
}

/// Beyond the system's limit where we may; the planner has told the operator where we may not.
static void set_buffer(int fd, int forced, int ordinary, uint32_t bytes)
{
	const int wanted = bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)bytes;

	if (setsockopt(fd, SOL_SOCKET, forced, &wanted, sizeof(wanted)) != 0)
		setsockopt(fd, SOL_SOCKET, ordinary, &wanted, sizeof(wanted));
}

struct attaching {
	const struct pg_plan *plan;
	struct socket_worker *worker;
};

/// What does not fit the path is lost rather than cut: a session's datagrams are as long as its path was proved to
/// carry (wire/PROTOCOL.md, "Path MTU"). No ICMP message, which anybody can forge, changes that.
static int forbid_fragments(int fd, uint8_t family)
{
	const int v4 = IP_PMTUDISC_PROBE, v6 = IPV6_PMTUDISC_PROBE;

	return family == 4 ? setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4)) :
			     setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6));
}

static int add_socket(void *context, const struct endpoint *e, uint8_t port, uint8_t listener, struct pg_error *error)
{
	const struct attaching *attaching = context;
	struct socket_worker *w = attaching->worker;
	int fd;

	if (w->socket_count == SOCKETS_PER_WORKER_MAX)
		return error_set(error, PG_ERROR_USAGE, "the plan has more addresses and UDP ports than %u",
				 SOCKETS_PER_WORKER_MAX);
	fd = bound_socket(e, true);
	if (fd < 0)
		return bind_error(e, -fd, error);
	if (profile_of(attaching->plan->listener_profile[listener])->unfragmented &&
	    forbid_fragments(fd, e->address->family) != 0) {
		const int why = errno;

		close(fd);
		return bind_error(e, why, error);
	}
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, attaching->plan->sockets.receive_buffer_bytes);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, attaching->plan->sockets.send_buffer_bytes);
	w->socket[w->socket_count++] = (struct udp_socket){
		.fd = fd,
		.port = port,
		.listener = listener,
		.family = e->address->family == 4 ? AF_INET : AF_INET6,
		.counts = &w->common.stats->port[port],
	};
	return PG_OK;
}

int sockets_attach(struct pg_gateway *g, struct worker *common, struct pg_error *error)
{
	struct socket_worker *w = (struct socket_worker *)common;
	struct attaching attaching = {&g->plan, w};

	w->run = g->hot_path->run_datagrams;
	w->wait_cycles = WAIT_MS * (pg_tsc_hz() / 1000);
	w->coalesce_ns = g->plan.sockets.coalesce_us * 1000ULL;
	w->ingress = (struct ingress){
		.policy = common->current,
		.worker = common->number,
		.sessions = &common->sessions,
		.sources = &common->sources,
		.stats = common->stats,
		.arrivals = &common->stats->received,
		.port_bit = EVERY_SOCKET,
		.shard = common->shard,
		.netcode = common->netcode,
	};
	ingress_speak(&w->ingress, &g->plan);
	w->inbox_ingress = w->ingress;
	w->inbox_ingress.arrivals = &common->stats->handed_in;
	w->inbox_ingress.settles_here = true;
	g->barrier.registry.ports[common->number] = EVERY_SOCKET;
	return each_endpoint(g, add_socket, &attaching, error);
}

// ---------------------------------------------------------------- life

/// How many datagrams a socket dropped since the last call.
static void read_drops(struct udp_socket *s)
{
	const uint32_t drops = socket_drops(s->fd, s->drops);

	s->fresh_drops = drops - s->drops;
	s->drops = drops;
}

int sockets_launch(struct pg_gateway *g, struct worker *common, void *(*loop)(void *), struct pg_error *error)
{
	struct socket_worker *w = (struct socket_worker *)common;
	pthread_attr_t attributes;
	cpu_set_t cpus;
	char name[16];
	int rc;

	CPU_ZERO(&cpus);
	CPU_SET(common->plan->cpu, &cpus);
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	rc = pthread_create(&w->thread, &attributes, loop, w);
	pthread_attr_destroy(&attributes);
	if (rc != 0)
		return error_set(error, PG_ERROR_SYSTEM, "worker %u: no thread can be started on CPU %u: %s%s",
				 common->number, common->plan->cpu, strerror(rc),
				 rc == EAGAIN ? "; raise this user's limit of processes (ulimit -u, pids.max)" : "");
	w->launched = true;
	for (unsigned i = 0; i < w->socket_count; i++) {
		struct udp_socket *s = &w->socket[i];

		read_drops(s);
		g->page->port[s->port].rx_missed += s->fresh_drops; // nobody took anything yet
		open_ears(s->fd);
	}
	snprintf(name, sizeof(name), "worker%u", common->number);
	pthread_setname_np(w->thread, name);
	return PG_OK;
}

void *sockets_return(struct socket_worker *w)
{
	atomic_store(&w->returned, true);
	return NULL;
}

bool sockets_have_returned(const struct worker *common)
{
	const struct socket_worker *w = (const struct socket_worker *)common;

	return !w->launched || atomic_load(&w->returned);
}

void sockets_join(struct worker *common)
{
	struct socket_worker *w = (struct socket_worker *)common;

	if (w->launched)
		pthread_join(w->thread, NULL);
	w->launched = false;
}

/// Of what each socket dropped, as much as buffers had no room for is missed; the rest nobody could have taken.
static void tell_drops_apart(struct pg_gateway *g, struct socket_worker *w)
{
	struct kernel_drops *drops = &observation_of(g)->drops;

	for (unsigned i = 0; i < w->socket_count; i++) {
		struct udp_socket *s = &w->socket[i];
		struct overflow *overflow = s->family == AF_INET ? &drops->v4 : &drops->v6;
		const uint32_t missed = kernel_drops_claim(overflow, s->fresh_drops);

		g->page->port[s->port].rx_missed += missed;
		g->page->port[s->port].rx_errors += s->fresh_drops - missed;
	}
}

/// A socket stays bound when its address leaves the host, and hears nothing: ask with one that is new.
static bool is_away(const struct pg_port_plan *port, const struct pg_address *address)
{
	const struct endpoint any_port = {port, address, 0, false};
	const int fd = bound_socket(&any_port, false);

	if (fd >= 0)
		close(fd);
	return fd == -EADDRNOTAVAIL;
}

static const struct pg_address *first_away(const struct pg_port_plan *port)
{
	for (uint32_t a = 0; a < port->address_count; a++)
		if (is_away(port, &port->address[a]))
			return &port->address[a];
	return NULL;
}

/// An interface that is down keeps its IPv4 addresses, and sockets stay bound to them. One without a carrier may be reached
/// by another way, so its port serves.
static void refresh_port(struct pg_gateway *g, uint32_t i)
{
	const struct pg_port_plan *plan = &g->plan.port[i];
	const struct pg_address *away = first_away(plan);
	struct pg_port_stats *stats = &g->page->port[i];
	struct interface_state *interface = &observation_of(g)->interface[i];
	enum pg_device_state state = PG_DEVICE_WELL;

	if (observation_of(g)->rounds % ROUNDS_PER_ASKING == 0)
		host_interfaces_of(plan->address, plan->address_count, interface);
	stats->queues = g->plan.worker_count;
	stats->link_known = 1;
	stats->link_up = !away && !interface->down && !interface->no_carrier;
	if (away) {
		state = PG_DEVICE_AWAY;
		inet_ntop(away->family == 4 ? AF_INET : AF_INET6, away->bytes, stats->about, sizeof(stats->about));
	} else if (interface->down) {
		state = PG_DEVICE_DOWN;
		memcpy(stats->about, interface->name, sizeof(stats->about));
	}
	__atomic_store_n(&stats->device, (uint8_t)state, __ATOMIC_RELEASE);
}

void sockets_housekeep(struct pg_gateway *g)
{
	for (uint32_t i = 0; i < g->plan.port_count; i++)
		refresh_port(g, i);
	observation_of(g)->rounds++;
	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		struct socket_worker *w = (struct socket_worker *)g->worker[i];

		for (unsigned k = 0; k < w->socket_count; k++)
			read_drops(&w->socket[k]);
	}
	kernel_drops_refresh(&observation_of(g)->drops);
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		tell_drops_apart(g, (struct socket_worker *)g->worker[i]);
}

void sockets_detach(struct worker *common)
{
	struct socket_worker *w = (struct socket_worker *)common;

	for (unsigned i = 0; i < w->socket_count; i++)
		close(w->socket[i].fd);
}

void sockets_close(struct pg_gateway *g)
{
	free(g->devices); // every socket is a worker's
	g->devices = NULL;
}

// ---------------------------------------------------------------- what loops share

/// The only socket that a peer can have spoken to, plus 1; 0: there are several.
static uint8_t only_socket_index(const struct socket_worker *w, const struct peer *peer)
{
	uint8_t socket_index = 0;

	for (unsigned i = 0; i < w->socket_count; i++) {
		if (w->socket[i].listener != peer_listener(peer) || w->socket[i].family != family_of_peer(peer))
			continue;
		if (socket_index != 0)
			return 0;
		socket_index = (uint8_t)(i + 1);
	}
	return socket_index;
}

/// Learn the sockets of the connections that a dead worker left: other sessions learn theirs when their peers send.
static void recall_ways(struct socket_worker *w)
{
	const struct session_shard *shard = w->common.shard;
	const uint32_t used = store_used(shard->store);

	for (uint32_t slot = 0; slot < used; slot++) {
		const struct session_record *record = &shard->store->records[slot];

		if (record_owner(record) == shard->worker)
			shard->store->socket_indices[slot] = only_socket_index(w, &record->peer);
	}
}

void sockets_begin(struct socket_worker *w, const struct engine_parts *parts)
{
	worker_begin(&w->common);
	if (w->common.shard)
		recall_ways(w);
	worker_add_housekeeping(&w->common, parts);
	profiles_add_tasks(&w->common);
}

void sockets_use_policy(struct worker *common)
{
	struct socket_worker *w = (struct socket_worker *)common;

	w->ingress.policy = w->inbox_ingress.policy = common->current;
}

uint64_t sockets_sleep(struct socket_worker *w, uint64_t now)
{
	const uint64_t least = w->awaits_room ? w->wait_cycles / WAIT_MS * ROOM_AFTER_MS : 0;
	uint64_t sleep = tasks_sleep(&w->common.tasks, now) - now;

	w->awaits_room = false;
	if (unlikely(sleep < least))
		sleep = least;
	if (sleep >= w->wait_cycles)
		return WAIT_MS * 1000000ULL;
	return sleep * WAIT_MS * 1000000ULL / w->wait_cycles;
}

void sockets_wake(struct socket_worker *w)
{
	tasks_wake(&w->common.tasks);
}

int sockets_bell(const struct socket_worker *w)
{
	return w->common.shard ? w->common.mail.mailboxes->box[w->common.number].bell : -1;
}

static void hand_over(struct socket_worker *w, const struct datagram_burst *burst, unsigned i)
{
	if (!mail_has_room(&w->common.mail, burst->owner[i])) {
		counter_add(&w->common.stats->dropped[PG_DROP_OWNER_BUSY], 1);
		return;
	}
	// Counted first: should this process die, a datagram in a mailbox is one that was counted out.
	counter_add(&w->common.stats->handed_out, 1);
	mail_datagram(&w->common.mail, burst->owner[i], &burst->peer[i], burst->socket_index[i], burst->payload[i],
		      burst->length[i]);
}

void sockets_hand_over(struct socket_worker *w, const struct datagram_burst *burst, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (burst->drop[i] == PACKET_ELSEWHERE)
			hand_over(w, burst, i);
}

unsigned sockets_take_mail(struct socket_worker *w, struct datagram_burst *burst, unsigned room, uint32_t most,
			   uint64_t now)
{
	const struct mailed_datagram *mail;
	unsigned taken = 0;

	while ((mail = mail_oldest_datagram(&w->common.mail, w->common.shard, &most, now)) && taken < room) {
		burst->peer[taken] = mail->peer;
		burst->length[taken] = mail->length;
		burst->socket_index[taken] = mail->socket_index;
		memcpy(burst->payload[taken], mail->payload, mail->length);
		mail_remove(&w->common.mail);
		taken++;
	}
	return taken;
}

void sockets_egress(struct socket_worker *w)
{
	atomic_fetch_add(&w->common.barrier->finished, 1);
}

bool sockets_expect_mail(const struct socket_worker *w)
{
	const struct barrier *barrier = w->common.barrier;

	return w->common.shard &&
	       (atomic_load(&barrier->finished) < barrier->registry.tables || mail_waits(&w->common.mail));
}

static enum pg_tx_drop reason_of(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return PG_TX_DROP_QUEUE_FULL;
	case ENETDOWN:
		return PG_TX_DROP_LINK_DOWN;
	default:
		return PG_TX_DROP_REFUSED;
	}
}

void sockets_not_sent(struct socket_worker *w, const struct udp_socket *s, int error)
{
	const enum pg_tx_drop reason = reason_of(error);

	counter_add(&w->common.stats->tx_dropped[reason], 1);
	if (reason != PG_TX_DROP_QUEUE_FULL)
		return;
	w->full = s->fd;
	w->full_until = pg_tsc() + FULL_FOR_MS * (pg_tsc_hz() / 1000);
}

bool sockets_can_write(struct socket_worker *w)
{
	struct pollfd asked = {.fd = w->full, .events = POLLOUT};

	w->awaits_room = poll(&asked, 1, 0) != 1;
	return !w->awaits_room;
}
