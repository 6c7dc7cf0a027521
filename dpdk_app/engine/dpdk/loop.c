// SPDX-License-Identifier: BSD-3-Clause
// engine/dpdk/loop.c: receive and answer, queue by queue, then run the tasks; a loop that polls never sleeps.

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "engine/dpdk/dpdk.h"
#include "engine/dpdk/inbox.h"
#include "engine/dpdk/transmit.h"
#include "net/partial.h"
#include "runtime/profile_life.h"
#include "runtime/worker_tasks.h"

/// Sessions that a sweep looks at in one turn: in a tenth of the time of a burst.
#define SWEPT_AT_ONCE 16

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

/// The sender's kernel left the checksum to its device: compute it, so that the frame is like any other.
static COLD void complete_checksum(const struct worker_queue *q, struct rte_mbuf *m)
{
	m->ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
	if (m->nb_segs == 1)
		partial_complete(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, q->ingress.identity,
				 q->ingress.listeners);
}

/// A chain of buffers is longer than any frame that we take, so it is refused as too long, unread.
/// @param bytes  received, of each chain only the first buffer's
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

/// Take packets of one port through the pipeline and send the answers.
static void process(struct dpdk_worker *w, struct worker_queue *q, struct ingress *ingress, struct burst *burst,
		    struct rte_mbuf **mbufs, unsigned n, uint64_t bytes, uint64_t now)
{
	q->run(ingress, burst, n, now);

	const unsigned answers = transmit_answers(w, q, burst, mbufs, n, bytes);

	if (likely(answers != 0))
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
	process(w, q, &q->ingress, &burst, mbufs, n, bytes, now);
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
	const unsigned n = inbox_take(w, mbufs);

	for (unsigned first = 0, count = 0; first < n; first += count) {
		struct worker_queue *q = queue_of_port(w, mbufs[first]->port);

		for (count = 1; first + count < n && mbufs[first + count]->port == mbufs[first]->port;)
			count++;

		const uint64_t bytes = fill_burst(&burst, mbufs + first, count, q);

		process(w, q, &q->inbox_ingress, &burst, mbufs + first, count, bytes, now);
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
		w->queue[i].ingress.policy = w->queue[i].inbox_ingress.policy = common->current;
}

/// Take messages from other workers' players. Packets do not come by mail here, but through inboxes.
static unsigned serve_mail(struct worker *w, uint32_t most, uint64_t now)
{
	mail_oldest_datagram(&w->mail, w->shard, &most, now);
	return 0;
}

/// Is an announcement or a report due? Asked in every turn, because a received burst can change the time.
static bool announcer_wait(const struct task *task, uint64_t now)
{
	const struct dpdk_worker *w = task->worker;

	if (unlikely(atomic_load_explicit(&w->announce, memory_order_relaxed)))
		return true;
	for (unsigned i = 0; i < w->queue_count; i++)
		if (unlikely(w->queue[i].ingress.announcer->due <= now))
			return true;
	return false;
}

/// From the queue on at which the last turn ended, so that one with ever more to say keeps no other from it.
static unsigned send_due_announcements(struct task *task, uint64_t now)
{
	struct dpdk_worker *w = task->worker;
	unsigned sent = 0;

	if (atomic_load_explicit(&w->announce, memory_order_relaxed)) {
		atomic_store_explicit(&w->announce, false, memory_order_relaxed);
		announce(w, now);
	}
	for (unsigned i = 0; i < w->queue_count && sent < task->budget; i++) {
		struct worker_queue *q = &w->queue[w->announcing];

		w->announcing = (w->announcing + 1) % w->queue_count;
		if (q->ingress.announcer->due <= now)
			sent += send_announcements(w, q, task->budget - sent, now);
	}
	return sent;
}

static const struct engine_parts parts = {
	.use_policy = use_policy,
	.serve_mail = serve_mail,
	.send_egress = send_egress,
	.slots = SWEPT_AT_ONCE,
};

/// A worker without queues cannot send, so it has no task that sends.
static void add_tasks(struct dpdk_worker *w)
{
	worker_add_housekeeping(&w->common, &parts);
	if (w->queue_count == 0)
		return;
	tasks_add(&w->common.tasks, &(struct task){
					    .worker = w,
					    .run = send_due_announcements,
					    .ready = announcer_wait,
					    .budget = BURST_MAX,
					    .due = TASK_NEVER,
				    });
	profiles_add_tasks(&w->common);
}

// ---------------------------------------------------------------- loop

/// Others may still hand packets over until they, too, receive no more. The control thread bounds the wait.
static void empty_inbox(struct dpdk_worker *w)
{
	atomic_fetch_add(&w->common.barrier->finished, 1);
	if (!w->inbox)
		return;
	while (atomic_load(&w->common.barrier->finished) < w->common.barrier->registry.tables ||
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
		if (unlikely(w->held != 0))
			transmit_held(w, now);

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
	transmit_last(w);
	return 0;
}
