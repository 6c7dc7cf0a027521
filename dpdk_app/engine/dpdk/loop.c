// SPDX-License-Identifier: BSD-3-Clause
// engine/dpdk/loop.c: receive, run the tasks, transmit; a loop that polls never sleeps.

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "engine/dpdk/dpdk.h"
#include "engine/dpdk/transmit.h"
#include "net/partial.h"
#include "runtime/worker_tasks.h"

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

/// The sender's kernel left the checksum to its device. From now on it is one like any other.
static COLD void complete_checksum(const struct worker_queue *q, struct rte_mbuf *m)
{
	m->ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
	if (m->nb_segs == 1)
		partial_complete(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, q->gate.identity, q->gate.listeners);
}

/// A chain is longer than any frame of ours: refused as too long, its first part is not looked at.
/// @param bytes  received, but for what chains have beside their first parts
/// @return bytes received
static COLD uint64_t refuse_chains(struct burst *burst, struct rte_mbuf **mbufs, unsigned n, uint64_t bytes)
{
	for (unsigned i = 0; i < n; i++)
		if (mbufs[i]->nb_segs != 1) {
			bytes += mbufs[i]->pkt_len - mbufs[i]->data_len;
			burst->length[i] = UINT16_MAX;
		}
	return bytes;
}

/// @return bytes received
static uint64_t fill_burst(struct burst *burst, struct rte_mbuf **mbufs, unsigned n, const struct worker_queue *q)
{
	uint64_t bytes = 0;
	uint16_t segments = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];

		burst->frame[i] = rte_pktmbuf_mtod(m, uint8_t *);
		prefetch(burst->frame[i]);
		burst->length[i] = m->data_len;
		segments |= m->nb_segs;
		bytes += m->data_len;
		if (q->rx_offload) {
			if (unlikely((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE))
				complete_checksum(q, m);
			burst->rx[i] = rx_verdict(m->ol_flags);
		}
	}
	return likely(segments == 1) ? bytes : refuse_chains(burst, mbufs, n, bytes);
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

/// Give a packet to the worker whose session it is. Takes ownership.
static COLD void hand_over(struct dpdk_worker *w, const struct worker_queue *q, uint8_t owner, struct rte_mbuf *m)
{
	struct rte_ring *inbox = w->devices->inbox[owner];

	m->port = q->port_id; // not every driver says so
	// Each worker takes one place at a time, so with a place for each none can find it full after looking.
	if (rte_ring_free_count(inbox) >= PG_WORKERS_MAX) {
		// Counted first: should this process die, a packet in an inbox is one that was counted out.
		counter_add(&w->common.stats->handed_out, 1);
		rte_ring_mp_enqueue(inbox, m);
	} else {
		rte_pktmbuf_free(m);
		counter_add(&w->common.stats->dropped[PG_DROP_OWNER_BUSY], 1);
	}
}

/// All are answered, and by nothing that the device is to complete: only lengths have changed.
/// @return their bytes
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
			hand_over(w, q, burst->owner[i], m);
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

/// Take packets of one port through the pipeline and send the answers.
static void process(struct dpdk_worker *w, struct worker_queue *q, struct gate *gate, struct burst *burst,
		    struct rte_mbuf **mbufs, unsigned n, uint64_t bytes, uint64_t now)
{
	q->run(gate, burst, n, now);

	const unsigned answers = keep_answers(w, q, burst, mbufs, n, &bytes);

	if (unlikely(answers == 0))
		return;
	if (q->tx_offload)
		transmit_prepared(w, q, mbufs, answers, bytes);
	else
		transmit(w, q, mbufs, answers, bytes);

	worker_count_handling(&w->common, answers, rte_rdtsc() - now);
}

/// @return packets received
static unsigned serve_queue(struct dpdk_worker *w, struct worker_queue *q, uint64_t now)
{
	struct rte_mbuf *mbufs[BURST_MAX];
	struct burst burst;
	const unsigned n = rte_eth_rx_burst(q->port_id, q->queue, mbufs, BURST_MAX);

	if (n == 0)
		return 0;

	const uint64_t bytes = fill_burst(&burst, mbufs, n, q);

	// The port's count first: should this process die, `received` is settled from it.
	counter_add(&q->counts->rx_packets, n);
	counter_add(&q->counts->rx_bytes, bytes);
	process(w, q, &q->gate, &burst, mbufs, n, bytes, now);
	counter_add(&w->common.stats->rx_burst[burst_bucket(n)], 1);
	return n;
}

/// The worker that handed the packet over has checked that we serve its port.
static struct worker_queue *queue_of_port(struct dpdk_worker *w, uint16_t port_id)
{
	unsigned i = 0;

	while (w->queue[i].port_id != port_id)
		i++;
	return &w->queue[i];
}

/// Packets that other workers received for our sessions, port by port.
/// @return how many
static COLD unsigned serve_inbox(struct dpdk_worker *w, uint64_t now)
{
	struct rte_mbuf *mbufs[BURST_MAX];
	struct burst burst;
	const unsigned n = rte_ring_sc_dequeue_burst(w->inbox, (void **)mbufs, BURST_MAX, NULL);

	for (unsigned first = 0, count = 0; first < n; first += count) {
		struct worker_queue *q = queue_of_port(w, mbufs[first]->port);

		for (count = 1; first + count < n && mbufs[first + count]->port == mbufs[first]->port;)
			count++;

		const uint64_t bytes = fill_burst(&burst, mbufs + first, count, q);

		process(w, q, &q->inbox_gate, &burst, mbufs + first, count, bytes, now);
	}
	return n;
}

/// Serve the device queues and the inbox.
/// @return packets
static unsigned receive(struct dpdk_worker *w, uint64_t now)
{
	unsigned moved = 0;

	for (unsigned i = 0; i < w->queue_count; i++)
		moved += serve_queue(w, &w->queue[i], now);
	if (w->inbox && unlikely(!rte_ring_empty(w->inbox)))
		moved += serve_inbox(w, now);
	return moved;
}

// ---------------------------------------------------------------- between bursts

static void use_policy(struct worker *common)
{
	struct dpdk_worker *w = (struct dpdk_worker *)common;

	for (unsigned i = 0; i < w->queue_count; i++)
		w->queue[i].gate.policy = w->queue[i].inbox_gate.policy = common->current;
}

/// Messages from other workers' players. Packets among them there are none: these go to inboxes.
static unsigned serve_mail(struct worker *w, uint32_t most, uint64_t now)
{
	(void)most;
	post_oldest_datagram(&w->post, w->side, now);
	return 0;
}

/// What a host owes its link; when, a burst that is received may change.
static bool duties_wait(const struct task *task, uint64_t now)
{
	const struct dpdk_worker *w = task->worker;

	if (unlikely(atomic_load_explicit(&w->announce, memory_order_relaxed)))
		return true;
	for (unsigned i = 0; i < w->queue_count; i++)
		if (unlikely(w->queue[i].gate.duties->due <= now))
			return true;
	return false;
}

static unsigned perform_all_duties(struct task *task, uint64_t now)
{
	struct dpdk_worker *w = task->worker;

	if (atomic_load_explicit(&w->announce, memory_order_relaxed)) {
		atomic_store_explicit(&w->announce, false, memory_order_relaxed);
		announce(w, now);
	}
	for (unsigned i = 0; i < w->queue_count; i++)
		if (w->queue[i].gate.duties->due <= now)
			perform_duties(w, &w->queue[i], now);
	return 0;
}

static const struct engine_parts parts = {
	.use_policy = use_policy,
	.serve_mail = serve_mail,
	.send_departures = send_departures,
	.slots = EXPIRY_PER_TURN,
};

/// A worker without queues has nothing to send by.
static void add_tasks(struct dpdk_worker *w)
{
	worker_add_housekeeping(&w->common, &parts);
	if (w->queue_count == 0)
		return;
	tasks_add(&w->common.tasks, &(struct task){
					    .worker = w,
					    .run = perform_all_duties,
					    .ready = duties_wait,
					    .due = TASK_NEVER,
				    });
	worker_add_session_tasks(&w->common);
}

// ---------------------------------------------------------------- loop

/// Others may still hand packets over until they, too, receive no more. The control thread bounds the wait.
static void empty_inbox(struct dpdk_worker *w)
{
	atomic_fetch_add(&w->common.assembly->departed, 1);
	if (!w->inbox)
		return;
	while (atomic_load(&w->common.assembly->departed) < w->common.assembly->census.tables ||
	       !rte_ring_empty(w->inbox))
		if (serve_inbox(w, rte_rdtsc()) == 0)
			rte_pause();
}

int dpdk_loop(void *argument)
{
	struct dpdk_worker *w = argument;
	uint64_t now;

	worker_begin(&w->common);
	add_tasks(w);
	now = rte_rdtsc();
	tasks_run(&w->common.tasks, now); // neighbours learn who we are before they are answered
	while (!worker_stops(&w->common)) {
		off_cpu_mark_handling(&w->common.off_cpu);

		const unsigned received = receive(w, now);
		const unsigned moved = received + tasks_run(&w->common.tasks, now);

		if (moved == 0)
			rte_pause();

		const uint64_t next = rte_rdtsc();

		worker_count_turn(&w->common, moved != 0, now, next);
		now = next;
	}
	leave_groups(w, now);
	empty_inbox(w);
	return 0;
}
