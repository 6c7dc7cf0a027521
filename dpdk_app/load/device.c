// SPDX-License-Identifier: BSD-3-Clause
// load/device.c: players over a DPDK device: frames built and taken apart here, without the kernel.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "load/frames.h"
#include "load/pace.h"
#include "load/resolve.h"
#include "load/target.h"
#include "load/transport.h"
#include "net/host.h"
#include "net/parse.h"
#include "port/pool.h"
#include "port/port.h"

#define QUEUE 0

/// A queue that is full for longer is the target's fault, and its messages are not sent.
#define SEND_TRIES 64

enum icmp_error {
	ICMP_UNREACHABLE = 3,
	ICMP_UNREACHABLE_PORT = 3,
	ICMPV6_UNREACHABLE = 1,
	ICMPV6_UNREACHABLE_PORT = 4,
};

#define RESOLVE_NS (3 * SECOND_NS)
#define ASK_AGAIN_NS (SECOND_NS / 4)

struct device {
	struct transport transport;

	// per message: set when it is opened, or when the target's MAC is known
	struct port port;
	struct frame_maker maker;
	struct channel *channel; // of each player
	struct peer target;      // as the source of an answer
	uint16_t first_port;
	uint16_t ports_per_address;
	uint32_t port_sets; // of so many ports: players go from one to the next
	uint32_t players;
	bool resolved;

	// of the turn
	struct rte_mbuf *out[LOAD_BURST];
	struct rte_mbuf *in[LOAD_BURST]; // until the next turn
	unsigned received;

	// at start
	struct pg_port_plan port_plan; // with the players' addresses
	struct pg_load_plan plan;
	struct rte_mempool *pool;
	struct listeners listeners; // the players' ports
};

/// Where a player's messages come from.
struct channel {
	be16 port;
	uint8_t address; // index into plan.address
};

// ---------------------------------------------------------------- receiving

/// Whatever is on its way to nobody's door here, or is part of the noise of a network, is a stray; what was meant for a
/// player and arrives damaged is invalid.
static COLD void count_unparsed(struct device *d, enum pg_drop drop)
{
	struct pg_load_counts *counts = &d->transport.page->counts;
	const bool damaged = drop == PG_DROP_UDP_CHECKSUM || drop == PG_DROP_UDP_CHECKSUM_MISSING ||
			     drop == PG_DROP_IP_CHECKSUM || drop == PG_DROP_UDP_LENGTH || drop == PG_DROP_TRUNCATED;

	counter_add(damaged ? &counts->invalid : &counts->stray, 1);
}

static void send_host_answer(struct device *d, struct rte_mbuf *m, uint16_t length)
{
	m->data_len = length;
	m->pkt_len = length;
	if (rte_eth_tx_burst(d->port.id, QUEUE, &m, 1) == 1)
		counter_add(&d->transport.page->counts.host, 1);
	else
		rte_pktmbuf_free(m);
}

/// RFC 792 and RFC 4443 3.1: what the target, or a router, says of a message of ours. @return errno, or 0
static int unreachable(const struct device *d, const uint8_t *frame, const struct packet *p)
{
	const struct icmp_header *icmp = (const struct icmp_header *)(frame + p->l4);
	const uint8_t *quoted = (const uint8_t *)(icmp + 1), *end = frame + p->end;
	const struct pg_address *target = &d->plan.target;

	if (p->host == HOST_ICMP && icmp->type == ICMP_UNREACHABLE && target->family == 4) {
		const struct ipv4_header *ip = (const struct ipv4_header *)quoted;

		if (quoted + sizeof(*ip) > end || memcmp(&ip->destination, target->bytes, sizeof(be32)) != 0)
			return 0;
		return icmp->code == ICMP_UNREACHABLE_PORT ? ECONNREFUSED : EHOSTUNREACH;
	}
	if (p->host == HOST_ICMPV6 && icmp->type == ICMPV6_UNREACHABLE && target->family == 6) {
		const struct ipv6_header *ip = (const struct ipv6_header *)quoted;

		if (quoted + sizeof(*ip) > end || !in6_equal(ip->destination, target->bytes))
			return 0;
		return icmp->code == ICMPV6_UNREACHABLE_PORT ? ECONNREFUSED : EHOSTUNREACH;
	}
	return 0;
}

/// ARP, neighbour discovery, echo. @return false: the mbuf is still ours
static COLD bool host_frame(struct device *d, struct rte_mbuf *m, const struct packet *p)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *), mac[MAC_LEN];
	const struct identity *id = &d->port.identity;

	if (!d->resolved && resolve_hear(frame, p->l3, p->end, id, &d->plan.target, mac)) {
		frame_maker_init(&d->maker, &d->plan, id->mac, mac);
		d->resolved = true;
		return false;
	}

	const struct host_request request = host_examine(frame, p, id);

	// Whole, with a right checksum, but nothing that we are asked.
	if (request.drop == PG_DROP_NOT_FOR_US && p->host != HOST_ARP) {
		const int refusal = unreachable(d, frame, p);

		if (refusal)
			transport_refused(&d->transport, refusal);
	}
	if (request.drop != PG_DROP_NONE || rte_pktmbuf_tailroom(m) < HOST_ANSWER_ROOM) {
		counter_add(&d->transport.page->counts.stray, 1);
		return false;
	}
	send_host_answer(d, m, host_answer(frame, m->data_len, p, id, request.message));
	return true;
}

/// Which of our addresses a frame came to.
static inline unsigned our_address(const struct identity *id, const uint8_t *frame, const struct packet *p)
{
	unsigned i = 0;

	if (likely(p->layer == LAYER_IPV4)) {
		const be32 to = ((const struct ipv4_header *)(frame + p->l3))->destination;

		while (id->v4[i].address != to)
			i++;
		return i;
	}
	while (!in6_equal(id->v6[i], ((const struct ipv6_header *)(frame + p->l3))->destination))
		i++;
	return i;
}

/// @return false: no answer of the target's to a player of ours
static inline bool take_apart(struct device *d, const uint8_t *frame, const struct packet *p, struct answer *answer)
{
	const struct udp_header *udp = (const struct udp_header *)(frame + p->l4);
	const uint32_t port = BE16(udp->destination);

	if (unlikely(!peer_equal(&p->peer, &d->target)))
		return false;
	answer->player = our_address(&d->port.identity, frame, p) * d->ports_per_address +
			 (port - d->first_port) % d->ports_per_address;
	answer->payload = (const uint8_t *)(udp + 1);
	answer->length = (uint16_t)(p->end - p->l4 - sizeof(*udp));
	return answer->player < d->players && d->channel[answer->player].port == udp->destination;
}

/// @return whether `answer` was filled; *kept: the mbuf is to be freed after the turn
static inline bool inspect(struct device *d, struct rte_mbuf *m, struct answer *answer, bool *kept)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	enum pg_drop drop = PG_DROP_TOO_LONG;
	struct packet p;

	*kept = true;
	if (likely(m->nb_segs == 1))
		drop = parse_frame(frame, m->data_len, &d->port.identity, &d->listeners, 0, false, &p);
	if (unlikely(drop != PG_DROP_NONE)) {
		count_unparsed(d, drop);
		return false;
	}
	if (unlikely(p.host != HOST_NONE)) {
		*kept = !host_frame(d, m, &p);
		return false;
	}
	if (unlikely(!take_apart(d, frame, &p, answer))) {
		counter_add(&d->transport.page->counts.stray, 1);
		return false;
	}
	return true;
}

static unsigned device_receive(struct transport *t, struct answer *answer)
{
	struct device *d = (struct device *)t;
	struct rte_mbuf *mbuf[LOAD_BURST];
	unsigned n = 0, answers = 0;
	uint64_t now;

	rte_pktmbuf_free_bulk(d->in, d->received);
	d->received = 0;
	n = rte_eth_rx_burst(d->port.id, QUEUE, mbuf, LOAD_BURST);
	if (n == 0)
		return 0;
	now = pg_tsc();
	for (unsigned i = 0; i < n; i++)
		prefetch(rte_pktmbuf_mtod(mbuf[i], const uint8_t *));
	for (unsigned i = 0; i < n; i++) {
		bool kept;

		answer[answers].when = now;
		answers += inspect(d, mbuf[i], &answer[answers], &kept);
		if (likely(kept))
			d->in[d->received++] = mbuf[i];
	}
	return answers;
}

// ---------------------------------------------------------------- sending

static unsigned device_room(struct transport *t, struct outgoing_message *outgoing, unsigned n)
{
	struct device *d = (struct device *)t;

	if (unlikely(rte_pktmbuf_alloc_bulk(d->pool, d->out, n) != 0))
		return 0;
	for (unsigned i = 0; i < n; i++)
		outgoing[i].payload = rte_pktmbuf_mtod_offset(d->out[i], uint8_t *, d->maker.header_len);
	return n;
}

static unsigned send_bounded(const struct device *d, struct rte_mbuf **mbuf, unsigned n)
{
	unsigned sent = rte_eth_tx_burst(d->port.id, QUEUE, mbuf, (uint16_t)n);

	for (unsigned tries = 1; unlikely(sent < n) && tries < SEND_TRIES; tries++) {
		rte_pause();
		sent += rte_eth_tx_burst(d->port.id, QUEUE, mbuf + sent, (uint16_t)(n - sent));
	}
	return sent;
}

static uint64_t device_send(struct transport *t, struct outgoing_message *outgoing, unsigned n)
{
	struct device *d = (struct device *)t;
	unsigned sent;

	for (unsigned i = 0; i < n; i++) {
		const struct message *message = &outgoing[i].message;
		const struct channel *channel = &d->channel[message->player];
		struct rte_mbuf *m = d->out[i];

		m->data_len = frame_finish(&d->maker, channel->address, channel->port, rte_pktmbuf_mtod(m, uint8_t *),
					   message->length);
		m->pkt_len = m->data_len;
	}
	sent = send_bounded(d, d->out, n);
	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(d->out + sent, n - sent);
	return sent == 64 ? UINT64_MAX : (1ULL << sent) - 1;
}

/// The poll mode that DPDK is about: a sleep would be late.
static void device_wait(struct transport *t, uint64_t until)
{
	(void)t;
	(void)until;
	rte_pause();
}

// ---------------------------------------------------------------- a trial

static void ask(struct device *d)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(d->pool);

	if (!m) // asked again
		return;
	m->data_len = resolve_ask(rte_pktmbuf_mtod(m, uint8_t *), &d->port.identity, &d->plan.target);
	m->pkt_len = m->data_len;
	if (rte_eth_tx_burst(d->port.id, QUEUE, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

static int resolve(struct device *d, struct pg_error *error)
{
	const uint64_t hz = pg_tsc_hz(), until = pg_tsc() + hz * (RESOLVE_NS / SECOND_NS);
	struct answer answer[LOAD_BURST];
	char target[TARGET_NAME_MAX];
	uint64_t ask_at = 0;

	while (!d->resolved && pg_tsc() < until && !load_stopped(d->transport.page)) {
		if (pg_tsc() >= ask_at) {
			ask(d);
			ask_at = pg_tsc() + hz / (SECOND_NS / ASK_AGAIN_NS);
		}
		counter_add(&d->transport.page->counts.stray, device_receive(&d->transport, answer));
	}
	if (d->resolved || load_stopped(d->transport.page)) // stopped: nothing will be sent
		return PG_OK;
	target_name(&d->plan, target);
	return error_set(
		error, PG_ERROR_TIMEOUT,
		"port %s (%s): the target %s did not tell its MAC address within 3 s (%s); is it on this link, and is the "
		"gateway running? Else give its MAC address",
		d->port_plan.name, d->port_plan.device, target,
		d->plan.target.family == 4 ? "ARP" : "neighbour discovery");
}

static int device_begin(struct transport *t, const struct pg_load_trial *trial, struct pg_error *error)
{
	struct device *d = (struct device *)t;

	(void)trial;
	return d->resolved ? PG_OK : resolve(d, error);
}

static int device_explain(const struct transport *t, int refusal, struct pg_error *error)
{
	char name[TARGET_NAME_MAX];

	target_name(&((const struct device *)t)->plan, name);
	return target_refuses(name, refusal, error);
}

// ---------------------------------------------------------------- opening

static void device_close(struct transport *t)
{
	struct device *d = (struct device *)t;

	if (d->pool)
		rte_pktmbuf_free_bulk(d->in, d->received);
	port_stop(&d->port);
	port_close(&d->port);
	rte_mempool_free(d->pool);
	free(d->channel);
	free(d);
}

static int check_plan(const struct pg_load_plan *plan, struct pg_error *error)
{
	if (plan->address_count == 0)
		return error_set(error, PG_ERROR_USAGE,
				 "port %s: players over a device need an address; give at least one", plan->port.name);
	if (plan->first_port == 0)
		return error_set(error, PG_ERROR_USAGE,
				 "port %s: players over a device need a first UDP port from 1 on", plan->port.name);
	return PG_OK;
}

static void make_channels(struct device *d)
{
	for (unsigned i = 0; i < sizeof(d->listeners.by_port); i++)
		d->listeners.by_port[i] = LISTENER_NONE;
	for (uint32_t i = 0; i < d->players; i++) {
		const be16 port = BE16(d->first_port + i % d->ports_per_address);

		d->channel[i] = (struct channel){.port = port, .address = (uint8_t)(i / d->ports_per_address)};
	}
	for (uint32_t i = 0; i < d->ports_per_address * d->port_sets; i++)
		d->listeners.by_port[BE16(d->first_port + i)] = 0;
}

/// To the next set of ports.
static bool device_rebind(struct transport *t, uint32_t player)
{
	struct device *d = (struct device *)t;
	const uint32_t offset = BE16(d->channel[player].port) - (uint32_t)d->first_port + d->ports_per_address;

	d->channel[player].port = BE16(d->first_port + offset % (d->ports_per_address * d->port_sets));
	return d->port_sets > 1;
}

static const struct transport_ops device_ops = {
	.begin = device_begin,
	.room = device_room,
	.send = device_send,
	.receive = device_receive,
	.wait = device_wait,
	.rebind = device_rebind,
	.explain = device_explain,
	.close = device_close,
};

static void know_target(struct device *d)
{
	const struct pg_address *target = &d->plan.target;

	if (target->family == 4) {
		be32 address;

		memcpy(&address, target->bytes, sizeof(address));
		peer_set4(&d->target, address);
	} else {
		peer_set6(&d->target, target->bytes);
	}
	peer_set_channel(&d->target, BE16(d->plan.target_port), 0);
}

static int open_port(struct device *d, struct pg_error *error)
{
	int rc;

	d->pool = pool_make(&d->plan.pool, error);
	if (!d->pool)
		return error->code;
	rc = port_open(&d->port, &d->port_plan, d->first_port, d->pool, true, error);
	if (rc != PG_OK)
		return rc;
	if (d->plan.has_target_mac) {
		frame_maker_init(&d->maker, &d->plan, d->port.identity.mac, d->plan.target_mac);
		d->resolved = true;
	}
	return PG_OK;
}

struct transport *transport_over_device(const struct pg_load_plan *plan, struct pg_load_page *page,
					struct pg_error *error)
{
	struct device *d;

	if (check_plan(plan, error) != PG_OK)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d || !(d->channel = calloc(plan->players, sizeof(*d->channel)))) {
		free(d);
		error_set(error, PG_ERROR_MEMORY, "no memory for the ports of %u players", plan->players);
		return NULL;
	}
	d->transport = (struct transport){.ops = &device_ops, .page = page, .burst = LOAD_BURST};
	d->plan = *plan;
	d->port_plan = plan->port;
	d->port_plan.queues = 1;
	d->port_plan.checksums = PG_CHECKSUMS_SOFTWARE; // of every frame
	d->port_plan.address_count = plan->address_count;
	memcpy(d->port_plan.address, plan->address, sizeof(plan->address));
	d->players = plan->players;
	d->first_port = plan->first_port;
	d->ports_per_address = plan->ports_per_address;
	d->port_sets = plan->impairment.move_ms ? (UINT16_MAX + 1U - d->first_port) / d->ports_per_address : 1;
	make_channels(d);
	know_target(d);
	if (open_port(d, error) == PG_OK)
		return &d->transport;
	device_close(&d->transport);
	return NULL;
}
