// SPDX-License-Identifier: BSD-3-Clause
// tests/test_transmit.c: what a device has no room for is held, leaves in order, and is given up when the device stands.
//
// The device is a ring of DPDK's of 1,024 places, which gives back what was sent to it.

#include <stdio.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "engine/dpdk/transmit.h"
#include "port/pool.h"
#include "port/port.h"
#include "unit.h"

#define RING 1023 // frames that it takes
#define BYTES 60

struct bench {
	struct port port;
	struct pg_port_plan plan;
	struct pg_port_stats stats;
	struct pg_port_counts counts;
	struct pg_worker_stats worker_stats;
	struct rte_mempool *pool;
	struct dpdk_worker w;
	uint32_t offered, taken; // frames, numbered in their first bytes
};

static struct bench it;

/// A closed device is not opened again, so all tests have one.
static int open_ring(void **state UNUSED)
{
	const struct pg_pool_plan pool = {.node = -1, .mbufs = 4096, .data_room_bytes = 2176, .name = "transmit"};
	struct pg_error error = {0};

	it.plan = (struct pg_port_plan){
		.name = "ring", .device = "net_ring0", .queues = 1, .rx_descriptors = 64, .tx_descriptors = 64};
	it.pool = pool_make(&pool, &error);
	assert_non_null(it.pool);
	if (port_open(&it.port, &it.plan, 8080, it.pool, true, &error) != PG_OK)
		fail_msg("%s", error.message);
	return 0;
}

static int close_ring(void **state UNUSED)
{
	port_stop(&it.port);
	port_close(&it.port);
	assert_int_equal(rte_mempool_in_use_count(it.pool), 0);
	rte_mempool_free(it.pool);
	return 0;
}

static int begin(void **state UNUSED)
{
	it.stats = (struct pg_port_stats){.link_up = 1};
	it.counts = (struct pg_port_counts){0};
	it.worker_stats = (struct pg_worker_stats){0};
	it.offered = it.taken = 0;
	it.w = (struct dpdk_worker){.queue_count = 1, .common = {.stats = &it.worker_stats}};
	it.w.queue[0] = (struct worker_queue){
		.port = &it.port, .port_stats = &it.stats, .counts = &it.counts, .port_id = it.port.id};
	it.w.queue_of[0] = &it.w.queue[0];
	return 0;
}

/// Frames as a burst's answers.
static void offer(unsigned n)
{
	struct rte_mbuf *mbufs[BURST_MAX];

	assert_int_equal(rte_pktmbuf_alloc_bulk(it.pool, mbufs, n), 0);
	for (unsigned i = 0; i < n; i++) {
		*rte_pktmbuf_mtod(mbufs[i], uint32_t *) = it.offered++;
		mbufs[i]->data_len = BYTES;
		mbufs[i]->pkt_len = BYTES;
	}
	transmit(&it.w, &it.w.queue[0], mbufs, n, (uint64_t)n * BYTES);
}

static void offer_many(unsigned n)
{
	for (unsigned left = n; left > 0; left -= left < BURST_MAX ? left : BURST_MAX)
		offer(left < BURST_MAX ? left : BURST_MAX);
}

/// Take frames from the ring, each the next that was offered.
static void take(unsigned n)
{
	struct rte_mbuf *m;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(rte_eth_rx_burst(it.port.id, 0, &m, 1), 1);
		assert_int_equal(*rte_pktmbuf_mtod(m, uint32_t *), it.taken++);
		rte_pktmbuf_free(m);
	}
}

static void take_all(void)
{
	struct rte_mbuf *m;

	while (rte_eth_rx_burst(it.port.id, 0, &m, 1) == 1)
		rte_pktmbuf_free(m);
	it.taken = it.offered;
}

static uint64_t dropped(void)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < PG_TX_DROPS; i++)
		all += it.worker_stats.tx_dropped[i];
	return all;
}

/// Every frame is in one counter, or is held.
static void expect_books(void)
{
	assert_int_equal(it.worker_stats.tx_offered, it.worker_stats.tx_sent + dropped() + it.w.held);
	assert_int_equal(it.worker_stats.tx_sent, it.counts.tx_packets);
	assert_int_equal(it.counts.tx_bytes, it.counts.tx_packets * BYTES);
	assert_int_equal(it.w.held, it.w.queue[0].held.count);
}

static uint64_t after_ms(unsigned ms)
{
	return rte_rdtsc() + ms * (rte_get_tsc_hz() / 1000);
}

/// A source that has a frame for whoever asks.
static unsigned one_frame(void *of, struct frame_egress *out, unsigned n, uint64_t now UNUSED)
{
	unsigned *asked = of;

	assert_true(n > 0);
	++*asked;
	*(uint32_t *)out->frame[0] = it.offered++;
	out->length[0] = BYTES;
	out->port[0] = 0;
	return 1;
}

// ---------------------------------------------------------------- what is held

static void what_has_no_room_is_held_and_leaves_in_order(void **state UNUSED)
{
	offer_many(RING + 70);
	assert_int_equal(it.w.held, 70);
	assert_int_equal(dropped(), 0);
	expect_books();
	take(40);
	transmit_held(&it.w, rte_rdtsc());
	assert_int_equal(it.w.held, 30);
	offer(8); // behind those
	assert_int_equal(it.w.held, 38);
	take(100);
	offer(8); // though the ring has room
	transmit_held(&it.w, rte_rdtsc());
	assert_int_equal(it.w.held, 0);
	take(RING + 70 + 16 - 140);
	expect_books();
}

static void more_than_may_be_held_is_dropped_from_the_end(void **state UNUSED)
{
	offer_many(RING + PG_HELD_PER_QUEUE + 50);
	assert_int_equal(it.w.held, PG_HELD_PER_QUEUE);
	assert_int_equal(it.worker_stats.tx_dropped[PG_TX_DROP_QUEUE_FULL], 50);
	assert_int_equal(it.w.queue[0].refused, 50);
	expect_books();
	take(RING);
	transmit_held(&it.w, rte_rdtsc());
	take(PG_HELD_PER_QUEUE);
	assert_int_equal(it.w.held, 0);
	expect_books();
}

static void a_device_that_takes_a_little_now_and_then_does_not_stand(void **state UNUSED)
{
	uint64_t now = after_ms(0);

	offer_many(RING + 64);
	for (unsigned i = 0; i < 64; i++) {
		take(1);
		now += 9 * (rte_get_tsc_hz() / 1000);
		transmit_held(&it.w, now);
		assert_int_equal(it.w.held, 63 - i);
	}
	assert_int_equal(dropped(), 0);
	expect_books();
	take(RING);
}

static void a_device_that_stands_is_given_up_until_it_takes_something(void **state UNUSED)
{
	offer_many(RING + 64);
	transmit_held(&it.w, after_ms(5));
	assert_int_equal(it.w.held, 64);
	transmit_held(&it.w, after_ms(11));
	assert_int_equal(it.w.held, 0);
	assert_int_equal(it.worker_stats.tx_dropped[PG_TX_DROP_QUEUE_FULL], 64);
	offer(10); // nothing waits for it any more, and so nothing waits behind that
	assert_int_equal(it.w.held, 0);
	assert_int_equal(it.worker_stats.tx_dropped[PG_TX_DROP_QUEUE_FULL], 74);
	expect_books();
	take_all();
	offer_many(RING + 10);
	assert_int_equal(it.w.held, 10);
	expect_books();
	take(RING);
	transmit_held(&it.w, rte_rdtsc());
	take(10);
}

static void what_is_held_for_a_link_that_goes_down_is_dropped_as_that(void **state UNUSED)
{
	offer_many(RING + 20);
	atomic_store(&it.port.longest_frame, 0);
	transmit_held(&it.w, rte_rdtsc());
	atomic_store(&it.port.longest_frame, ANY_LENGTH);
	assert_int_equal(it.w.held, 0);
	assert_int_equal(it.worker_stats.tx_dropped[PG_TX_DROP_LINK_DOWN], 20);
	expect_books();
	take_all();
}

static void sessions_and_worlds_write_nothing_while_something_is_held(void **state UNUSED)
{
	const struct egress_source source = {.frames = one_frame};
	unsigned asked = 0;

	offer_many(RING + 1);
	assert_int_equal(send_egress(&it.w.common, &source, &asked, BURST_MAX, rte_rdtsc()), 0);
	assert_int_equal(asked, 0);
	take(2);
	transmit_held(&it.w, rte_rdtsc());
	assert_int_equal(send_egress(&it.w.common, &source, &asked, BURST_MAX, rte_rdtsc()), 1);
	assert_int_equal(asked, 1);
	assert_int_equal(it.w.held, 0);
	take(RING);
	expect_books();
}

static void a_worker_that_ends_leaves_nothing_behind(void **state UNUSED)
{
	offer_many(RING + 100);
	take(30);
	transmit_last(&it.w);
	assert_int_equal(it.w.held, 0);
	assert_int_equal(it.worker_stats.tx_dropped[PG_TX_DROP_QUEUE_FULL], 70);
	expect_books();
	take_all();
}

static bool start_eal(void)
{
	char *arguments[] = {"test",   "--no-huge", "--no-pci", "-m", "64",          "--no-telemetry", "--no-shconf",
			     "--vdev", "net_ring0", "-l",       "0",  "--log-level", "lib.eal:error"};

	return rte_eal_init((int)COUNT(arguments), arguments) >= 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_has_no_room_is_held_and_leaves_in_order, begin),
		cmocka_unit_test_setup(more_than_may_be_held_is_dropped_from_the_end, begin),
		cmocka_unit_test_setup(a_device_that_takes_a_little_now_and_then_does_not_stand, begin),
		cmocka_unit_test_setup(a_device_that_stands_is_given_up_until_it_takes_something, begin),
		cmocka_unit_test_setup(what_is_held_for_a_link_that_goes_down_is_dropped_as_that, begin),
		cmocka_unit_test_setup(sessions_and_worlds_write_nothing_while_something_is_held, begin),
		cmocka_unit_test_setup(a_worker_that_ends_leaves_nothing_behind, begin),
	};

	if (!start_eal()) {
		fprintf(stderr, "DPDK does not start\n");
		return 1;
	}
	return cmocka_run_group_tests_name("transmit", tests, open_ring, close_ring);
}
