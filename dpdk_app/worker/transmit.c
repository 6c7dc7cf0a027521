// SPDX-License-Identifier: BSD-3-Clause
// worker/transmit.c: see transmit.h.

#include "worker/transmit.h"

#include <rte_ethdev.h>
#include <rte_pause.h>

#include "net/host.h"

/// A 10 GbE queue of 1,024 descriptors drains a burst of 64 in about 5 µs; this waits that long.
#define SEND_TRIES 64

static uint64_t total_bytes(struct rte_mbuf *const *mbufs, unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += mbufs[i]->pkt_len;
	return bytes;
}

static unsigned send_bounded(const struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n)
{
	unsigned sent = rte_eth_tx_burst(q->port_id, q->queue, mbufs, (uint16_t)n);

	for (unsigned tries = 1; unlikely(sent < n) && tries < SEND_TRIES; tries++) {
		rte_pause();
		sent += rte_eth_tx_burst(q->port_id, q->queue, mbufs + sent, (uint16_t)(n - sent));
	}
	return sent;
}

static COLD void give_up(struct dpdk_worker *w, const struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n)
{
	const enum pg_tx_drop reason = q->port_stats->link_up ? PG_TX_DROP_QUEUE_FULL : PG_TX_DROP_LINK_DOWN;

	rte_pktmbuf_free_bulk(mbufs, n);
	counter_add(&w->common.stats->tx_dropped[reason], n);
}

void transmit(struct dpdk_worker *w, struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n, uint64_t bytes)
{
	counter_add(&w->common.stats->tx_offered, n);
	const unsigned sent = send_bounded(q, mbufs, n);

	if (unlikely(sent < n))
		bytes -= total_bytes(mbufs + sent, n - sent);
	// The port's count first, as with `received`.
	counter_add(&q->counts->tx_packets, sent);
	counter_add(&q->counts->tx_bytes, bytes);
	counter_add(&w->common.stats->tx_sent, sent);
	if (unlikely(sent < n))
		give_up(w, q, mbufs + sent, n - sent);
}

typedef uint16_t announcement(uint8_t *frame, const struct identity *id, unsigned index);

static void announce_one(struct dpdk_worker *w, struct worker_queue *q, announcement *build, unsigned index)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(q->port->pool);

	if (!m) // neighbours will ask
		return;
	m->data_len = build(rte_pktmbuf_mtod(m, uint8_t *), &q->port->identity, index);
	m->pkt_len = m->data_len;
	counter_add(&w->common.stats->tx_originated, 1);
	transmit(w, q, &m, 1, m->pkt_len);
}

void announce(struct dpdk_worker *w)
{
	for (unsigned i = 0; i < w->queue_count; i++) {
		struct worker_queue *q = &w->queue[i];

		if (q->queue != 0) // the first queue speaks for the port
			continue;
		for (unsigned a = 0; a < q->port->identity.v4_count; a++)
			announce_one(w, q, announce_arp, a);
		for (unsigned a = 0; a < q->port->identity.v6_count; a++)
			announce_one(w, q, announce_neighbor, a);
	}
}
