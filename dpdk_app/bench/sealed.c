// SPDX-License-Identifier: BSD-3-Clause
// bench/sealed.c: see pollgate_bench.h.

#include "pollgate_bench.h"

#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf.h>

#include "bench/rewinding.h"
#include "engine/dpdk/dpdk.h"
#include "runtime/engine.h"
#include "session/limits.h"
#include "session/state.h"
#include "stats/error.h"

/// So many packets ahead keys are brought.
#define KEYS_AHEAD 4

// ---------------------------------------------------------------- connections

static void connect_peer(struct session_record *record, const struct pg_bench_connection *connection)
{
	memcpy(record->secret, connection->secret, sizeof(record->secret));
	if (connection->peer.family == 4)
		peer_set4(&record->peer, load32(connection->peer.bytes));
	else
		peer_set6(&record->peer, connection->peer.bytes);
	peer_set_channel(&record->peer, BE16(connection->peer_port), 0);
	record_set_max_datagram(record, SESSION_DATAGRAM_MAX);
	record->connections = 1;
	record->last_seen = rte_rdtsc();
	record->phase_began_at = (uint16_t)(record->last_seen / (pg_tsc_hz() * PHASE_TICK_S)); // the keys are new
	__atomic_store_n(&record->owner, 0, __ATOMIC_RELEASE);
	record_set_phase(record, RECORD_CONNECTED);
}

int pg_bench_connect(void *state, const struct pg_bench_connection *connection, uint32_t n, struct pg_error *error)
{
	const struct state_parts parts = state_parts(state);

	for (uint32_t i = 0; i < n; i++) {
		struct session_record *record = &parts.records[session_slot(&parts.numbers, connection[i].session)];

		if (record->session != connection[i].session)
			return error_set(error, PG_ERROR_USAGE, "session %u is not issued", connection[i].session);
		connect_peer(record, &connection[i]);
	}
	return PG_OK;
}

void pg_bench_know_limits(const struct pg_gateway *gateway, void *state)
{
	const struct state_parts parts = state_parts(state);

	for (uint32_t slot = 0; slot < gateway->plan.issued_capacity; slot++)
		parts.records[slot].limits_mark = limits_mark(gateway->worker[0]->shard);
}

// ---------------------------------------------------------------- rewinding

struct rewinding {
	struct session_shard *shard;
	struct session_numbers numbers;
	uint32_t slot[BURST_MAX]; // of the burst before
	unsigned count;
	uint64_t cycles; // that this took: the harness's, not the gateway's
};

static struct rewinding rewinding;

static uint32_t slot_of(const struct session_numbers *numbers, const struct rte_mbuf *m)
{
	return session_slot(numbers, rte_pktmbuf_mtod_offset(m, const struct session_header *, FRAME_HEADERS)->session);
}

/// Between the device and the worker's loop. The burst before is through with: its records are in the cache, and none of them
/// is needed again before all others were.
static uint16_t on_burst(uint16_t port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t n, uint16_t max,
			 void *context)
{
	const uint64_t began = rte_rdtsc();
	struct rewinding *r = context;

	(void)port, (void)queue, (void)max;
	for (unsigned i = 0; i < r->count; i++)
		rewind_slot(r->shard, r->slot[i]);
	r->count = n;
	for (unsigned i = 0; i < n; i++)
		r->slot[i] = slot_of(&r->numbers, mbufs[i]);
	counter_add(&r->cycles, rte_rdtsc() - began);
	return n;
}

static uint16_t first_port(const struct pg_gateway *gateway)
{
	const struct dpdk_worker *worker = (const struct dpdk_worker *)gateway->worker[0];

	return worker->queue[0].port_id;
}

int pg_bench_rewind(const struct pg_gateway *gateway, void *state, struct pg_error *error)
{
	const struct state_parts parts = state_parts(state);

	rewinding = (struct rewinding){
		.shard = gateway->worker[0]->shard,
		.numbers = parts.numbers,
	};
	if (!rte_eth_add_rx_callback(first_port(gateway), 0, on_burst, &rewinding))
		return error_set(error, PG_ERROR_SYSTEM, "this DPDK was built without callbacks of received bursts");
	return PG_OK;
}

uint64_t pg_bench_rewinding_cycles(void)
{
	return counter_get(&rewinding.cycles);
}

// ---------------------------------------------------------------- crypto only

struct crypto_only {
	struct cipher_code code;
	struct key_store keys; // as the gateway keeps them
	struct session_numbers numbers;
	uint32_t capacity;
	uint16_t port;
	uint16_t answer; // bytes that are sealed; 0: as many as came
	uint64_t until;  // TSC
	struct pg_bench_run run;
};

static void make_keys(struct crypto_only *c, const struct session_record *records)
{
	for (uint32_t slot = 0; slot < c->capacity; slot++) {
		const struct session_record *record = &records[slot];
		const struct session_keys keys = key_store_at(&c->keys, slot);
		struct traffic_keys derived;

		if (record->session == 0)
			continue;
		traffic_keys_derive(&derived, record->secret);
		key_store_set(&c->keys, &c->code, keys.open, derived.to_gateway, derived.to_gateway_salt);
		key_store_set(&c->keys, &c->code, keys.seal, derived.to_client, derived.to_client_salt);
	}
}

static bool open_then_seal(const struct crypto_only *c, struct rte_mbuf *m)
{
	struct session_header *header = rte_pktmbuf_mtod_offset(m, struct session_header *, FRAME_HEADERS);
	const struct session_keys keys = key_store_at(&c->keys, session_slot(&c->numbers, header->session));
	const uint32_t counter = header->counter;
	const uint16_t came = m->data_len - FRAME_HEADERS, answer = c->answer ? c->answer : came;

	if (!cipher_open(&c->code, keys.open, counter, (uint8_t *)header, sizeof(*header), came))
		return false;
	cipher_seal(&c->code, keys.seal, counter, (uint8_t *)header, sizeof(*header), answer);
	m->data_len = FRAME_HEADERS + answer;
	m->pkt_len = m->data_len;
	return true;
}

/// Inlined: a function of its own that only prefetches is one that GCC leaves out.
ALWAYS_INLINE void bring_keys(const struct crypto_only *c, const struct rte_mbuf *m)
{
	const struct session_header *header = rte_pktmbuf_mtod_offset(m, const struct session_header *, FRAME_HEADERS);
	const struct session_keys keys = key_store_at(&c->keys, session_slot(&c->numbers, header->session));

	const uint16_t came = m->data_len - FRAME_HEADERS, answer = c->answer ? c->answer : came;

	cipher_prefetch(&c->code, keys.open, came - SESSION_AROUND);
	cipher_prefetch(&c->code, keys.seal, answer - SESSION_AROUND);
}

/// All packets' first lines, then one after the other while the keys of those a little later are on their way: as a burst
/// goes through the gateway, which was tried with all keys first, too, and is slower so.
static void serve_burst(struct crypto_only *c, struct rte_mbuf **mbufs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		prefetch(rte_pktmbuf_mtod(mbufs[i], uint8_t *));
	for (unsigned i = 0; i < n && i < KEYS_AHEAD; i++)
		bring_keys(c, mbufs[i]);
	for (unsigned i = 0; i < n; i++) {
		if (i + KEYS_AHEAD < n)
			bring_keys(c, mbufs[i + KEYS_AHEAD]);
		c->run.refused += !open_then_seal(c, mbufs[i]);
	}

	const unsigned sent = rte_eth_tx_burst(c->port, 0, mbufs, (uint16_t)n);

	if (sent < n)
		rte_pktmbuf_free_bulk(mbufs + sent, n - sent);
	c->run.packets += n;
	c->run.unsent += n - sent;
}

static int crypto_only_loop(void *context)
{
	struct crypto_only *c = context;
	struct rte_mbuf *mbufs[BURST_MAX];
	const uint64_t began = rte_rdtsc();

	while (rte_rdtsc() < c->until) {
		const unsigned n = rte_eth_rx_burst(c->port, 0, mbufs, BURST_MAX);

		if (n > 0)
			serve_burst(c, mbufs, n);
	}
	c->run.cycles = rte_rdtsc() - began;
	return 0;
}

/// Asleep, unlike DPDK's own wait, so that the other CPU is as free as beside the gateway.
static int await_lcore(uint32_t lcore)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	while (rte_eal_get_lcore_state(lcore) == RUNNING)
		nanosleep(&pause, NULL);
	return rte_eal_wait_lcore(lcore);
}

int pg_bench_crypto_only(struct pg_gateway *gateway, void *state, bool answers, uint32_t duration_ms,
			 struct pg_bench_run *run, struct pg_error *error)
{
	const struct state_parts parts = state_parts(state);
	struct crypto_only c = {
		.port = first_port(gateway),
		.numbers = parts.numbers,
		.capacity = gateway->plan.issued_capacity,
		.answer = answers ? SESSION_DATA_MIN : 0,
	};
	const struct key_places places = key_places_find(cipher_lines_kept());
	const size_t size = key_store_size(&places, c.capacity);
	const uint32_t lcore = gateway->plan.worker[0].lcore;
	int rc = PG_OK;

	c.keys = (struct key_store){places, pages_alloc(size)};
	if (!c.keys.memory)
		return error_set(error, PG_ERROR_MEMORY, "no memory for %u keys", c.capacity);
	if (!cipher_code_init(&c.code))
		rc = error_set(error, PG_ERROR_SYSTEM, "intel-ipsec-mb does not run on this CPU");
	if (rc == PG_OK) {
		make_keys(&c, parts.records);
		c.until = rte_rdtsc() + duration_ms * (pg_tsc_hz() / 1000);
		if (rte_eal_remote_launch(crypto_only_loop, &c, lcore) == 0 && await_lcore(lcore) == 0)
			*run = c.run;
		else
			rc = error_set(error, PG_ERROR_SYSTEM, "lcore %u could not be launched", lcore);
	}
	cipher_code_free(&c.code);
	pages_free(c.keys.memory, size);
	return rc;
}
