// SPDX-License-Identifier: BSD-3-Clause
// engine/dpdk/inbox.c: see inbox.h.

#include "engine/dpdk/inbox.h"

#include <stdio.h>

#include <rte_errno.h>
#include <rte_lcore.h>

#include "stats/error.h"

#define INBOX_PACKETS 1024

int inbox_make(struct dpdk_worker *w, uint32_t workers, struct pg_error *error)
{
	char name[RTE_RING_NAMESIZE];

	if (workers == 1)
		return PG_OK;
	snprintf(name, sizeof(name), "inbox%u", w->common.number);
	w->inbox =
		rte_ring_create(name, INBOX_PACKETS, (int)rte_lcore_to_socket_id(w->common.plan->lcore), RING_F_SC_DEQ);
	if (!w->inbox)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for its inbox: %s", w->common.number,
				 rte_strerror(rte_errno));
	w->devices->inbox[w->common.number] = w->inbox;
	return PG_OK;
}

void inbox_free(struct dpdk_worker *w)
{
	rte_ring_free(w->inbox);
}

COLD void inbox_hand_over(struct dpdk_worker *w, const struct worker_queue *q, uint8_t owner, struct rte_mbuf *m)
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

unsigned inbox_take(struct dpdk_worker *w, struct rte_mbuf **mbufs)
{
	return rte_ring_sc_dequeue_burst(w->inbox, (void **)mbufs, BURST_MAX, NULL);
}
