// SPDX-License-Identifier: BSD-3-Clause
// tests/test_capability.c: what is asked of a device that says what it can do. The devices are those of DPDK 22.11, as
// rte_eth_dev_info_get() describes them.

#include <string.h>

#include "unit.h"

#include "engine/dpdk/dpdk.h"
#include "net/reply.h"
#include "port/capability.h"

struct asked {
	struct capability can;
	struct rte_eth_conf conf;
};

static const struct pg_port_plan card = {.device = "0000:01:00.0", .queues = 2};
static const struct pg_port_plan virtual_device = {.device = "net_tap0", .queues = 2};

static struct asked ask(const struct pg_port_plan *plan, const struct rte_eth_dev_info *info)
{
	struct asked asked;

	asked.can = capability_choose(plan, info, true, &asked.conf);
	return asked;
}

static struct rte_eth_dev_info virtio(void)
{
	return (struct rte_eth_dev_info){
		.driver_name = "net_virtio",
		.max_rx_queues = 8,
		.max_tx_queues = 8,
		.max_rx_pktlen = 9728,
		.max_mtu = 9698,
		.rx_offload_capa = RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
				   RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_VLAN_FILTER,
		.tx_offload_capa = RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_VLAN_INSERT |
				   RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM,
		.hash_key_size = 40,
		.reta_size = 128,
		.flow_type_rss_offloads = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV4_UDP,
	};
}

static struct rte_eth_dev_info igb(void)
{
	return (struct rte_eth_dev_info){
		.driver_name = "net_e1000_igb",
		.max_rx_queues = 16,
		.max_tx_queues = 16,
		.max_rx_pktlen = 0x3fff,
		.max_mtu = 0x3fff - 22,
		.rx_offload_capa =
			RTE_ETH_RX_OFFLOAD_VLAN_FILTER | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM,
		.tx_offload_capa = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM,
		.hash_key_size = 40,
		.reta_size = 128,
		.flow_type_rss_offloads = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_UDP,
	};
}

// ---------------------------------------------------------------- checksums

static void a_device_with_udp_checksums_only_is_asked_for_those(void **state UNUSED)
{
	const struct rte_eth_dev_info info = virtio();
	const struct asked asked = ask(&card, &info);

	assert_true(asked.can.verifies);
	assert_int_equal(asked.can.completes, TX_CHECKSUM_UDP);
	assert_int_equal(asked.conf.rxmode.offloads & (RTE_ETH_RX_OFFLOAD_CHECKSUM), RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	assert_int_equal(asked.conf.txmode.offloads & (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM),
			 RTE_ETH_TX_OFFLOAD_UDP_CKSUM);
}

static void a_device_that_only_verifies_ipv4_headers_is_asked_for_that(void **state UNUSED)
{
	struct rte_eth_dev_info info = igb();

	info.rx_offload_capa = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	info.tx_offload_capa = 0;

	const struct asked asked = ask(&card, &info);

	assert_true(asked.can.verifies);
	assert_int_equal(asked.can.completes, TX_CHECKSUM_NONE);
	assert_int_equal(asked.conf.rxmode.offloads, RTE_ETH_RX_OFFLOAD_IPV4_CKSUM);
}

static void checksums_in_software_ask_the_device_for_none(void **state UNUSED)
{
	const struct rte_eth_dev_info info = igb();
	struct pg_port_plan plan = card;

	plan.checksums = PG_CHECKSUMS_SOFTWARE;

	const struct asked asked = ask(&plan, &info);

	assert_false(asked.can.verifies);
	assert_int_equal(asked.can.completes, TX_CHECKSUM_NONE);
	assert_int_equal(asked.conf.rxmode.offloads | asked.conf.txmode.offloads, 0);
}

// ---------------------------------------------------------------- frames that get in

static void virtio_filters_vlans_and_no_card_is_asked_to(void **state UNUSED)
{
	struct rte_eth_dev_info info = virtio();

	assert_true(ask(&card, &info).can.filters_vlans);
	assert_int_equal(ask(&card, &info).conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER, 0);
	info.rx_offload_capa &= ~RTE_ETH_RX_OFFLOAD_VLAN_FILTER; // its host has none
	assert_false(ask(&card, &info).can.filters_vlans);
	info = igb();
	assert_false(ask(&card, &info).can.filters_vlans);
	assert_int_equal(ask(&card, &info).conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER, 0);
}

static void the_mtu_makes_room_for_two_tags(void **state UNUSED)
{
	struct rte_eth_dev_info info = igb();

	assert_int_equal(ask(&card, &info).conf.rxmode.mtu, 1504); // its driver counts one
	info.max_mtu = 0x3fff - 18;
	assert_int_equal(ask(&card, &info).conf.rxmode.mtu, 1508);
	info.max_mtu = 0x3fff - 26;
	assert_int_equal(ask(&card, &info).conf.rxmode.mtu, 0);
	info.max_mtu = UINT16_MAX; // says nothing of it
	assert_int_equal(ask(&card, &info).conf.rxmode.mtu, 1508);
}

static void a_device_that_takes_no_longer_frames_keeps_its_mtu(void **state UNUSED)
{
	struct rte_eth_dev_info info = igb();

	info.max_mtu = 1500;
	info.max_rx_pktlen = 1518;
	assert_int_equal(ask(&card, &info).conf.rxmode.mtu, 0);
	info = igb();
	info.driver_name = "net_ixgbe_vf";
	assert_int_equal(ask(&card, &info).conf.rxmode.mtu, 0);
	assert_int_equal(ask(&virtual_device, &info).conf.rxmode.mtu, 0);
}

// ---------------------------------------------------------------- queues

static void a_card_without_rss_has_one_queue_and_a_virtual_device_those_that_it_was_given(void **state UNUSED)
{
	struct rte_eth_dev_info info = igb();

	info.flow_type_rss_offloads = 0;
	assert_int_equal(ask(&card, &info).can.queues, 1);
	assert_false(ask(&card, &info).can.rss);
	assert_int_equal(ask(&virtual_device, &info).can.queues, 2);
}

static void queues_beyond_the_redirection_table_are_not_used(void **state UNUSED)
{
	struct rte_eth_dev_info info = igb();
	struct pg_port_plan plan = card;

	plan.queues = 16;
	info.reta_size = 8;
	assert_int_equal(ask(&plan, &info).can.queues, 8);
	info.reta_size = 0; // does not tell
	assert_int_equal(ask(&plan, &info).can.queues, 16);
}

static void the_rss_key_has_the_size_that_the_device_says(void **state UNUSED)
{
	struct rte_eth_dev_info info = igb();

	for (unsigned size = 1; size <= UINT8_MAX; size++) {
		info.hash_key_size = (uint8_t)size;

		const struct rte_eth_rss_conf rss = ask(&card, &info).conf.rx_adv_conf.rss_conf;

		if (rss.rss_key)
			assert_int_equal(rss.rss_key_len, size);
		assert_true(rss.rss_key || size > 64);
		for (unsigned i = 0; rss.rss_key && i < size; i++) // ASan sees a key that is too short
			assert_int_equal(rss.rss_key[i], i % 2 ? 0x5a : 0x6d);
	}
	info.hash_key_size = 0;
	assert_int_equal(ask(&card, &info).conf.rx_adv_conf.rss_conf.rss_key_len, 40);
}

static void only_hash_fields_of_the_device_are_asked_for(void **state UNUSED)
{
	const struct rte_eth_dev_info info = igb();

	assert_int_equal(ask(&card, &info).conf.rx_adv_conf.rss_conf.rss_hf & ~info.flow_type_rss_offloads, 0);
}

// ---------------------------------------------------------------- one pool, one owner

static struct pg_plan two_pools(void)
{
	struct pg_plan plan = {.port_count = 2, .worker_count = 1, .pool_count = 2, .issued_capacity = 16};

	plan.port[1].pool = 1;
	plan.worker[0].queue_count = 2;
	plan.worker[0].queue[1].port = 1;
	return plan;
}

static void fast_free_is_not_asked_for_where_a_worker_sends_from_another_pool(void **state UNUSED)
{
	struct pg_plan plan = two_pools();

	assert_false(sends_own_mbufs(&plan, 0));
	assert_false(sends_own_mbufs(&plan, 1));
	plan.port[1].pool = 0;
	assert_true(sends_own_mbufs(&plan, 0));
	assert_true(sends_own_mbufs(&plan, 1));
}

static void fast_free_is_asked_for_where_only_answers_leave_or_each_pool_has_its_worker(void **state UNUSED)
{
	struct pg_plan plan = two_pools();

	plan.issued_capacity = 0;
	assert_true(sends_own_mbufs(&plan, 0));
	plan = two_pools();
	plan.worker_count = 2;
	plan.worker[0].queue_count = 1;
	plan.worker[1].queue_count = 1;
	plan.worker[1].queue[0].port = 1;
	assert_true(sends_own_mbufs(&plan, 0));
	assert_true(sends_own_mbufs(&plan, 1));
}

static void the_promise_of_one_pool_is_made_only_where_it_is_kept(void **state UNUSED)
{
	struct rte_eth_dev_info info = igb();
	struct rte_eth_conf conf;

	info.tx_offload_capa |= RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	capability_choose(&card, &info, true, &conf);
	assert_int_not_equal(conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE, 0);
	capability_choose(&card, &info, false, &conf);
	assert_int_equal(conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_with_udp_checksums_only_is_asked_for_those),
		cmocka_unit_test(a_device_that_only_verifies_ipv4_headers_is_asked_for_that),
		cmocka_unit_test(checksums_in_software_ask_the_device_for_none),
		cmocka_unit_test(virtio_filters_vlans_and_no_card_is_asked_to),
		cmocka_unit_test(the_mtu_makes_room_for_two_tags),
		cmocka_unit_test(a_device_that_takes_no_longer_frames_keeps_its_mtu),
		cmocka_unit_test(a_card_without_rss_has_one_queue_and_a_virtual_device_those_that_it_was_given),
		cmocka_unit_test(queues_beyond_the_redirection_table_are_not_used),
		cmocka_unit_test(the_rss_key_has_the_size_that_the_device_says),
		cmocka_unit_test(only_hash_fields_of_the_device_are_asked_for),
		cmocka_unit_test(fast_free_is_not_asked_for_where_a_worker_sends_from_another_pool),
		cmocka_unit_test(fast_free_is_asked_for_where_only_answers_leave_or_each_pool_has_its_worker),
		cmocka_unit_test(the_promise_of_one_pool_is_made_only_where_it_is_kept),
	};

	return cmocka_run_group_tests_name("capability", tests, NULL, NULL);
}
