// SPDX-License-Identifier: BSD-3-Clause
// port/capability.c: see capability.h.

#include "port/capability.h"

#include <string.h>

#include "net/reply.h"

#define RX_CHECKSUMS (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define RSS_WANTED                                                                                           \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP | \
	 RTE_ETH_RSS_IPV6_UDP_EX)

#define RSS_KEY_MAX 64
#define RSS_KEY_DEFAULT 40

/// What a frame may have beside its MTU of payload: Ethernet header, two tags, FCS.
#define FRAME_OVERHEAD (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN)

bool capability_is_card(const struct pg_port_plan *plan)
{
	return strchr(plan->device, ':') != NULL;
}

/// A virtual function: what it may receive is up to its physical one.
static bool is_function(const struct rte_eth_dev_info *info)
{
	return strstr(info->driver_name, "vf") != NULL;
}

/// A key with a period of 16 bits hashes both directions of a flow alike (Woo and Park, 2012).
static uint8_t *symmetric_key(void)
{
	static uint8_t key[RSS_KEY_MAX];

	for (unsigned i = 0; i < RSS_KEY_MAX; i += 2) {
		key[i] = 0x6d;
		key[i + 1] = 0x5a;
	}
	return key;
}

/// Each for itself: virtio-net and vmxnet3 know UDP's checksum and not IPv4's.
static void choose_checksums(struct capability *c, const struct pg_port_plan *plan, const struct rte_eth_dev_info *info,
			     struct rte_eth_conf *conf)
{
	if (plan->checksums == PG_CHECKSUMS_SOFTWARE)
		return;
	conf->rxmode.offloads |= info->rx_offload_capa & RX_CHECKSUMS;
	c->verifies = (info->rx_offload_capa & RX_CHECKSUMS) != 0;
	if (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) {
		conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
		c->completes |= TX_CHECKSUM_IP;
	}
	if (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) {
		conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
		c->completes |= TX_CHECKSUM_UDP;
	}
}

static void choose_rss(struct capability *c, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	const uint64_t hash_fields = RSS_WANTED & info->flow_type_rss_offloads;
	const uint8_t size = info->hash_key_size ? info->hash_key_size : RSS_KEY_DEFAULT;

	if (c->queues < 2 || hash_fields == 0)
		return;
	c->rss = true;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){.rss_hf = hash_fields};
	if (size > RSS_KEY_MAX) // the device's own key then
		return;
	conf->rx_adv_conf.rss_conf.rss_key = symmetric_key();
	conf->rx_adv_conf.rss_conf.rss_key_len = size;
}

/// A NIC that cannot spread flows has no use for a second queue, nor for more than its table has entries; virtual devices
/// spread by their own means (af_packet by fanout, pcap by file).
static uint16_t usable_queues(const struct pg_port_plan *plan, const struct rte_eth_dev_info *info)
{
	const uint16_t has = RTE_MIN(info->max_rx_queues, info->max_tx_queues);
	uint16_t queues = RTE_MIN(plan->queues, has);

	if (!capability_is_card(plan))
		return queues;
	if ((info->flow_type_rss_offloads & RSS_WANTED) == 0)
		return RTE_MIN(queues, 1);
	return info->reta_size > 0 ? RTE_MIN(queues, info->reta_size) : queues;
}

/// A frame of 1,500 bytes may have two tags. Drivers count one, two or none of them to what they allow beside the MTU, so
/// the MTU makes up for the rest. 0 is the device's default. Virtual devices have no such limit or do not tell; of a
/// virtual function, the physical one decides, and may refuse all for the sake of four bytes.
static uint32_t choose_mtu(const struct pg_port_plan *plan, const struct rte_eth_dev_info *info)
{
	const bool tells = info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu;
	const uint32_t overhead = tells ? info->max_rx_pktlen - info->max_mtu : RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
	const uint32_t mtu = RTE_ETHER_MTU + FRAME_OVERHEAD - RTE_MIN(overhead, (uint32_t)FRAME_OVERHEAD);

	if (!capability_is_card(plan) || is_function(info) || mtu == RTE_ETHER_MTU)
		return 0;
	return mtu <= info->max_mtu && mtu + overhead <= info->max_rx_pktlen ? mtu : 0;
}

/// Cards let tagged frames in until they are asked to filter them, and they are not. Virtio has it the other way round once
/// the filter was negotiated, which its driver always does: none gets in until its VLAN is told, or all are asked for. To
/// tell it of 4,094 VLANs takes its driver 0.1 ms each, at every start of a worker.
static bool filters_vlans(const struct rte_eth_dev_info *info)
{
	return strcmp(info->driver_name, "net_virtio") == 0 &&
	       (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER) != 0;
}

struct capability capability_choose(const struct pg_port_plan *plan, const struct rte_eth_dev_info *info,
				    bool own_mbufs, struct rte_eth_conf *conf)
{
	struct capability c = {.queues = usable_queues(plan, info), .filters_vlans = filters_vlans(info)};

	memset(conf, 0, sizeof(*conf));
	choose_checksums(&c, plan, info, conf);
	choose_rss(&c, info, conf);
	conf->rxmode.mtu = choose_mtu(plan, info);
	// It promises that every mbuf of a queue comes from one pool, is whole and has one owner.
	if (own_mbufs)
		conf->txmode.offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	return c;
}
