// SPDX-License-Identifier: BSD-3-Clause
// worker/loop.c: receive, run the pipeline, transmit; and the little that is done in between.

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "worker/transmit.h"
#include "worker/worker.h"

/// Sessions that expiry looks at per turn. A full table of a million is passed within seconds even under load.
#define EXPIRY_PER_TURN 2

static_assert(RTE_CACHE_LINE_SIZE == CACHE_LINE, "structures are laid out for one line size");

static uint8_t rx_verdict(uint64_t ol_flags)
{
	const uint64_t ip = ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK, l4 = ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	uint8_t verdict = 0;

	if (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		verdict |= RX_IP_CHECKSUM_GOOD;
	else if (ip == RTE_MBUF_F_RX_IP_CKSUM_BAD)
		verdict |= RX_IP_CHECKSUM_BAD;
	if (l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		verdict |= RX_L4_CHECKSUM_GOOD;
	else if (l4 == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		verdict |= RX_L4_CHECKSUM_BAD;
	return verdict;
}

/// @return bytes received
static uint64_t fill_burst(struct burst *burst, struct rte_mbuf **mbufs, unsigned n, bool rx_offload)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct rte_mbuf *m = mbufs[i];

		burst->frame[i] = rte_pktmbuf_mtod(m, uint8_t *);
		prefetch(burst->frame[i]);
		// A chain is longer than any frame of ours: refused as too long, its first part is not looked at.
		burst->length[i] = likely(m->nb_segs == 1) ? m->data_len : UINT16_MAX;
		if (rx_offload)
			burst->rx[i] = rx_verdict(m->ol_flags);
		bytes += m->pkt_len;
	}
	return bytes;
}

static void request_checksums(struct rte_mbuf *m, const struct tx_request *request)
{
	m->l2_len = request->l2_len;
	m->l3_len = request->l3_len;
	if (request->checksums == TX_CHECKSUM_NONE)
		return;
	m->ol_flags |= request->ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	if (request->checksums & TX_CHECKSUM_IP)
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	if (request->checksums & TX_CHECKSUM_UDP)
		m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
}

/// Part a burst into answers, moved to the front of mbufs, and the rest, which is freed.
/// @param  bytes  in: received; out: of the answers
/// @return how many answers there are
static unsigned keep_answers(const struct burst *burst, struct rte_mbuf **mbufs, unsigned n, bool tx_offload,
			     uint64_t *bytes)
{
	struct rte_mbuf *dropped[BURST_MAX];
	unsigned kept = 0, drops = 0;

	// Most bursts are answered whole and to the byte.
	if (likely(burst->dropped == 0 && !burst->resized && !tx_offload))
		return n;
	*bytes = 0;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];

		if (unlikely(burst->drop[i] != PG_DROP_NONE)) {
			dropped[drops++] = m;
			continue;
		}
		m->data_len = burst->length[i];
		m->pkt_len = burst->length[i];
		*bytes += burst->length[i];
		if (tx_offload)
			request_checksums(m, &burst->tx[i]);
		mbufs[kept++] = m;
	}
	if (drops > 0)
		rte_pktmbuf_free_bulk(dropped, drops);
	return kept;
}

/// @return packets received
static unsigned serve_queue(struct worker *w, struct worker_queue *q, uint64_t now)
{
	struct rte_mbuf *mbufs[BURST_MAX];
	struct burst burst;
	const unsigned n = rte_eth_rx_burst(q->port_id, q->queue, mbufs, BURST_MAX);

	if (n == 0)
		return 0;

	uint64_t bytes = fill_burst(&burst, mbufs, n, q->rx_offload);

	// The port's count first: should this process die, `received` is settled from it.
	counter_add(&q->counts->rx_packets, n);
	counter_add(&q->counts->rx_bytes, bytes);
	q->run(&q->gate, &burst, n, now);

	const unsigned answers = keep_answers(&burst, mbufs, n, q->tx_offload, &bytes);

	if (likely(answers > 0)) {
		transmit(w, q, mbufs, answers, bytes);

		const uint64_t took = rte_rdtsc() - now;

		counter_add(&w->stats->handling[handling_bucket(&w->bounds, took)], answers);
		counter_add(&w->stats->handling_cycles, took * answers);
	}
	counter_add(&w->stats->rx_burst[burst_bucket(n)], 1);
	return n;
}

static void adopt_policy(struct worker *w, const struct policy *policy)
{
	w->current = policy;
	for (unsigned i = 0; i < w->queue_count; i++)
		w->queue[i].gate.policy = policy;
	// Released: the control thread frees the old policy when it sees the new generation.
	__atomic_store_n(&w->stats->policy_generation, policy->generation, __ATOMIC_RELEASE);
}

/// The little that is not packets, a bit of it every turn.
static void keep_house(struct worker *w, uint64_t now)
{
	const struct policy *policy = atomic_load_explicit(&w->policy, memory_order_acquire);

	if (unlikely(policy != w->current))
		adopt_policy(w, policy);
	if (unlikely(atomic_load_explicit(&w->announce, memory_order_relaxed))) {
		atomic_store_explicit(&w->announce, false, memory_order_relaxed);
		announce(w);
	}

	const uint32_t expired = session_expire(&w->sessions, now, policy->idle_timeout, EXPIRY_PER_TURN);

	if (unlikely(expired > 0))
		counter_add(&w->stats->sessions_expired, expired);
}

/// On the worker's own lcore, so that the tables' memory is touched first, and therefore placed, there.
static void adopt_sessions(struct worker *w)
{
	const uint32_t adopted = session_table_init(&w->sessions, w->region, w->session_capacity, w->index, w->census,
						    &w->stats->sessions_active, &w->secret, rte_rdtsc());

	counter_add(&w->stats->sessions_recovered, adopted);
}

int worker_main(void *argument)
{
	struct worker *w = argument;
	uint64_t now;

	adopt_sessions(w);
	now = rte_rdtsc();
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		unsigned moved = 0;

		keep_house(w, now);
		for (unsigned i = 0; i < w->queue_count; i++)
			moved += serve_queue(w, &w->queue[i], now);
		if (moved == 0)
			rte_pause();

		const uint64_t next = rte_rdtsc();

		counter_add(moved ? &w->stats->cycles_busy : &w->stats->cycles_idle, next - now);
		counter_set(&w->stats->heartbeat_tsc, next);
		now = next;
	}
	return 0;
}
