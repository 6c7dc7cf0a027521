// SPDX-License-Identifier: BSD-3-Clause
// bench/world_arrivals.c: see world_arrivals.h.

#include "bench/world_arrivals.h"

#include <string.h>

#include "bench/world_clock.h"
#include "engine/dpdk/transmit.h"

#define QUESTION UINT32_MAX // no movement

uint64_t arrives_at(const struct world_bench *b, uint32_t burst)
{
	return b->tick_began + b->replica->tick_cycles * (2 * (uint64_t)burst + 1) / (2 * (uint64_t)b->bursts);
}

/// Whose movements come in a burst; of profile plain, each with a question behind it.
static uint32_t movers_in_burst(const struct pg_bench_world_plan *plan)
{
	return plan->plain ? BURST_MAX / 2 : BURST_MAX;
}

uint32_t arrivals_bursts(const struct pg_bench_world_plan *plan)
{
	return (plan->players + movers_in_burst(plan) - 1) / movers_in_burst(plan);
}

/// What follows a movement of profile plain.
/// @return frames: 1 or 0
static unsigned receive_question(struct world_bench *b, struct rte_mbuf *mbuf, uint32_t nth)
{
	if (!askers_ask(&b->askers, movers_who(&b->movers, b->tick, nth), b->tick, rte_pktmbuf_mtod(mbuf, uint8_t *)))
		return 0;
	(void)rte_pktmbuf_append(mbuf, ASKERS_FRAME);
	mbuf->port = b->queue->port_id;
	return 1;
}

/// Of the next burst, what is not lost, in buffers of the worker's pool.
/// @param nth  out: of each frame, whose movement it is; QUESTION: it is none
static unsigned receive(struct world_bench *b, struct rte_mbuf **mbufs, uint32_t *nth)
{
	const uint32_t from = b->burst * movers_in_burst(b->plan), to = from + movers_in_burst(b->plan);
	unsigned n = 0;

	if (rte_pktmbuf_alloc_bulk(b->worker->devices->pool[0], mbufs, BURST_MAX) != 0)
		return 0;
	for (uint32_t i = from; i < to && i < b->movers.walks.players; i++) {
		const struct mover_frame *frame = movers_frame(&b->movers, b->tick, i);

		if (frame->length != 0) {
			memcpy(rte_pktmbuf_append(mbufs[n], frame->length), frame->bytes, frame->length);
			mbufs[n]->port = b->queue->port_id;
			nth[n++] = i;
		}
		if (b->plan->plain) {
			nth[n] = QUESTION;
			n += receive_question(b, mbufs[n], i);
		}
	}
	rte_pktmbuf_free_bulk(mbufs + n, BURST_MAX - n);
	return n;
}

/// As engine/dpdk/loop.c does it.
static uint64_t fill_burst(struct burst *burst, struct rte_mbuf **mbufs, unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		burst->frame[i] = rte_pktmbuf_mtod(mbufs[i], uint8_t *);
		prefetch(burst->frame[i]);
		burst->length[i] = mbufs[i]->data_len;
		bytes += mbufs[i]->data_len;
	}
	return bytes;
}

static void serve(struct world_bench *b, struct rte_mbuf **mbufs, unsigned n)
{
	const uint64_t at = b->now;
	struct burst burst;
	uint64_t bytes;

	begin(b);
	bytes = fill_burst(&burst, mbufs, n);
	b->queue->run(&b->queue->ingress, &burst, n, at);
	(void)transmit_answers(b->worker, b->queue, &burst, mbufs, n, bytes);
	spend(b, STAGE_MOVES);
}

void serve_moves(struct world_bench *b)
{
	const uint64_t came = arrives_at(b, b->burst);
	struct rte_mbuf *mbufs[BURST_MAX];
	uint32_t nth[BURST_MAX];
	const unsigned n = receive(b, mbufs, nth);
	const uint64_t at = b->now;

	b->burst++;
	if (n == 0)
		return;
	serve(b, mbufs, n);
	for (unsigned i = 0; i < n; i++)
		if (nth[i] != QUESTION)
			checker_moved(&b->checker, b->tick, nth[i], at, came);
	if (b->measures)
		samples_add(&b->handling, (double)(b->now - came));
}

bool serve_askers(struct world_bench *b)
{
	struct rte_mbuf *mbufs[BURST_MAX];
	unsigned n = 0;

	if (!b->plan->plain || askers_due(&b->askers) > b->now ||
	    rte_pktmbuf_alloc_bulk(b->worker->devices->pool[0], mbufs, BURST_MAX) != 0)
		return false;
	while (n < BURST_MAX && askers_ask_again(&b->askers, b->now, rte_pktmbuf_mtod(mbufs[n], uint8_t *))) {
		(void)rte_pktmbuf_append(mbufs[n], ASKERS_FRAME);
		mbufs[n++]->port = b->queue->port_id;
	}
	rte_pktmbuf_free_bulk(mbufs + n, BURST_MAX - n);
	serve(b, mbufs, n);
	return true;
}
