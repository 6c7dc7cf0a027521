// SPDX-License-Identifier: BSD-3-Clause
// bench/round_trip.c: how long a worker's answer takes, by stamps between the device and its loop: see pollgate_bench.h.
//
// The device is one that brings nothing. A callback of its receive queue puts one packet after the other in front of the loop,
// the next when the last was answered; one of its transmit queue sees the answer leave. All else is the gateway as it is.

#include "pollgate_bench.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "bench/rewinding.h"
#include "engine/dpdk/dpdk.h"
#include "runtime/engine.h"
#include "session/state.h"
#include "stats/error.h"

/// Then a packet counts as lost, and the next one comes.
#define PATIENCE_MS 100

struct conversation {
	// set before the worker starts
	struct session_shard *shard;
	struct session_numbers numbers;
	struct rte_mempool *pool;
	const struct pg_bench_frame *frame;
	uint32_t frames;
	uint16_t answer_min; // bytes of a datagram's payload

	// the worker's
	uint32_t at; // the frame whose answer is awaited
	bool awaits;
	uint64_t said_at; // TSC
	uint32_t cycles[PG_BENCH_ROUND_TRIPS];

	// both sides'
	uint64_t measured, lost;
};

static struct conversation conversation;

static struct session_header *header_of(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct session_header *, FRAME_HEADERS);
}

static bool must_wait(struct conversation *c)
{
	if (!c->awaits)
		return false;
	if (rte_rdtsc() - c->said_at < PATIENCE_MS * (rte_get_tsc_hz() / 1000))
		return true;
	counter_add(&c->lost, 1);
	return false;
}

static struct rte_mbuf *next_packet(struct conversation *c)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(c->pool);
	const struct pg_bench_frame *frame;

	if (!m)
		return NULL;
	c->at = (c->at + 1) % c->frames;
	frame = &c->frame[c->at];
	memcpy(rte_pktmbuf_append(m, frame->length), frame->bytes, frame->length);
	m->port = 0;
	rewind_slot(c->shard, session_slot(&c->numbers, header_of(m)->session));
	return m;
}

static uint16_t on_receive(uint16_t port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t n, uint16_t max,
			   void *context)
{
	struct conversation *c = context;
	struct rte_mbuf *m;

	(void)port, (void)queue;
	if (n == max || must_wait(c) || !(m = next_packet(c)))
		return n;
	mbufs[n] = m;
	c->awaits = true;
	c->said_at = rte_rdtsc();
	return n + 1;
}

static bool is_answer(const struct conversation *c, const struct rte_mbuf *m)
{
	const struct session_header *asked = (const struct session_header *)(c->frame[c->at].bytes + FRAME_HEADERS);

	return m->data_len >= FRAME_HEADERS + c->answer_min && header_of(m)->kind == SESSION_DATA &&
	       header_of(m)->session == asked->session;
}

static uint16_t on_transmit(uint16_t port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t n, void *context)
{
	const uint64_t now = rte_rdtsc();
	struct conversation *c = context;

	(void)port, (void)queue;
	for (unsigned i = 0; i < n && c->awaits; i++) {
		if (!is_answer(c, mbufs[i]))
			continue;
		c->cycles[c->measured % PG_BENCH_ROUND_TRIPS] = (uint32_t)(now - c->said_at);
		counter_add(&c->measured, 1);
		c->awaits = false;
	}
	return n;
}

int pg_bench_converse(const struct pg_gateway *gateway, void *state, const struct pg_bench_frame *frame,
		      uint32_t frames, uint16_t answer_min, struct pg_error *error)
{
	const struct dpdk_worker *worker = (const struct dpdk_worker *)gateway->worker[0];
	const struct state_parts parts = state_parts(state);
	const uint16_t port = worker->queue[0].port_id;

	conversation = (struct conversation){
		.shard = gateway->worker[0]->shard,
		.numbers = parts.numbers,
		.pool = worker->devices->pool[0],
		.frame = frame,
		.frames = frames,
		.answer_min = answer_min,
	};
	if (!rte_eth_add_rx_callback(port, 0, on_receive, &conversation) ||
	    !rte_eth_add_tx_callback(port, 0, on_transmit, &conversation))
		return error_set(error, PG_ERROR_SYSTEM, "this DPDK was built without callbacks of bursts");
	return PG_OK;
}

uint32_t pg_bench_round_trips(uint32_t *cycles, uint64_t *lost)
{
	const uint64_t measured = counter_get(&conversation.measured);
	const uint32_t n = measured < PG_BENCH_ROUND_TRIPS ? (uint32_t)measured : PG_BENCH_ROUND_TRIPS;

	memcpy(cycles, conversation.cycles, n * sizeof(*cycles));
	*lost = counter_get(&conversation.lost);
	return n;
}
