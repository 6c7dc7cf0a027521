// SPDX-License-Identifier: BSD-3-Clause
// engine/dpdk/transmit.c: see transmit.h.

#include "engine/dpdk/transmit.h"

#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "engine/dpdk/inbox.h"
#include "net/announcer.h"
#include "pipeline/egress.h"
#include "port/promises.h"

/// A device that has taken nothing for so long will not soon: pause frames, a link without a partner, a kernel that refuses.
#define STANDS_AFTER_MS 10

static_assert(PG_HELD_PER_QUEUE >= 2 * BURST_MAX, "a burst of answers has room behind what a tick's end left");

static uint64_t total_bytes(struct rte_mbuf *const *mbufs, unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += mbufs[i]->pkt_len;
	return bytes;
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

/// @param bytes  of all n
/// @return how many the device had no room for: the last of mbufs
static unsigned offer(struct dpdk_worker *w, struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n,
		      uint64_t bytes)
{
	const unsigned sent = rte_eth_tx_burst(q->port_id, q->queue, mbufs, (uint16_t)n), left = n - sent;

	if (unlikely(q->port->keeps_sent))
		rte_pktmbuf_free_bulk(mbufs, sent);
	if (unlikely(left != 0))
		bytes -= total_bytes(mbufs + sent, left);
	count_sent(w, q, sent, bytes);
	return left;
}

/// When the kernel refuses a frame, the driver gives back that frame and all frames behind it: try those without it. If
/// one of them leaves, the queue has room, so the frames passed over were refused for their own sake.
/// @param mbufs  the first was tried in vain
/// @return how many are left: all n, or none
static COLD unsigned pass_over(struct dpdk_worker *w, struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n)
{
	unsigned passed = 1; // at the front of mbufs

	for (unsigned i = 1; i < n;) {
		const unsigned left = offer(w, q, mbufs + i, n - i, total_bytes(mbufs + i, n - i));

		i = n - left;
		if (i < n)
			mbufs[passed++] = mbufs[i++];
	}
	if (passed == n)
		return n;
	drop_all(w, mbufs, passed, PG_TX_DROP_REFUSED);
	return 0;
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

// ---------------------------------------------------------------- what a device has no room for

/// Has it taken nothing since it was found to stand?
static bool stands(const struct worker_queue *q)
{
	return q->held.stood && counter_get(&q->counts->tx_packets) == q->held.stood_at;
}

static COLD void hold(struct dpdk_worker *w, struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n)
{
	struct held_frames *held = &q->held;
	const unsigned room = stands(q) ? 0 : PG_HELD_PER_QUEUE - held->count, taken = n < room ? n : room;

	if (held->count == 0)
		held->since = rte_rdtsc();
	memcpy((void *)(held->mbuf + held->count), (const void *)mbufs, taken * sizeof(struct rte_mbuf *));
	held->count += taken;
	w->held += taken;
	if (taken < n)
		give_up(w, q, mbufs + taken, n - taken);
}

/// @return how many are left: the last of those that are held
static unsigned send_held(struct dpdk_worker *w, struct worker_queue *q)
{
	const uint16_t longest = atomic_load_explicit(&q->port->longest_frame, memory_order_relaxed);
	struct held_frames *held = &q->held;
	unsigned n = held->count;

	if (unlikely(longest != ANY_LENGTH)) {
		n = keep_back(w, held->mbuf, n, longest);
		w->held -= held->count - n;
		held->count = n;
	}
	return n != 0 ? offer(w, q, held->mbuf, n, total_bytes(held->mbuf, n)) : 0;
}

static void keep_last(struct dpdk_worker *w, struct held_frames *held, unsigned left)
{
	memmove((void *)held->mbuf, (const void *)(held->mbuf + held->count - left), left * sizeof(struct rte_mbuf *));
	w->held -= held->count - left;
	held->count = left;
}

static void give_up_held(struct dpdk_worker *w, struct worker_queue *q)
{
	struct held_frames *held = &q->held;
	unsigned left = held->count;

	if (q->port->watch.stops_at_a_refusal)
		left = pass_over(w, q, held->mbuf, left);
	if (left != 0) {
		give_up(w, q, held->mbuf, left);
		held->stood = true;
		held->stood_at = counter_get(&q->counts->tx_packets);
	}
	keep_last(w, held, 0);
}

static void flush(struct dpdk_worker *w, struct worker_queue *q, uint64_t now)
{
	struct held_frames *held = &q->held;
	const unsigned left = send_held(w, q);

	if (left < held->count) {
		held->since = now;
		keep_last(w, held, left);
	} else if (left != 0 && now > held->since + STANDS_AFTER_MS * (rte_get_tsc_hz() / 1000)) {
		give_up_held(w, q);
	}
}

void transmit_held(struct dpdk_worker *w, uint64_t now)
{
	for (unsigned i = 0; i < w->queue_count; i++)
		if (w->queue[i].held.count != 0)
			flush(w, &w->queue[i], now);
}

void transmit_last(struct dpdk_worker *w)
{
	const uint64_t until = rte_rdtsc() + STANDS_AFTER_MS * (rte_get_tsc_hz() / 1000);

	for (uint64_t now = 0; w->held != 0 && now < until; now = rte_rdtsc())
		transmit_held(w, now);
	for (unsigned i = 0; i < w->queue_count; i++)
		if (w->queue[i].held.count != 0)
			give_up_held(w, &w->queue[i]);
}

void transmit(struct dpdk_worker *w, struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n, uint64_t bytes)
{
	const uint16_t longest = atomic_load_explicit(&q->port->longest_frame, memory_order_relaxed);
	unsigned left;

	counter_add(&w->common.stats->tx_offered, n);
	if (unlikely(longest != ANY_LENGTH)) {
		n = keep_back(w, mbufs, n, longest);
		bytes = total_bytes(mbufs, n);
	}
	if (PROMISES)
		promises_enforce(q->port, mbufs, n);
	if (unlikely(q->held.count != 0)) { // nothing overtakes what waits
		hold(w, q, mbufs, n);
		return;
	}
	left = offer(w, q, mbufs, n, bytes);
	if (likely(left == 0))
		return;
	if (q->port->watch.stops_at_a_refusal)
		left = pass_over(w, q, mbufs + n - left, left);
	if (left != 0)
		hold(w, q, mbufs + n - left, left);
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
	unsigned room, n;

	if (unlikely(w->held != 0)) // what is not written yet can wait, or be shed
		return 0;
	room = empty_buffers(w->queue[0].port->pool, mbufs, most);
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
