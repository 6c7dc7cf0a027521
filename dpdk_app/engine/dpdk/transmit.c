// SPDX-License-Identifier: BSD-3-Clause
// engine/dpdk/transmit.c: see transmit.h.

#include "engine/dpdk/transmit.h"

#include <rte_ethdev.h>
#include <rte_pause.h>

#include "engine/dpdk/inbox.h"
#include "net/announcer.h"
#include "pipeline/egress.h"
#include "port/promises.h"

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
	if (unlikely(q->port->keeps_sent))
		rte_pktmbuf_free_bulk(mbufs, sent);
	return sent;
}

ALWAYS_INLINE void count_sent(struct dpdk_worker *w, struct worker_queue *q, unsigned n, uint64_t bytes)
{
	// The port's count first, as with `received`.
	counter_add(&q->counts->tx_packets, n);
	counter_add(&q->counts->tx_bytes, bytes);
	counter_add(&w->common.stats->tx_sent, n);
}

static COLD void drop_all(struct dpdk_worker *w, struct rte_mbuf **mbufs, unsigned n, enum pg_tx_drop reason)
{
	rte_pktmbuf_free_bulk(mbufs, n);
	counter_add(&w->common.stats->tx_dropped[reason], n);
}

static COLD void give_up(struct dpdk_worker *w, struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n)
{
	drop_all(w, mbufs, n, q->port_stats->link_up ? PG_TX_DROP_QUEUE_FULL : PG_TX_DROP_LINK_DOWN);
	counter_add(&q->refused, n);
}

/// When the kernel refuses a frame, the driver gives back that frame and all frames behind it: try those without it. If
/// one of them leaves, the queue has room, so the frames passed over were refused for their own sake.
/// @param mbufs  the first was tried in vain
static COLD void pass_over(struct dpdk_worker *w, struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n)
{
	unsigned passed = 1; // at the front of mbufs

	for (unsigned i = 1; i < n;) {
		uint64_t bytes = total_bytes(mbufs + i, n - i);
		const unsigned sent = rte_eth_tx_burst(q->port_id, q->queue, mbufs + i, (uint16_t)(n - i));

		i += sent;
		bytes -= total_bytes(mbufs + i, n - i);
		count_sent(w, q, sent, bytes);
		if (i < n)
			mbufs[passed++] = mbufs[i++];
	}
	if (passed < n)
		drop_all(w, mbufs, passed, PG_TX_DROP_REFUSED);
	else
		give_up(w, q, mbufs, n);
}

/// The kernel takes a frame that is longer by one tag of IEEE 802.1Q, and by no other.
static bool is_too_long(const struct rte_mbuf *m, uint16_t longest)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const bool tagged = ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN);

	return m->pkt_len > longest + (tagged ? sizeof(struct rte_vlan_hdr) : 0U);
}

/// Of a port in trouble: free what a driver would take and say that it was sent. While the link is down, it would
/// leave when it is up again, however old it is then; too long, it would vanish or block the ring.
/// @return how many are left, at the front of mbufs
static COLD unsigned keep_back(struct dpdk_worker *w, struct rte_mbuf **mbufs, unsigned n, uint16_t longest)
{
	const enum pg_tx_drop reason = longest == 0 ? PG_TX_DROP_LINK_DOWN : PG_TX_DROP_REFUSED;
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		if (longest > 0 && !is_too_long(mbufs[i], longest)) {
			mbufs[kept++] = mbufs[i];
			continue;
		}
		rte_pktmbuf_free(mbufs[i]);
		counter_add(&w->common.stats->tx_dropped[reason], 1);
	}
	return kept;
}

void transmit(struct dpdk_worker *w, struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n, uint64_t bytes)
{
	const uint16_t longest = atomic_load_explicit(&q->port->longest_frame, memory_order_relaxed);

	counter_add(&w->common.stats->tx_offered, n);
	if (unlikely(longest != ANY_LENGTH)) {
		n = keep_back(w, mbufs, n, longest);
		bytes = total_bytes(mbufs, n);
	}
	if (PROMISES)
		promises_enforce(q->port, mbufs, n);

	const unsigned sent = send_bounded(q, mbufs, n);

	if (unlikely(sent < n))
		bytes -= total_bytes(mbufs + sent, n - sent);
	count_sent(w, q, sent, bytes);
	if (likely(sent == n))
		return;
	if (q->port->watch.stops_at_a_refusal)
		pass_over(w, q, mbufs + sent, n - sent);
	else
		give_up(w, q, mbufs + sent, n - sent);
}

/// A packet that the driver cannot send: counted, not sent.
static COLD void drop_refused(struct dpdk_worker *w, struct rte_mbuf *m)
{
	rte_pktmbuf_free(m);
	counter_add(&w->common.stats->tx_offered, 1);
	counter_add(&w->common.stats->tx_dropped[PG_TX_DROP_REFUSED], 1);
}

/// The same for packets whose checksums are left to the device: its driver looks at them first.
static void transmit_prepared(struct dpdk_worker *w, struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n,
			      uint64_t bytes)
{
	unsigned ready = rte_eth_tx_prepare(q->port_id, q->queue, mbufs, (uint16_t)n);

	while (unlikely(ready < n)) { // drop the packet that the driver refuses, and close the gap
		bytes -= mbufs[ready]->pkt_len;
		drop_refused(w, mbufs[ready]);
		n--;
		for (unsigned i = ready; i < n; i++)
			mbufs[i] = mbufs[i + 1];
		ready += rte_eth_tx_prepare(q->port_id, q->queue, mbufs + ready, (uint16_t)(n - ready));
	}
	if (likely(n > 0))
		transmit(w, q, mbufs, n, bytes);
}

// ---------------------------------------------------------------- a burst's answers

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

/// Every frame is an answer with all checksums: only lengths have changed.
/// @return bytes of the answers
static uint64_t set_lengths(const struct burst *burst, struct rte_mbuf *const *mbufs, unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint16_t length = burst->length[i];

		mbufs[i]->data_len = length;
		mbufs[i]->pkt_len = length;
		bytes += length;
	}
	return bytes;
}

/// Part a burst into answers, moved to the front of mbufs, and the rest, which is freed or handed over.
/// @param  bytes  in: received; out: of the answers
/// @return how many answers there are
static unsigned keep_answers(struct dpdk_worker *w, const struct worker_queue *q, const struct burst *burst,
			     struct rte_mbuf **mbufs, unsigned n, uint64_t *bytes)
{
	struct rte_mbuf *dropped[BURST_MAX];
	unsigned kept = 0, drops = 0;

	// Most bursts are answered whole, and many to the byte.
	if (likely(burst->unanswered == 0 && !q->tx_offload)) {
		if (burst->resized)
			*bytes = set_lengths(burst, mbufs, n);
		return n;
	}
	*bytes = 0;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];

		if (unlikely(burst->drop[i] == PACKET_ELSEWHERE)) {
			inbox_hand_over(w, q, burst->owner[i], m);
			continue;
		}
		if (unlikely(burst->drop[i] != PG_DROP_NONE)) {
			dropped[drops++] = m;
			continue;
		}
		m->data_len = burst->length[i];
		m->pkt_len = burst->length[i];
		*bytes += burst->length[i];
		if (q->tx_offload)
			request_checksums(m, &burst->tx[i]);
		mbufs[kept++] = m;
	}
	if (drops > 0)
		rte_pktmbuf_free_bulk(dropped, drops);
	return kept;
}

unsigned transmit_answers(struct dpdk_worker *w, struct worker_queue *q, const struct burst *burst,
			  struct rte_mbuf **mbufs, unsigned n, uint64_t bytes)
{
	const unsigned answers = keep_answers(w, q, burst, mbufs, n, &bytes);

	if (unlikely(answers == 0))
		return 0;
	if (q->tx_offload)
		transmit_prepared(w, q, mbufs, answers, bytes);
	else
		transmit(w, q, mbufs, answers, bytes);
	return answers;
}

// ---------------------------------------------------------------- of our own accord

void announce(struct dpdk_worker *w, uint64_t now)
{
	for (unsigned i = 0; i < w->queue_count; i++)
		if (w->queue[i].queue == 0) // the first queue speaks for the port
			announcer_begin(w->queue[i].ingress.announcer, now);
}

void leave_groups(struct dpdk_worker *w, uint64_t now)
{
	for (unsigned i = 0; i < w->queue_count; i++)
		if (w->queue[i].queue == 0) {
			announcer_end(w->queue[i].ingress.announcer, now);
			send_announcements(w, &w->queue[i], UINT32_MAX, now);
		}
}

unsigned send_announcements(struct dpdk_worker *w, struct worker_queue *q, unsigned most, uint64_t now)
{
	unsigned sent = 0;

	for (; sent < most; sent++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(q->port->pool);

		if (!m) // the next turn tries again
			break;
		m->data_len =
			announcer_next(q->ingress.announcer, &q->port->identity, now, rte_pktmbuf_mtod(m, uint8_t *));
		m->pkt_len = m->data_len;
		if (m->data_len == 0) {
			rte_pktmbuf_free(m);
			break;
		}
		counter_add(&w->common.stats->tx_originated, 1);
		transmit(w, q, &m, 1, m->pkt_len);
	}
	return sent;
}

// ---------------------------------------------------------------- sessions

/// Allocate buffers to send from: fewer than n when the pool has too few.
static unsigned empty_buffers(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned n)
{
	while (n > 0 && rte_pktmbuf_alloc_bulk(pool, mbufs, n) != 0)
		n /= 4;
	return n;
}

/// Drop frames for a port that this worker has no queue of.
static COLD void nowhere(struct dpdk_worker *w, struct rte_mbuf **mbufs, unsigned n)
{
	rte_pktmbuf_free_bulk(mbufs, n);
	counter_add(&w->common.stats->tx_offered, n);
	counter_add(&w->common.stats->tx_dropped[PG_TX_DROP_REFUSED], n);
}

/// Frames for one port.
static void transmit_from(struct dpdk_worker *w, uint8_t port, struct rte_mbuf **mbufs, unsigned n)
{
	struct worker_queue *q = w->queue_of[port];

	if (likely(q))
		transmit(w, q, mbufs, n, total_bytes(mbufs, n));
	else
		nowhere(w, mbufs, n);
}

unsigned send_egress(struct worker *common, const struct egress_source *source, void *of, uint32_t most, uint64_t now)
{
	struct dpdk_worker *w = (struct dpdk_worker *)common;
	struct rte_mbuf *mbufs[BURST_MAX];
	struct frame_egress out;
	const unsigned room = empty_buffers(w->queue[0].port->pool, mbufs, most);
	unsigned n;

	if (unlikely(room == 0)) // the next turn tries again
		return 0;
	for (unsigned i = 0; i < room; i++)
		out.frame[i] = rte_pktmbuf_mtod(mbufs[i], uint8_t *);
	n = source->frames(of, &out, room, now);
	rte_pktmbuf_free_bulk(mbufs + n, room - n);
	for (unsigned i = 0; i < n; i++)
		mbufs[i]->data_len = (uint16_t)(mbufs[i]->pkt_len = out.length[i]);
	for (unsigned first = 0, count = 0; first < n; first += count) {
		for (count = 1; first + count < n && out.port[first + count] == out.port[first];)
			count++;
		transmit_from(w, out.port[first], mbufs + first, count);
	}
	return n;
}
