// SPDX-License-Identifier: BSD-3-Clause
// tests/test_ports.c: a device of DPDK: what it says of itself, what it is promised, and an appliance that keeps to it.
//
// EAL starts once in a process and ends with the appliance, which is why that test is the last.

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_version.h>

#include "appliance.h"
#include "engine/dpdk/transmit.h"
#include "frames.h"
#include "port/notices.h"
#include "port/pool.h"
#include "port/port.h"
#include "port/promises.h"
#include "rig.h"

#define CAPTURE "/tmp/pollgate-test-ports-%d.pcap"
#define ANSWERS 10000

// Of DPDK's interface for drivers, whose header is not installed: how a driver tells of an event.
struct rte_eth_dev *rte_eth_dev_allocated(const char *name);
int rte_eth_dev_callback_process(struct rte_eth_dev *device, enum rte_eth_event_type event, void *told);

static char capture[64];

static struct pg_pool_plan pool_plan(const char *name)
{
	struct pg_pool_plan plan = {.node = -1, .mbufs = 1024, .data_room_bytes = 2176};

	snprintf(plan.name, sizeof(plan.name), "%s", name);
	return plan;
}

// ---------------------------------------------------------------- what it says

struct opened {
	struct port port;
	struct pg_port_plan plan;
	struct pg_port_stats stats;
	struct rte_mempool *pool;
};

static int open_device(void **state, const char *device)
{
	static struct opened o;
	const struct pg_pool_plan pool = pool_plan("ports");
	struct pg_error error = {0};

	o = (struct opened){.plan = {.name = "null", .queues = 1, .rx_descriptors = 64, .tx_descriptors = 64}};
	snprintf(o.plan.device, sizeof(o.plan.device), "%s", device);
	o.pool = pool_make(&pool, &error);
	assert_non_null(o.pool);
	if (port_open(&o.port, &o.plan, 8080, o.pool, true, &error) != PG_OK)
		fail_msg("%s", error.message);
	*state = &o;
	return 0;
}

static int open_port(void **state)
{
	return open_device(state, "net_null0");
}

static int open_port_that_copies(void **state)
{
	return open_device(state, "net_null1");
}

static int close_port(void **state)
{
	struct opened *o = *state;

	port_stop(&o->port);
	port_close(&o->port);
	promises_enforce_returned(o->pool);
	rte_mempool_free(o->pool);
	return 0;
}

static void a_device_that_asks_for_a_reset_is_said_to(void **state)
{
	struct opened *o = *state;

	port_refresh(&o->port, &o->stats);
	assert_int_equal(o->stats.device, PG_DEVICE_WELL);
	rte_eth_dev_callback_process(rte_eth_dev_allocated("net_null0"), RTE_ETH_EVENT_INTR_LSC, NULL);
	port_refresh(&o->port, &o->stats);
	assert_int_equal(o->stats.device, PG_DEVICE_WELL);
	rte_eth_dev_callback_process(rte_eth_dev_allocated("net_null0"), RTE_ETH_EVENT_INTR_RESET, NULL);
	port_refresh(&o->port, &o->stats);
	assert_int_equal(o->stats.device, PG_DEVICE_RESET);
}

static void a_device_whose_driver_says_that_it_goes_is_leaving(void **state)
{
	struct opened *o = *state;
	struct notices notices = {0};

	notices_begin(&notices, o->port.id);
	assert_int_equal(notices_state(&notices), PG_DEVICE_WELL);
	rte_eth_dev_callback_process(rte_eth_dev_allocated("net_null0"), RTE_ETH_EVENT_INTR_RMV, NULL);
	assert_int_equal(notices_state(&notices), PG_DEVICE_LEAVING);
	notices_end(&notices);
}

/// The kernel asks for what vfio-pci gave away; a virtual device's bus never does, so that is played.
static void a_device_that_the_kernel_asks_for_is_leaving(void **state)
{
#if RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)
	(void)state;
	skip(); // what is needed to hear it is experimental there
#else
	struct opened *o = *state;
	struct notices notices = {0};

	notices_begin(&notices, o->port.id);
	rte_dev_event_callback_process("net_pcap0", RTE_DEV_EVENT_REMOVE);
	rte_dev_event_callback_process("net_null0", RTE_DEV_EVENT_ADD);
	assert_int_equal(notices_state(&notices), PG_DEVICE_WELL);
	rte_dev_event_callback_process("net_null0", RTE_DEV_EVENT_REMOVE);
	assert_int_equal(notices_state(&notices), PG_DEVICE_LEAVING);
	notices_end(&notices);
#endif
}

/// A virtual device has no slot, so that is played, too.
static void a_card_that_is_not_in_its_slot_is_leaving_and_sends_nothing(void **state)
{
	char slot[] = "/tmp/pollgate-test-ports-XXXXXX", driver[64];
	struct opened *o = *state;

	assert_non_null(mkdtemp(slot));
	snprintf(driver, sizeof(driver), "%s/driver", slot);
	assert_int_equal(mkdir(driver, 0700), 0);
	card_begin(&o->port.card, slot);
	port_refresh(&o->port, &o->stats);
	assert_int_equal(o->stats.device, PG_DEVICE_WELL);
	assert_true(o->stats.link_up);
	assert_int_equal(o->port.longest_frame, ANY_LENGTH);
	assert_int_equal(rmdir(driver), 0);
	assert_int_equal(rmdir(slot), 0);
	port_refresh(&o->port, &o->stats);
	assert_int_equal(o->stats.device, PG_DEVICE_LEAVING);
	assert_false(o->stats.link_up);
	assert_int_equal(o->port.longest_frame, 0);
	o->port.card = (struct card){0}; // the tests that follow have the port, too
}

// ---------------------------------------------------------------- where its driver's words go

static unsigned open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/// Each reload says it again.
static void a_log_that_goes_where_it_went_opens_nothing(void **state)
{
	unsigned before;

	(void)state;
	pg_log_to(-1, 0);
	before = open_descriptors();
	for (unsigned i = 0; i < 100; i++)
		pg_log_to(-1, (int)(i & 1));
	assert_int_equal(open_descriptors(), before);
	pg_log_to(STDERR_FILENO, 0);
}

// ---------------------------------------------------------------- what it is promised

static struct rte_mbuf *an_answer(struct opened *o, unsigned checksums)
{
	const struct flow flow = flow4(1);
	struct rte_mbuf *m = rte_pktmbuf_alloc(o->pool);
	struct frame f;

	assert_non_null(m);
	build_game(&f, &flow, 101, 5);
	if (checksums & TX_CHECKSUM_IP) {
		put16(f.bytes + f.l3 + 10, 0);
		m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	}
	if (checksums & TX_CHECKSUM_UDP) {
		put16(f.bytes + f.l4 + 6,
		      (uint16_t)~naive_checksum(
			      NULL, 0, naive_pseudo_sum(f.bytes + f.l3, PROTOCOL_UDP, get16(f.bytes + f.l4 + 4))));
		m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
	}
	m->l2_len = f.l3;
	m->l3_len = f.l4 - f.l3;
	m->data_len = f.len;
	m->pkt_len = f.len;
	memcpy(rte_pktmbuf_mtod(m, uint8_t *), f.bytes, f.len);
	return m;
}

static void assert_broken(struct opened *o, const struct rte_mbuf *m, const char *how)
{
	const char *broken = promise_broken(&o->port, m);

	assert_non_null(broken);
	if (!strstr(broken, how))
		fail_msg("\"%s\", not \"%s\"", broken, how);
}

static void answers_as_they_are_break_no_promise(void **state)
{
	struct opened *o = *state;

	for (unsigned checksums = 0; checksums <= (TX_CHECKSUM_IP | TX_CHECKSUM_UDP); checksums++) {
		struct rte_mbuf *m = an_answer(o, checksums);

		o->port.tx_offload = (uint8_t)checksums;
		assert_null(promise_broken(&o->port, m));
		rte_pktmbuf_free(m);
	}
}

static void a_packet_that_fast_free_would_lose_breaks_the_promise(void **state)
{
	struct opened *o = *state;
	struct rte_mbuf *m = an_answer(o, 0);

	rte_mbuf_refcnt_set(m, 2);
	assert_broken(o, m, "several owners");
	rte_mbuf_refcnt_set(m, 1);
	m->nb_segs = 2;
	assert_broken(o, m, "several segments");
	m->nb_segs = 1;
	o->port.pool = NULL;
	assert_broken(o, m, "another pool");
	o->port.own_mbufs = false; // nothing was promised
	assert_null(promise_broken(&o->port, m));
	o->port.own_mbufs = true;
	o->port.pool = o->pool;
	rte_pktmbuf_free(m);
}

static void a_packet_without_address_or_with_a_wrong_length_breaks_the_promise(void **state)
{
	struct opened *o = *state;
	struct rte_mbuf *m = an_answer(o, 0);
	const rte_iova_t address = rte_mbuf_iova_get(m);
	const uint16_t length = m->data_len;

	rte_mbuf_iova_set(m, RTE_BAD_IOVA);
	assert_broken(o, m, "no address");
	rte_mbuf_iova_set(m, address);
	m->data_len = (uint16_t)(length - 1);
	assert_broken(o, m, "lengths differ");
	m->data_len = 13;
	m->pkt_len = 13;
	assert_broken(o, m, "shorter than");
	m->data_len = ETHERNET_MAX + 1;
	m->pkt_len = ETHERNET_MAX + 1;
	assert_broken(o, m, "longer than");
	m->data_len = length;
	m->pkt_len = length;
	m->data_off = (uint16_t)(m->buf_len - length + 1);
	assert_broken(o, m, "behind its buffer");
	m->data_off = RTE_PKTMBUF_HEADROOM;
	rte_pktmbuf_free(m);
}

static void a_request_that_the_device_cannot_fulfil_breaks_the_promise(void **state)
{
	struct opened *o = *state;
	struct rte_mbuf *m = an_answer(o, TX_CHECKSUM_IP | TX_CHECKSUM_UDP);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	o->port.tx_offload = TX_CHECKSUM_UDP;
	assert_broken(o, m, "not configured for");
	o->port.tx_offload = TX_CHECKSUM_IP | TX_CHECKSUM_UDP;
	frame[14 + 20 + 7] ^= 1;
	assert_broken(o, m, "sum of the pseudo-header");
	frame[14 + 20 + 7] ^= 1;
	frame[14 + 10] = 1;
	assert_broken(o, m, "is not 0");
	frame[14 + 10] = 0;
	m->l3_len = 40;
	assert_broken(o, m, "another IP version");
	m->l3_len = 500;
	assert_broken(o, m, "more than it has");
	rte_pktmbuf_free(m);
}

static void a_broken_promise_ends_the_process(void **state)
{
	struct opened *o = *state;
	struct rte_mbuf *m = an_answer(o, 0);
	pid_t child;
	int status;

	promises_enforce(&o->port, &m, 1);
	rte_mbuf_refcnt_set(m, 2);
	child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		fclose(stderr);
		promises_enforce(&o->port, &m, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	rte_mbuf_refcnt_set(m, 1);
	rte_pktmbuf_free(m);
}

// ---------------------------------------------------------------- what it owes us

/// All of the pool's buffers are counted when the port is closed, too.
static void what_was_sent_comes_back_even_from_a_device_that_keeps_it(void **state)
{
	struct opened *o = *state;
	static struct dpdk_worker w;
	static struct pg_worker_stats stats;
	struct pg_port_counts counts = {0};
	struct worker_queue q = {.port = &o->port, .port_stats = &o->stats, .counts = &counts, .port_id = o->port.id};

	w.common.stats = &stats;
	for (unsigned i = 0; i < 3 * o->pool->size; i++) {
		struct rte_mbuf *m = an_answer(o, 0);

		transmit(&w, &q, &m, 1, m->pkt_len);
	}
	assert_int_equal(counts.tx_packets, 3 * o->pool->size);
	assert_int_equal(rte_mempool_in_use_count(o->pool), 0);
}

// ---------------------------------------------------------------- an appliance that keeps to it

/// A capture of one MOVE, for ever.
static void write_capture(void)
{
	static const uint32_t file_header[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	const struct flow flow = flow4(1);
	struct frame f;
	FILE *file;

	build_game(&f, &flow, 1, 5);
	snprintf(capture, sizeof(capture), CAPTURE, (int)getpid());
	file = fopen(capture, "wb");
	if (!file) {
		perror(capture);
		exit(1);
	}
	const uint32_t record[] = {0, 0, f.len, f.len};

	if (fwrite(file_header, sizeof(file_header), 1, file) != 1 || fwrite(record, sizeof(record), 1, file) != 1 ||
	    fwrite(f.bytes, f.len, 1, file) != 1 || fclose(file) != 0)
		exit(1);
}

/// Every packet is checked where this is built with -Dpromises=true, and all buffers are counted at the end.
static void an_appliance_breaks_no_promise_and_leaves_no_buffer_with_a_device(void **state UNUSED)
{
	static struct appliance a;
	const struct pg_address address = {.family = 4, .prefix_len = 24, .bytes = {10, 0, 0, 1}};
	const uint8_t mac[] = {2, 0, 0, 0, 0, 2};

	appliance_plan(&a, PG_ENGINE_DPDK, 1, 64);
	a.plan.listener_port[0] = 8080;
	a.plan.port_count = a.plan.pool_count = 1;
	a.plan.pool[0] = pool_plan("appliance");
	a.plan.pool[0].mbufs = 4096;
	a.plan.port[0] = (struct pg_port_plan){.name = "pcap0",
					       .device = "net_pcap0",
					       .address = {address},
					       .address_count = 1,
					       .has_mac = true,
					       .queues = 1,
					       .rx_descriptors = 64,
					       .tx_descriptors = 64};
	memcpy(a.plan.port[0].mac, mac, sizeof(mac));
	a.plan.worker[0] = (struct pg_worker_plan){.lcore = 1, .queue_count = 1};
	appliance_prepare(&a);
	appliance_start(&a);
	for (unsigned waited = 0; TOTAL(&a, tx_sent) < ANSWERS && waited < SETTLE_MS; waited++)
		usleep(1000);
	appliance_stop(&a);
	assert_true(TOTAL(&a, tx_sent) >= ANSWERS);
	appliance_assert_conserved(&a);
	appliance_give_up(&a);
}

static bool start_eal(void)
{
	char vdev[128];
	char *arguments[] = {"test_ports", "--no-huge", "--no-shconf",    "-m",
			     "128",        "--no-pci",  "--lcores",       "0@0,1@0",
			     "--vdev",     "net_null0", "--vdev",         "net_null1,copy=1",
			     "--vdev",     vdev,        "--no-telemetry", "--log-level=3",
			     NULL};
	int count = 0;

	snprintf(vdev, sizeof(vdev), "net_pcap0,rx_pcap=%s,infinite_rx=1", capture);
	while (arguments[count])
		count++;
	return rte_eal_init(count, arguments) >= 0;
}

int main(void)
{
	const struct CMUnitTest of_a_port[] = {
		cmocka_unit_test(answers_as_they_are_break_no_promise),
		cmocka_unit_test(a_packet_that_fast_free_would_lose_breaks_the_promise),
		cmocka_unit_test(a_packet_without_address_or_with_a_wrong_length_breaks_the_promise),
		cmocka_unit_test(a_request_that_the_device_cannot_fulfil_breaks_the_promise),
		cmocka_unit_test(a_broken_promise_ends_the_process),
		cmocka_unit_test(a_card_that_is_not_in_its_slot_is_leaving_and_sends_nothing),
		cmocka_unit_test(a_device_that_asks_for_a_reset_is_said_to),
		cmocka_unit_test(a_device_whose_driver_says_that_it_goes_is_leaving),
		cmocka_unit_test(a_device_that_the_kernel_asks_for_is_leaving),
		cmocka_unit_test(a_log_that_goes_where_it_went_opens_nothing),
	};
	const struct CMUnitTest of_a_port_that_copies[] = {
		cmocka_unit_test(what_was_sent_comes_back_even_from_a_device_that_keeps_it),
	};
	const struct CMUnitTest of_an_appliance[] = {
		cmocka_unit_test(an_appliance_breaks_no_promise_and_leaves_no_buffer_with_a_device),
	};
	int failed;

	write_capture();
	if (!start_eal()) {
		fprintf(stderr, "DPDK does not start\n");
		unlink(capture);
		return 1;
	}
	failed = cmocka_run_group_tests_name("ports", of_a_port, open_port, close_port);
	failed += cmocka_run_group_tests_name("port that copies", of_a_port_that_copies, open_port_that_copies,
					      close_port);
	failed += cmocka_run_group_tests_name("appliance", of_an_appliance, NULL, NULL);
	unlink(capture);
	return failed;
}
